//! Files and streams that the host reads, page by page.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::reading::{Reading, ReadingStop};
use super::record::{FileRecords, check_size};
use super::rejects::RejectedRecord;
use super::typed;
use crate::columnar::cells::CellColumn;
use crate::fault::{Context, Fault, Result};
use crate::job::url::decoded;
use crate::job::{self, FileShare, Format, OfFile, OnBadRecord};
use crate::json::select::{self, Flow, WalkedPage};
use crate::json::{Path, Reader, line_column, push_string};
use crate::load::session::{PullReply, Session, SqlReply};
use crate::protocol::{Content, InputFile, Pull};
use crate::sources::formats::{Frame, Frames, legible};
use crate::sql::stage::{ListedFile, StagePlace};

/// How far the input of a resource is read.
pub(crate) struct InputReader {
    /// `None` if the host splits the input into values or cells.
    frames: Option<Frames>,
    content: Content,
    /// The file that is read; without a name if the host names none.
    file: InputFile,
    /// Its columns, if the host says them: its pages are cells then.
    fields: Option<Vec<CellColumn>>,
    records: FileRecords,
    include: Vec<OfFile>,
    /// The files that are read, if they are those of a slice.
    share: Option<FileShare>,
    /// Whether the rest of the file is skipped.
    skip: bool,
    /// Where an interrupted load stopped: the file, and the number of its records that are loaded.
    resume: Option<(InputFile, u64)>,
    /// Pages read.
    pages: u64,
    /// Whether the host has given anything.
    answered: bool,
    /// The listed files on stages that are still to be read, the last one first; `None` before they are listed.
    listed: Option<Vec<(InputFile, String)>>,
    /// The files that the host reads next.
    files: Vec<String>,
}

impl InputReader {
    /// At the beginning.
    pub(crate) fn new(pulled: &job::Pulled) -> Self {
        let content = match pulled.format {
            Format::Csv(_) | Format::Json | Format::JsonLines => Content::Text,
            Format::Values => Content::Values,
            Format::Parquet => Content::Parquet,
            Format::Arrow => Content::Arrow,
        };
        let lenient = pulled.on_bad_record == OnBadRecord::Reject;
        Self {
            frames: Frames::new(&pulled.format, lenient).map(|it| it.encoded(pulled.encoding)),
            content,
            file: InputFile::default(),
            fields: None,
            records: FileRecords::default(),
            include: pulled.include.clone(),
            share: pulled.share,
            skip: false,
            resume: None,
            pages: 0,
            answered: false,
            listed: None,
            files: pulled.files.clone(),
        }
    }

    /// Lists the files, if they are on stages and not listed yet. Returns `true` if it did.
    async fn list(&mut self, session: &mut Session, locations: &[String]) -> Result<bool> {
        if self.listed.is_some() || !locations.iter().any(|location| StagePlace::is(location)) {
            return Ok(false);
        }
        let mut files: Vec<(InputFile, String)> = Vec::new();
        for location in locations {
            let stage = StagePlace::parse(location)?;
            let before = files.len();
            let SqlReply::Ran(outcome) = session.sql(stage.list()).await? else {
                // Not a fault of the job: a dry run has no stages, and `snowcat check` has no
                // files.
                return Err(Fault::source(format_args!(
                    "expected the files of {location}, found no stage: a dry run reads the files that \
                     it is given"
                )));
            };
            for row in &outcome.rows {
                let ListedFile { name, version } = ListedFile::read(row);
                let Some(path) = stage.path_of(name)? else { continue };
                let name = stage.file(path);
                files.push((InputFile { name: path.to_owned(), version }, name));
            }
            if files.len() == before {
                return Err(Fault::source(format_args!(
                    "expected files at {location}, found none"
                )));
            }
        }
        files.sort_by(|(_, one), (_, other)| other.cmp(one));
        files.dedup_by(|(_, one), (_, other)| one == other);
        self.listed = Some(files);
        self.files.clear();
        Ok(true)
    }

