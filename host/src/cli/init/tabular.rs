//! A job from a file of records: CSV, Parquet or Arrow.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use snowcat_host::input::files::{Input, LocalFiles, Store};
use snowcat_host::{DryRun, Engine, Runner};

use super::super::job::format;
use super::sampled::{cursor, keys};
use super::{Failed, Init, NOW, sample, stem, word};

/// The number of rows that are read.
const ROWS: usize = 1000;
/// The number of bytes of a header in which the separator is searched for.
const HEADER: u64 = 1 << 20;

/// Returns `true` if the name of a file is that of a file of records.
pub(super) fn is_one(file: &Path) -> bool {
    kind(file).is_some()
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TableFormat {
    Csv,
    Parquet,
    Arrow,
}

fn kind(file: &Path) -> Option<TableFormat> {
    let format = format(file)?;
    match format.as_str().or_else(|| format.get("type")?.as_str())? {
        "csv" => Some(TableFormat::Csv),
        "parquet" => Some(TableFormat::Parquet),
        "arrow" => Some(TableFormat::Arrow),
        _ => None,
    }
}

impl Init {
    pub(super) fn of_records(&self, file: &str, engine: &Engine) -> Result<Value, Failed> {
        let usage = |why: String| Failed::Usage(format!("{file}: {why}"));
        if self.url.is_some() || !self.path.is_empty() {
            return Err(usage(
                "--url and --path are for answers and descriptions of APIs, found a file of records"
                    .to_owned(),
            ));
        }
        let kind = kind(&self.file).unwrap_or(TableFormat::Csv);
        let name = self.name.clone().unwrap_or_else(|| word(&stem(&self.file)));
        let mut resource = Map::new();
        resource.insert("name".to_owned(), name.clone().into());
        resource.insert(
            "//files".to_owned(),
            "A path of this machine works in snowcat plan. Inside Snowflake: a file, a folder or a pattern on a \
             stage, such as @DATABASE.SCHEMA.STAGE/folder/."
                .into(),
        );
        resource.insert("files".to_owned(), file.into());
        if let Some(delimiter) = delimiter(&self.file).filter(|_| kind == TableFormat::Csv) {
            resource.insert("format".to_owned(), json!({"type": "csv", "delimiter": delimiter}));
        }

        let (rows, tables) = self.rows(&resource, &name, engine).map_err(usage)?;
        let found = sample::look(&[Value::Array(rows.clone())], &[], &Map::new(), |_| name.clone());
        keys(&found, &mut resource);
        // Parquet and Arrow have types.
        let hints = if kind == TableFormat::Csv { types(&rows) } else { Map::new() };
        if !hints.is_empty() {
            let seen = if rows.len() == ROWS {
                format!(": the first {ROWS} rows were read")
            } else {
                String::new()
            };
            let note = format!("Types of the texts in the file{seen}.");
            resource.insert("//columns".to_owned(), note.into());
            resource.insert("columns".to_owned(), hints.into());
        }
        cursor(&found, &mut resource);
        resource.insert("//tables".to_owned(), tables);
        let mut job = self.head(file, None);
        job.insert("resources".to_owned(), json!([resource]));
        Ok(job.into())
    }

    /// The first rows, and the tables with their rows.
    fn rows(
        &self,
        resource: &Map<String, Value>,
        name: &str,
        engine: &Engine,
    ) -> Result<(Vec<Value>, Value), String> {
        let mut job = self.head("", None);
        job.insert("resources".to_owned(), json!([resource]));
        let stores: Vec<Arc<dyn Store>> = vec![Arc::new(LocalFiles)];
        let place = self.file.display().to_string();
        let input = Input::of_places(&stores, &[place]).map_err(|e| e.to_string())?;
        let mut host = DryRun::new().input(name, input).keep_rows(ROWS);
        let job = Value::Object(job).to_string();
        let report = Runner::new(engine).run(&job, NOW, &mut host);
        let report = report.map_err(|e| e.to_string())?;
        let own = |table: &str| {
            report
                .tables
                .iter()
                .any(|it| it.name == table && it.resource == name && !table.contains("__"))
        };
        let files = host.files().iter();
        let rows = files.filter(|file| {
            let kept = report.files.iter().find(|it| it.path == file.path);
            kept.is_some_and(|it| own(&it.table))
        });
        // The names of columns are in upper case.
        let rows = rows.flat_map(|file| &file.rows).map(|row| {
            let row: Map<String, Value> = serde_json::from_str(row).unwrap_or_default();
            let members = row.into_iter().map(|(key, value)| (key.to_lowercase(), value));
            members.filter(|(key, value)| !key.starts_with("_dlt_") && !value.is_null()).collect()
        });
        let tables = report.tables.iter().filter(|table| table.resource == name);
        let tables = tables.map(|table| (table.name.clone(), Value::from(table.rows))).collect();
        Ok((rows.take(ROWS).collect(), tables))
    }
}

/// The separator of a CSV file, unless it is the comma: the most frequent one in the header.
fn delimiter(file: &Path) -> Option<char> {
    let mut header = String::new();
    // The load reports unreadable files; compressed files are assumed to have commas.
    BufReader::new(File::open(file).ok()?.take(HEADER)).read_line(&mut header).ok()?;
    delimiter_in(&header)
}

fn delimiter_in(header: &str) -> Option<char> {
    let count = |separator: char| {
        let mut quoted = false;
        let outside = header.chars().filter(|c| {
            quoted ^= *c == '"';
            *c == separator && !quoted
        });
        outside.count()
    };
    // `max_by_key` returns the last of equal items: the comma.
    let found = [';', '\t', '|', ','].into_iter().max_by_key(|separator| count(*separator))?;
    Some(found).filter(|it| *it != ',' && count(*it) > 0)
}

/// Hints for columns whose strings all have another type.
fn types(rows: &[Value]) -> Map<String, Value> {
    let mut columns: Vec<&String> = Vec::new();
    for key in rows.iter().filter_map(Value::as_object).flat_map(Map::keys) {
        if !columns.contains(&key) {
            columns.push(key);
        }
    }
    let texts = |column: &str| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|it| it.as_str().unwrap_or_default())
            .collect::<Vec<_>>()
    };
    let hints = columns.into_iter().filter_map(|column| {
        Some((column.clone(), json!({"data_type": type_of(&texts(column))?})))
    });
    hints.collect()
}

