//! A server of `/metrics`, `/healthz` and `/readyz`, in one thread.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::numbers::Numbers;
use super::prometheus::prometheus_text;

/// The time for a request and its answer. Requests are answered one after the other.
const LONGEST: Duration = Duration::from_secs(2);
/// The bytes of a request's head.
const MOST_BYTES: usize = 8 << 10;

/// Serves the numbers until it is dropped.
///
/// | path | answers |
/// |---|---|
/// | `/metrics` | the numbers in the text format of Prometheus |
/// | `/healthz` | 200: the process runs |
/// | `/readyz` | 200 if there is a session and something has happened in time, otherwise 503 |
///
/// ```
/// use std::io::{Read as _, Write as _};
/// use std::net::TcpStream;
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use snowcat_host::watch::{HealthServer, Numbers};
///
/// # fn main() -> std::io::Result<()> {
/// let any = ([127, 0, 0, 1], 0).into();
/// let server = HealthServer::start(any, &Arc::new(Numbers::new()), Duration::from_secs(900))?;
/// let mut stream = TcpStream::connect(server.address())?;
/// stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
/// let mut answer = String::new();
/// stream.read_to_string(&mut answer)?;
/// assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("there is no session\n"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct HealthServer {
    address: SocketAddr,
    over: Arc<AtomicBool>,
}

impl HealthServer {
    /// Listens at this address. Port 0 is any free port.
    ///
    /// # Errors
    /// If the address is not free, or the system cannot start a thread.
    pub fn start(
        address: SocketAddr,
        numbers: &Arc<Numbers>,
        stalled_after: Duration,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let over = Arc::new(AtomicBool::new(false));
        let (numbers, ends) = (Arc::clone(numbers), Arc::clone(&over));
        let serve = move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                match stream {
                    // A client that goes away needs no answer.
                    Ok(stream) => _ = answer(stream, &numbers, stalled_after),
                    // Such as too many open files.
                    Err(_) => thread::sleep(Duration::from_millis(100)),
                }
            }
        };
        thread::Builder::new().name("snowcat-health".to_owned()).spawn(serve)?;
        Ok(Self { address, over })
    }

    /// Returns the address at which it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // The thread wakes up. If it cannot be reached, it ends with the next request.
        let mut own = self.address;
        if own.ip().is_unspecified() {
            own.set_ip(if own.is_ipv4() {
                [127, 0, 0, 1].into()
            } else {
                [0, 0, 0, 0, 0, 0, 0, 1].into()
            });
        }
        _ = TcpStream::connect_timeout(&own, LONGEST);
    }
}

fn answer(mut stream: TcpStream, numbers: &Numbers, stalled_after: Duration) -> io::Result<()> {
    let Some(line) = request_line(&mut stream)? else { return Ok(()) };
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, body) = match (method, path) {
        ("GET" | "HEAD", "/metrics") => ("200 OK", prometheus_text(&numbers.snapshot())),
        ("GET" | "HEAD", "/healthz") => ("200 OK", "ok\n".to_owned()),
        ("GET" | "HEAD", "/readyz") => match numbers.not_ready(stalled_after) {
            None => ("200 OK", "ok\n".to_owned()),
            Some(reason) => ("503 Service Unavailable", format!("{reason}\n")),
        },
        ("GET" | "HEAD", _) => {
            ("404 Not Found", "expected /metrics, /healthz or /readyz\n".to_owned())
        }
        _ => ("405 Method Not Allowed", "expected GET\n".to_owned()),
    };
    let length = body.len();
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    stream.set_write_timeout(Some(LONGEST))?;
    stream.write_all(head.as_bytes())?;
    if method == "HEAD" { Ok(()) } else { stream.write_all(body.as_bytes()) }
}

/// Returns the first line of a request, after its head has been read. `None` if it is not complete in time.
fn request_line(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let until = Instant::now() + LONGEST;
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() || head.len() > MOST_BYTES {
            return Ok(None);
        }
        stream.set_read_timeout(Some(rest))?;
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Ok(None);
        }
        head.extend_from_slice(buffer.get(..read).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    Ok(text.lines().next().map(str::to_owned))
}
