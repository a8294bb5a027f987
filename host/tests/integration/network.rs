//! Requests on a load's behalf: secrets go where they are for, and nothing else goes anywhere.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use snowcat_host::credentials::{Credentials, Part, Secret, Secrets};
use snowcat_host::http::{Http, HttpLimits};
use snowcat_host::{Failure, Request, Response};

/// `{"packed":true}`
const PACKED: [u8; 35] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 42, 72, 76, 206, 78, 77, 81, 178, 42, 41, 42, 77,
    173, 5, 0, 137, 224, 181, 220, 15, 0, 0, 0,
];

#[test]
fn a_credential_goes_to_its_hosts_and_nowhere_else() {
    let (ours, other) = (Server::saying("{}"), Server::saying("{}"));
    let http = client(&ours);
    let sent = send(&http, &ours.url("/a?b=c"), Some("basic")).unwrap();
    assert_eq!((sent.status, sent.body.as_str()), (200, "{}"));
    assert!(ours.heard().contains("authorization: Basic dXNlcm5hbWUtNDcxMTpwYXNzd29yZC00NzEx\r\n"));
    send(&http, &ours.url("/a"), Some("key")).unwrap();
    assert!(ours.heard().contains("x-key: token-4711\r\n"));
    send(&http, &ours.url("/a?b=c"), Some("query")).unwrap();
    assert!(ours.heard().starts_with("GET /a?b=c&the%20key=token-4711 HTTP/1.1\r\n"));
    send(&http, &ours.url("/a"), None).unwrap();
    assert!(!ours.heard().contains("4711"));

    // Another port, and another name of the same place.
    let localhost = ours.url("/").replace("127.0.0.1", "localhost");
    for url in [other.url("/"), localhost] {
        let failure = send(&http, &url, Some("basic")).unwrap_err();
        assert!(failure.message.contains("is not for the host"), "{failure:?}");
        assert!(!failure.transient);
    }
    assert_eq!((other.count(), ours.count()), (0, 4));
    send(&http, &ours.url("/"), Some("none")).unwrap_err();
    assert_eq!(ours.count(), 4);
}

