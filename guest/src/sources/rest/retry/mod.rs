//! What to do with a response: read it, retry the request after a delay, or fail.
//!
//! As in dlt's HTTP client (`sources/helpers/requests/retry.py`) there are up to five attempts,
//! with delays that double from one second, and longer delays if the source requests them
//! (`retry-after`, and also `x-ratelimit-reset` and similar headers). Delays are spread by a hash
//! of the load and the request, so that a repeated transcript has the same delays.

use chrono::DateTime;

use crate::fault::{Fault, excerpt};
use crate::job::paginator::header;
use crate::job::{ResponseAction, ResponseRule, url};
use crate::protocol::{Failure, Request, Response};

/// The greatest number of attempts.
const ATTEMPTS: u32 = 5;
/// The longest delay that the source does not request, in seconds.
const MAX_BACKOFF: f64 = 300.0;
/// The longest delay that a source may request, in seconds: the warehouse is paid by the second.
const MAX_ASKED: f64 = 900.0;

/// The attempts of one request.
#[derive(Clone, Debug)]
pub(crate) struct Retry {
    attempts: u32,
    seed: u64,
    /// Whether the request was retried because the source rejected its credential.
    renewed: bool,
}

/// How responses are judged, by the job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ResponsePolicy<'a> {
    /// The rules for certain responses.
    pub(crate) rules: &'a [ResponseRule],
    /// The statuses that end the pages.
    pub(crate) end_statuses: &'a [u16],
    /// Whether the host can renew a token that the source rejects.
    pub(crate) renews: bool,
}

/// What to do with a response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Decision {
    /// Fail: a retry would not help.
    GiveUp(Fault),
    /// There are no more pages.
    Ignore,
    /// Read it.
    Proceed,
    /// Retry at once, after the host has renewed the token.
    Resend,
    /// Retry after a delay.
    Wait {
        /// Seconds.
        seconds: f64,
        /// The reason for messages.
        reason: String,
    },
}

impl Retry {
    /// No attempt so far.
    pub(crate) fn new(load_id: &str, request: &Request) -> Self {
        let body = request.body.as_deref().unwrap_or_default();
        let parts = [load_id, &request.method, &request.url, body];
        let seed = fnv(parts.into_iter().flat_map(|part| part.bytes().chain([0])));
        Self { attempts: 0, seed, renewed: false }
    }

    /// Decides about the response to a request, which is one attempt.
    pub(crate) fn judge(
        &mut self,
        request: &Request,
        policy: ResponsePolicy<'_>,
        answer: &Result<Response, Failure>,
    ) -> Decision {
        let response = match answer {
            Err(failure) => {
                self.attempts += 1;
                return self.failed(request, failure);
            }
            Ok(response) => response,
        };
        let (status, body) = (response.status, response.body.as_str());
        let action = policy.rules.iter().find(|it| it.matches(status, body)).map(|it| it.action);
        if action.is_none() && status == 401 && policy.renews && !self.renewed {
            // The token has expired: this is not a failed attempt.
            self.renewed = true;
            return Decision::Resend;
        }
        self.attempts += 1;
        let what = || format!("status {status}{}", said(response));
        match action {
            Some(ResponseAction::Ignore) => Decision::Ignore,
            Some(ResponseAction::Raise) => {
                give_up(request, &format!("{}, which the job says is a failure", what()))
            }
            Some(ResponseAction::Retry) => self.again(request, &what(), asked(&response.headers)),
            None if policy.end_statuses.contains(&status) => Decision::Ignore,
            None => self.answered(request, response),
        }
    }

    fn failed(&self, request: &Request, failure: &Failure) -> Decision {
        let code = match failure.code.as_str() {
            "" => String::new(),
            code => format!(" ({code})"),
        };
        let what = format!("no answer: {}{code}", excerpt(&failure.message));
        if failure.transient { self.again(request, &what, None) } else { give_up(request, &what) }
    }

    fn answered(&self, request: &Request, response: &Response) -> Decision {
        let status = response.status;
        let limited = limit(&response.headers, "remaining") == Some("0");
        let what = format!("status {status}{}", said(response));
        match status {
            // The source has no content.
            204 => Decision::Ignore,
            // The source is still computing the result.
            202 if matches!(response.body.trim(), "" | "{}" | "[]" | "null") => self.again(
                request,
                &format!("{what}, an answer that is not ready"),
                asked(&response.headers),
            ),
            200..=299 => self.check_body(request, response),
            300..=399 => {
                let to = header(&response.headers, "location")
                    .map_or_else(String::new, |to| format!(" to {}", url::shown(to)));
                give_up(request, &format!("status {status}, a redirect{to} that is not followed"))
            }
            // GitHub sends 403 instead of 429.
            403 if limited || header(&response.headers, "retry-after").is_some() => {
                self.again(request, &what, asked(&response.headers))
            }
            401 | 403 => {
                let credential = match &request.auth {
                    Some(name) => format!("credential {name:?} was refused"),
                    None => "no credential was sent (name one in \"auth\")".to_owned(),
                };
                give_up(request, &format!("{credential}: {what}"))
            }
            408 | 429 | 500..=599 => self.again(request, &what, asked(&response.headers)),
            _ => give_up(request, &what),
        }
    }

