//! Reading what the host holds: files and streams, page by page.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::record::check_size;
use super::resource::{Ingest, Reading};
use crate::columnar::cells::CellColumn;
use crate::dlt::orjson::push_string;
use crate::fault::{Context, Fault, Result};
use crate::job::url::decoded;
use crate::job::{self, Format, OfFile, OnBadRecord};
use crate::json::Path;
use crate::json::select::{self, Flow, Walked};
use crate::json::{Reader, place};
use crate::load::session::{PullReply, Session, SqlReply};
use crate::protocol::{Content, InputFile, Pull};
use crate::sources::formats::{Frame, Frames, legible};
use crate::sql::stage::StagePlace;

/// How far the input of a resource is read.
pub(crate) struct InputReader {
    /// None where the host takes the input apart.
    frames: Option<Frames>,
    content: Content,
    /// The file that is being read; one without a name where the host tells none.
    file: InputFile,
    /// Its columns, where the host says them: its pages are cells then.
    pub(crate) fields: Option<Vec<CellColumn>>,
    /// What its records get of its name, as members stand in JSON.
    pub(crate) members: String,
    include: Vec<OfFile>,
    /// Records of it, bad ones among them.
    pub(crate) records: u64,
    /// As many of them were loaded before.
    pub(crate) done: u64,
    /// Leave out what is left of the file.
    skip: bool,
    /// Where an interrupted load had come to.
    resume: Option<(InputFile, u64)>,
    /// Pages read.
    pages: u64,
    /// Files on stages that are still to be read, the last one first; none before they were listed.
    listed: Option<Vec<(InputFile, String)>>,
    /// The places the host is asked for.
    places: Vec<String>,
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
            members: String::new(),
            include: pulled.include.clone(),
            records: 0,
            done: 0,
            skip: false,
            resume: None,
            pages: 0,
            listed: None,
            places: pulled.files.clone(),
        }
    }

    /// Lists the places that are on stages, if that is where the files are and they are not listed yet.
    async fn list(&mut self, session: &mut Session, places: &[String]) -> Result<bool> {
        if self.listed.is_some() || !places.iter().any(|place| StagePlace::is(place)) {
            return Ok(false);
        }
        let mut files: Vec<(InputFile, String)> = Vec::new();
        for place in places {
            let stage = StagePlace::parse(place)?;
            let before = files.len();
            let SqlReply::Ran(outcome) = session.sql(stage.list()).await? else {
                // Not a fault of the job: a dry run has no stages, and `snowcat check` has no files.
                return Err(Fault::source(format_args!(
                    "expected the files of {place}, found no stage: a dry run reads the files that \
                     it is given"
                )));
            };
            for row in &outcome.rows {
                let cell = |at: usize| row.get(at).and_then(|cell| cell.as_deref()).unwrap_or("");
                // Name, size, MD5, last modified.
                let Some(path) = stage.path_of(cell(0))? else { continue };
                let version = format!("{} {}", cell(1), cell(2));
                let name = stage.file(path);
                files.push((InputFile { name: path.to_owned(), version }, name));
            }
            if files.len() == before {
                return Err(Fault::source(format_args!("expected files at {place}, found none")));
            }
        }
        files.sort_by(|(_, one), (_, other)| other.cmp(one));
        files.dedup_by(|(_, one), (_, other)| one == other);
        self.listed = Some(files);
        self.places.clear();
        Ok(true)
    }

    /// Goes on to the next file that was listed; whether there is one.
    fn advance(&mut self) -> Result<bool> {
        while let Some((file, place)) = self.listed.as_mut().and_then(Vec::pop) {
            self.begin(file)?;
            if !std::mem::take(&mut self.skip) {
                self.places = vec![place];
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A file begins.
    fn begin(&mut self, file: InputFile) -> Result<()> {
        (self.records, self.done) = (0, 0);
        self.fields = None;
        // Files come in the order of their names: those before the one that was read are done.
        self.skip = self.resume.as_ref().is_some_and(|(last, _)| file.name < last.name);
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
            self.done = records;
        }
        self.members = members(&self.include, &file.name).at(|| format!("file {}", file.name))?;
        self.file = file;
        if let Some(frames) = &mut self.frames {
            frames.begin();
        }
        Ok(())
    }

    /// How far it is read.
    pub(crate) fn position(&self) -> Value {
        json!({
            "file": self.file.name,
            "version": self.file.version,
            "records": self.records.max(self.done),
        })
    }

    /// Goes on where another run was.
    pub(crate) fn go_on(&mut self, position: &Value) -> Result<()> {
        let fault = || Fault::data(format_args!("expected a position, found {position}"));
        let text = |key: &str| position.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("file").ok_or_else(fault)?;
        let version = text("version").ok_or_else(fault)?;
        let records = position.get("records").and_then(Value::as_u64).ok_or_else(fault)?;
        match name.as_str() {
            // A stream without a name: it begins anew.
            "" => self.done = records,
            _ => self.resume = Some((InputFile { name, version }, records)),
        }
        Ok(())
    }

    /// Checks that the file has a name, if its records get something of it.
    pub(crate) fn check_name(&self) -> Result<()> {
        match self.include.is_empty() || !self.members.is_empty() {
            true => Ok(()),
            false => {
                Err(Fault::config("expected a file with a name, for include_file, found none"))
            }
        }
    }

    /// Where something is, for a person.
    fn place(&self) -> String {
        match self.file.name.as_str() {
            "" => format!("page {}", self.pages),
            name => format!("file {name}"),
        }
    }
}

impl Ingest<'_> {
    /// Reads what the host holds; false: it is time to commit what there is.
    pub(crate) async fn pull(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        pulled: &job::Pulled,
        input: &mut InputReader,
    ) -> Result<bool> {
        if input.list(session, &pulled.files).await? && !input.advance()? {
            return Ok(true);
        }
        loop {
            let pull = Pull {
                resource: self.resource.name.clone(),
                files: input.places.clone(),
                content: input.content,
                skip: std::mem::take(&mut input.skip),
                encoding: pulled.encoding.map(|it| it.name().to_owned()),
            };
            match session.pull(pull).await.at(|| input.place())? {
                PullReply::Page(text) => {
                    session.pages += 1;
                    input.pages += 1;
                    reading.pages += 1;
                    reading.bytes += text.len() as u64;
                    self.page(session, reading, pulled, input, text).await?;
                }
                // A host may say so of a listed file too, of which more is known here.
                PullReply::File(_) if input.listed.is_some() => {}
                PullReply::File(file) => {
                    self.records(session, reading, pulled, input, true).await?;
                    input.begin(file)?;
                }
                PullReply::Columns(columns) => {
                    let place = || input.place();
                    input.fields = Some(self.fields(&columns).at(place)?);
                }
                PullReply::End => {
                    self.records(session, reading, pulled, input, true).await?;
                    if !input.advance()? {
                        self.flush(session, reading).await?;
                        return Ok(true);
                    }
                }
            }
            self.flush(session, reading).await?;
            if self.is_due(reading) {
                return Ok(false);
            }
        }
    }

    /// Takes the records of a page.
    async fn page(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        pulled: &job::Pulled,
        input: &mut InputReader,
        text: String,
    ) -> Result<()> {
        check_size(text.len()).at(|| input.place())?;
        if let Some(frames) = &mut input.frames {
            frames.feed(text);
            return self.records(session, reading, pulled, input, false).await;
        }
        if input.fields.is_some() {
            let taken = self.cells(session, reading, pulled, input, &text).await;
            return taken.at(|| input.place());
        }
        input.check_name()?;
        let mut values = Values {
            reader: Reader::new(&text),
            selector: pulled.selector.as_ref(),
            members: &input.members,
            records: &mut input.records,
            done: input.done,
            begins: 0,
        };
        let taken = self.values(session, reading, &mut values).await;
        taken.at(|| input.place())
    }

    /// Takes the records that were fed; `last`: the file has ended.
    async fn records(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        pulled: &job::Pulled,
        input: &mut InputReader,
        last: bool,
    ) -> Result<()> {
        let file = &input.file.name;
        let place_of = || if file.is_empty() { "input".to_owned() } else { format!("file {file}") };
        let done = input.done;
        let named = input.check_name();
        let members = &input.members;
        let Some(frames) = &mut input.frames else { return Ok(()) };
        while let Some(frame) = frames.next(last).at(place_of)? {
            match frame {
                Frame::Values { text, line } => {
                    named.clone()?;
                    let mut values = Values {
                        reader: Reader::from_line(text, line),
                        selector: pulled.selector.as_ref(),
                        members,
                        records: &mut input.records,
                        done,
                        begins: 0,
                    };
                    let taken = self.values(session, reading, &mut values).await;
                    let begins = values.begins;
                    let lines_before = || place(text, begins).0.saturating_sub(1) as u64;
                    taken.at(|| format!("line {}", line + lines_before())).at(place_of)?;
                }
                Frame::Bad { raw, line, reason } => {
                    input.records += 1;
                    if input.records <= done {
                        continue;
                    }
                    let rejects = &mut *reading.rejects;
                    rejects
                        .add(&self.resource.name, file, line, &reason, &legible(raw))
                        .at(place_of)?;
                }
            }
        }
        Ok(())
    }

    /// Takes the records among these values, but for those that were loaded before.
    async fn values(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        values: &mut Values<'_>,
    ) -> Result<()> {
        let Values { reader, selector, members, records, done, begins } = values;
        let mut walked = Walked::default();
        reading.sink.begin();
        loop {
            let sink = &mut reading.sink;
            let mut take = |reader: &mut Reader<'_>| {
                **records += 1;
                reader.at_end();
                *begins = reader.position();
                if **records > *done {
                    sink.take(reader, members)?;
                    return Ok(sink.flow(reader.position()));
                }
                reader.skip().map(|_| Flow::On)
            };
            if select::walk(reader.clone(), *selector, &[], true, &mut walked, &mut take)? {
                return Ok(());
            }
            self.flush(session, reading).await?;
        }
    }
}

/// JSON values in which records are.
struct Values<'v> {
    reader: Reader<'v>,
    selector: Option<&'v Path>,
    /// What the records get of the name of their file.
    members: &'v str,
    /// The records of the input by now, and how many of them another run has loaded.
    records: &'v mut u64,
    done: u64,
    /// Where the record begins that was read last.
    begins: usize,
}

/// What the records of a file get of its name, as members stand in JSON.
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
