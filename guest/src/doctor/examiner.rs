//! The driver of an examination: a statement that fails is a result, and every rule gets exactly
//! one check.

use super::names::Scratch;
use crate::fault::{Fault, Result};
use crate::protocol::{
    Check, Failure, Io, Outcome, Pause, Pull, Reply, Script, Step, Upload, Verdict, unexpected,
};
use crate::sql::{Name, merge};

/// One assumption of loads, and the remedy if it does not hold.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Rule {
    /// The subject and the name of the check.
    pub(super) name: &'static str,
    pub(super) assumed: &'static str,
    pub(super) remedy: &'static str,
}

/// The reason why a subject ends early.
pub(super) enum SubjectStop {
    /// The host broke the interface: the examination ends.
    Fault(Fault),
    /// A required statement failed: the rest of the subject is skipped.
    Reason(String),
}

impl From<Fault> for SubjectStop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The result of a part of a subject.
pub(super) type Found<T = ()> = Result<T, SubjectStop>;

/// An examination in progress.
pub(super) struct Examiner {
    io: Io,
    pub(super) scratch: Scratch,
    checks: Vec<Check>,
    pub(super) statements: u32,
    in_transaction: bool,
}

impl Examiner {
    pub(super) fn new(io: Io, scratch: Scratch) -> Self {
        Self { io, scratch, checks: Vec::new(), statements: 0, in_transaction: false }
    }

    /// Runs one statement.
    pub(super) async fn sql(&mut self, statement: String) -> Result<Result<Outcome, Failure>> {
        self.statements += 1;
        let script = Script { statements: vec![statement], any_order: false };
        match self.io.ask(Step::Sql(script)).await {
            Reply::Outcomes(mut outcomes) if outcomes.len() == 1 => {
                Ok(Ok(outcomes.pop().unwrap_or_default()))
            }
            Reply::Outcomes(outcomes) => Err(Fault::protocol(format_args!(
                "expected 1 outcome from the host, found {}",
                outcomes.len()
            ))),
            Reply::Failed(failure) => Ok(Err(failure)),
            other => Err(unexpected("outcomes or failed", &other)),
        }
    }

    /// Runs one statement that the rest of the subject requires.
    pub(super) async fn need(&mut self, statement: String) -> Found<Outcome> {
        let what = excerpt(&statement);
        match self.sql(statement).await? {
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(SubjectStop::Reason(format!("{what}: {}", shown(&failure)))),
        }
    }

    /// Begins a transaction. It is rolled back at the end of the subject if it is still open.
    pub(super) async fn begin(&mut self) -> Found {
        self.in_transaction = true;
        self.need(merge::BEGIN.to_owned()).await.map(drop)
    }

    pub(super) async fn commit(&mut self) -> Found {
        self.need(merge::COMMIT.to_owned()).await?;
        self.in_transaction = false;
        Ok(())
    }

    pub(super) async fn roll_back(&mut self) -> Found {
        self.in_transaction = false;
        self.need(merge::ROLLBACK.to_owned()).await.map(drop)
    }

    /// Rolls back the transaction that a subject left open.
    pub(super) async fn settle(&mut self) -> Result<()> {
        if std::mem::take(&mut self.in_transaction) {
            // If this fails, the next statement reports it.
            _ = self.sql(merge::ROLLBACK.to_owned()).await?;
        }
        Ok(())
    }

