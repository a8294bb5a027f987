//! The load's side of the conversation: sends steps, checks replies, and counts. After a fault it
//! rolls back and cleans up.

pub(crate) mod context;

use crate::fault::{Fault, Result};
use crate::job::{Policy, StageEncryption};
use crate::protocol::{
    Failure, InputColumn, InputFile, Io, Outcome, Pause, Pull, Reply, Request, Response, Script,
    Step, unexpected,
};
use crate::sql::{Name, ddl, merge};

/// A conversation with the host.
pub(crate) struct Session {
    io: Io,
    /// The policy for requests; `None` if the host set none.
    policy: Option<Policy>,
    /// `true` if error texts of the server are hidden from the caller of the load.
    quiet: bool,
    /// SQL statements sent.
    pub(crate) statements: u32,
    /// HTTP requests sent.
    pub(crate) requests: u32,
    /// Pages read.
    pub(crate) pages: u32,
    /// Parts of the load that are committed, all but the last.
    pub(crate) checkpoints: u32,
    /// The stage of the load, once it is created.
    stage: Option<Name>,
    made_schema: bool,
    in_transaction: bool,
    /// Whether the last statement that failed waited for a lock too long.
    lock_refused: bool,
}

/// A statement that the database rejected.
pub(crate) struct SqlRefusal {
    failure: Failure,
    place: String,
    quiet: bool,
}

impl SqlRefusal {
    /// Returns `true` if the statement waited too long for a lock, or too many others waited already.
    /// Source: error 000625 of the service.
    fn is_lock(&self) -> bool {
        self.has_code("625")
    }

    /// Returns `true` if the information schema rejected an answer as too large.
    /// Source: error 090030, "Information schema query returned too much data".
    pub(crate) fn is_too_much_data(&self) -> bool {
        self.has_code("90030") || self.failure.message.contains("returned too much data")
    }

    /// Returns `true` if the object is missing, or the role may not see it.
    /// Source: errors 002003 and 002043.
    pub(crate) fn is_missing_object(&self) -> bool {
        self.has_code("2003") || self.has_code("2043")
    }

    fn has_code(&self, code: &str) -> bool {
        self.failure.code.trim_start_matches('0') == code
    }
}

impl From<SqlRefusal> for Fault {
    fn from(refusal: SqlRefusal) -> Self {
        refused(&refusal.failure, refusal.quiet).at(refusal.place)
    }
}

/// Replaces an error text that may quote rows: a condition of a job can make the server quote them.
const NOT_SHOWN: &str =
    "the server's text is not shown: the job has a condition, and the text may quote rows";

/// The reply to a statement.
pub(crate) enum SqlReply {
    /// The host did not run it.
    DryRun,
    /// It ran.
    Ran(Outcome),
}

impl SqlReply {
    /// The rows that the statement returned; none in a dry run.
    pub(crate) fn rows(&self) -> &[Vec<Option<String>>] {
        match self {
            Self::DryRun => &[],
            Self::Ran(outcome) => &outcome.rows,
        }
    }
}

/// The reply to a pull.
pub(crate) enum PullReply {
    /// A page.
    Page(String),
    /// Another file begins.
    File(InputFile),
    /// The pages of the file are cells of these columns.
    Columns(Vec<InputColumn>),
    /// The input has ended.
    End,
}

impl Session {
    /// `quiet`: the server's texts may quote rows that whoever runs the load may not read.
    pub(crate) fn new(io: Io, policy: Option<Policy>, quiet: bool) -> Self {
        Self {
            io,
            policy,
            quiet,
            statements: 0,
            requests: 0,
            pages: 0,
            checkpoints: 0,
            stage: None,
            made_schema: false,
            in_transaction: false,
            lock_refused: false,
        }
    }

    /// Runs one statement.
    pub(crate) async fn sql(&mut self, statement: String) -> Result<SqlReply> {
        match self.try_sql(statement).await? {
            Ok(answer) => Ok(answer),
            Err(refusal) => {
                self.lock_refused = refusal.is_lock();
                Err(refusal.into())
            }
        }
    }

    /// Runs one statement whose rejection by the database is the caller's to judge.
    pub(crate) async fn try_sql(
        &mut self,
        statement: String,
    ) -> Result<Result<SqlReply, SqlRefusal>> {
        self.statements += 1;
        let place = format!("statement {}", excerpt(&statement));
        let script = Script { statements: vec![statement], any_order: false };
        match self.io.ask(Step::Sql(script)).await {
            Reply::DryRun => Ok(Ok(SqlReply::DryRun)),
            Reply::Outcomes(mut outcomes) if outcomes.len() == 1 => {
                Ok(Ok(outcomes.pop().map_or(SqlReply::DryRun, SqlReply::Ran)))
            }
            Reply::Outcomes(outcomes) => Err(Fault::protocol(format_args!(
                "expected 1 outcome from the host, found {}",
                outcomes.len()
            ))
            .at(place)),
            Reply::Failed(failure) => Ok(Err(SqlRefusal { failure, place, quiet: self.quiet })),
            other => Err(unexpected("outcomes, dry-run or failed", &other).at(place)),
        }
    }

