//! Requests and the handling of responses: `tests/data/network/cases.json`, which the procedure's
//! host runs, too (`tests/python/test_network.py` describes the form of a case).

use std::collections::{BTreeMap, VecDeque};
use std::io::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use snowcat_host::Request;
use snowcat_host::credentials::{Credentials, Part, Secret, Secrets};
use snowcat_host::http::{Http, HttpLimits};

use crate::network::{Answer, Server};

const CASES: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/network/cases.json"));

#[test]
fn shared_cases_pass() {
    let cases: Value = serde_json::from_str(CASES).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() > 200, "{}", cases.len());
    for case in cases {
        check(case);
    }
}

/// A password that every form of text must escape.
const ODD: &str = "p+w/=4711\"\\<é&x?o>~~";

/// A token that servers truncate and wrap.
const LONG: &str = "token-4711-abcdefghijklmnop-4711";

struct Fixed;

impl Secrets for Fixed {
    fn part(&self, secret: &str, part: Part) -> Result<Secret, String> {
        Ok(Secret::new(
            match part {
                Part::Password if secret == "odd" => ODD,
                Part::Password | Part::Token if secret == "long" => LONG,
                Part::Password if secret == "named" => "X",
                Part::Password => "pass-4711",
                Part::Username if secret == "named" => "key-4711-abc",
                Part::Username => "user-4711",
                Part::Token if secret == "broken" => "token-4711\n;",
                Part::Token if secret == "short" => "4711",
                Part::Token if secret.ends_with("_refresh") => "refresh-4711",
                Part::Token => "token-4711",
            }
            .to_owned(),
        ))
    }
}

fn check(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let answers: VecDeque<Value> = case["answers"].as_array().unwrap().clone().into();
    let answers = Mutex::new(answers);
    let server = Server::with(move |request| {
        let at = request.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned();
        let answer = answers.lock().unwrap().pop_front().unwrap_or(json!({"status": 500}));
        answer_of(&answer, &at)
    });
    let at = server.url("").replace("http://", "");
    let port = at.rsplit(':').next().unwrap();
    let text = case.to_string().replace("{at}", &at).replace("{AT}", &at).replace("{port}", port);
    let case: Value = serde_json::from_str(&text).unwrap();

    let mut job = json!({"credentials": {"//": "a comment"}});
    if let Some(credential) = case.get("credential") {
        job["credentials"]["c"] = credential.clone();
    }
    let credentials = Credentials::of_job(&job, Box::new(Fixed)).unwrap();
    let number = |key: &str, usual| case.get(key).and_then(Value::as_u64).unwrap_or(usual);
    let limits = HttpLimits {
        body: number("largest", 1000),
        total: Duration::from_secs(number("seconds", 20)),
        ..HttpLimits::default()
    };
    let http = Http::new(credentials, limits);
    let requests: Vec<Request> =
        case["requests"].as_array().unwrap().iter().map(request_of).collect();
    let found = if case.get("at_once").is_some() {
        http.fetch(&requests)
    } else {
        requests.iter().map(|it| http.fetch(std::slice::from_ref(it)).remove(0)).collect()
    };
    let expected = case["expect"].as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (found, expected) in found.iter().zip(expected) {
        match (found, expected.get("failure")) {
            (Err(failure), Some(message)) => {
                assert!(failure.message.contains(message.as_str().unwrap()), "{name}: {failure:?}");
                let code = expected["code"].as_str().unwrap();
                let transient = expected["transient"].as_bool().unwrap();
                assert_eq!((failure.code.as_str(), failure.transient), (code, transient), "{name}");
            }
            (Ok(response), None) => {
                assert_eq!(u64::from(response.status), expected["status"], "{name}");
                assert_eq!(response.body, expected["body"], "{name}");
                let headers: BTreeMap<_, _> = response.headers.iter().cloned().collect();
                for (header, value) in expected.get("headers").into_iter().flat_map(members) {
                    let found = headers.get(header).map_or(Value::Null, |it| it.as_str().into());
                    assert_eq!(found, *value, "{name}: {header}");
                }
            }
            (found, expected) => {
                assert_eq!(found.is_err(), expected.is_some(), "{name}: {found:?}")
            }
        }
        let quotes = case.get("quotes").is_some();
        // The server's port may contain the digits of the secrets.
        let shown = format!("{found:?}").replace(&at, "");
        assert!(quotes || !shown.contains("4711"), "{name}: {found:?}");
    }
    if let Some(expected) = case.get("heard").and_then(Value::as_array) {
        let heard = server.all();
        assert_eq!(heard.len(), expected.len(), "{name}: {heard:?}");
        for (heard, expected) in heard.iter().zip(expected) {
            check_heard(name, heard, expected);
        }
    }
}

