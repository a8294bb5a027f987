//! The part of HTTP/1.1 that clients need to talk to a fake. It is implemented here because it must
//! be able to violate the protocol: to close a connection half-way, or to announce more bytes than
//! it sends.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use flate2::read::GzDecoder;
use serde_json::Value;

use super::Credential;

const HEAD_LIMIT: usize = 64 << 10;
const BODY_LIMIT: usize = 16 << 20;
const HEADERS: usize = 64;

/// A request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The path and the query as sent, without the rest of an absolute address.
    pub(crate) target: String,
    /// Without the query.
    pub(crate) path: String,
    /// Decoded, in order.
    pub(crate) query: Vec<(String, String)>,
    /// Names in lower case.
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// Creates a request without a connection; names of headers are in lower case.
    #[cfg(test)]
    pub(crate) fn new(
        method: &str,
        target: &str,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Self {
        Self { headers, body, ..Self::addressed(method, target) }
    }

    /// Creates a request without headers and body.
    fn addressed(method: &str, target: &str) -> Self {
        // A client with this server as its proxy sends an absolute address.
        let target = match target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            target: target.to_owned(),
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The first header with this name, which is in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The headers with this name, which is in lower case.
    pub(crate) fn headers_named(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(found, _)| found == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The fields of a form.
    pub(crate) fn form(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }

    /// The cookies by name.
    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        let pairs = self.headers_named("cookie").into_iter().flat_map(|list| list.split(';'));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.trim().to_owned(), value.trim().to_owned())
        };
        pairs.map(pair).collect()
    }

    /// The first parameter with this name.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The origin as the client sees it: plain HTTP on this machine, HTTPS for any other name.
    pub(crate) fn origin(&self) -> String {
        let host = self.header("host").unwrap_or("127.0.0.1");
        let local = host.starts_with("127.0.0.1") || host.starts_with("localhost");
        format!("{}://{host}", if local { "http" } else { "https" })
    }

    /// An integer parameter, or the default.
    pub(crate) fn number(&self, name: &str, default: usize) -> Result<usize, String> {
        self.parameter(name).map_or(Ok(default), |text| {
            text.parse().map_err(|_| format!("The value '{text}' of {name} is not a number."))
        })
    }

    /// The credential that the `Authorization` header proves, compared with the right one.
    pub(crate) fn proves(&self, right: &str) -> Credential {
        match self.header("authorization") {
            None => Credential::None,
            Some(found) if found == right => Credential::Right,
            Some(_) => Credential::Wrong,
        }
    }

    /// Returns `true` if the client closes the connection after the answer.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// A response; `content-length` is added when it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// Creates a response of encoded JSON.
    pub(crate) fn json(status: u16, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/json;charset=UTF-8".to_owned())];
        Self { status, headers, body }
    }

    /// Creates a response of JSON.
    pub(crate) fn value(status: u16, body: &Value) -> Self {
        Self::json(status, body.to_string().into_bytes())
    }

    /// Creates a response of plain text.
    pub(crate) fn text(status: u16, text: &str) -> Self {
        let headers = vec![("content-type", "text/plain;charset=UTF-8".to_owned())];
        Self { status, headers, body: text.as_bytes().to_vec() }
    }

    /// The header with this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// Sets a header, replacing one with the same name.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    /// Sets a header unless it exists.
    pub(crate) fn with_default(self, name: &'static str, value: String) -> Self {
        if self.header(name).is_some() { self } else { self.with(name, value) }
    }
}

/// The server's end of a connection.
pub(crate) struct Connection {
    stream: TcpStream,
    /// Bytes that were read ahead of the current request.
    ahead: Vec<u8>,
}

impl Connection {
    pub(crate) const fn new(stream: TcpStream) -> Self {
        Self { stream, ahead: Vec::new() }
    }

    /// Returns the next request, or `None` when the client has closed the connection.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Request>> {
        let (mut request, head) = loop {
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
        self.ahead.drain(..head);
        if request.header("expect").is_some() {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        request.body = if request.header("transfer-encoding").is_some() {
            self.receive_chunks()?
        } else {
            let length = request.header("content-length").unwrap_or("0").trim();
            self.receive_bytes(length.parse().map_err(invalid)?)?
        };
        if request.header("content-encoding") == Some("gzip") {
            let mut plain = Vec::new();
            GzDecoder::new(request.body.as_slice()).read_to_end(&mut plain)?;
            request.body = plain;
        }
        Ok(Some(request))
    }

    /// Reads `length` bytes.
    fn receive_bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        if length > BODY_LIMIT {
            return Err(invalid("the body of the request is too long"));
        }
        while self.ahead.len() < length {
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.ahead.split_off(length);
        Ok(std::mem::replace(&mut self.ahead, rest))
    }

    /// A body in chunks (RFC 9112, section 7.1); trailers are not supported.
    fn receive_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = loop {
                if let Some(end) = self.ahead.windows(2).position(|pair| pair == b"\r\n") {
                    break self.receive_bytes(end + 2)?;
                }
                if self.fill()? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            };
            let line = String::from_utf8_lossy(&line);
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(invalid)?;
            if body.len().saturating_add(size) > BODY_LIMIT {
                return Err(invalid("the body of the request is too long"));
            }
            body.extend(self.receive_bytes(size)?);
            self.receive_bytes(2)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Sends these bytes unchanged.
    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }

    /// Sends the response with at most `bytes` bytes of its body.
    pub(crate) fn send(&mut self, response: &Response, bytes: usize) -> io::Result<()> {
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

/// The request without its body, and the length of its head. `None` if the head is incomplete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Request, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(invalid)? else {
        return Ok(None);
    };
    let named = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or("/"));
    let headers = parsed.headers.iter().map(named).collect();
    let request = Request { headers, ..Request::addressed(method, target) };
    Ok(Some((request, head)))
}

fn invalid(error: impl ToString) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

pub(crate) const fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        302 => "Found",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
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
