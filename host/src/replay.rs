//! A host that answers from a transcript, and checks that the load returns the same steps.

use std::collections::VecDeque;

use serde_json::Value;

use crate::error::Error;
use crate::host::{Host, Pulled, SqlReply};
use crate::interface::{
    Failure, Fetches, Pause, Pull, Reply, Request, Response, Script, Step, Upload,
};
use crate::transcript;

/// The host of a recorded run.
///
/// ```
/// use snowcat_host::transcript::Transcript;
/// use snowcat_host::{DryRun, Engine, Replay, Runner, Settings};
/// # use snowcat_host::input::files::Input;
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let job = r#"{
///     "pipeline": "p", "database": "D", "dataset": "d",
///     "resources": [{"name": "t", "source": "pull"}]
/// }"#;
/// let (runner, now) = (Runner::new(&Engine::new(&Settings::default())?), "2026-01-01T00:00:00Z");
///
/// let mut transcript = Transcript::new(Vec::new());
/// let mut host = DryRun::new().input("t", Input::of_pages(std::iter::once(Ok(r#"{"id": 1}"#.to_owned()))));
/// runner.run_observed(job, now, &mut host, &mut [&mut transcript])?;
///
/// let recorded = String::from_utf8(transcript.into_inner()).unwrap_or_default();
/// let mut replay = Replay::new(&recorded)?;
/// runner.run(job, now, &mut replay)?;
/// replay.finish()
/// # }
/// ```
///
/// The same component, job and `now` must return the same steps: the first that differs fails the
/// run, and [`finish`](Self::finish) returns what was expected.
#[derive(Debug)]
pub struct Replay {
    lines: VecDeque<(usize, String)>,
    divergence: Option<String>,
}

impl Replay {
    /// Reads a transcript.
    ///
    /// # Errors
    /// [`Error::Transcript`] if it does not begin like one.
    pub fn new(transcript: &str) -> Result<Self, Error> {
        let mut lines: VecDeque<(usize, String)> =
            (1..).zip(transcript.lines().map(str::to_owned)).collect();
        match lines.pop_front() {
            Some((_, line)) if line == transcript::reply_line(&Reply::Start) => {
                Ok(Self { lines, divergence: None })
            }
            other => Err(Error::Transcript(format!(
                "expected it to begin with {}, found {other:?}",
                transcript::reply_line(&Reply::Start)
            ))),
        }
    }

    /// Checks that every step of the finished run equals the recorded one. The end of the run, its
    /// report or fault, is not compared.
    ///
    /// # Errors
    /// [`Error::Transcript`] with the first difference.
    pub fn finish(self) -> Result<(), Error> {
        if let Some(divergence) = self.divergence {
            return Err(Error::Transcript(divergence));
        }
        match self.lines.front() {
            // The last line is the end of the run, which has no reply.
            Some((line, text)) if self.lines.len() > 1 => {
                Err(Error::Transcript(format!("line {line} was never reached: {text}")))
            }
            _ => Ok(()),
        }
    }

    /// Returns the recorded answer to this step.
    fn answer(&mut self, step: &Step, payload: &[u8]) -> Result<Reply, Failure> {
        if self.divergence.is_none() {
            let found = transcript::step_line(step, payload);
            let expected = self.lines.pop_front();
            match expected {
                Some((_, expected)) if expected == found => match self.reply() {
                    Ok(reply) => return Ok(reply),
                    Err(why) => self.divergence = Some(why),
                },
                Some((line, expected)) => {
                    self.divergence =
                        Some(format!("line {line}: expected {expected}, found {found}"));
                }
                None => self.divergence = Some(format!("expected the end, found {found}")),
            }
        }
        Err(Failure {
            code: "replay".to_owned(),
            message: self.divergence.clone().unwrap_or_default(),
            transient: false,
        })
    }

    fn reply(&mut self) -> Result<Reply, String> {
        let (line, text) = self.lines.pop_front().ok_or("expected a reply, found the end")?;
        let value: Value =
            serde_json::from_str(&text).map_err(|e| format!("line {line} is not JSON: {e}"))?;
        transcript::parse_reply(&value).map_err(|e| format!("line {line}: {e}"))
    }

    /// The failure for a recorded answer that does not fit the step.
    fn unfit(&mut self, expected: &str, found: &Reply) -> Failure {
        let message = format!("expected {expected}, found {}", transcript::reply_line(found));
        self.divergence.get_or_insert_with(|| message.clone());
        Failure { code: "replay".to_owned(), message, transient: false }
    }
}

impl Host for Replay {
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure> {
        match self.answer(&Step::Sql(script.clone()), &[])? {
            Reply::DryRun => Ok(SqlReply::DryRun),
            Reply::Failed(failure) => Err(failure),
            Reply::Outcomes(outcomes) => Ok(SqlReply::Outcomes(outcomes)),
            other => Err(self.unfit("outcomes", &other)),
        }
    }

    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure> {
        match self.answer(&Step::Upload(upload.clone()), &payload)? {
            Reply::Done => Ok(()),
            Reply::Failed(failure) => Err(failure),
            other => Err(self.unfit("done", &other)),
        }
    }

    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
        let step = Step::Fetch(Fetches { requests: requests.to_vec() });
        let failure = match self.answer(&step, &[]) {
            Ok(Reply::Responses(responses)) => return responses,
            Ok(other) => self.unfit("responses", &other),
            Err(failure) => failure,
        };
        requests.iter().map(|_| Err(failure.clone())).collect()
    }

    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure> {
        match self.answer(&Step::Pull(pull.clone()), &[])? {
            Reply::End => Ok(Pulled::End),
            Reply::Failed(failure) => Err(failure),
            Reply::File(file) => Ok(Pulled::File(file)),
            Reply::Columns(columns) => Ok(Pulled::Columns(columns)),
            Reply::Page(page) => Ok(Pulled::Page(page)),
            other => Err(self.unfit("a page", &other)),
        }
    }

    fn wait(&mut self, seconds: f64, reason: &str) {
        let step = Step::Wait(Pause { seconds, reason: reason.to_owned() });
        // A difference is stored, and the next step fails with it.
        if let Ok(reply) = self.answer(&step, &[])
            && reply != Reply::Done
        {
            self.unfit("done", &reply);
        }
    }
}