    /// Goes on to the next listed file. Returns `false` if there is none.
    fn next_listed(&mut self) -> Result<bool> {
        while let Some((file, name)) = self.listed.as_mut().and_then(Vec::pop) {
            self.begin(file)?;
            if !std::mem::take(&mut self.skip) {
                self.files = vec![name];
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Begins a file.
    fn begin(&mut self, file: InputFile) -> Result<()> {
        self.records = FileRecords::default();
        self.fields = None;
        // Files come in the order of their names: those before the one that was read are done.
        let is_loaded = self.resume.as_ref().is_some_and(|(last, _)| file.name < last.name);
        self.skip = is_loaded || self.share.is_some_and(|share| !share.has(&file.name));
        if !self.skip
            && let Some((last, records)) = self.resume.take()
            && last.name == file.name
        {
            if last.version != file.version {
                return Err(Fault::source(format_args!(
                    "expected the file as it was when its first {records} records were loaded, found \
                     another of this name: load it with \"refresh\": \"drop_data\", or under another name"
                ))
                .at(format_args!("file {}", file.name)));
            }
            self.records.loaded = records;
        }
        let members = members(&self.include, &file.name);
        self.records.members = members.at(|| format!("file {}", file.name))?;
        self.file = file;
        if let Some(frames) = &mut self.frames {
            frames.begin();
        }
        Ok(())
    }

    /// The position, for a checkpoint.
    pub(crate) fn position(&self) -> Value {
        json!({
            "file": self.file.name,
            "version": self.file.version,
            "records": self.records.read.max(self.records.loaded),
        })
    }

    /// Goes to the position of a checkpoint.
    pub(crate) fn seek(&mut self, position: &Value) -> Result<()> {
        let fault = || Fault::data(format_args!("expected a position, found {position}"));
        let text = |key: &str| position.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("file").ok_or_else(fault)?;
        let version = text("version").ok_or_else(fault)?;
        let records = position.get("records").and_then(Value::as_u64).ok_or_else(fault)?;
        match name.as_str() {
            // A stream without a name is read from its beginning.
            "" => self.records.loaded = records,
            _ => self.resume = Some((InputFile { name, version }, records)),
        }
        Ok(())
    }

    /// Checks that the file has a name, if its records get a field of it.
    fn check_name(&self) -> Result<()> {
        let reason = match self.share {
            _ if !self.include.is_empty() && self.records.members.is_empty() => "include_file",
            Some(_) if self.file.name.is_empty() => "slices by files",
            _ => return Ok(()),
        };
        Err(Fault::config(format_args!("expected a file with a name, for {reason}, found none")))
    }

    /// Checks that the host has read the input of a slice. A host that takes it for the input that it has read for
    /// another slice would answer its end, and the slice would be stored as loaded.
    ///
    /// # Errors
    /// A protocol fault.
    fn check_answered(&self, slice: &str) -> Result<()> {
        if self.answered || slice.is_empty() {
            return Ok(());
        }
        Err(Fault::protocol(format_args!(
            "expected the input from its beginning for{slice}, found its end: the host must read the input anew for \
             each name of a resource, and a slice needs an input that is not empty"
        )))
    }

    /// The file or page that is read, for a fault.
    fn location(&self) -> String {
        match self.file.name.as_str() {
            "" => format!("page {}", self.pages),
            name => format!("file {name}"),
        }
    }
}

/// Reads the input of the host, to its end or to a checkpoint.
pub(crate) async fn read(
    reading: &mut Reading<'_>,
    pulled: &job::Pulled,
    input: &mut InputReader,
) -> Result<ReadingStop> {
    if input.list(reading.session, &pulled.files).await? && !input.next_listed()? {
        return Ok(ReadingStop::End);
    }
    loop {
        let pull = Pull {
            resource: format!("{}{}", reading.resource.name, reading.part.job.input_suffix),
            files: input.files.clone(),
            content: input.content,
            skip: std::mem::take(&mut input.skip),
            encoding: pulled.encoding.map(|it| it.name().to_owned()),
        };
        let reply = reading.session.pull(pull).await.at(|| input.location())?;
        input.answered |= !matches!(reply, PullReply::End);
        match reply {
            PullReply::Page(text) => {
                input.pages += 1;
                reading.count_page(text.len());
                take_page(reading, pulled, input, text).await?;
            }
            // A host may name a listed file too; the listing has more facts about it.
            PullReply::File(_) if input.listed.is_some() => {}
            PullReply::File(file) => {
                take_frames(reading, pulled, input, true).await?;
                input.begin(file)?;
            }
            PullReply::Columns(columns) => {
                let fields = typed::fields(reading.part.job, reading.resource, &columns);
                input.fields = Some(fields.at(|| input.location())?);
            }
            PullReply::End => {
                take_frames(reading, pulled, input, true).await?;
                if !input.next_listed()? {
                    input.check_answered(&reading.part.job.input_suffix)?;
                    reading.flush().await?;
                    return Ok(ReadingStop::End);
                }
            }
        }
        reading.flush().await?;
        if reading.is_due() {
            return Ok(ReadingStop::Checkpoint);
        }
    }
}

/// Takes the records of a page.
async fn take_page(
    reading: &mut Reading<'_>,
    pulled: &job::Pulled,
    input: &mut InputReader,
    text: String,
) -> Result<()> {
    check_size(text.len()).at(|| input.location())?;
    if let Some(frames) = &mut input.frames {
        frames.feed(text);
        return take_frames(reading, pulled, input, false).await;
    }
    input.check_name().at(|| input.location())?;
    let selector = pulled.selector.as_ref();
    let taken = match &input.fields {
        Some(fields) => {
            typed::take_rows(reading, fields, selector, &mut input.records, &text).await
        }
        None => {
            let reader = Reader::new(&text);
            let mut values =
                RecordValues { reader, selector, records: &mut input.records, begins: 0 };
            values.take(reading).await
        }
    };
    taken.at(|| input.location())
}

/// Takes the records of the text that was fed; `last`: the file ends with it.
async fn take_frames(
    reading: &mut Reading<'_>,
    pulled: &job::Pulled,
    input: &mut InputReader,
    last: bool,
) -> Result<()> {
    let named = input.check_name();
    let InputReader { frames, records, file, .. } = input;
    let file = &file.name;
    let location = || if file.is_empty() { "input".to_owned() } else { format!("file {file}") };
    let Some(frames) = frames else { return Ok(()) };
    while let Some(frame) = frames.next(last).at(location)? {
        match frame {
            Frame::Values { text, line } => {
                named.clone()?;
                let (reader, selector) = (Reader::from_line(text, line), pulled.selector.as_ref());
                let mut values =
                    RecordValues { reader, selector, records: &mut *records, begins: 0 };
                let taken = values.take(reading).await;
                let begins = values.begins;
                let lines_before = || line_column(text, begins).0.saturating_sub(1) as u64;
                taken.at(|| format!("line {}", line + lines_before())).at(location)?;
            }
            Frame::Bad { raw, line, reason } => {
                records.read += 1;
                if records.read <= records.loaded {
                    continue;
                }
                let (resource, raw) = (&reading.resource.name, &legible(raw));
                let record = RejectedRecord { resource, file, line, reason: &reason, raw };
                reading.rejects.add(&record).at(location)?;
            }
        }
    }
    Ok(())
}

/// JSON values that contain records.
struct RecordValues<'v> {
    reader: Reader<'v>,
    selector: Option<&'v Path>,
    records: &'v mut FileRecords,
    /// Where the last record begins that was read.
    begins: usize,
}

impl RecordValues<'_> {
    /// Takes the records among the values, except for those that are loaded already.
    async fn take(&mut self, reading: &mut Reading<'_>) -> Result<()> {
        let Self { reader, selector, records, begins } = self;
        let mut walked = WalkedPage::default();
        reading.sink.begin();
        loop {
            let sink = &mut reading.sink;
            let mut take = |reader: &mut Reader<'_>| {
                records.read += 1;
                reader.at_end();
                *begins = reader.position();
                if records.read > records.loaded {
                    sink.take(reader, &records.members)?;
                    return Ok(sink.flow(reader.position()));
                }
                reader.skip().map(|_| Flow::On)
            };
            if select::walk(reader.clone(), *selector, &[], true, &mut walked, &mut take)? {
                return Ok(());
            }
            reading.flush().await?;
        }
    }
}

