//! Attempts: which are retried, after which wait, and the error if none succeeds.

use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};

use super::connection::Pace;
use super::error::{ErrorKind, SnowflakeError};
use super::observer::SessionEvent;

/// The wait after the first attempt. Each further wait is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The shortest time for an attempt.
const SHORTEST: Duration = Duration::from_millis(1);
/// The longest wait between attempts, unless the server requests a longer one.
const LONGEST_WAIT: Duration = Duration::from_secs(16);
/// The longest wait, even if the server requests more.
const LONGEST_REQUESTED: Duration = Duration::from_secs(60);
/// The time after a stop in which statements are sent and answered: the ROLLBACK, and the DROP of the stage.
const AFTER_STOP: Duration = Duration::from_millis(3500);

/// The reason why an attempt has no answer.
#[derive(Debug)]
pub(super) enum Miss {
    /// Another attempt may succeed.
    Again(Trouble),
    /// No other attempt can succeed.
    Never(SnowflakeError),
}

/// A failed attempt.
#[derive(Debug)]
pub(super) struct Trouble {
    /// The HTTP status; 0 if no answer arrived.
    pub(super) status: u16,
    /// The server may have executed the request.
    pub(super) executed: bool,
    /// The server requests this wait.
    pub(super) wait: Option<Duration>,
    pub(super) message: String,
}

/// The attempts for one request.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// The number of attempts, including those before a renewal of the token.
    pub(super) made: u32,
    /// The HTTP status of the last failed attempt.
    pub(super) reason: u16,
    /// `true` if one of them may have been executed.
    pub(super) executed: bool,
    /// The instant after which no attempt begins.
    deadline: Option<Instant>,
    /// The number of attempts of one request, if it is not that of the pace.
    most: Option<u32>,
}

impl Attempts {
    /// Returns attempts that end within this time, whatever their number.
    pub(super) fn within(time: Duration) -> Self {
        Self { deadline: Instant::now().checked_add(time), ..Self::default() }
    }

    /// Returns the attempts for a statement: after a stop only those within its time.
    pub(super) fn of_statement(pace: &Pace) -> Self {
        match pace.stopped() {
            Some(since) => Self::within(AFTER_STOP.saturating_sub(since)),
            None => Self::default(),
        }
    }

    /// Returns one attempt for each request.
    pub(super) fn single() -> Self {
        Self { most: Some(1), ..Self::default() }
    }

    /// The same limits, with one attempt for each request.
    pub(super) fn once(self) -> Self {
        Self { most: Some(1), ..self }
    }

    /// Returns the attempts for another request, with the same limits.
    pub(super) fn for_another(&self) -> Self {
        Self { deadline: self.deadline, most: self.most, ..Self::default() }
    }

    /// Returns the time for the next attempt.
    pub(super) fn timeout(&self, usual: Duration) -> Duration {
        match self.deadline {
            // A time of zero would mean no limit.
            Some(deadline) => {
                deadline.saturating_duration_since(Instant::now()).max(SHORTEST).min(usual)
            }
            None => usual,
        }
    }

