//! A service that answers as a test says, and keeps what it was sent.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use snowcat_host::snowflake::Connection;

/// What the service does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with a status and JSON.
    Says(u16, Value),
    /// The same, with headers.
    SaysWith(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Promises more than it sends.
    BreaksOff,
    /// Closes the connection.
    HangsUp,
    /// Answers nothing for half a minute.
    Hangs,
}

impl Does {
    /// Answers with data.
    pub(crate) fn gives(data: Value) -> Self {
        Self::Says(200, json!({"success": true, "code": null, "message": null, "data": data}))
    }

    /// Answers with one row of one text.
    pub(crate) fn row(text: &str) -> Self {
        let data =
            json!({"queryId": "q1", "rowtype": [{"name": "A"}], "rowset": [[text]], "total": 1});
        Self::gives(data)
    }

    /// Answers with an error of the protocol.
    pub(crate) fn fails(code: &str) -> Self {
        Self::Says(200, json!({"success": false, "code": code, "message": "No.", "data": null}))
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    pub(crate) bytes: Vec<u8>,
}

impl Sent {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

#[derive(Default)]
struct State {
    /// By path; the last one repeats.
    planned: BTreeMap<String, Vec<Does>>,
    sent: Vec<Sent>,
}

/// What a test answers instead of a plan: `None` is for what it does not answer.
type Answers = Box<dyn Fn(&Sent) -> Option<Does> + Send + Sync>;

/// A service on a port of this machine. It accepts every login and log-out unless it is to do something else.
pub(crate) struct Service {
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Service {
    pub(crate) fn new(planned: &[(&str, &[Does])]) -> Self {
        Self::answering(planned, Box::new(|_| None))
    }

    pub(crate) fn answering(planned: &[(&str, &[Does])], answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut plan = BTreeMap::from([
            (LOGIN.to_owned(), vec![Does::gives(json!({"token": "t1", "masterToken": "m1"}))]),
            ("/session".to_owned(), vec![Does::gives(Value::Null)]),
        ]);
        plan.extend(planned.iter().map(|(path, does)| ((*path).to_owned(), does.to_vec())));
        let state = Arc::new(Mutex::new(State { planned: plan, sent: Vec::new() }));
        let kept = Arc::clone(&state);
        let answers = Arc::new(answers);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (state, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                thread::spawn(move || serve(stream, &state, &answers));
            }
        });
        Self { port, state }
    }

    /// Returns the connection of a user, who has a password. Nothing sleeps.
    pub(crate) fn connection(&self) -> Connection {
        self.connection_of(&[("user", "loader"), ("password", "hunter2")])
    }

    pub(crate) fn connection_of(&self, parameters: &[(&str, &str)]) -> Connection {
        let port = self.port.to_string();
        let address = [
            ("account", "acme"),
            ("host", "127.0.0.1"),
            ("port", port.as_str()),
            ("protocol", "http"),
        ];
        Connection::of([address.as_slice(), parameters].concat())
            .unwrap()
            .attempts(4)
            .request_timeout(Duration::from_secs(5))
            .sleeping(|_| ())
    }

    /// Returns the requests to a path, in their order.
    pub(crate) fn sent(&self, path: &str) -> Vec<Sent> {
        self.all_sent().into_iter().filter(|sent| sent.path == path).collect()
    }

    pub(crate) fn all_sent(&self) -> Vec<Sent> {
        self.state.lock().unwrap().sent.clone()
    }
}

pub(crate) const LOGIN: &str = "/session/v1/login-request";
pub(crate) const QUERY: &str = "/queries/v1/query-request";
pub(crate) const RENEWAL: &str = "/session/token-request";

/// Answers one request and closes the connection.
fn serve(mut stream: TcpStream, state: &Mutex<State>, answers: &Answers) {
    let Some(sent) = receive(&mut stream) else { return };
    state.lock().unwrap().sent.push(sent.clone());
    let planned = || {
        let mut state = state.lock().unwrap();
        let all = state.planned.get_mut(&sent.path)?;
        Some(if all.len() > 1 { all.remove(0) } else { all[0].clone() })
    };
    // An answer may take a while: it does not keep others waiting.
    let does = answers(&sent).or_else(planned);
    let (status, headers, body) = match does {
        None => (404, Vec::new(), Vec::new()),
        Some(Does::HangsUp) => return,
        Some(Does::Hangs) => return thread::sleep(Duration::from_secs(30)),
        Some(Does::BreaksOff) => {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"succ");
            return;
        }
        Some(Does::Says(status, body)) => (status, Vec::new(), body.to_string().into_bytes()),
        Some(Does::SaysWith(status, headers, body)) => (status, headers, body),
    };
    let mut head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
    _ = stream.write_all(&[head.as_bytes(), &body].concat());
}

fn receive(stream: &mut TcpStream) -> Option<Sent> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        let read = stream.read(&mut buffer).ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    };
    let headers: BTreeMap<String, String> = lines.filter_map(header).collect();
    let length = headers.get("content-length").map_or(0, |it| it.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        let read = stream.read(&mut buffer).ok()?;
        if read == 0 {
            return None;
        }
        body.extend_from_slice(&buffer[..read]);
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let bytes = body;
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Some(Sent { path: path.to_owned(), query, headers, body, bytes })
}