    /// Uploads a file to a stage.
    pub(super) async fn upload(
        &mut self,
        stage: &Name,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<Result<(), Failure>> {
        let size = bytes.len() as u64;
        let upload = Upload { stage: stage.to_string(), path: path.to_owned(), size };
        match self.io.ask_upload(upload, bytes).await {
            Reply::Done => Ok(Ok(())),
            Reply::Failed(failure) => Ok(Err(failure)),
            other => Err(unexpected("done or failed", &other)),
        }
    }

    /// Uploads a file to a stage that the rest of the subject requires.
    pub(super) async fn need_upload(&mut self, stage: &Name, path: &str, bytes: Vec<u8>) -> Found {
        match self.upload(stage, path, bytes).await? {
            Ok(()) => Ok(()),
            Err(failure) => {
                Err(SubjectStop::Reason(format!("upload of {path}: {}", shown(&failure))))
            }
        }
    }

    /// Returns the next page of a file.
    pub(super) async fn pull(&mut self, pull: Pull) -> Result<Result<Option<String>, Failure>> {
        match self.io.ask(Step::Pull(pull)).await {
            Reply::Page(page) => Ok(Ok(Some(page))),
            Reply::File(_) => Ok(Ok(Some(String::new()))),
            Reply::End => Ok(Ok(None)),
            Reply::Failed(failure) => Ok(Err(failure)),
            other => Err(unexpected("page, file, end or failed", &other)),
        }
    }

    pub(super) async fn wait(&mut self, seconds: f64, reason: &str) -> Result<()> {
        match self.io.ask(Step::Wait(Pause { seconds, reason: reason.to_owned() })).await {
            Reply::Done => Ok(()),
            other => Err(unexpected("done", &other)),
        }
    }

    /// Passes on a step of a load that is part of the examination.
    pub(super) async fn pass_on(&mut self, step: Step, payload: Vec<u8>) -> Reply {
        match step {
            Step::Upload(upload) => self.io.ask_upload(upload, payload).await,
            Step::Sql(script) => {
                self.statements += u32::try_from(script.statements.len()).unwrap_or(u32::MAX);
                self.io.ask(Step::Sql(script)).await
            }
            other => self.io.ask(other).await,
        }
    }

    /// Records whether an assumption holds, and what was observed.
    pub(super) fn note(&mut self, rule: &Rule, holds: bool, seen: impl Into<String>) {
        let verdict = if holds { Verdict::Holds } else { Verdict::Fails };
        let remedy = if holds { "" } else { rule.remedy };
        self.push(rule, verdict, seen.into(), remedy.to_owned());
    }

    /// Records that a rule was not checked, with the reason.
    pub(super) fn untried(&mut self, rule: &Rule, reason: impl Into<String>, remedy: &str) {
        self.push(rule, Verdict::Untried, reason.into(), remedy.to_owned());
    }

    /// Returns `true` if the rule has its check.
    pub(super) fn has(&self, rule: &Rule) -> bool {
        self.checks.iter().any(|check| check.name == rule.name)
    }

    /// Returns `true` if the rule was found not to hold.
    pub(super) fn fails(&self, rule: &Rule) -> bool {
        let mut found = self.checks.iter().filter(|check| check.name == rule.name);
        found.any(|check| check.verdict == Verdict::Fails)
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    fn push(&mut self, rule: &Rule, verdict: Verdict, seen: String, remedy: String) {
        if !self.has(rule) {
            self.checks.push(Check {
                name: rule.name.to_owned(),
                verdict,
                assumed: rule.assumed.to_owned(),
                seen,
                remedy,
            });
        }
    }
}

/// The cells of an outcome for a message: rows separated by semicolons.
pub(super) fn cells(outcome: &Outcome) -> String {
    let rows = outcome.rows.iter().map(|row| {
        let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL"));
        cells.collect::<Vec<_>>().join(", ")
    });
    match rows.collect::<Vec<_>>().join("; ") {
        cells if cells.is_empty() => "no rows".to_owned(),
        cells => cells,
    }
}

/// A cell of a row; empty for NULL.
pub(super) fn cell(row: &[Option<String>], at: usize) -> &str {
    row.get(at).and_then(|cell| cell.as_deref()).unwrap_or("")
}

/// The first cell of the first row.
pub(super) fn first(outcome: &Outcome) -> Option<&str> {
    outcome.rows.first()?.first()?.as_deref()
}

/// The number in the first cell of the first row.
pub(super) fn number(outcome: &Outcome) -> Option<u64> {
    first(outcome)?.parse().ok()
}

/// A failure for a message: its code and its text on one line.
pub(super) fn shown(failure: &Failure) -> String {
    let text = failure.message.split_whitespace().collect::<Vec<_>>().join(" ");
    if failure.code.is_empty() { text } else { format!("error {}: {text}", failure.code) }
}

/// Returns `true` if a failure has this code, ignoring leading zeros.
pub(super) fn has_code(failure: &Failure, code: &str) -> bool {
    failure.code.trim_start_matches('0') == code
}

/// The beginning of a statement, on one line.
fn excerpt(statement: &str) -> String {
    const MOST: usize = 80;
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}...", line.get(..at).unwrap_or_default()),
        None => line,
    }
}