#[test]
fn a_token_is_fetched_once() {
    let server = Server::saying(r#"{"access_token": "token-4711", "expires_in": 3600}"#);
    let http = client(&server);
    for _ in 0..2 {
        send(&http, &server.url("/data"), Some("oauth")).unwrap();
        assert!(server.heard().contains("authorization: Bearer token-4711\r\n"));
    }
    assert_eq!(server.count(), 3);
    let asked = server.heard.lock().unwrap()[0].clone();
    assert!(asked.starts_with("POST /token HTTP/1.1\r\n"), "{asked}");
    let form = "client_id=username-4711&client_secret=password-4711&grant_type=client_credentials&scope=a+b";
    let encoded = form.replace("a+b", "a%20b");
    assert!(asked.ends_with(form) || asked.ends_with(&encoded), "{asked}");
}

#[test]
fn a_redirect_is_a_response() {
    let other = Server::saying("{}");
    let to = other.url("/elsewhere");
    let ours = Server::new(format!("302 Found\r\nLocation: {to}\r\nContent-Length: 0"), b"");
    let sent = send(&client(&ours), &ours.url("/"), Some("basic")).unwrap();
    assert_eq!(sent.status, 302);
    assert!(sent.headers.contains(&("location".to_owned(), to)), "{:?}", sent.headers);
    assert_eq!((ours.count(), other.count()), (1, 0));
}

#[test]
fn a_response_is_as_the_interface_wants_it() {
    let head =
        "429 Slow\r\nX-Odd: A\r\nRetry-After: 3\r\nSet-Cookie: s=1\r\nContent-Encoding: gzip";
    let server = Server::new(format!("{head}\r\nContent-Length: {}", PACKED.len()), &PACKED);
    let sent = send(&client(&server), &server.url("/"), None).unwrap();
    assert_eq!((sent.status, sent.body.as_str()), (429, r#"{"packed":true}"#));
    let value = |name: &str| sent.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(
        (value("x-odd"), value("retry-after"), value("set-cookie")),
        (Some("A"), Some("3"), None)
    );
}

#[test]
fn a_body_is_sent() {
    let server = Server::saying("{}");
    let mut request = get(&server.url("/"), None);
    request.method = "POST".to_owned();
    request.body = Some("{\"é\":1}".to_owned());
    request.headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    client(&server).fetch(&[request]).remove(0).unwrap();
    let heard = server.heard();
    assert!(heard.starts_with("POST / HTTP/1.1\r\n") && heard.ends_with("{\"é\":1}"), "{heard}");
    assert!(heard.contains("content-type: application/json\r\n"), "{heard}");
}

#[test]
fn what_must_not_be_sent_is_not() {
    let server = Server::saying("{}");
    let http = client(&server);
    let refuse = |request: Request, expected: &str| {
        let failure = http.fetch(&[request]).remove(0).unwrap_err();
        assert!(failure.message.contains(expected), "{failure:?}");
        assert!(!failure.transient, "{failure:?}");
        assert!(!failure.message.contains("4711"), "{failure:?}");
    };
    refuse(get("http://acme.example/", None), "expected https");
    refuse(get("ftp://acme.example/", None), "expected a URL with https");
    refuse(get("/relative", None), "expected a URL with a host");
    refuse(get("https://user:pass-4711@acme.example/?k=4711", None), "without a user");
    let with = |name: &str, value: &str| {
        let mut request = get(&server.url("/"), Some("basic"));
        request.headers = vec![(name.to_owned(), value.to_owned())];
        request
    };
    refuse(with("host", "acme.example"), "is the client's own");
    refuse(with("authorization", "mine"), "is the credential's");
    refuse(with("x", "a\r\nhost: evil"), "is not valid");
    refuse(with("a b", ""), "is not the name of a header");
    assert_eq!(server.count(), 0);
}

#[test]
fn a_failure_says_whether_to_try_again() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let check = |server: &Server, url: &str, transient: bool, expected: &str| {
        let failure = send(&client(server), url, None).unwrap_err();
        assert!(
            failure.transient == transient && failure.message.contains(expected),
            "{failure:?}"
        );
    };
    let binary = Server::new("200 OK\r\nContent-Length: 2".to_owned(), b"a\xff");
    check(&binary, &closed, true, "GET http://127.0.0.1:");
    check(&binary, &binary.url("/"), false, "in UTF-8, found other bytes at 1");
    let large = Server::saying(&"x".repeat(2000));
    check(&large, &large.url("/"), false, "");
    let cut = Server::new("200 OK\r\nContent-Length: 10".to_owned(), b"abc");
    check(&cut, &cut.url("/"), true, "");
}

#[test]
fn requests_go_out_at_once_and_answers_come_in_order() {
    let together = Arc::new(Barrier::new(3));
    let server = Server::with(move |head| {
        together.wait();
        let path = head.split(' ').nth(1).unwrap_or_default();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len()).into_bytes()
    });
    let requests = ["/1", "/2", "/3"].map(|path| get(&server.url(path), None));
    let answers = client(&server).fetch(&requests);
    let bodies: Vec<String> = answers.into_iter().map(|answer| answer.unwrap().body).collect();
    assert_eq!(bodies, ["/1", "/2", "/3"]);
}

#[test]
fn nothing_prints_a_secret() {
    let server = Server::saying("{}");
    let http = client(&server);
    send(&http, &server.url("/"), Some("basic")).unwrap();
    assert!(!format!("{http:?}").contains("4711"));
}

/// A client whose credentials are for this server; every secret has 4711 in it.
fn client(server: &Server) -> Http {
    struct Fixed;

    impl Secrets for Fixed {
        fn part(&self, _: &str, part: Part) -> Result<Secret, String> {
            Ok(Secret::new(format!("{}-4711", format!("{part:?}").to_lowercase())))
        }
    }

    let hosts = [server.url("").trim_start_matches("http://").to_owned()];
    let job = json!({"credentials": {
        "basic": {"type": "http_basic", "hosts": hosts},
        "key": {"type": "api_key", "hosts": hosts, "name": "X-Key"},
        "query": {"type": "api_key", "hosts": hosts, "name": "the key", "location": "query"},
        "oauth": {
            "type": "oauth2_client_credentials",
            "hosts": hosts,
            "access_token_url": server.url("/token"),
            "access_token_request_data": {"scope": "a b"},
        },
    }});
    let credentials = Credentials::of_job(&job, Box::new(Fixed)).unwrap();
    let limits = HttpLimits { total: Duration::from_secs(20), body: 1000, ..HttpLimits::default() };
    Http::new(credentials, limits)
}

fn send(http: &Http, url: &str, auth: Option<&str>) -> Result<Response, Failure> {
    http.fetch(&[get(url, auth)]).remove(0)
}

fn get(url: &str, auth: Option<&str>) -> Request {
    Request {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: vec![("accept".to_owned(), "application/json".to_owned())],
        auth: auth.map(str::to_owned),
        body: None,
    }
}

/// Listens on a port of its own until the program ends.
struct Server {
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
        Self::with(move |_| answer.clone())
    }

    fn with(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
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

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn count(&self) -> usize {
        self.heard.lock().unwrap().len()
    }

    /// The last request, names of headers in lower case.
    fn heard(&self) -> String {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

/// One request a connection: it is closed then.
fn serve(mut stream: TcpStream, heard: &Mutex<Vec<String>>, answer: &dyn Fn(&str) -> Vec<u8>) {
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
        // Said, so that the client does not send its next request on a connection that is closing.
        let mut answer = answer(&request);
        let line = answer.iter().position(|&byte| byte == b'\n').unwrap() + 1;
        answer.splice(line..line, *b"Connection: close\r\n");
        // The client may have gone away; that is its affair.
        _ = stream.write_all(&answer);
        return;
    }
}
