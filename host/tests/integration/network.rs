//! Requests of a load: the cases that a table cannot express (`table.rs`).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use snowcat_host::credentials::{Credentials, Part, Secret, Secrets};
use snowcat_host::http::{Http, HttpLimits};
use snowcat_host::{Failure, Request, Response};

#[test]
fn failures_are_transient_or_not() {
    let server = Server::saying("{}");
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let cut = Server::new("200 OK\r\nContent-Length: 10".to_owned(), b"abc");
    for (url, expected) in [(closed, "GET http://127.0.0.1:"), (cut.url("/"), "GET http://127")] {
        let failure = send(&client(&server), &url, None).unwrap_err();
        assert!(failure.transient && failure.message.contains(expected), "{failure:?}");
    }
}

#[test]
fn requests_are_sent_concurrently_and_answers_are_in_order() {
    let together = Arc::new(Barrier::new(3));
    let server = Server::with(move |head| {
        together.wait();
        let path = head.split(' ').nth(1).unwrap_or_default();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len())
            .into_bytes()
            .into()
    });
    let requests = ["/1", "/2", "/3"].map(|path| get(&server.url(path), None));
    let answers = client(&server).fetch(&requests);
    let bodies: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().body).collect();
    assert_eq!(bodies, ["/1", "/2", "/3"]);
}

/// Of two concurrent requests the first one ends after the third one.
#[test]
fn a_slow_request_delays_no_other() {
    let together = Arc::new(Barrier::new(2));
    let server = Server::with(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        if path != "/2" {
            together.wait();
        }
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len())
            .into_bytes()
            .into()
    });
    let requests = ["/1", "/2", "/3", "/2"].map(|path| get(&server.url(path), None));
    let limits = HttpLimits { at_once: 2, ..limits() };
    let answers = limited(&server, limits).fetch(&requests);
    let bodies: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().body).collect();
    assert_eq!(bodies, ["/1", "/2", "/3", "/2"]);
}

#[test]
fn secrets_are_not_printed() {
    let server = Server::saying("{}");
    let http = client(&server);
    send(&http, &server.url("/"), Some("basic")).unwrap();
    assert!(!format!("{http:?}").contains("4711"));
}

fn limits() -> HttpLimits {
    HttpLimits { total: Duration::from_secs(20), body: 1000, ..HttpLimits::default() }
}

/// A client whose credentials are for this server. Every secret contains 4711.
fn client(server: &Server) -> Http {
    limited(server, limits())
}

fn limited(server: &Server, limits: HttpLimits) -> Http {
    struct Fixed;

    impl Secrets for Fixed {
        fn part(&self, _: &str, part: Part) -> Result<Secret, String> {
            Ok(Secret::new(format!("{}-4711", format!("{part:?}").to_lowercase())))
        }
    }

    let hosts = [server.url("").trim_start_matches("http://").to_owned()];
    let job = json!({"credentials": {"basic": {"type": "http_basic", "hosts": hosts}}});
    let credentials = Credentials::of_job(&job, Box::new(Fixed)).unwrap();
    Http::new(credentials, limits)
}

fn send(http: &Http, url: &str, auth: Option<&str>) -> Result<Response, Failure> {
    http.fetch(&[get(url, auth)]).remove(0)
}

fn get(url: &str, auth: Option<&str>) -> Request {
    Request {
        resource: "r".to_owned(),
        parent: vec![],
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        auth: auth.map(str::to_owned),
        body: None,
    }
}

/// Listens on a separate port until the program ends.
pub(crate) struct Server {
    port: u16,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn saying(body: &str) -> Self {
        Self::new(format!("200 OK\r\nContent-Length: {}", body.len()), body.as_bytes())
    }

    fn new(head: String, body: &[u8]) -> Self {
        let mut answer = format!("HTTP/1.1 {head}\r\n\r\n").into_bytes();
        answer.extend_from_slice(body);
        Self::with(move |_| Answer::Whole(answer.clone()))
    }

    pub(crate) fn with(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let (answer, all) = (Arc::new(answer), Arc::clone(&heard));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, all) = (Arc::clone(&answer), Arc::clone(&all));
                thread::spawn(move || serve(stream, &all, &*answer));
            }
        });
        Self { port, heard }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests, with names of headers in lower case.
    pub(crate) fn all(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

/// The answer of a server.
pub(crate) enum Answer {
    Whole(Vec<u8>),
    /// These pieces, a tenth of a second apart, and then the last one forever.
    Drip(Vec<String>),
}

impl From<Vec<u8>> for Answer {
    fn from(whole: Vec<u8>) -> Self {
        Self::Whole(whole)
    }
}

/// Serves one request per connection.
fn serve(mut stream: TcpStream, heard: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> Answer) {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(length) => bytes.extend_from_slice(&part[..length]),
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let head: Vec<String> = head
            .split("\r\n")
            .map(|line| match line.split_once(": ") {
                Some((name, value)) => format!("{}: {value}\r\n", name.to_lowercase()),
                None => format!("{line}\r\n"),
            })
            .collect();
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: "));
        if length.is_some_and(|length| length.trim().parse::<usize>().unwrap() > body.len()) {
            continue;
        }
        let request = format!("{}\r\n{body}", head.concat());
        heard.lock().unwrap().push(request.clone());
        // Declared, so that the client does not send its next request on the closing connection.
        let mut answer = match answer(&request) {
            Answer::Whole(whole) => whole,
            Answer::Drip(pieces) => {
                for number in 0..100 {
                    let piece = &pieces[number.min(pieces.len() - 1)];
                    if stream.write_all(piece.as_bytes()).is_err() {
                        return;
                    }
                    thread::sleep(Duration::from_millis(100));
                }
                return;
            }
        };
        let line = answer.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        answer.splice(line..line, *b"Connection: close\r\n");
        // The client may have closed the connection, which is not an error here.
        _ = stream.write_all(&answer);
        return;
    }
}
