//! Input that the host reads: the location and format of its files, and the handling of records
//! that cannot be read.

use serde_json::Value;

use super::parse::{JobObject, Keys, at, describe, element, member, text, wrong_type};
use super::slices::FileShare;
use crate::fault::{Fault, Result};
use crate::json::Path;
use crate::sql::stage::StagePlace;

/// Input that the host reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pulled {
    /// The path of the records in each value, if the job has one.
    pub(crate) selector: Option<Path>,
    /// Its files. Empty: the files that the host was given for the resource.
    pub(crate) files: Vec<String>,
    /// The format of the files.
    pub(crate) format: Format,
    /// The encoding of the text. `None`: UTF-8.
    pub(crate) encoding: Option<Encoding>,
    /// The handling of a record that cannot be read.
    pub(crate) on_bad_record: OnBadRecord,
    /// Columns that are made from the name of each record's file.
    pub(crate) include: Vec<OfFile>,
    /// The files that are read, if they are those of a slice.
    pub(crate) share: Option<FileShare>,
}

/// A column that is made from the name of a record's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum OfFile {
    /// `_file_<key>`: the value of a folder `<key>=<value>`.
    Partition(String),
    /// `_file_path`: the full name.
    Path,
}

/// The name of a text encoding that both hosts support.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Encoding(&'static str);

/// The format of input.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) enum Format {
    /// JSON values, each delivered in one piece by the host.
    #[default]
    Values,
    /// JSON values, or arrays of them, of any size.
    Json,
    /// One JSON value per line.
    JsonLines,
    /// Delimited text.
    Csv(Box<Csv>),
    /// Parquet, decoded by the host.
    Parquet,
    /// Arrow IPC, decoded by the host.
    Arrow,
}

/// The handling of a record that cannot be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum OnBadRecord {
    /// The load fails.
    #[default]
    Fail,
    /// The record is stored in `_rejected`.
    Reject,
}

/// How often a load commits what it has read, so that an interrupted load can resume. At least one
/// limit is set; the first that is reached applies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Checkpoint {
    /// After this many pages.
    pub(crate) pages: Option<u64>,
    /// After this many bytes of pages.
    pub(crate) bytes: Option<u64>,
}

/// A dialect of CSV. All special characters are ASCII.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Csv {
    /// The separator of fields.
    pub(crate) delimiter: u8,
    /// The character that encloses a field. Doubled within a field, it stands for itself.
    pub(crate) quote: Option<u8>,
    /// The character that makes the next one literal.
    pub(crate) escape: Option<u8>,
    /// The first character of a comment line.
    pub(crate) comment: Option<u8>,
    /// The source of the column names.
    pub(crate) header: Header,
    /// Unquoted fields that are read as NULL.
    pub(crate) null: Vec<String>,
    /// The number of lines before the header.
    pub(crate) skip_lines: u32,
    /// Whether a row may have fewer fields than there are columns.
    pub(crate) short_rows: bool,
}

/// The source of column names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Header {
    /// The first row of each file.
    First,
    /// Their numbers: `column_1`.
    Numbers,
    /// The names in the job.
    Names(Vec<String>),
}

impl Default for Csv {
    fn default() -> Self {
        Self {
            delimiter: b',',
            quote: Some(b'"'),
            escape: None,
            comment: None,
            header: Header::First,
            null: vec![String::new()],
            skip_lines: 0,
            short_rows: false,
        }
    }
}

impl Checkpoint {
    /// Parses a checkpoint.
    pub(super) fn parse(value: &Value, place: &str) -> Result<Self> {
        let object = JobObject::new(value, place, Keys::of(&["pages", "bytes"]))?;
        let count = |key, most| {
            let count = object.whole(key, 1, most)?;
            Ok::<_, Fault>(count.and_then(|count| u64::try_from(count).ok()))
        };
        let checkpoint = Self {
            pages: count("pages", 1_000_000_000)?,
            bytes: count("bytes", 1_000_000_000_000_000)?,
        };
        if checkpoint.pages.or(checkpoint.bytes).is_none() {
            return Err(object.fault("expected pages or bytes, found neither"));
        }
        Ok(checkpoint)
    }

    /// Returns `true` if one of the limits is reached.
    pub(crate) fn is_due(&self, pages: u64, bytes: u64) -> bool {
        self.pages.is_some_and(|most| pages >= most) || self.bytes.is_some_and(|most| bytes >= most)
    }
}

