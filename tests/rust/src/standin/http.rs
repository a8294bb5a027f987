//! As much of HTTP/1.1 as clients need to talk to the stand-in, written by hand because it has to be
//! able to break the protocol: to hang up half-way, or to promise more bytes than it sends.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use super::Credential;

const HEAD_LIMIT: usize = 64 << 10;
const BODY_LIMIT: usize = 16 << 20;
const HEADERS: usize = 64;

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    /// Without the query.
    pub(super) path: String,
    /// Decoded, in their order.
    pub(super) query: Vec<(String, String)>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    /// One without a connection; names of headers in lower case.
    #[cfg(test)]
    pub(super) fn new(
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { method: method.to_owned(), path: path.to_owned(), query, headers, body }
    }

    /// The first header of this name, which is in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The first parameter of this name.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Where the client thinks it is: plain HTTP on this machine, HTTPS for any real name.
    pub(super) fn origin(&self) -> String {
        let host = self.header("host").unwrap_or("127.0.0.1");
        let local = host.starts_with("127.0.0.1") || host.starts_with("localhost");
        format!("{}://{host}", if local { "http" } else { "https" })
    }

    /// A parameter that is a whole number, or the default.
    pub(super) fn number(&self, name: &str, default: usize) -> Result<usize, String> {
        self.parameter(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| format!("The value '{text}' of {name} is not a number."))
        })
    }

    /// What an `Authorization` header proves, when the right one is known.
    pub(super) fn proves(&self, right: &str) -> Credential {
        match self.header("authorization") {
            None => Credential::None,
            Some(found) if found == right => Credential::Right,
            Some(_) => Credential::Wrong,
        }
    }

    /// Whether the client hangs up after the answer.
    pub(super) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// A response; `content-length` is added when it is sent.
#[derive(Clone, Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Response {
    /// JSON that is ready to be sent.
    pub(super) fn json(status: u16, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/json;charset=UTF-8".to_owned())];
        Self { status, headers, body }
    }

    /// JSON.
    pub(super) fn value(status: u16, body: &Value) -> Self {
        Self::json(status, body.to_string().into_bytes())
    }

    /// A text for people.
    pub(super) fn text(status: u16, text: &str) -> Self {
        let headers = vec![("content-type", "text/plain;charset=UTF-8".to_owned())];
        Self { status, headers, body: text.as_bytes().to_vec() }
    }

    /// The header of this name.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// The same with this header, in place of one of that name.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// The same with this header, unless it has one of that name.
    pub(super) fn with_default(self, name: &'static str, value: String) -> Self {
        if self.header(name).is_some() { self } else { self.with(name, value) }
    }
}

/// One end of a connection.
pub(super) struct Connection {
    stream: TcpStream,
    /// Bytes that were read and are not yet part of a request.
    ahead: Vec<u8>,
}

impl Connection {
    pub(super) const fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// The next request; none when the client has hung up.
    pub(super) fn receive(&mut self) -> io::Result<Option<Request>> {
        let (mut request, head, length) = loop {
            if let Some(found) = parse_head(&self.ahead)? {
                break found;
            }
            if self.ahead.len() > HEAD_LIMIT {
                return Err(invalid("the head of the request is too long"));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        };
        if length > BODY_LIMIT {
            return Err(invalid("the body of the request is too long"));
        }
        if request.header("expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        while self.ahead.len() < head + length {
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.ahead.split_off(head + length);
        request.body = self.ahead.split_off(head);
        self.ahead = rest;
        Ok(Some(request))
    }

    /// Sends the response, but of its body only so many bytes.
    pub(super) fn send(&mut self, response: &Response, bytes: usize) -> io::Result<()> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", response.status, reason(response.status));
        for (name, value) in &response.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", response.body.len()));
        self.stream.write_all(head.as_bytes())?;
        self.stream.write_all(response.body.get(..bytes).unwrap_or(&response.body))?;
        self.stream.flush()
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut bytes = [0; 8192];
        let count = self.stream.read(&mut bytes)?;
        self.ahead.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

/// The request with no body yet, the length of its head, the length of its body; none when more of
/// the head has to come.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Request, usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let (path, query) =
        parsed.path.unwrap_or("/").split_once('?').unwrap_or((parsed.path.unwrap_or("/"), ""));
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: path.to_owned(),
        query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
        headers: parsed
            .headers
            .iter()
            .map(|header| {
                let value = String::from_utf8_lossy(header.value).into_owned();
                (header.name.to_ascii_lowercase(), value)
            })
            .collect(),
        body: Vec::new(),
    };
    if request.header("transfer-encoding").is_some() {
        return Err(invalid("a request in chunks is not understood"));
    }
    let length = request.header("content-length").unwrap_or("0").trim().parse().map_err(invalid)?;
    Ok(Some((request, head, length)))
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        410 => "Gone",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Unknown",
    }
}
