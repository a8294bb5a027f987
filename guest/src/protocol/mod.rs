//! What a load says and hears, and the driver between straight-line code and single steps.
//!
//! The types are those of `wit/loads.wit`, field by field; the promises are written there.
//! A load is an ordinary `async` function: [`Io::ask`] parks a step and pends, [`Load::resume`]
//! stores the reply and polls the future once. There is no runtime and no hand-written state machine.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::fault::{Fault, Result};

/// What the load needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// SQL for the host's session.
    Sql(Script),
    /// HTTP requests.
    Fetch(Vec<Request>),
    /// The next page of what the host holds for a resource.
    Pull(Pull),
    /// A file to create; its bytes are in [`Load::payload`].
    Upload(Upload),
    /// Patience.
    Wait(Pause),
    /// The load is over.
    Finished(Report),
    /// The examination is over.
    Examined(Examination),
    /// The search is over: the job that was found.
    Found(String),
}

/// SQL statements.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// One statement each.
    pub statements: Vec<String>,
    /// Whether they may run in any order.
    pub any_order: bool,
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Absolute, encoded.
    pub url: String,
    /// Lower case names.
    pub headers: Vec<(String, String)>,
    /// The name of the credential to add.
    pub auth: Option<String>,
    /// The body.
    pub body: Option<String>,
}

/// A wish for the next page of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// The resource.
    pub resource: String,
    /// Where its files are; empty: what the host was given for it.
    pub files: Vec<String>,
    /// What a page is made of.
    pub content: Content,
    /// Leave out what is left of the file that was named last.
    pub skip: bool,
    /// What text is written in, where it is not UTF-8.
    pub encoding: Option<String>,
}

/// What a page of pulled input is made of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Content {
    /// JSON values, whole.
    Values,
    /// Text, cut anywhere between two characters.
    Text,
    /// Parquet, decoded to cells, or to JSON values.
    Parquet,
    /// Arrow IPC, decoded to cells, or to JSON values.
    Arrow,
    /// Cells, whose columns the host says first.
    Cells,
}

/// A file of pulled input.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InputFile {
    /// Its name.
    pub name: String,
    /// Changes when its content does; empty where nobody knows.
    pub version: String,
}

/// A column of rows that are given as cells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InputColumn {
    /// Its name.
    pub name: String,
    /// Its type as the source calls it.
    pub native: String,
    /// Its type in the load's words; empty where nobody knows.
    pub kind: String,
    /// Digits of a decimal; digits of the fraction of a time or a timestamp.
    pub precision: Option<u32>,
    /// Digits of a decimal behind the point.
    pub scale: Option<u32>,
    /// Whether it may be NULL.
    pub nullable: bool,
}

/// A file to create on a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct Upload {
    /// The stage, qualified and quoted, without `@`.
    pub stage: String,
    /// Path under the stage.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// A wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Pause {
    /// Seconds.
    pub seconds: f64,
    /// Why.
    pub reason: String,
}

/// What was loaded into one table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableReport {
    /// The table.
    pub name: String,
    /// The resource.
    pub resource: String,
    /// Rows.
    pub rows: u64,
}

/// One staged file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileReport {
    /// Path under the stage.
    pub path: String,
    /// The table.
    pub table: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
}

/// Where an incremental resource stood and stands.
#[derive(Clone, Debug, PartialEq)]
pub struct CursorReport {
    /// The resource.
    pub resource: String,
    /// The path of the cursor.
    pub path: String,
    /// Where this run began.
    pub start: Option<String>,
    /// Where the next one begins.
    pub last: Option<String>,
}

/// What a finished run did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The load's id.
    pub load_id: String,
    /// The pipeline.
    pub pipeline: String,
    /// The database.
    pub database: String,
    /// The dataset.
    pub dataset: String,
    /// Rows by table.
    pub tables: Vec<TableReport>,
    /// Files uploaded.
    pub files: Vec<FileReport>,
    /// Cursors.
    pub cursors: Vec<CursorReport>,
    /// Statements sent.
    pub statements: u32,
    /// Requests sent.
    pub requests: u32,
    /// Pages read.
    pub pages: u32,
    /// The saved state, JSON.
    pub state: String,
    /// Warnings.
    pub warnings: Vec<String>,
}

/// What came of one check of an examination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// What is assumed is so.
    Holds,
    /// It is not so.
    Fails,
    /// It was not tried, or could not be.
    Untried,
}

/// One check of an examination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Subject and check.
    pub name: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What loads assume of the account.
    pub assumed: String,
    /// What was found.
    pub seen: String,
    /// What to do; empty where it holds.
    pub remedy: String,
}

/// What an examination found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Examination {
    /// Every check, in the order of the subjects.
    pub checks: Vec<Check>,
    /// Statements sent.
    pub statements: u32,
}

/// The outcome of one statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The rows it returned.
    pub rows: Vec<Vec<Option<String>>>,
    /// Rows changed, where known.
    pub affected: Option<u64>,
}

/// Why the host could not do something.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Error number or empty.
    pub code: String,
    /// For a person.
    pub message: String,
    /// Worth another try.
    pub transient: bool,
}

/// An HTTP response.
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Lower case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

