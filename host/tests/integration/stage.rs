//! The queue of uploads: bounds, cancellation, servers that break off. What clouds do is in `test_stage.py`.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use snowcat_host::Failure;
use snowcat_host::stage::{Locate, Queue, QueueLimits, StageInfo, StagePath};

use super::network::Server;

/// A stage at a URL. The statement of a file with the name `panic` panics.
struct At(String);

impl Locate for At {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
        assert_ne!(place.name, "panic", "a defect of the session");
        let url = format!("{}/{}", self.0, place.name);
        let info = json!({"locationType": "GCS", "creds": {}, "presignedUrl": url});
        StageInfo::parse(&json!({"stageInfo": info})).map_err(|message| Failure {
            code: String::new(),
            message,
            transient: false,
        })
    }
}

fn queue(url: &str, limits: QueueLimits) -> Queue {
    Queue::new(Arc::new(At(url.to_owned())), limits)
}

fn submit(queue: &Queue, name: &str, size: usize) {
    queue.submit(StagePath::new(r#""D"."S"."T""#, &format!("load/{name}")), vec![b'x'; size]);
}

#[test]
fn files_are_on_their_way_at_once_and_bounded_in_bytes() {
    // Answers none until it is opened.
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (held, now, peak) = (Arc::clone(&gate), Arc::clone(&running), Arc::clone(&most));
    let server = Server::with(move |_| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let open = held.0.lock().unwrap();
        drop(held.1.wait_while(open, |open| !*open).unwrap());
        now.fetch_sub(1, Ordering::SeqCst);
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec().into()
    });
    let limits = QueueLimits { threads: 3, bytes: 500, ..QueueLimits::default() };
    let queue = queue(&server.url(""), limits);
    let submitted = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..9 {
                submit(&queue, &number.to_string(), 100);
                submitted.fetch_add(1, Ordering::SeqCst);
            }
        });
        // Five fit, three of them are on their way.
        let until = Instant::now() + Duration::from_secs(10);
        while (running.load(Ordering::SeqCst) < 3 || submitted.load(Ordering::SeqCst) < 5)
            && Instant::now() < until
        {
            thread::sleep(Duration::from_millis(5));
        }
        thread::sleep(Duration::from_millis(50));
        assert_eq!((running.load(Ordering::SeqCst), submitted.load(Ordering::SeqCst)), (3, 5));
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
    });
    assert_eq!(queue.finish(), Ok(()));
    assert_eq!((queue.counts().files, queue.counts().bytes), (9, 900));
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[test]
fn one_file_may_be_larger_than_the_bound() {
    let server = saying("200 OK");
    let queue = queue(&server.url(""), QueueLimits { bytes: 10, ..QueueLimits::default() });
    submit(&queue, "large", 1000);
    submit(&queue, "larger", 2000);
    assert_eq!(queue.finish(), Ok(()));
}

#[test]
fn a_failure_is_returned_once_and_then_files_are_uploaded_again() {
    let server = Server::with(|head| {
        let status = if head.starts_with("PUT /bad") { "403 Forbidden" } else { "200 OK" };
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes().into()
    });
    let queue = queue(&server.url(""), QueueLimits::default());
    submit(&queue, "bad", 1);
    let failure = loop {
        // After the failure files are discarded, and nothing waits.
        submit(&queue, "good", 1);
        if queue.counts().files > 20 {
            panic!("expected a failure");
        }
        if let Err(failure) = queue.finish() {
            break failure;
        }
    };
    let expect = r#"uploading load/bad to @"D"."S"."T": writing the file: the server said 403"#;
    assert_eq!((&*failure.message, &*failure.code, failure.transient), (expect, "403", false));
    let before = queue.counts().files;
    submit(&queue, "good", 1);
    assert_eq!((queue.finish(), queue.counts().files), (Ok(()), before + 1));
}

#[test]
fn uploads_that_wait_are_cancelled_at_once() {
    let server = saying("503 Busy");
    let limits = QueueLimits { first_wait: Duration::from_secs(60), ..QueueLimits::default() };
    let queue = queue(&server.url(""), limits);
    let begun = Instant::now();
    submit(&queue, "slow", 1);
    while queue.counts().retries == 0 && begun.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(5));
    }
    queue.cancel();
    assert_eq!(queue.finish().unwrap_err().message, "the uploads were cancelled");
    submit(&queue, "slow", 1);
    drop(queue);
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
}

#[test]
fn a_panic_is_a_failure() {
    let server = saying("200 OK");
    let queue = queue(&server.url(""), QueueLimits { threads: 2, ..QueueLimits::default() });
    submit(&queue, "panic", 1);
    let message = queue.finish().unwrap_err().message;
    let expect = r#"uploading load/panic to @"D"."S"."T": a panic: a defect in Snowcat"#;
    assert!(message.starts_with(expect), "{message}");
    submit(&queue, "good", 1);
    assert_eq!(queue.finish(), Ok(()));
}

/// A server that refuses a large body does not read it: it closes the connection, and its answer would be lost
/// with it.
#[test]
fn a_large_body_is_not_sent_before_the_server_agrees() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let (mut head, mut part) = (Vec::new(), [0; 1024]);
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut part).unwrap();
            head.extend_from_slice(&part[..read]);
        }
        let answer = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(head).unwrap()
    });
    let queue = queue(&url, QueueLimits::default());
    submit(&queue, "large", 8 << 20);
    let message = queue.finish().unwrap_err().message;
    assert!(message.ends_with("the server said 403"), "{message}");
    let head = server.join().unwrap().to_lowercase();
    assert!(head.contains("expect: 100-continue") && head.contains("content-length: 8388608"));
}

/// Each thread sends its next file on the connection of the one before: a new one takes several round trips.
#[test]
fn connections_are_kept() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let accepted = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&accepted);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            count.fetch_add(1, Ordering::SeqCst);
            thread::spawn(move || answer_all(stream));
        }
    });
    let queue = queue(&url, QueueLimits { threads: 8, ..QueueLimits::default() });
    for number in 0..80 {
        submit(&queue, &number.to_string(), 10);
    }
    assert_eq!((queue.finish(), queue.counts().files), (Ok(()), 80));
    let accepted = accepted.load(Ordering::SeqCst);
    assert!(accepted <= 8, "expected at most 8 connections, found {accepted}");
}

/// Answers the requests of a connection, each after a while. Their bodies are short.
fn answer_all(mut stream: TcpStream) {
    let (mut received, mut part) = (String::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        received.push_str(&String::from_utf8_lossy(&part[..read]));
        while let Some((head, rest)) = received.split_once("\r\n\r\n")
            && rest.len() >= 10
        {
            assert!(head.starts_with("PUT "));
            received = rest[10..].to_owned();
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
    }
}

fn saying(status: &str) -> Server {
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    Server::with(move |_| answer.clone().into())
}