    /// Repeats attempts until there is an answer.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if no attempt was executed, [`ErrorKind::OutcomeUnknown`] if one may have been.
    pub(super) fn run<T>(
        &mut self,
        pace: &Pace,
        mut once: impl FnMut(&Self) -> Result<T, Miss>,
    ) -> Result<T, SnowflakeError> {
        let mut wait = FIRST_WAIT;
        let mut tried = 0;
        loop {
            let answer = once(self);
            self.made = self.made.saturating_add(1);
            tried += 1;
            let trouble = match answer {
                Ok(answer) => return Ok(answer),
                Err(Miss::Never(error)) => return Err(error),
                Err(Miss::Again(trouble)) => trouble,
            };
            self.reason = trouble.status;
            self.executed |= trouble.executed;
            let requested = trouble.wait.map(|it| it.min(LONGEST_REQUESTED));
            let pause = requested.unwrap_or_else(|| jittered(wait));
            let late = self.deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
            if tried >= self.most.unwrap_or(pace.attempts) || late {
                return Err(self.given_up(&trouble, tried));
            }
            // The attempts of a request that is sent after a stop have a deadline.
            let stopped = || self.deadline.is_none() && pace.stopped().is_some();
            if !stopped() {
                let reason = trouble.message.as_str();
                pace.observe(&SessionEvent::Retry { reason, wait: pause });
                pace.wait(pause);
            }
            if stopped() {
                return Err(self.given_up(&trouble, tried));
            }
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn given_up(&self, trouble: &Trouble, tried: u32) -> SnowflakeError {
        let kind = if self.executed { ErrorKind::OutcomeUnknown } else { ErrorKind::Unavailable };
        let times = if tried == 1 { "once".to_owned() } else { format!("{tried} times") };
        let status = if trouble.status == 0 { String::new() } else { trouble.status.to_string() };
        SnowflakeError::new(kind, format!("{} (tried {times})", trouble.message)).with_code(status)
    }
}

/// Half of the wait, and a random part of the other half.
fn jittered(wait: Duration) -> Duration {
    let mut byte = [0_u8];
    // Without random numbers the wait is the whole one.
    let part = match SystemRandom::new().fill(&mut byte) {
        Ok(()) => f64::from(byte[0]) / 255.0,
        Err(_) => 1.0,
    };
    wait.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn again(status: u16, executed: bool, wait: Option<u64>) -> Miss {
        let wait = wait.map(Duration::from_secs);
        Miss::Again(Trouble { status, executed, wait, message: format!("status {status}") })
    }

    /// Runs attempts that fail with these, then succeed.
    fn run(misses: Vec<Miss>, most: u32) -> (Result<(), SnowflakeError>, Vec<Duration>) {
        let waits = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&waits);
        let sleep = move |wait| kept.lock().unwrap().push(wait);
        let pace = Pace {
            attempts: most,
            timeout: Duration::ZERO,
            sleep: Some(Arc::new(sleep)),
            stop: None,
            observer: None,
        };
        let mut misses = misses.into_iter();
        let result = Attempts::default().run(&pace, |_| misses.next().map_or(Ok(()), Err));
        let waits = waits.lock().unwrap().clone();
        (result, waits)
    }

    #[test]
    fn waits_double_and_obey_the_server() {
        let misses =
            vec![again(0, false, None), again(429, false, Some(3)), again(500, true, None)];
        let (result, waits) = run(misses, 4);
        assert_eq!(result, Ok(()));
        let range = |number: usize, low: u64, high: u64| {
            let wait = waits[number].as_millis() as u64;
            assert!((low..=high).contains(&wait), "{waits:?}");
        };
        range(0, 125, 250);
        range(1, 3000, 3000);
        range(2, 500, 1000);
        assert_eq!(run(vec![again(429, false, Some(86_400))], 2).1, [LONGEST_REQUESTED]);
    }

    #[test]
    fn no_attempt_begins_after_the_deadline() {
        let pace = Pace {
            attempts: 5,
            timeout: Duration::from_secs(60),
            sleep: Some(Arc::new(|_| panic!("it waited for an attempt that is too late"))),
            stop: None,
            observer: None,
        };
        // The shortest first wait is longer than this.
        let mut attempts = Attempts::within(Duration::from_millis(100));
        let error = attempts.run(&pace, |_| Err::<(), _>(again(503, false, None))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert_eq!(error.message(), "status 503 (tried once)");
        assert!(attempts.for_another().deadline.is_some());
    }

    #[test]
    fn errors_differ_if_an_attempt_may_have_been_executed() {
        let check = |misses, kind, message: &str| {
            let error = run(misses, 2).0.unwrap_err();
            assert_eq!((error.kind(), error.message()), (kind, message));
        };
        let busy = || again(503, false, None);
        check(vec![busy(), busy()], ErrorKind::Unavailable, "status 503 (tried 2 times)");
        let lost = vec![again(0, true, None), busy()];
        check(lost, ErrorKind::OutcomeUnknown, "status 503 (tried 2 times)");
        let never = Miss::Never(SnowflakeError::answer("no"));
        check(vec![never], ErrorKind::Answer, "no");
    }
}
