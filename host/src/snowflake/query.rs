//! One statement: it is sent with one id until its answer arrives, and polled while it runs.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ureq::http::Method;

use super::answer::{Answer, AnswerData};
use super::attempts::Attempts;
use super::effect::Effect;
use super::envelope::Envelope;
use super::error::{ErrorKind, SnowflakeError};
use super::tokens::{Standing, Tokens};
use super::wire::Call;
use crate::credentials::Secret;

/// The code of a running statement.
const RUNNING: [&str; 2] = ["333333", "333334"];
/// The code of a result that is not found, as happens right after the start.
const NOT_FOUND: &str = "000612";
/// The number of polls without a result before an error.
const MOST_NOT_FOUND: u32 = 5;
/// Renewals of the token for one request.
const MOST_RENEWALS: u32 = 3;
/// An answer that arrives earlier did not wait for the result.
const AT_ONCE: Duration = Duration::from_secs(1);
/// The waits after polls that did not wait, in milliseconds; the last one repeats.
const POLLS: [u64; 7] = [500, 500, 1000, 1500, 2000, 4000, 5000];

/// The running statement, for another thread that aborts it.
#[derive(Default)]
pub(super) struct Running(Mutex<Option<(String, Effect)>>);

impl Running {
    /// Returns its id and its effect.
    pub(super) fn current(&self) -> Option<(String, Effect)> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<(String, Effect)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a statement and returns the whole answer.
pub(super) fn execute(
    tokens: &Tokens,
    running: &Running,
    statement: &str,
    attempts: Attempts,
) -> Result<Answer, SnowflakeError> {
    let data = run(tokens, running, statement, attempts)?;
    let mut data: AnswerData = parsed(data)?;
    if data.lacks_rows()
        && let Some(path) = result_path(&data)
    {
        data = parsed(result(tokens, &path)?)?;
    }
    // The statement was executed, even if its rows cannot be read.
    data.into_answer(&tokens.wire).map_err(unknown)
}

/// Runs a statement and returns the data of its answer. For a PUT it is the location for uploads.
pub(super) fn run(
    tokens: &Tokens,
    running: &Running,
    statement: &str,
    attempts: Attempts,
) -> Result<Value, SnowflakeError> {
    let id = super::id::new()?;
    *running.lock() = Some((id.clone(), Effect::of(statement)));
    let data = submit(tokens, &id, statement, attempts);
    *running.lock() = None;
    data
}

fn submit(
    tokens: &Tokens,
    id: &str,
    statement: &str,
    attempts: Attempts,
) -> Result<Value, SnowflakeError> {
    let query = [("requestId", id.to_owned())];
    let body = || {
        let body = json!({"sqlText": statement, "asyncExec": false, "sequenceId": 1});
        Ok(body.to_string())
    };
    let answer = authorized(tokens, attempts, |token, attempts| {
        let call = Call {
            query: &query,
            token: Some(token),
            body: &body,
            ..Call::new(Method::POST, "/queries/v1/query-request")
        };
        tokens.wire.call::<Value>(&call, attempts)
    })?;
    match finished(answer)? {
        Progress::Done(data) => Ok(data),
        Progress::Running(path) => result(tokens, &path),
    }
}

/// Polls until a statement has ended, and returns the data of its answer.
fn result(tokens: &Tokens, path: &str) -> Result<Value, SnowflakeError> {
    let mut path = path.to_owned();
    let mut waits = POLLS.into_iter();
    let mut wait = 0;
    let mut not_found = 0;
    loop {
        let began = Instant::now();
        let query = [("requestId", super::id::new()?)];
        let attempts = Attempts::of_statement(&tokens.wire.pace);
        let answer = authorized(tokens, attempts, |token, attempts| {
            let call = Call { query: &query, token: Some(token), ..Call::new(Method::GET, &path) };
            tokens.wire.call::<Value>(&call, attempts)
        });
        // The statement runs, even if a poll fails.
        let answer = answer.map_err(unknown)?;
        if !answer.success && answer.code == NOT_FOUND && not_found < MOST_NOT_FOUND {
            not_found += 1;
        } else {
            match finished(answer)? {
                Progress::Done(data) => return Ok(data),
                Progress::Running(next) => path = next,
            }
        }
        if began.elapsed() < AT_ONCE {
            wait = waits.next().unwrap_or(wait);
            tokens.wire.pace.wait(Duration::from_millis(wait));
        }
    }
}

/// The state of a statement in an answer.
enum Progress {
    Done(Value),
    /// It runs; its result is at this path.
    Running(String),
}

fn finished(answer: Envelope<Value>) -> Result<Progress, SnowflakeError> {
    if !RUNNING.contains(&answer.code.as_str()) {
        return answer.into_data(ErrorKind::Statement).map(Progress::Done);
    }
    let data: AnswerData = parsed(answer.data.unwrap_or_default())?;
    result_path(&data).map(Progress::Running).ok_or_else(|| {
        SnowflakeError::new(
            ErrorKind::OutcomeUnknown,
            "the statement runs, and the answer has neither its id nor the address of its result",
        )
    })
}

fn result_path(data: &AnswerData) -> Option<String> {
    let by_id = || Some(format!("/queries/{}/result", data.query_id.as_ref()?));
    data.get_result_url.clone().filter(|path| path.starts_with('/')).or_else(by_id)
}

fn parsed(data: Value) -> Result<AnswerData, SnowflakeError> {
    // The text of serde's error can quote a value.
    serde_json::from_value(data).map_err(|_| {
        SnowflakeError::answer("expected the result of a statement, found JSON of another form")
    })
}

/// Sends a request with the session's token, and again with a new one if that has expired.
///
/// # Errors
/// [`ErrorKind::SessionLost`] and [`ErrorKind::Unavailable`] only if the request was not executed.
pub(super) fn authorized<T>(
    tokens: &Tokens,
    mut attempts: Attempts,
    send: impl Fn(&Secret, &mut Attempts) -> Result<Envelope<T>, SnowflakeError>,
) -> Result<Envelope<T>, SnowflakeError>
where
    T: serde::de::DeserializeOwned,
{
    let mut renewals = 0;
    let result = loop {
        let token = tokens.session();
        let answer = match send(&token, &mut attempts) {
            Ok(answer) => answer,
            Err(error) => break Err(error),
        };
        match Standing::of(&answer) {
            Standing::Valid => break Ok(answer),
            Standing::Expired if renewals < MOST_RENEWALS => {
                renewals += 1;
                if let Err(error) = tokens.renew(&token, &attempts) {
                    break Err(error);
                }
            }
            Standing::Expired | Standing::Lost => break Err(answer.error(ErrorKind::SessionLost)),
        }
    };
    result.map_err(|error| if attempts.executed { unknown(error) } else { error })
}

/// The same error, for a request of which an earlier attempt may have been executed.
fn unknown(error: SnowflakeError) -> SnowflakeError {
    match error.kind() {
        ErrorKind::SessionLost | ErrorKind::Unavailable => {
            error.with_kind(ErrorKind::OutcomeUnknown)
        }
        _ => error,
    }
}

/// Aborts the statement with this id. It is not an error if the statement has ended.
pub(super) fn abort(tokens: &Tokens, id: &str, timeout: Duration) -> Result<(), SnowflakeError> {
    /// The code of a statement that is not running.
    const ENDED: &str = "000605";
    let query = [("requestId", super::id::new()?)];
    let body = || Ok(json!({"requestId": id}).to_string());
    let answer = authorized(tokens, Attempts::within(timeout), |token, attempts| {
        let call = Call {
            query: &query,
            token: Some(token),
            body: &body,
            ..Call::new(Method::POST, "/queries/v1/abort-request")
        };
        tokens.wire.call::<Value>(&call, attempts)
    })?;
    if answer.success || answer.code == ENDED {
        Ok(())
    } else {
        Err(answer.error(ErrorKind::Statement))
    }
}