    /// Runs statements that do not depend on one another; their outcomes, or none where the host did not
    /// run them.
    pub(crate) async fn any(&mut self, statements: Vec<String>) -> Result<Vec<Outcome>> {
        if statements.is_empty() {
            return Ok(Vec::new());
        }
        let expected = statements.len();
        self.statements += expected as u32;
        let script = Script { statements, any_order: true };
        match self.io.ask(Step::Sql(script)).await {
            Reply::DryRun => Ok(Vec::new()),
            Reply::Outcomes(outcomes) if outcomes.len() == expected => Ok(outcomes),
            Reply::Outcomes(outcomes) => Err(Fault::protocol(format_args!(
                "expected {expected} outcomes from the host, found {}",
                outcomes.len()
            ))),
            Reply::Failed(failure) => Err(refused(&failure, self.quiet)),
            other => Err(unexpected("outcomes, dry-run or failed", &other)),
        }
    }

    pub(crate) async fn begin(&mut self) -> Result<()> {
        self.sql(merge::BEGIN.to_owned()).await?;
        self.in_transaction = true;
        Ok(())
    }

    pub(crate) async fn commit(&mut self) -> Result<()> {
        self.sql(merge::COMMIT.to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(crate) async fn roll_back(&mut self) -> Result<()> {
        self.in_transaction = false;
        self.sql(merge::ROLLBACK.to_owned()).await.map(drop)
    }

    /// Runs a statement that ends the transaction: DDL commits in Snowflake, before it does anything.
    pub(crate) async fn end_with(&mut self, ddl: String) -> Result<()> {
        self.in_transaction = false;
        self.sql(ddl).await.map(drop)
    }

    /// Returns `true` once if the last statement that failed waited for a lock in vain.
    pub(crate) fn take_lock_refusal(&mut self) -> bool {
        std::mem::take(&mut self.lock_refused)
    }

    /// Returns `true` if this load has created its stage.
    pub(crate) fn has_stage(&self) -> bool {
        self.stage.is_some()
    }

    /// Creates the schema that holds the stage.
    pub(crate) async fn make_schema(&mut self, schema: &Name) -> Result<()> {
        self.made_schema = true;
        self.sql(ddl::create_schema(schema)).await.map(drop)
    }

    /// Returns `true` if this load has created the schema.
    pub(crate) fn has_made_schema(&self) -> bool {
        self.made_schema
    }

    /// Creates the load's stage, if it does not exist yet.
    pub(crate) async fn make_stage(
        &mut self,
        stage: &Name,
        encryption: StageEncryption,
    ) -> Result<()> {
        if self.stage.is_none() {
            self.sql(ddl::create_stage(stage, encryption.name())).await?;
            self.stage = Some(stage.clone());
        }
        Ok(())
    }

    /// Drops the load's stage, if it exists.
    pub(crate) async fn drop_stage(&mut self) -> Result<()> {
        match self.stage.take() {
            Some(stage) => self.sql(ddl::drop_stage(&stage)).await.map(drop),
            None => Ok(()),
        }
    }

    pub(crate) async fn upload(
        &mut self,
        stage: &Name,
        path: String,
        bytes: Vec<u8>,
    ) -> Result<()> {
        self.io.upload(stage.to_string(), path, bytes).await
    }

    /// Sends requests that do not depend on one another; the failure of a request itself is the
    /// caller's to judge.
    pub(crate) async fn fetch(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Response, Failure>>> {
        if let Some(policy) = &self.policy {
            requests.iter().try_for_each(|request| policy.check_request(&request.url))?;
        }
        let expected = requests.len();
        self.requests += u32::try_from(expected).unwrap_or(u32::MAX);
        match self.io.ask(Step::Fetch(requests)).await {
            Reply::Responses(responses) if responses.len() == expected => Ok(responses),
            Reply::Responses(responses) => Err(Fault::protocol(format_args!(
                "expected {expected} responses from the host, found {}",
                responses.len()
            ))),
            other => Err(unexpected("responses", &other)),
        }
    }

    /// The next page of a resource's input.
    pub(crate) async fn pull(&mut self, pull: Pull) -> Result<PullReply> {
        match self.io.ask(Step::Pull(pull)).await {
            Reply::Page(page) => Ok(PullReply::Page(page)),
            Reply::File(file) => Ok(PullReply::File(file)),
            Reply::Columns(columns) => Ok(PullReply::Columns(columns)),
            Reply::End => Ok(PullReply::End),
            Reply::Failed(failure) => {
                Err(Fault::source(format_args!("the host cannot read on: {}", failure.message)))
            }
            other => Err(unexpected("page, file, columns, end or failed", &other)),
        }
    }

    pub(crate) async fn wait(&mut self, pause: Pause) -> Result<()> {
        self.io.wait(pause.seconds, pause.reason).await
    }

    /// After a fault: rolls the transaction back and drops the stage. A second fault is appended to the text of
    /// the first.
    pub(crate) async fn abandon(&mut self, mut fault: Fault) -> Fault {
        if self.in_transaction
            && let Err(second) = self.roll_back().await
        {
            fault.message.push_str(&format!("; and then: {second}"));
        }
        if let Err(second) = self.drop_stage().await {
            fault.message.push_str(&format!("; and then: {second}"));
        }
        fault
    }
}

#[cold]
fn refused(failure: &Failure, quiet: bool) -> Fault {
    let Failure { code, message, .. } = failure;
    let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
    // The transaction that the caller of a procedure has open: DDL would end it.
    let hint = match message.contains("different scope") {
        true => {
            "; the CALL runs inside an open transaction: commit or roll back first, then call again"
        }
        false => "",
    };
    let message = if quiet { NOT_SHOWN } else { message };
    Fault::destination(format_args!("the statement failed{code}: {message}{hint}"))
}

/// The beginning of a statement, on one line.
fn excerpt(statement: &str) -> String {
    const MOST: usize = 120;
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}
