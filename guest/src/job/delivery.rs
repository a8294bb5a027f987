//! The delivery of rows: the files of a load, and how they reach the stage.

use serde_json::Value;

use super::parse::{JobObject, Keys, describe};
use crate::fault::Result;

/// How rows are delivered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    /// The most rows of a file. `None`: no limit.
    pub(crate) max_rows: Option<u32>,
    /// A file is uploaded once it has this many bytes.
    pub(crate) max_bytes: usize,
    /// The format of files.
    pub(crate) format: DeliveredFormat,
}

/// The format of the files of a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum DeliveredFormat {
    /// Parquet.
    Parquet(FileCompression),
    /// JSON, one object per line.
    JsonLines {
        /// `true` if it is compressed.
        gzip: bool,
    },
    /// CSV.
    Csv {
        /// `true` if it is compressed.
        gzip: bool,
    },
}

/// How Parquet files are compressed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum FileCompression {
    /// Fast.
    #[default]
    Snappy,
    /// Smaller.
    Gzip,
    /// Not at all.
    Uncompressed,
}

/// The default of `max_bytes`. A host in Python reads a file as one base64 text.
const FILE_BYTES: usize = 12 << 20;

/// The range of `max_bytes`. A call of the component returns 128 MiB at most, and a procedure gets a file as base64; a
/// file may have one batch more than `max_bytes`.
const BYTES: (usize, usize) = (100_000, 64_000_000);

impl Default for Delivery {
    fn default() -> Self {
        let format = DeliveredFormat::Parquet(FileCompression::default());
        Self { max_rows: None, max_bytes: FILE_BYTES, format }
    }
}

impl Delivery {
    /// Parses the `delivery` of a job.
    ///
    /// # Errors
    /// A config fault with the path.
    pub(super) fn parse(value: &Value) -> Result<Self> {
        let object = JobObject::new(value, "delivery", KEYS)?;
        // The host reads them: what it does at once is not decided here.
        object.whole("parallel_uploads", 1, 64)?;
        object.whole("sessions", 1, 16)?;
        check_on_error(&object)?;
        let rows = object.whole("max_rows", 1, i64::from(u32::MAX))?;
        Ok(Self {
            max_rows: rows.and_then(|rows| u32::try_from(rows).ok()),
            max_bytes: size(&object, "max_bytes")?.unwrap_or(FILE_BYTES),
            format: format(&object)?,
        })
    }
}

const KEYS: Keys = Keys::of(&[
    "max_rows",
    "max_bytes",
    "format",
    "compression",
    "parallel_uploads",
    "sessions",
    "on_error",
]);

/// The formats by name; each has its own compressions.
#[derive(Clone, Copy)]
enum FormatName {
    Parquet,
    JsonLines,
    Csv,
}

const FORMATS: &[(&str, FormatName)] =
    &[("parquet", FormatName::Parquet), ("jsonl", FormatName::JsonLines), ("csv", FormatName::Csv)];

const COMPRESSIONS: &[(&str, FileCompression)] = &[
    ("snappy", FileCompression::Snappy),
    ("gzip", FileCompression::Gzip),
    ("none", FileCompression::Uncompressed),
];

fn format(object: &JobObject<'_>) -> Result<DeliveredFormat> {
    let compression = compression(object)?;
    let gzip = || match compression {
        None | Some(FileCompression::Gzip) => Ok(true),
        Some(FileCompression::Uncompressed) => Ok(false),
        Some(FileCompression::Snappy) => {
            let message = "expected \"gzip\" or \"none\" for files of text, found \"snappy\"";
            Err(object.fault_at("compression", message))
        }
    };
    Ok(match object.choice("format", FORMATS)?.unwrap_or(FormatName::Parquet) {
        FormatName::Parquet => DeliveredFormat::Parquet(compression.unwrap_or_default()),
        FormatName::JsonLines => DeliveredFormat::JsonLines { gzip: gzip()? },
        FormatName::Csv => DeliveredFormat::Csv { gzip: gzip()? },
    })
}

fn compression(object: &JobObject<'_>) -> Result<Option<FileCompression>> {
    if object.get("compression").and_then(Value::as_str) == Some("zstd") {
        let message = "zstd is not available: the component has no encoder for it; \"gzip\" makes \
                       smaller files than \"snappy\"";
        return Err(object.fault_at("compression", message));
    }
    object.choice("compression", COMPRESSIONS)
}

