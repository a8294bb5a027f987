//! From a request to its answer: the log, the credential, and faults.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::http::{Connection, Request, Response};
use super::{Action, Credential, Entry, State, control, lock};

const IDLE: Duration = Duration::from_secs(120);
const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html><head><title>Log in</title></head>\
     <body><h1>Please log in</h1></body></html>\n";
/// The size below which compression costs more than it saves.
const GZIP_FROM: usize = 1024;

/// Answers the requests of one connection.
pub(super) fn serve(stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let mut connection = Connection::new(stream);
    while let Some(request) = connection.receive()? {
        let goes_on = if request.path.starts_with(control::ROOT) {
            let response = control::answer(&request, state);
            connection.send(&response, response.body.len())?;
            true
        } else {
            let in_flight = InFlight::enter(state);
            serve_one(&mut connection, &request, state, in_flight.count)?
        };
        if !goes_on || request.closes() {
            break;
        }
    }
    Ok(())
}

/// Answers one request. Returns `true` if the connection continues.
fn serve_one(
    connection: &mut Connection,
    request: &Request,
    state: &State,
    in_flight: usize,
) -> io::Result<bool> {
    let credential = state.service.credential(request);
    let fault = lock(&state.faults).next(&request.path);
    let action = fault.as_ref().map(|fault| &fault.action);
    let millis = state.started.elapsed().as_millis() as u64;
    if let Some(Action::Slow(time)) = action {
        thread::sleep(*time);
    }
    let response = match action {
        Some(Action::Drop) => None,
        action => Some(respond(request, state, credential, action)),
    };
    // Logged before it is sent, so that a client with the answer finds the request in the log.
    lock(&state.log).push(Entry {
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        credential,
        status: response.as_ref().map(|response| response.status),
        fault: fault.as_ref().map(ToString::to_string),
        millis,
        in_flight,
    });
    let Some(response) = response else { return Ok(false) };
    if action == Some(&Action::Cut) {
        connection.send(&response, response.body.len() / 2)?;
        return Ok(false);
    }
    connection.send(&response, response.body.len())?;
    Ok(true)
}

/// Returns the answer to a request with this fault.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of trouble")]
pub(super) fn respond(
    request: &Request,
    state: &State,
    credential: Credential,
    action: Option<&Action>,
) -> Response {
    let service = &state.service;
    let right = || {
        if credential != Credential::Right && !service.is_open(request) {
            return service.refusal(401, "Client must be authenticated to access this resource.");
        }
        service.answer(request, &request.origin())
    };
    let response = match action {
        Some(Action::Status(code)) => service.refusal(*code, "This fake fails on purpose."),
        Some(Action::Throttle(seconds)) => {
            let response = throttled(state);
            match seconds {
                Some(seconds) => response.with("retry-after", seconds.to_string()),
                None => response,
            }
        }
        Some(Action::ThrottleDate(seconds)) => throttled(state).with("retry-after", date(*seconds)),
        Some(Action::Limit(seconds)) => {
            let reset = (now() + seconds).to_string();
            service
                .refusal(403, "API rate limit exceeded.")
                .with("x-ratelimit-remaining", "0")
                .with("x-ratelimit-reset", reset)
        }
        Some(Action::Redirect(url)) => {
            Response { status: 302, headers: Vec::new(), body: Vec::new() }.with("location", url)
        }
        Some(Action::Empty) => Response::json(200, Vec::new()),
        Some(Action::Html) => {
            Response { status: 200, headers: Vec::new(), body: LOGIN_PAGE.into() }
                .with("content-type", "text/html;charset=UTF-8")
        }
        Some(Action::Type(kind)) => right().with("content-type", kind),
        Some(Action::Repeat) => lock(&state.last).get(&request.path).cloned().unwrap_or_else(right),
        Some(Action::Huge(bytes)) => {
            let mut response = right();
            response.body.resize(response.body.len().max(*bytes), b' ');
            response
        }
        Some(Action::Gzip) => packed(right()),
        Some(Action::ShortGzip) => {
            let mut response = packed(right());
            response.body.truncate(response.body.len() / 2);
            response
        }
        Some(Action::WrongGzip) => {
            let mut response = packed(right());
            // The last eight bytes are a checksum and the length (RFC 1952).
            let sum = response.body.len().saturating_sub(8);
            if let Some(byte) = response.body.get_mut(sum) {
                *byte = !*byte;
            }
            response
        }
        Some(Action::NotGzip) => right().with("content-encoding", "gzip"),
        Some(Action::Broken) => {
            let mut response = right();
            if let Some(colon) = response.body.iter_mut().find(|byte| **byte == b':') {
                *colon = b';';
            }
            response
        }
        Some(Action::Garbled) => {
            let mut response = right();
            let middle = response.body.len() / 2;
            if let Some(byte) = response.body.get_mut(middle) {
                *byte = 0xff;
            }
            response
        }
        Some(Action::Short) => {
            let mut response = right();
            response.body.truncate(response.body.len() / 2);
            response
        }
        Some(Action::Cut | Action::Drop | Action::Slow(_)) | None => right(),
    };
    if lock(&state.faults).repeat() {
        lock(&state.last).insert(request.path.clone(), response.clone());
    }
    let response = service
        .headers()
        .into_iter()
        .fold(response.with("date", date(0)), |response, (name, value)| {
            response.with_default(name, value)
        });
    if state.gzip { compressed(request, response) } else { response }
}

fn throttled(state: &State) -> Response {
    let response = state.service.refusal(429, "Rate limit exceeded.");
    response.with("x-ratelimit-limit", "350").with("x-ratelimit-remaining", "0")
}

fn compressed(request: &Request, response: Response) -> Response {
    let accepted = request.header("accept-encoding").is_some_and(|list| list.contains("gzip"));
    let already = response.header("content-encoding").is_some();
    if !accepted || already || response.body.len() < GZIP_FROM {
        return response;
    }
    packed(response)
}

fn packed(mut response: Response) -> Response {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(&response.body).and_then(|()| encoder.finish()) {
        Ok(body) => {
            response.body = body;
            response.with("content-encoding", "gzip")
        }
        Err(error) => Response::text(500, &format!("the answer could not be compressed: {error}")),
    }
}

/// The date `seconds` from now in HTTP's format (RFC 9110, section 5.6.7).
fn date(seconds: u64) -> String {
    DateTime::from_timestamp((now() + seconds) as i64, 0)
        .unwrap_or_default()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Counts a request while it is being answered, however that ends.
struct InFlight<'a> {
    state: &'a State,
    count: usize,
}

impl<'a> InFlight<'a> {
    fn enter(state: &'a State) -> Self {
        Self { state, count: state.in_flight.fetch_add(1, Ordering::SeqCst) + 1 }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.state.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
