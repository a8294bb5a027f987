//! One request until it has a response to read: repeated after temporary failures.

use crate::fault::{Fault, Result};
use crate::protocol::{Failure, Pause, Request, Response};
use crate::sources::rest::{Decision, ResponsePolicy, Retry};

/// A byte order mark, with which some sources begin their JSON.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The result of a request.
pub(super) enum Answer {
    Page(Response),
    /// A response that ends the pages by a rule of the job.
    End,
}

/// The attempts of one request, and its result.
pub(super) struct Attempt {
    retry: Retry,
    answer: Option<Answer>,
}

impl Attempt {
    /// No attempt so far.
    pub(super) fn new(load_id: &str, request: &Request) -> Self {
        Self { retry: Retry::new(load_id, request), answer: None }
    }

    /// Returns `true` if the request has no result yet.
    pub(super) const fn is_open(&self) -> bool {
        self.answer.is_none()
    }

    /// The result.
    pub(super) fn into_answer(self) -> Option<Answer> {
        self.answer
    }

    /// Decides on a response. Returns the wait before the next attempt.
    ///
    /// # Errors
    /// A source fault if another attempt would not help.
    pub(super) fn judge(
        &mut self,
        request: &Request,
        policy: ResponsePolicy<'_>,
        mut response: Result<Response, Failure>,
    ) -> Result<Option<Pause>> {
        if let Ok(response) = &mut response
            && response.body.starts_with(BYTE_ORDER_MARK)
        {
            // RFC 8259, section 8.1: a reader may ignore it.
            response.body.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        match self.retry.judge(request, policy, &response) {
            Decision::Proceed => {
                let response = response.map_err(|failure| {
                    Fault::internal(format_args!("no answer to read: {}", failure.message))
                })?;
                self.answer = Some(Answer::Page(response));
            }
            Decision::Ignore => self.answer = Some(Answer::End),
            Decision::Resend => {}
            Decision::Wait { seconds, reason } => return Ok(Some(Pause { seconds, reason })),
            Decision::GiveUp(fault) => return Err(fault),
        }
        Ok(None)
    }
}

/// The longer of two waits, so that no request is repeated too early.
pub(super) fn longer(one: Option<Pause>, other: Option<Pause>) -> Option<Pause> {
    match (one, other) {
        (Some(one), Some(other)) if one.seconds < other.seconds => Some(other),
        (None, other) => other,
        (one, _) => one,
    }
}
