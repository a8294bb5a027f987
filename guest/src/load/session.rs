//! The load's side of the conversation: steps asked, replies checked, everything counted; and the way
//! out when something fails.

use crate::fault::{Fault, Result};
use crate::sql::{Name, ddl, merge};
use crate::step::{
    Failure, InputFile, Io, Outcome, Pause, Pull, Reply, Request, Response, Script, Step,
    unexpected,
};

/// A conversation with the host.
pub(super) struct Session {
    io: Io,
    /// SQL statements sent.
    pub(super) statements: u32,
    /// HTTP requests sent.
    pub(super) requests: u32,
    /// Pages read.
    pub(super) pages: u32,
    /// Parts of the load that are committed, all but the last.
    pub(super) checkpoints: u32,
    /// The stage to drop in the end, once it was made.
    stage: Option<Name>,
    made_schema: bool,
    in_transaction: bool,
}

/// What a statement gave: nothing is known in a rehearsal.
pub(super) enum Answer {
    /// The host did not run it.
    Assumed,
    /// It ran.
    Ran(Outcome),
}

/// What the host answers to a pull.
pub(super) enum Pulled {
    /// A page.
    Page(String),
    /// Another file begins.
    File(InputFile),
    /// There is no more.
    End,
}

impl Session {
    pub(super) fn new(io: Io) -> Self {
        Self {
            io,
            statements: 0,
            requests: 0,
            pages: 0,
            checkpoints: 0,
            stage: None,
            made_schema: false,
            in_transaction: false,
        }
    }

    /// Runs one statement.
    pub(super) async fn sql(&mut self, statement: String) -> Result<Answer> {
        self.statements += 1;
        let place = format!("statement {}", excerpt(&statement));
        let script = Script { statements: vec![statement], any_order: false };
        match self.io.ask(Step::Sql(script)).await {
            Reply::Assumed => Ok(Answer::Assumed),
            Reply::Outcomes(mut outcomes) if outcomes.len() == 1 => {
                Ok(outcomes.pop().map_or(Answer::Assumed, Answer::Ran))
            }
            Reply::Outcomes(outcomes) => Err(Fault::protocol(format_args!(
                "expected 1 outcome from the host, found {}",
                outcomes.len()
            ))
            .at(place)),
            Reply::Failed(failure) => Err(refused(&failure).at(place)),
            other => Err(unexpected("outcomes, assumed or failed", &other).at(place)),
        }
    }

    /// Runs statements that do not depend on one another, and whose results do not matter.
    pub(super) async fn any(&mut self, statements: Vec<String>) -> Result<()> {
        if statements.is_empty() {
            return Ok(());
        }
        let expected = statements.len();
        self.statements += expected as u32;
        let script = Script { statements, any_order: true };
        match self.io.ask(Step::Sql(script)).await {
            Reply::Assumed => Ok(()),
            Reply::Outcomes(outcomes) if outcomes.len() == expected => Ok(()),
            Reply::Outcomes(outcomes) => Err(Fault::protocol(format_args!(
                "expected {expected} outcomes from the host, found {}",
                outcomes.len()
            ))),
            Reply::Failed(failure) => Err(refused(&failure)),
            other => Err(unexpected("outcomes, assumed or failed", &other)),
        }
    }

    /// Runs lists of statements one list after the other.
    pub(super) async fn run_all(
        &mut self,
        lists: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<()> {
        for statements in lists {
            self.any(statements).await?;
        }
        Ok(())
    }

    pub(super) async fn begin(&mut self) -> Result<()> {
        self.sql(merge::BEGIN.to_owned()).await?;
        self.in_transaction = true;
        Ok(())
    }

    pub(super) async fn commit(&mut self) -> Result<()> {
        self.sql(merge::COMMIT.to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Whether this load has made its stage.
    pub(super) fn has_stage(&self) -> bool {
        self.stage.is_some()
    }

    /// Makes the schema the stage is in.
    pub(super) async fn make_schema(&mut self, schema: &Name) -> Result<()> {
        self.made_schema = true;
        self.sql(ddl::create_schema(schema)).await.map(drop)
    }

    /// Whether this load has made the schema already.
    pub(super) fn has_made_schema(&self) -> bool {
        self.made_schema
    }

    /// Makes the load's stage, if it has not made it yet.
    pub(super) async fn make_stage(&mut self, stage: &Name) -> Result<()> {
        if self.stage.is_none() {
            self.sql(ddl::create_stage(stage)).await?;
            self.stage = Some(stage.clone());
        }
        Ok(())
    }

    /// Drops the load's stage, if it has made one.
    pub(super) async fn drop_stage(&mut self) -> Result<()> {
        match self.stage.take() {
            Some(stage) => self.sql(ddl::drop_stage(&stage)).await.map(drop),
            None => Ok(()),
        }
    }

    pub(super) async fn upload(
        &mut self,
        stage: &Name,
        path: String,
        bytes: Vec<u8>,
    ) -> Result<()> {
        self.io.upload(stage.to_string(), path, bytes).await
    }

    /// Sends requests that do not depend on one another; the failure of a request itself is the
    /// caller's to judge.
    pub(super) async fn fetch(
        &mut self,
        requests: Vec<Request>,
    ) -> Result<Vec<Result<Response, Failure>>> {
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

    /// The next page of what the host holds for a resource.
    pub(super) async fn pull(&mut self, pull: Pull) -> Result<Pulled> {
        match self.io.ask(Step::Pull(pull)).await {
            Reply::Page(page) => Ok(Pulled::Page(page)),
            Reply::File(file) => Ok(Pulled::File(file)),
            Reply::End => Ok(Pulled::End),
            Reply::Failed(failure) => {
                Err(Fault::source(format_args!("the host cannot read on: {}", failure.message)))
            }
            other => Err(unexpected("page, file, end or failed", &other)),
        }
    }

    pub(super) async fn wait(&mut self, pause: Pause) -> Result<()> {
        self.io.wait(pause.seconds, pause.reason).await
    }

    /// After a fault: undoes the transaction, drops the stage. What fails of that is said too, behind
    /// what failed first.
    pub(super) async fn abandon(&mut self, mut fault: Fault) -> Fault {
        if std::mem::take(&mut self.in_transaction)
            && let Err(second) = self.sql(merge::ROLLBACK.to_owned()).await
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
fn refused(failure: &Failure) -> Fault {
    let Failure { code, message, .. } = failure;
    let code = if code.is_empty() { String::new() } else { format!(" ({code})") };
    Fault::destination(format_args!("the statement failed{code}: {message}"))
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