impl Pulled {
    /// Parses the keys of a resource that concern its files.
    pub(super) fn parse(object: &JobObject<'_>) -> Result<Self> {
        let files = match object.get("files") {
            None => Vec::new(),
            Some(Value::String(_)) => {
                object.text("files")?.map(str::to_owned).into_iter().collect()
            }
            Some(Value::Array(_)) => object.texts("files")?.unwrap_or_default(),
            Some(other) => {
                return Err(object.wrong_type("a place or a list of places", other, "files"));
            }
        };
        for file in files.iter().filter(|file| StagePlace::is(file)) {
            StagePlace::parse(file).map_err(|fault| fault.at(object.place_of("files")))?;
        }
        let format = match object.get("format") {
            Some(value) => Format::parse(value, &object.place_of("format"))?,
            None => Format::of_files(&files, &object.place_of("files"))?,
        };
        let words = [("fail", OnBadRecord::Fail), ("reject", OnBadRecord::Reject)];
        let on_bad_record = object.choice("on_bad_record", &words)?.unwrap_or_default();
        // Values from the host are valid or invalid as a whole. Only text formats can skip one
        // record.
        let format = match (format, on_bad_record) {
            (Format::Values, OnBadRecord::Reject) => Format::Json,
            (format, _) => format,
        };
        let include = object.texts("include_file")?.unwrap_or_default();
        let include = include.into_iter().enumerate().map(|(n, key)| match key.as_str() {
            "path" => Ok(OfFile::Path),
            _ if key.contains(['/', '=']) => {
                let place = element(&object.place_of("include_file"), n);
                let expected =
                    "expected \"path\", or the key of folders such as dt for dt=2024-01-01";
                Err(at(&place, format_args!("{expected}, found {key:?}")))
            }
            _ => Ok(OfFile::Partition(key)),
        });
        let encoding = object.choice("encoding", &Encoding::words())?;
        // UTF-8 is the default.
        let encoding = encoding.filter(|it| it.0 != "utf-8");
        Ok(Self {
            selector: None,
            files,
            format,
            encoding,
            on_bad_record,
            include: include.collect::<Result<_>>()?,
            share: None,
        })
    }
}

impl Pulled {
    /// Checks that an encoding is set only for a text format.
    pub(super) fn check_encoding(&self, object: &JobObject<'_>) -> Result<()> {
        match self.format {
            Format::Values | Format::Parquet | Format::Arrow if self.encoding.is_some() => {
                let why = "expected a format of csv, json or jsonl: no other has an encoding";
                Err(object.fault_at("encoding", why))
            }
            _ => Ok(()),
        }
    }
}

impl Encoding {
    /// All names that a job may use.
    const NAMES: [&str; 30] = [
        "utf-8",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-3",
        "iso-8859-4",
        "iso-8859-5",
        "iso-8859-6",
        "iso-8859-7",
        "iso-8859-8",
        "iso-8859-10",
        "iso-8859-13",
        "iso-8859-14",
        "iso-8859-15",
        "iso-8859-16",
        "windows-874",
        "windows-1250",
        "windows-1251",
        "windows-1252",
        "windows-1253",
        "windows-1254",
        "windows-1256",
        "windows-1257",
        "windows-1258",
        "koi8-r",
        "ibm866",
        "macintosh",
        "shift_jis",
    ];

    fn words() -> [(&'static str, Self); 30] {
        Self::NAMES.map(|name| (name, Self(name)))
    }

    /// The name of the encoding.
    pub(crate) fn name(self) -> &'static str {
        self.0
    }
}

impl Format {
    fn parse(value: &Value, place: &str) -> Result<Self> {
        let types: &[(&str, Self)] = &[
            ("json", Self::Json),
            ("jsonl", Self::JsonLines),
            ("ndjson", Self::JsonLines),
            ("csv", Self::Csv(Box::default())),
            ("parquet", Self::Parquet),
            ("arrow", Self::Arrow),
        ];
        let find = |value: &Value, place: &str| {
            let names: Vec<(&str, usize)> =
                types.iter().enumerate().map(|(n, (name, _))| (*name, n)).collect();
            let at = super::parse::choice(value, place, &names)?;
            Ok(types.get(at).map(|(_, format)| format.clone()).unwrap_or_default())
        };
        if value.is_string() {
            return find(value, place);
        }
        let Some(kind) = value.get("type").filter(|_| value.is_object()) else {
            return Err(wrong_type("a format or an object with a type", value, place));
        };
        match find(kind, &member(place, "type"))? {
            Self::Csv(_) => Ok(Self::Csv(Box::new(Csv::parse(value, place)?))),
            other => {
                JobObject::new(value, place, Keys::of(&["type"]))?;
                Ok(other)
            }
        }
    }

