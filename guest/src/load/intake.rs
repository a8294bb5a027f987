//! Reading what the host holds: files and streams, page by page.

use super::ingest::{Ingest, Reading, take};
use super::session::{Answer, Pulled, Session};
use crate::fault::{Context, Fault, Result};
use crate::frame::{Frame, Frames};
use crate::job::{self, Format, OnBadRecord};
use crate::json::Reader;
use crate::page;
use crate::source::Incremental;
use crate::sql::stage::StagePlace;
use crate::step::{Content, InputFile, Pull};

/// How far the input of a resource is read.
pub(super) struct Intake {
    /// None where the host takes the input apart.
    frames: Option<Frames>,
    content: Content,
    /// The file that is being read; one without a name where the host tells none.
    file: InputFile,
    /// Records of it, bad ones among them.
    records: u64,
    /// Pages read.
    pages: u64,
    /// Files on stages that are still to be read, the last one first; none before they were listed.
    listed: Option<Vec<(InputFile, String)>>,
    /// The places the host is asked for.
    places: Vec<String>,
}

impl Intake {
    /// At the beginning.
    pub(super) fn new(pulled: &job::Pulled) -> Self {
        let content = match pulled.format {
            Format::Csv(_) | Format::Json | Format::JsonLines => Content::Text,
            Format::Values => Content::Values,
            Format::Parquet => Content::Parquet,
            Format::Arrow => Content::Arrow,
        };
        let lenient = pulled.on_bad_record == OnBadRecord::Reject;
        Self {
            frames: Frames::new(&pulled.format, lenient),
            content,
            file: InputFile::default(),
            records: 0,
            pages: 0,
            listed: None,
            places: pulled.files.clone(),
        }
    }

    /// Lists the places that are on stages, if that is where the files are.
    async fn list(&mut self, session: &mut Session, places: &[String]) -> Result<()> {
        if self.listed.is_some() || !places.iter().any(|place| StagePlace::is(place)) {
            return Ok(());
        }
        let mut files: Vec<(InputFile, String)> = Vec::new();
        for place in places {
            let stage = StagePlace::parse(place)?;
            let before = files.len();
            let Answer::Ran(outcome) = session.sql(stage.list()).await? else {
                return Err(Fault::config(format_args!(
                    "expected the files of {place}, found no stage: this is a rehearsal, which \
                     reads files that it is given"
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
        Ok(())
    }

    /// Goes on to the next file that was listed; whether there is one.
    fn advance(&mut self) -> bool {
        let Some((file, place)) = self.listed.as_mut().and_then(Vec::pop) else { return false };
        self.begin(file);
        self.places = vec![place];
        true
    }

    /// A file begins.
    fn begin(&mut self, file: InputFile) {
        self.file = file;
        self.records = 0;
        if let Some(frames) = &mut self.frames {
            frames.begin();
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
    /// Reads what the host holds.
    pub(super) async fn pull(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_, '_>,
        mut cursor: Option<&mut Incremental>,
        pulled: &job::Pulled,
        intake: &mut Intake,
    ) -> Result<()> {
        intake.list(session, &pulled.files).await?;
        if intake.listed.is_some() && !intake.advance() {
            return Ok(());
        }
        loop {
            let pull = Pull {
                resource: self.resource.name.clone(),
                files: intake.places.clone(),
                content: intake.content,
                skip: false,
            };
            let cursor = cursor.as_deref_mut();
            match session.pull(pull).await.at(|| intake.place())? {
                Pulled::Page(text) => {
                    intake.pages += 1;
                    session.pages += 1;
                    match &mut intake.frames {
                        Some(frames) => {
                            frames.feed(text);
                            self.records(reading, cursor, pulled, intake, false)?;
                        }
                        None => {
                            let records = &mut intake.records;
                            let family = &mut *reading.family;
                            let mut cursor = cursor;
                            let taken = page::walk(
                                &text,
                                pulled.selector.as_ref(),
                                &[],
                                true,
                                &mut |reader| {
                                    *records += 1;
                                    take(reader, family, cursor.as_deref_mut())
                                },
                            );
                            taken.at(|| intake.place())?;
                        }
                    }
                }
                // A host may say so of a listed file too, of which more is known here.
                Pulled::File(_) if intake.listed.is_some() => {}
                Pulled::File(file) => {
                    self.records(reading, cursor, pulled, intake, true)?;
                    intake.begin(file);
                }
                Pulled::End => {
                    self.records(reading, cursor, pulled, intake, true)?;
                    if !intake.advance() {
                        return self.flush(session, reading).await;
                    }
                }
            }
            self.flush(session, reading).await?;
        }
    }

    /// Takes the records that were fed; `last`: the file has ended.
    fn records(
        &self,
        reading: &mut Reading<'_, '_>,
        mut cursor: Option<&mut Incremental>,
        pulled: &job::Pulled,
        intake: &mut Intake,
        last: bool,
    ) -> Result<()> {
        let place = || match intake.file.name.as_str() {
            "" => "input".to_owned(),
            name => format!("file {name}"),
        };
        let Some(frames) = &mut intake.frames else { return Ok(()) };
        while let Some(frame) = frames.next(last).at(place)? {
            match frame {
                Frame::Values { text, line } => {
                    let records = &mut intake.records;
                    let family = &mut *reading.family;
                    let reader = Reader::from_line(text, line);
                    let selector = pulled.selector.as_ref();
                    page::walk_from(reader, selector, &[], true, &mut |reader| {
                        *records += 1;
                        take(reader, family, cursor.as_deref_mut())
                    })
                    .at(|| format!("line {line}"))
                    .at(place)?;
                }
                Frame::Bad { raw, line, reason } => {
                    intake.records += 1;
                    reading
                        .rejects
                        .add(&self.resource.name, &intake.file.name, line, &reason, raw)
                        .at(place)?;
                }
            }
        }
        Ok(())
    }
}
