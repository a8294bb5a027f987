//! Files in buckets: broken responses of servers. All other behaviour is in `test_buckets.py`.

use std::io::{self, Read as _};
use std::time::Duration;

use snowcat_host::input::buckets::Buckets;
use snowcat_host::input::files::{Bytes, Store};

use super::network::Server;

/// A list of one file of ten bytes.
const LIST: &str = "<L><IsTruncated>false</IsTruncated><Contents><Key>a/1.csv</Key><Size>10</Size><ETag>\"t\"</ETag></Contents></L>";

#[test]
fn truncated_body_is_requested_five_times() {
    let server = server(LIST, "206 Partial Content\r\nContent-Length: 10\r\n\r\nabc");
    let error = read(&server).unwrap_err().to_string();
    assert!(error.starts_with("reading bytes 0 to 9: "), "{error}");
    assert!(error.ends_with("(tried 5 times)"), "{error}");
    let asked = server.all().iter().filter(|it| it.contains("range: bytes=0-9")).count();
    assert_eq!(asked, 5);
    assert!(server.all().iter().all(|it| !it.contains("authorization")));
}

#[test]
fn parts_must_have_the_requested_size() {
    let check = |answer: &str, expect: Result<&str, &str>| {
        let found = read(&server(LIST, answer));
        match (found, expect) {
            (Ok(found), Ok(expect)) => assert_eq!(found, expect),
            (Err(error), Err(expect)) => assert!(error.to_string().contains(expect), "{error}"),
            (found, _) => panic!("{answer}: {found:?}"),
        }
    };
    let whole = "\r\nContent-Length: 10\r\n\r\n0123456789";
    check(&format!("206 Partial Content{whole}"), Ok("0123456789"));
    // The whole file, from a server that does not support ranges.
    check(&format!("200 OK{whole}"), Ok("0123456789"));
    let short = "206 Partial Content\r\nContent-Length: 3\r\n\r\nabc";
    check(short, Err("expected 10 bytes, found 3 (tried 5 times)"));
    let long = "200 OK\r\nContent-Length: 11\r\n\r\n0123456789X";
    check(long, Err("expected a part of the file (206), found 200"));
    let moved = "302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n";
    check(moved, Err("reading bytes 0 to 9: the server said 302"));
}

#[test]
fn invalid_list_is_an_error() {
    let check = |list: &str, expect: &str| {
        let error = read(&server(list, "")).unwrap_err().to_string();
        assert!(error.starts_with("listing what begins with \"a/\": "), "{error}");
        assert!(error.contains(expect), "{error}");
    };
    check("<html><body>Sign in<br></body></html>", "expected XML, found none");
    let more =
        "<L><IsTruncated>true</IsTruncated><NextContinuationToken>n</NextContinuationToken></L>";
    check(more, "the same page was named twice");
    check("<L><Contents><Key>a/1.csv</Key><Size>-1</Size></Contents></L>", "expected a size");
}

/// Answers lists with `list` and everything else with `file`: the text after the version of HTTP.
fn server(list: &str, file: &str) -> Server {
    let (list, file) = (list.to_owned(), file.to_owned());
    Server::with(move |head| {
        let listed = head.lines().next().is_some_and(|line| line.contains("list-type=2"));
        let list = format!("200 OK\r\nContent-Length: {}\r\n\r\n{list}", list.len());
        format!("HTTP/1.1 {}", if listed { &list } else { &file }).into_bytes().into()
    })
}

fn read(server: &Server) -> io::Result<String> {
    let url = server.url("/");
    let variable = move |name: &str| (name == "AWS_ENDPOINT_URL").then(|| url.clone());
    let buckets = Buckets::with(variable).first_wait(Duration::from_millis(1));
    let files = buckets.find("s3://b/a/*.csv")?;
    assert_eq!(files.len(), 1);
    assert_eq!((&*files[0].name, &*files[0].version), ("s3://b/a/1.csv", "10-t"));
    let mut text = String::new();
    match buckets.open(&files[0])? {
        Bytes::Stream(mut stream) => stream.read_to_string(&mut text)?,
        Bytes::File(_) => return Err(io::Error::other("a bucket is no disk")),
    };
    Ok(text)
}