    /// Another attempt, if one is left and the source does not request too long a delay.
    fn again(&self, request: &Request, what: &str, asked: Option<f64>) -> Decision {
        if self.attempts >= ATTEMPTS {
            return give_up(request, &format!("{what}, at the {ATTEMPTS}th attempt"));
        }
        let reason =
            format!("attempt {} of {ATTEMPTS} at {}: {what}", self.attempts, shown(request));
        match asked {
            Some(seconds) if seconds > MAX_ASKED => give_up(
                request,
                &format!(
                    "{what}: it asks to wait {seconds:.0} s, more than the {MAX_ASKED:.0} s a load waits"
                ),
            ),
            // A little later than requested, and not for all at the same time.
            Some(seconds) => Decision::Wait { seconds: round(seconds + self.spread()), reason },
            None => {
                let doubled = f64::from(1_u32 << (self.attempts - 1).min(20));
                let seconds = (doubled * (1.0 + 0.5 * self.spread())).min(MAX_BACKOFF);
                Decision::Wait { seconds: round(seconds), reason }
            }
        }
    }

    /// Checks the body of a successful response: it must be JSON.
    fn check_body(&self, request: &Request, response: &Response) -> Decision {
        let content_type =
            header(&response.headers, "content-type").unwrap_or_default().to_ascii_lowercase();
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        let body = response.body.trim_start();
        if body.is_empty() {
            return give_up(
                request,
                &format!("expected JSON, found status {} and no body", response.status),
            );
        }
        // Sources often send JSON with a wrong content type, but HTML is an error.
        if body.starts_with('<') || kind.contains("html") || kind.contains("xml") {
            let kind = if kind.is_empty() { "no content type" } else { kind };
            let found = format!(
                "expected JSON, found status {} and {kind}{}",
                response.status,
                said(response)
            );
            return give_up(request, &found);
        }
        // The body was cut off without a stated length: the next attempt most likely returns all of
        // it.
        let end = body.trim_end().bytes().next_back();
        let whole = match body.bytes().next() {
            Some(b'{') => end == Some(b'}'),
            Some(b'[') => end == Some(b']'),
            _ => true,
        };
        if !whole {
            let what = format!(
                "status {}, and a page that breaks off after {} bytes",
                response.status,
                response.body.len()
            );
            return self.again(request, &what, None);
        }
        Decision::Proceed
    }

    /// From 0 to 1, different for each attempt.
    fn spread(&self) -> f64 {
        let bytes = self.seed.to_le_bytes().into_iter().chain(self.attempts.to_le_bytes());
        // The upper bits of this hash are the better ones.
        f64::from((fnv(bytes) >> 48) as u16) / f64::from(u16::MAX)
    }
}

#[cold]
fn give_up(request: &Request, what: &str) -> Decision {
    Decision::GiveUp(Fault::source(what).at(shown(request)))
}

/// A request without parts that may be secret.
pub(crate) fn shown(request: &Request) -> String {
    format!("{} {}", request.method, url::shown(&request.url))
}

fn said(response: &Response) -> String {
    match excerpt(&response.body).as_str() {
        "" => String::new(),
        body => format!(": {body}"),
    }
}

/// The delay that a source requests, in seconds from now.
fn asked(headers: &[(String, String)]) -> Option<f64> {
    let now = header(headers, "date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let from_now = |then: i64| now.map(|now| then.saturating_sub(now.timestamp()).max(0) as f64);
    if let Some(after) = header(headers, "retry-after") {
        if let Some(seconds) = seconds(after) {
            return Some(seconds);
        }
        if let Ok(then) = DateTime::parse_from_rfc2822(after) {
            return from_now(then.timestamp());
        }
    }
    if limit(headers, "remaining") != Some("0") {
        return None;
    }
    let reset = limit(headers, "reset")?;
    match seconds(reset) {
        // Sources send the seconds to wait, or the time in seconds or milliseconds since 1970.
        Some(wait) if wait < 1e8 => Some(wait),
        Some(then) if then < 1e11 => from_now(then as i64),
        Some(then) => from_now((then / 1000.0) as i64),
        None => {
            let then = DateTime::parse_from_rfc3339(reset).or_else(|_| {
                DateTime::parse_from_str(&reset.replace('Z', "+0000"), "%Y-%m-%dT%H:%M%z")
            });
            from_now(then.ok()?.timestamp())
        }
    }
}

/// The value of a rate limit header, under one of the names in use.
fn limit<'h>(headers: &'h [(String, String)], what: &str) -> Option<&'h str> {
    let prefixes = ["x-ratelimit-", "ratelimit-", "x-rate-limit-"];
    prefixes.iter().find_map(|prefix| header(headers, &format!("{prefix}{what}")))
}

/// The number of requests that a source allows before its limit is reached, if a response says so.
pub(crate) fn remaining(headers: &[(String, String)]) -> Option<u64> {
    limit(headers, "remaining")?.parse().ok()
}

fn seconds(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0)
}

/// Rounds to milliseconds.
fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// FNV-1a.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