fn request_of(request: &Value) -> Request {
    let text = |key: &str| request.get(key).and_then(Value::as_str).map(str::to_owned);
    let header =
        |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned());
    Request {
        resource: "r".to_owned(),
        parent: vec![],
        method: text("method").unwrap(),
        url: text("url").unwrap(),
        headers: request
            .get("headers")
            .and_then(Value::as_array)
            .map(|headers| headers.iter().map(header).collect())
            .unwrap_or_default(),
        auth: text("auth"),
        body: text("body"),
    }
}

fn answer_of(answer: &Value, at: &str) -> Answer {
    let text = answer.to_string().replace("{at}", at);
    let answer: Value = serde_json::from_str(&text).unwrap();
    if let Some(pieces) = answer.get("drip").and_then(Value::as_array) {
        let pieces = pieces.iter().map(|it| it.as_str().unwrap().to_owned());
        return Answer::Drip(pieces.collect());
    }
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or(200);
    let mut body = match answer.get("body_base64").and_then(Value::as_str) {
        Some(coded) => STANDARD.decode(coded).unwrap(),
        None => answer.get("body").and_then(Value::as_str).unwrap_or_default().into(),
    };
    if let Some(times) = answer.get("body_times") {
        body = times[0].as_str().unwrap().repeat(count(&times[1])).into_bytes();
    }
    for member in answer.get("gzip").and_then(Value::as_array).into_iter().flatten() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(member[1].as_str().unwrap().as_bytes()).unwrap();
        body.extend(gzip.finish().unwrap().repeat(count(&member[0])));
    }
    let mut head = format!("HTTP/1.1 {status} X\r\n");
    for (name, value) in answer.get("headers").into_iter().flat_map(members) {
        head.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
    }
    if status != 204 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    Answer::Whole([head.into_bytes(), b"\r\n".to_vec(), body].concat())
}

fn count(value: &Value) -> usize {
    value.as_u64().unwrap().try_into().unwrap()
}

fn check_heard(name: &str, heard: &str, expected: &Value) {
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    let (line, head) = head.split_once("\r\n").unwrap();
    let method = expected.get("method").and_then(Value::as_str).unwrap_or("GET");
    let path = expected["path"].as_str().unwrap();
    assert_eq!(line, format!("{method} {path} HTTP/1.1"), "{name}");
    let headers: BTreeMap<&str, &str> =
        head.split("\r\n").filter_map(|line| line.split_once(": ")).collect();
    for (header, value) in expected.get("headers").into_iter().flat_map(members) {
        let found = headers.get(header.as_str()).map_or(Value::Null, |it| (*it).into());
        assert_eq!(found, *value, "{name}: {header}");
    }
    if let Some(form) = expected.get("form") {
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=').unwrap();
            (name.to_owned(), Value::from(value.replace('+', " ").replace("%20", " ")))
        };
        let found: Value = body.split('&').map(pair).collect();
        assert_eq!(found, *form, "{name}");
    }
    if let Some(expected) = expected.get("body") {
        assert_eq!(body, expected, "{name}");
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().unwrap().iter()
}