/// The host's answer to a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// There was no step before.
    Start,
    /// To SQL.
    Outcomes(Vec<Outcome>),
    /// To SQL in a rehearsal.
    Assumed,
    /// To requests.
    Responses(Vec<Result<Response, Failure>>),
    /// To a pull.
    Page(String),
    /// To a pull: the pages from here on are of this file.
    File(InputFile),
    /// To a pull: the pages from here on are cells of these columns.
    Columns(Vec<InputColumn>),
    /// To a pull: no more.
    End,
    /// To an upload or a wait.
    Done,
    /// It could not be done.
    Failed(Failure),
}

impl Reply {
    const fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Outcomes(_) => "outcomes",
            Self::Assumed => "assumed",
            Self::Responses(_) => "responses",
            Self::Page(_) => "page",
            Self::File(_) => "file",
            Self::Columns(_) => "columns",
            Self::End => "end",
            Self::Done => "done",
            Self::Failed(_) => "failed",
        }
    }
}

/// The door between a load and its host, as the load sees it.
#[derive(Clone, Default)]
pub struct Io(Rc<RefCell<Slot>>);

#[derive(Default)]
struct Slot {
    step: Option<Step>,
    reply: Option<Reply>,
    payload: Rc<Vec<u8>>,
}

impl Io {
    /// Says a step and waits for the reply.
    pub async fn ask(&self, step: Step) -> Reply {
        self.0.borrow_mut().step = Some(step);
        poll_fn(|_| match self.0.borrow_mut().reply.take() {
            Some(reply) => Poll::Ready(reply),
            None => Poll::Pending,
        })
        .await
    }

    /// Has a file created.
    pub async fn upload(&self, stage: String, path: String, bytes: Vec<u8>) -> Result<()> {
        let size = bytes.len() as u64;
        let place = format!("file {path}");
        match self.ask_upload(Upload { stage, path, size }, bytes).await {
            Reply::Done => Ok(()),
            Reply::Failed(f) => {
                Err(Fault::destination(format_args!("the upload failed: {}", f.message)).at(place))
            }
            other => Err(unexpected("done or failed", &other).at(place)),
        }
    }

    /// Has a file created; the reply as it is.
    pub async fn ask_upload(&self, upload: Upload, bytes: Vec<u8>) -> Reply {
        self.0.borrow_mut().payload = Rc::new(bytes);
        let reply = self.ask(Step::Upload(upload)).await;
        self.0.borrow_mut().payload = Rc::default();
        reply
    }

    /// Lets time pass.
    pub async fn wait(&self, seconds: f64, reason: String) -> Result<()> {
        match self.ask(Step::Wait(Pause { seconds, reason })).await {
            Reply::Done => Ok(()),
            other => Err(unexpected("done, to wait,", &other)),
        }
    }
}

/// The fault of a host that answered one step with the reply to another.
#[cold]
pub fn unexpected(expected: &str, found: &Reply) -> Fault {
    Fault::protocol(format_args!("expected {expected} from the host, found {}", found.name()))
}

/// One run, driven from outside.
pub struct Load {
    io: Io,
    run: RefCell<Option<Run>>,
}

/// The straight-line code of a run, as far as it has come.
struct Run(Pin<Box<dyn Future<Output = Result<Step>>>>);

impl Load {
    /// A run of this future, which talks through a clone of this door.
    pub fn new(io: Io, run: impl Future<Output = Result<Report>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Finished) })
    }

    /// An examination of this future, driven like a load.
    pub fn examining(io: Io, run: impl Future<Output = Result<Examination>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Examined) })
    }

    /// A search for a job, driven like a load.
    pub fn finding(io: Io, run: impl Future<Output = Result<String>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Found) })
    }

    fn ending(io: Io, run: impl Future<Output = Result<Step>> + 'static) -> Self {
        Self { io, run: RefCell::new(Some(Run(Box::pin(run)))) }
    }

    /// Takes the answer to the last step, gives the next one.
    pub fn resume(&self, reply: Reply) -> Result<Step> {
        let Ok(mut slot) = self.run.try_borrow_mut() else {
            return Err(Fault::protocol("resume was called while it was running"));
        };
        let Some(Run(run)) = slot.as_mut() else {
            return Err(Fault::protocol("resume was called after the load had ended"));
        };
        {
            let mut slot = self.io.0.borrow_mut();
            // The first poll runs up to the first step; every later one answers a step.
            let started = slot.step.is_some();
            match (&reply, started) {
                (Reply::Start, false) => {}
                (Reply::Start, true) => {
                    return Err(unexpected("an answer to the last step", &reply));
                }
                (_, false) => return Err(unexpected("start", &reply)),
                (_, true) => slot.reply = Some(reply),
            }
        }
        let mut context = Context::from_waker(Waker::noop());
        match run.as_mut().poll(&mut context) {
            Poll::Ready(last) => {
                *slot = None;
                last
            }
            Poll::Pending => {
                let step = self.io.0.borrow().step.clone();
                step.ok_or_else(|| Fault::internal("the load waits for nothing"))
            }
        }
    }

    /// The bytes of the file the pending upload names.
    pub fn payload(&self) -> Result<Rc<Vec<u8>>> {
        let slot = self.io.0.borrow();
        match slot.step {
            Some(Step::Upload(_)) => Ok(Rc::clone(&slot.payload)),
            _ => Err(Fault::protocol("payload was called while no upload is pending")),
        }
    }
}