    /// The format that the extensions of the files imply.
    fn of_files(files: &[String], place: &str) -> Result<Self> {
        let mut found: Option<(&str, Self)> = None;
        for (n, file) in files.iter().enumerate() {
            let format = Self::of_name(file).ok_or_else(|| {
                let place = if files.len() == 1 { place.to_owned() } else { element(place, n) };
                let message = "expected a name that ends in .json, .jsonl, .ndjson, .csv, .tsv, \
                     .parquet or .arrow, or a \"format\" beside it";
                at(&place, format_args!("{message}, found {file:?}"))
            })?;
            match &found {
                Some((first, other)) if *other != format => {
                    let message = format!("{first:?} and {file:?} are of different formats");
                    return Err(at(place, format!("expected files of one format, but {message}")));
                }
                Some(_) => {}
                None => found = Some((file, format)),
            }
        }
        Ok(found.map(|(_, format)| format).unwrap_or_default())
    }

    /// The format that the extension of a file implies.
    fn of_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let plain = [".gz", ".gzip", ".zst", ".zstd"].iter().find_map(|end| name.strip_suffix(end));
        let (_, end) = plain.unwrap_or(&name).rsplit_once('.')?;
        Some(match end {
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "csv" => Self::Csv(Box::default()),
            "tsv" => Self::Csv(Box::new(Csv { delimiter: b'\t', ..Csv::default() })),
            "parquet" => Self::Parquet,
            "arrow" | "arrows" | "feather" => Self::Arrow,
            _ => return None,
        })
    }
}

const CSV_KEYS: Keys = Keys {
    known: &[
        "type",
        "delimiter",
        "quote",
        "escape",
        "comment",
        "header",
        "null",
        "skip_lines",
        "short_rows",
    ],
    refused: &[
        ("encoding", "it is a key beside \"format\""),
        ("compression", "the first bytes of the file show it"),
        ("lineterminator", "lines end in LF, CR LF or CR"),
        ("sep", "it is called \"delimiter\""),
        ("quotechar", "it is called \"quote\""),
        ("escapechar", "it is called \"escape\""),
        ("names", "they are given as \"header\""),
        ("na_values", "it is called \"null\""),
        ("skiprows", "it is called \"skip_lines\""),
    ],
};

impl Csv {
    fn parse(value: &Value, place: &str) -> Result<Self> {
        let object = JobObject::new(value, place, CSV_KEYS)?;
        let plain = Self::default();
        // An explicit null disables the character.
        let character = |key: &str, default: Option<u8>| match (object.has(key), object.get(key)) {
            (false, _) => Ok(default),
            (true, None) => Ok(None),
            (true, Some(value)) => match value.as_str().map(str::as_bytes) {
                Some([c]) if c.is_ascii() && !matches!(c, b'\n' | b'\r') => Ok(Some(*c)),
                _ => Err(object.wrong_type("one ASCII character", value, key)),
            },
        };
        let header = match object.get("header") {
            None | Some(Value::Bool(true)) => Header::First,
            Some(Value::Bool(false)) => Header::Numbers,
            Some(Value::Array(items)) if !items.is_empty() => {
                let place = object.place_of("header");
                let mut names: Vec<String> = Vec::new();
                for (n, item) in items.iter().enumerate() {
                    let name = text(item, &element(&place, n))?;
                    if names.contains(&name) {
                        let message = format!("the column {name:?} is given twice");
                        return Err(at(&element(&place, n), message));
                    }
                    names.push(name);
                }
                Header::Names(names)
            }
            Some(other) => {
                return Err(object.wrong_type("true, false or a list of names", other, "header"));
            }
        };
        let null = match object.get("null") {
            None => plain.null,
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => {
                let place = object.place_of("null");
                let text = |(n, item): (usize, &Value)| match item {
                    Value::String(text) => Ok(text.clone()),
                    other => Err(wrong_type("a string", other, &element(&place, n))),
                };
                items.iter().enumerate().map(text).collect::<Result<_>>()?
            }
            Some(other) => {
                return Err(object.wrong_type("a string or a list of strings", other, "null"));
            }
        };
        let csv = Self {
            delimiter: character("delimiter", Some(plain.delimiter))?
                .ok_or_else(|| object.missing("delimiter", "one ASCII character"))?,
            quote: character("quote", plain.quote)?,
            escape: character("escape", None)?,
            comment: character("comment", None)?,
            header,
            null,
            skip_lines: object
                .whole("skip_lines", 0, 1_000_000)?
                .and_then(|lines| u32::try_from(lines).ok())
                .unwrap_or(0),
            short_rows: object.boolean("short_rows")?.unwrap_or(false),
        };
        let given = [Some(csv.delimiter), csv.quote, csv.escape, csv.comment];
        for (n, one) in given.iter().enumerate() {
            // The quote may also be its own escape: that is how quotes are escaped by default.
            let pair = |other: usize| (n, other) == (2, 1);
            if let Some(c) = one
                && (0..n).any(|other| !pair(other) && given.get(other) == Some(one))
            {
                let found = describe(&Value::from(char::from(*c).to_string()));
                let uses = "is used for two of delimiter, quote, escape and comment";
                return Err(at(place, format!("{found} {uses}")));
            }
        }
        Ok(csv)
    }
}
