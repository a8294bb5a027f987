//! A server on the loopback address that responds by mappings, and keeps a journal.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::mapping::{FaultKind, Mapping, Prepared};
use super::mappings::Mappings;
use super::template::rendered;
use crate::fakes::http::{Connection, Request, reason};

/// The time after which an idle connection is closed.
const IDLE: Duration = Duration::from_secs(120);

/// The treatment of the delays of responses.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Delays are divided by this.
    pub speed: u32,
    /// A response with a longer delay, before the division, is not sent: the connection is closed,
    /// as after a time-out of the client.
    pub patience: Duration,
}

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The method.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The path.
    pub path: String,
    /// The parameters of the query, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The body, with replacements for invalid UTF-8.
    pub body: String,
    /// The index of the mapping that was used. `None` if none matched.
    pub mapping: Option<usize>,
    /// The response. `None` if the connection was closed instead.
    pub response: Option<Prepared>,
}

/// A running replay; it ends when dropped.
#[derive(Debug)]
pub struct Replayer {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    pace: Pace,
    mappings: Mutex<Mappings>,
    journal: Mutex<Vec<Arrival>>,
    stopping: AtomicBool,
}

impl Replayer {
    /// Starts to listen. It responds only after it has mappings.
    ///
    /// # Errors
    ///
    /// If there is no free port.
    pub fn start(pace: Pace) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            pace,
            mappings: Mutex::new(Mappings::new(Vec::new())),
            journal: Mutex::default(),
            stopping: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &own));
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// The address of the server.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the server, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Replaces the mappings. Among mappings of one priority the first one that matches is used.
    pub fn set_mappings(&self, mappings: Vec<Mapping>) {
        *lock(&self.shared.mappings) = Mappings::new(mappings);
    }

    /// Puts a scenario into a state.
    pub fn set_state(&self, scenario: &str, state: &str) {
        lock(&self.shared.mappings).set_state(scenario, state);
    }

    /// The indexes of mappings that have not been used.
    pub fn unused(&self) -> Vec<usize> {
        lock(&self.shared.mappings).unused()
    }

    /// The indexes of mappings that have not been used and whose scenario is in the required state.
    pub fn due(&self) -> Vec<usize> {
        lock(&self.shared.mappings).due()
    }

    /// The requests received so far.
    pub fn journal(&self) -> Vec<Arrival> {
        lock(&self.shared.journal).clone()
    }
}

impl Drop for Replayer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.take() {
            // The connection wakes the waiting thread, which then reads the flag.
            drop(TcpStream::connect(self.address));
            drop(accepting.join());
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        // The result is ignored: a client may hang up at any time.
        thread::spawn(move || drop(serve(&stream, &shared)));
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IDLE))?;
    let mut connection = Connection::new(stream.try_clone()?);
    while let Some(request) = connection.receive()? {
        let goes_on = serve_one(&mut connection, &request, shared)?;
        if !goes_on || request.closes() {
            break;
        }
    }
    // The copy of the stream does not keep the connection open.
    stream.shutdown(Shutdown::Both)
}