/// The fields that the records of a file get of its name, as JSON members.
fn members(include: &[OfFile], name: &str) -> Result<String> {
    let folders = || name.split('/').rev().skip(1);
    let mut members = String::new();
    for of_file in include {
        let (key, value) = match of_file {
            OfFile::Path => ("path", Some(Cow::Borrowed(name))),
            OfFile::Partition(key) => {
                let value = folders()
                    .find_map(|folder| folder.strip_prefix(key.as_str())?.strip_prefix('='));
                let value = value.ok_or_else(|| {
                    Fault::data(format_args!(
                        "expected a folder {key}=.. in the name, for include_file, found none"
                    ))
                })?;
                // As Hive writes them.
                let text = String::from_utf8_lossy(&decoded(value)).into_owned();
                (key.as_str(), (value != "__HIVE_DEFAULT_PARTITION__").then_some(Cow::Owned(text)))
            }
        };
        members.push_str(if members.is_empty() { "" } else { "," });
        push_string(&mut members, &format!("_file_{key}"));
        members.push(':');
        match value {
            Some(value) => push_string(&mut members, &value),
            None => members.push_str("null"),
        }
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_in_a_name() {
        let check = |include: &[&str], name: &str, expect: Result<&str, &str>| {
            let of_file = |key: &&str| match *key {
                "path" => OfFile::Path,
                key => OfFile::Partition(key.to_owned()),
            };
            let include: Vec<OfFile> = include.iter().map(of_file).collect();
            let found = members(&include, name).map_err(|fault| fault.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), expect, "{name}");
        };
        check(&[], "a.csv", Ok(""));
        check(&["path"], "x/\"a\".csv", Ok(r#""_file_path":"x/\"a\".csv""#));
        check(
            &["path", "dt", "h"],
            "dt=2024-01-01/h=a%2Fb/a.csv",
            Ok(
                r#""_file_path":"dt=2024-01-01/h=a%2Fb/a.csv","_file_dt":"2024-01-01","_file_h":"a/b""#,
            ),
        );
        check(&["dt"], "dt=__HIVE_DEFAULT_PARTITION__/a.csv", Ok(r#""_file_dt":null"#));
        let none = "expected a folder dt=.. in the name, for include_file, found none";
        check(&["dt"], "a/dtx=1/dt=2.csv", Err(none));
    }
}