/// The only choice is that of every COPY. The others are an error with the reason.
fn check_on_error(object: &JobObject<'_>) -> Result<()> {
    let text = object.get("on_error").and_then(Value::as_str).unwrap_or_default();
    let lower = text.to_lowercase();
    if lower == "continue" || lower.starts_with("skip_file") {
        let message = format!(
            "{text:?} is not available: COPY would discard rows, and the load would commit its cursor \
             behind them, so that no later load reads them; \"on_bad_record\": \"reject\" stores records \
             that cannot be read"
        );
        return Err(object.fault_at("on_error", message));
    }
    object.choice("on_error", &[("abort", ())]).map(drop)
}

/// A number of bytes, or a text with a unit.
fn size(object: &JobObject<'_>, key: &str) -> Result<Option<usize>> {
    let Some(value) = object.get(key) else { return Ok(None) };
    let bytes = match value {
        Value::String(text) => bytes_of(text),
        other => other.as_u64(),
    };
    let (least, most) = BYTES;
    match bytes.and_then(|bytes| usize::try_from(bytes).ok()) {
        Some(bytes) if (least..=most).contains(&bytes) => Ok(Some(bytes)),
        _ => Err(object.fault_at(
            key,
            format_args!(
                "expected a number of bytes from {least} to {most}, or a text such as \"50MB\", found {}",
                describe(value)
            ),
        )),
    }
}

/// The bytes of a text such as `50MB`.
fn bytes_of(text: &str) -> Option<u64> {
    const UNITS: [(&str, u64); 6] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
    ];
    let (number, unit) =
        UNITS.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    number.trim_end().parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_parsed() {
        let check = |value: Value, expect: Delivery| {
            assert_eq!(Delivery::parse(&value).unwrap(), expect, "{value}");
        };
        let usual = Delivery::default;
        check(json!({}), usual());
        check(json!({"parallel_uploads": 16, "on_error": "abort"}), usual());
        check(json!({"max_rows": 1}), Delivery { max_rows: Some(1), ..usual() });
        let bytes = |max_bytes| Delivery { max_bytes, ..usual() };
        check(json!({"max_bytes": 100_000}), bytes(100_000));
        check(json!({"max_bytes": "50MB"}), bytes(50_000_000));
        check(json!({"max_bytes": "50 MiB"}), bytes(50 << 20));
        let format = |format| Delivery { format, ..usual() };
        let parquet = |compression| format(DeliveredFormat::Parquet(compression));
        check(json!({"compression": "gzip"}), parquet(FileCompression::Gzip));
        check(json!({"compression": "none"}), parquet(FileCompression::Uncompressed));
        check(json!({"format": "csv"}), format(DeliveredFormat::Csv { gzip: true }));
        let plain = json!({"format": "jsonl", "compression": "none"});
        check(plain, format(DeliveredFormat::JsonLines { gzip: false }));
    }

    #[test]
    fn mistakes_have_a_path() {
        let check = |value: Value, expect: &str| {
            let found = Delivery::parse(&value).unwrap_err().to_string();
            assert!(found.starts_with(expect), "{value}: {found}");
        };
        check(json!([]), "delivery: expected an object, found a list");
        check(json!({"max_row": 1}), "delivery: unknown key \"max_row\", did you mean");
        check(json!({"max_rows": 0}), "delivery.max_rows: expected an integer from 1 to");
        let bytes = "delivery.max_bytes: expected a number of bytes from 100000 to 64000000, or a text such \
                     as \"50MB\", found ";
        for (value, found) in [
            (json!(99_999), "99999"),
            (json!("1GB"), "\"1GB\""),
            (json!("150"), "\"150\""),
            (json!("-1MB"), "\"-1MB\""),
            (json!("99999999999999999999GB"), "\"99999999999999999999GB\""),
            (json!(1e6), "1000000.0"),
        ] {
            check(json!({"max_bytes": value}), &format!("{bytes}{found}"));
        }
        check(json!({"compression": "zstd"}), "delivery.compression: zstd is not available: ");
        check(json!({"compression": "lz4"}), "delivery.compression: expected one of \"snappy\"");
        check(
            json!({"format": "csv", "compression": "snappy"}),
            "delivery.compression: expected \"gzip\" or \"none\" for files of text",
        );
        check(json!({"format": "orc"}), "delivery.format: expected one of \"parquet\"");
        check(json!({"sessions": 17}), "delivery.sessions: expected an integer from 1 to 16");
        check(json!({"parallel_uploads": 0}), "delivery.parallel_uploads: expected an integer");
        check(
            json!({"on_error": "CONTINUE"}),
            "delivery.on_error: \"CONTINUE\" is not available: ",
        );
        check(json!({"on_error": "skip_file_3"}), "delivery.on_error: \"skip_file_3\" is not");
        check(json!({"on_error": "ignore"}), "delivery.on_error: expected one of \"abort\"");
    }
}