/// The type of these strings, unless it is text.
fn type_of(texts: &[&str]) -> Option<&'static str> {
    type Test = fn(&str) -> bool;
    let types: [(&str, Test); 5] = [
        ("bigint", is_integer),
        ("double", |text| is_integer(text) || is_number(text)),
        ("bool", |text| matches!(text, "true" | "false" | "True" | "False" | "TRUE" | "FALSE")),
        ("date", |text| text.len() == 10 && begins_with_date(text)),
        ("timestamp", is_instant),
    ];
    let all = |test: Test| !texts.is_empty() && texts.iter().all(|text| test(text));
    types.into_iter().find(|(_, test)| all(*test)).map(|(name, _)| name)
}

/// A 64 bit integer; one with a leading 0 is a code.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.len() < 19
        && !digits.is_empty()
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

/// A decimal with a point and no more digits than a double has.
fn is_number(text: &str) -> bool {
    let Some((whole, fraction)) = text.split_once('.') else { return false };
    is_integer(whole.strip_prefix('-').unwrap_or(whole))
        && (1..16).contains(&(whole.len() + fraction.len()))
        && !fraction.is_empty()
        && fraction.bytes().all(|b| b.is_ascii_digit())
}

fn begins_with_date(text: &str) -> bool {
    text.len() >= 10
        && text.bytes().zip(b"dddd-dd-dd").all(|(b, shape)| match shape {
            b'd' => b.is_ascii_digit(),
            other => b == *other,
        })
}

fn is_instant(text: &str) -> bool {
    let mut rest = text.bytes().skip(10);
    begins_with_date(text)
        && matches!(rest.next(), Some(b'T' | b' '))
        && rest.next().is_some_and(|b| b.is_ascii_digit())
        && text.contains(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_texts_are_found() {
        let check = |texts: &[&str], expected: Option<&str>| {
            assert_eq!(type_of(texts), expected, "{texts:?}")
        };
        check(&["1", "-20", "0"], Some("bigint"));
        check(&["1", "007"], None);
        check(&["1", "2.50"], Some("double"));
        check(&["0.1234567890123456"], None);
        check(&["1e5"], None);
        check(&["true", "FALSE"], Some("bool"));
        check(&["2026-01-02"], Some("date"));
        check(&["2026-01-02T03:04:05Z", "2026-01-02 03:04"], Some("timestamp"));
        check(&["2026-01-02 maybe"], None);
        check(&["2/1/2026"], None);
        check(&[], None);
    }

    #[test]
    fn separators_are_found() {
        let check = |header: &str, expected: Option<char>| {
            assert_eq!(delimiter_in(header), expected, "{header}")
        };
        check("a,b", None);
        check("a;b;c", Some(';'));
        check("\"a;b;c\",d", None);
        check("a\tb", Some('\t'));
        check("a", None);
    }

    #[test]
    fn files_of_records_are_recognized_by_their_names() {
        let check = |file: &str, expected: Option<TableFormat>| {
            assert_eq!(kind(Path::new(file)), expected, "{file}")
        };
        check("a.csv.gz", Some(TableFormat::Csv));
        check("a.tsv", Some(TableFormat::Csv));
        check("a.parquet", Some(TableFormat::Parquet));
        check("a.feather", Some(TableFormat::Arrow));
        check("a.ndjson", None);
        check("-", None);
    }
}