/// Returns `true` if the connection may send another request.
fn serve_one(connection: &mut Connection, request: &Request, shared: &Shared) -> io::Result<bool> {
    let found = lock(&shared.mappings).answer(request);
    let (index, prepared) = found.map_or_else(
        || (None, unmatched(request)),
        |(index, mapping)| (Some(index), mapping.response),
    );
    let hangs = prepared.delay > shared.pace.patience;
    thread::sleep(prepared.delay.min(shared.pace.patience) / shared.pace.speed.max(1));
    let breaks = hangs || prepared.fault.is_some();
    // The journal is written before the response is sent, so that a client with the response finds
    // its request.
    lock(&shared.journal).push(Arrival {
        method: request.method.clone(),
        target: request.target.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        body: String::from_utf8_lossy(&request.body).into_owned(),
        mapping: index,
        response: (!breaks).then(|| prepared.clone()),
    });
    match prepared.fault.filter(|_| !hangs) {
        Some(FaultKind::MalformedChunk) => connection
            .send_bytes(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n")?,
        Some(FaultKind::Random) => connection.send_bytes(b"\x00\xff random \x01 bytes\r\n\r\n")?,
        Some(FaultKind::Empty | FaultKind::Reset) => {}
        None if hangs => {}
        None => {
            connection.send_bytes(&message(&prepared, request))?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// The response to a request that matches no mapping.
fn unmatched(request: &Request) -> Prepared {
    let body = format!("no mapping accepts {} {}", request.method, request.target);
    Prepared {
        status: 404,
        reason: None,
        headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
        body: body.into_bytes(),
        delay: Duration::ZERO,
        fault: None,
        templated: false,
    }
}

/// The bytes of a response.
fn message(prepared: &Prepared, request: &Request) -> Vec<u8> {
    let template = |text: &str| {
        if prepared.templated { rendered(text, request) } else { text.to_owned() }
    };
    let line = prepared.reason.as_deref().unwrap_or_else(|| reason(prepared.status));
    let mut head = format!("HTTP/1.1 {} {line}\r\n", prepared.status);
    let mut chunked = false;
    for (name, value) in &prepared.headers {
        match name.to_ascii_lowercase().as_str() {
            // The length is that of the body, even if the recording has another one.
            "content-length" => {}
            "transfer-encoding" => chunked = value.eq_ignore_ascii_case("chunked"),
            _ => head.push_str(&format!("{name}: {}\r\n", template(value))),
        }
    }
    let body = match std::str::from_utf8(&prepared.body) {
        Ok(text) => template(text).into_bytes(),
        Err(_) => prepared.body.clone(),
    };
    let has_body = request.method != "HEAD" && prepared.status != 204 && prepared.status != 304;
    if chunked {
        head.push_str("transfer-encoding: chunked\r\n\r\n");
    } else {
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    }
    let mut message = head.into_bytes();
    match (has_body, chunked) {
        (false, _) => {}
        (true, false) => message.extend(body),
        (true, true) => {
            if !body.is_empty() {
                message.extend(format!("{:x}\r\n", body.len()).into_bytes());
                message.extend(body);
                message.extend(b"\r\n");
            }
            message.extend(b"0\r\n\r\n");
        }
    }
    message
}

/// A panic in one connection must not end all.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use serde_json::{Value, json};

    use super::*;

    const PACE: Pace = Pace { speed: 10, patience: Duration::from_secs(1) };

    /// All bytes that the replay sends for these bytes.
    fn exchange(replayer: &Replayer, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(replayer.address()).unwrap();
        stream.write_all(request).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        // A reset is an end too.
        drop(stream.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn answers_are_sent() {
        let check = |response: Value, method: &str, expect: &str| {
            let mapping = json!({"request": {"urlPath": "/a"}, "response": response});
            let replayer = Replayer::start(PACE).unwrap();
            replayer.set_mappings(Mapping::parse_all(&mapping).unwrap());
            let request = format!("{method} /a?b=c HTTP/1.1\r\nhost: x\r\n\r\n");
            assert_eq!(exchange(&replayer, request.as_bytes()), expect, "{response}");
            assert_eq!(replayer.journal().len(), 1);
            assert_eq!(replayer.journal()[0].mapping, Some(0));
        };
        let plain = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        check(json!({"body": "hi"}), "GET", plain);
        check(json!({"body": "hi", "fixedDelayMilliseconds": 500}), "GET", plain);
        check(json!({"body": "hi", "fixedDelayMilliseconds": 5000}), "GET", "");
        check(json!({"body": "hi"}), "HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n");
        check(
            json!({"status": 403, "statusMessage": "Own words", "headers": {"Content-Length": "9"}}),
            "GET",
            "HTTP/1.1 403 Own words\r\ncontent-length: 0\r\n\r\n",
        );
        check(
            json!({"body": "hi", "headers": {"Transfer-Encoding": "chunked"}}),
            "GET",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        );
        check(
            json!({"body": "{{request.query.b}}", "transformers": ["response-template"]}),
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nc",
        );
        check(json!({"fault": "EMPTY_RESPONSE"}), "GET", "");
        check(json!({"fault": "CONNECTION_RESET_BY_PEER"}), "GET", "");
    }

    #[test]
    fn bodies_are_read_in_each_form() {
        let check = |request: &[u8]| {
            let mapping = json!({"request": {"bodyPatterns": [{"equalToJson": {"a": 1}}]},
                "response": {"body": "yes"}});
            let replayer = Replayer::start(PACE).unwrap();
            replayer.set_mappings(Mapping::parse_all(&mapping).unwrap());
            let answer = exchange(&replayer, request);
            assert!(answer.ends_with("yes"), "{answer}");
            assert_eq!(replayer.journal()[0].body, "{\"a\":1}");
        };
        check(b"POST / HTTP/1.1\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
        check(
            b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{\"\r\n5;x=y\r\na\":1}\r\n0\r\n\r\n",
        );
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(b"{\"a\":1}").unwrap();
        let packed = packed.finish().unwrap();
        let head = format!(
            "POST / HTTP/1.1\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            packed.len()
        );
        check(&[head.as_bytes(), &packed].concat());
        check(b"POST http://host/?x HTTP/1.1\r\ncontent-length: 7\r\n\r\n{\"a\":1}");
    }

    #[test]
    fn unmatched_requests_are_in_the_journal() {
        let replayer = Replayer::start(PACE).unwrap();
        let answer = exchange(&replayer, b"GET /none HTTP/1.1\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        assert_eq!(replayer.journal()[0].mapping, None);
        assert_eq!(replayer.journal()[0].target, "/none");
    }
}
