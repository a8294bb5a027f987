//! A storage on this machine that takes objects as Amazon S3 does: it checks no signature, keeps nothing, and
//! answers after a given time.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use super::Failure;

/// A storage that listens until the program ends.
#[derive(Debug)]
pub struct LoopbackStorage {
    address: SocketAddr,
    received: Arc<Received>,
}

/// What was received, of all objects.
#[derive(Debug, Default)]
struct Received {
    objects: AtomicU64,
    bytes: AtomicU64,
}

impl LoopbackStorage {
    /// Starts a storage that waits for this time before each answer, also before the one that admits a body.
    ///
    /// # Errors
    ///
    /// If no port or thread is free.
    pub fn start(latency: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let address = listener.local_addr()?;
        let received = Arc::new(Received::default());
        let counts = Arc::clone(&received);
        thread::Builder::new().spawn(move || {
            for stream in listener.incoming().flatten() {
                let counts = Arc::clone(&counts);
                // A connection that gets no thread is closed, which the client reports.
                drop(thread::Builder::new().spawn(move || serve(stream, latency, &counts)));
            }
        })?;
        Ok(Self { address, received })
    }

    /// The URL of the storage; buckets are below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The number of objects that have arrived so far, and the number of their bytes.
    pub fn received(&self) -> (u64, u64) {
        let Received { objects, bytes } = &*self.received;
        (objects.load(Ordering::SeqCst), bytes.load(Ordering::SeqCst))
    }
}

/// Answers the requests of a connection. A request that cannot be read closes it.
fn serve(mut stream: TcpStream, latency: Duration, received: &Received) -> Result<(), Failure> {
    const DONE: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: 0\r\n\r\n";
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 18];
    let mut filled = 0;
    loop {
        let head = loop {
            if let Some(head) = head(buffer.get(..filled).unwrap_or_default())? {
                break head;
            }
            let read = stream.read(buffer.get_mut(filled..).unwrap_or_default())?;
            if read == 0 {
                return Ok(());
            }
            filled += read;
        };
        if head.asks {
            thread::sleep(latency);
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let mut left = head.body.saturating_sub((filled - head.length) as u64);
        while left > 0 {
            let read = stream.read(&mut buffer)? as u64;
            if read == 0 {
                return Err(Failure::new(format_args!("expected {left} more bytes of a body")));
            }
            left = left.saturating_sub(read);
        }
        filled = 0;
        thread::sleep(latency);
        received.objects.fetch_add(1, Ordering::SeqCst);
        received.bytes.fetch_add(head.body, Ordering::SeqCst);
        stream.write_all(DONE)?;
    }
}

/// The head of a request.
struct Head {
    length: usize,
    /// The length of the body.
    body: u64,
    /// `true` if the client waits for an answer before it sends the body.
    asks: bool,
}

/// Returns the head, if it is complete.
fn head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes).map_err(Failure::new)? {
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => length,
    };
    let named = |name: &str| {
        let found = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let body = named("content-length").and_then(|value| value.parse().ok());
    let body = body.ok_or_else(|| Failure::new("expected the length of a body, found none"))?;
    Ok(Some(Head { length, body, asks: named("expect").is_some() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_counted() {
        let storage = LoopbackStorage::start(Duration::ZERO).unwrap();
        let mut stream = TcpStream::connect(storage.address).unwrap();
        for (expect, body) in [("", "abc"), ("Expect: 100-continue\r\n", "defg"), ("", "")] {
            let length = body.len();
            let head = format!("PUT /b/a HTTP/1.1\r\nContent-Length: {length}\r\n{expect}\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            let mut part = [0; 1024];
            if !expect.is_empty() {
                let read = stream.read(&mut part).unwrap();
                assert!(part[..read].starts_with(b"HTTP/1.1 100 "));
            }
            stream.write_all(body.as_bytes()).unwrap();
            let read = stream.read(&mut part).unwrap();
            assert!(part[..read].starts_with(b"HTTP/1.1 200 "));
        }
        assert_eq!(storage.received(), (3, 7));
    }
}
