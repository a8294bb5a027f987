//! The types of `wit/loads.wit`, field by field; the promises are written there.

/// What the load needs next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// SQL for the host's session.
    Sql(Script),
    /// HTTP requests.
    Fetch(Vec<Request>),
    /// The next page of the host's input for a resource.
    Pull(Pull),
    /// A file to create; its bytes are in [`super::Load::payload`].
    Upload(Upload),
    /// A wait.
    Wait(Pause),
    /// The load is over.
    Finished(Report),
    /// The examination is over.
    Examined(Examination),
    /// The search is over: the job that was found.
    Found(String),
    /// What was asked for is read.
    Listed(Listings),
}

/// What was read of an account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Listings {
    /// Each with a name of its own.
    pub listings: Vec<Listing>,
    /// SQL statements sent.
    pub statements: u32,
}

/// A table of texts for a person.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listing {
    /// What it lists.
    pub name: String,
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Option<String>>>,
}

/// SQL statements.
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    /// One statement each.
    pub statements: Vec<String>,
    /// `true` if they may run in any order.
    pub any_order: bool,
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The resource that the request is for.
    pub resource: String,
    /// The fields of the parent's record that the request has: path and value.
    pub parent: Vec<(String, String)>,
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

/// A request for the next page of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Pull {
    /// The resource.
    pub resource: String,
    /// The locations of its files; empty: the host's own input for the resource.
    pub files: Vec<String>,
    /// What a page consists of.
    pub content: Content,
    /// `true` if the rest of the file that was named last is skipped.
    pub skip: bool,
    /// The encoding of text, if it is not UTF-8.
    pub encoding: Option<String>,
}

/// What a page of pulled input consists of.
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
    /// Cells, whose columns the host sends first.
    Cells,
}

/// A file of pulled input.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InputFile {
    /// Its name.
    pub name: String,
    /// Changes when its content does; empty if unknown.
    pub version: String,
}

/// A column of rows of cells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InputColumn {
    /// Its name.
    pub name: String,
    /// Its type in the terms of the source.
    pub native: String,
    /// Its type in the terms of the interface; empty if unknown.
    pub kind: String,
    /// Digits of a decimal; digits of the fraction of a time or a timestamp.
    pub precision: Option<u32>,
    /// Digits of a decimal behind the point.
    pub scale: Option<u32>,
    /// `true` if it may be NULL.
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
    /// The reason.
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

/// The cursor of an incremental resource before and after the run.
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

impl Report {
    /// Adds the report of a later load of the same run.
    pub(crate) fn add(&mut self, later: Self) {
        for table in later.tables {
            let of = |it: &&mut TableReport| it.name == table.name && it.resource == table.resource;
            match self.tables.iter_mut().find(of) {
                Some(known) => known.rows = known.rows.saturating_add(table.rows),
                None => self.tables.push(table),
            }
        }
        let warnings: Vec<String> =
            later.warnings.into_iter().filter(|it| !self.warnings.contains(it)).collect();
        self.files.extend(later.files);
        self.cursors.extend(later.cursors);
        self.warnings.extend(warnings);
        (self.load_id, self.state) = (later.load_id, later.state);
        (self.database, self.dataset) = (later.database, later.dataset);
        (self.statements, self.requests, self.pages) =
            (later.statements, later.requests, later.pages);
    }
}

/// The result of one check of an examination.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The assumption holds.
    Holds,
    /// The assumption does not hold.
    Fails,
    /// The check was not run, or could not be.
    Untried,
}

/// One check of an examination.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// Subject and check.
    pub name: String,
    /// The result.
    pub verdict: Verdict,
    /// What loads assume of the account.
    pub assumed: String,
    /// What was found.
    pub seen: String,
    /// What to do; empty if the assumption holds.
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

/// The reason why the host could not do a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Error number or empty.
    pub code: String,
    /// The message for a person.
    pub message: String,
    /// `true` if a retry may succeed.
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
    /// Before the first step.
    Start,
    /// To SQL.
    Outcomes(Vec<Outcome>),
    /// To SQL in a dry run.
    DryRun,
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
    /// The host could not do the step.
    Failed(Failure),
}

impl Reply {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Outcomes(_) => "outcomes",
            Self::DryRun => "dry-run",
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
