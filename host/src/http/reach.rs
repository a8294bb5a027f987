//! The way to a server, step by step: the first step that fails, and why.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use ureq::Proxy;
use ureq::http::Uri;

use super::agents::Agents;
use super::roots::CERTIFICATES;
use super::target::check;
use crate::credentials::Origin;

/// A step on the way to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReachStep {
    /// The proxy of the environment.
    Proxy,
    /// The addresses of the name.
    Dns,
    /// A connection.
    Tcp,
    /// TLS and its certificate, and the answer to one request without credentials.
    Tls,
    /// The difference between the clocks of this machine and the server.
    Clock,
}

impl ReachStep {
    /// Every step, in order.
    pub const ALL: [Self; 5] = [Self::Proxy, Self::Dns, Self::Tcp, Self::Tls, Self::Clock];

    /// Returns its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Dns => "dns",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Clock => "clock",
        }
    }
}

/// The result of a check.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Finding {
    /// It is as it must be.
    Good(String),
    /// It is not.
    Wrong {
        /// What was expected and found.
        seen: String,
        /// What to do. Empty if `seen` says it.
        remedy: String,
    },
    /// It was not tried, for this reason.
    Untried(String),
}

impl Finding {
    /// Returns a result that is wrong.
    #[must_use]
    pub fn wrong(seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Wrong { seen: seen.into(), remedy: remedy.into() }
    }

    /// Returns `true` if the check failed.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        matches!(self, Self::Wrong { .. })
    }
}

/// Goes the way to the server of a URL. Each attempt to connect may take `within`. Steps after one that failed are not tried.
///
/// ```
/// use std::time::Duration;
///
/// use snowcat_host::http::{Finding, ReachStep, reach};
///
/// // Nothing listens on this port.
/// let steps = reach("http://127.0.0.1:1", Duration::from_secs(5));
/// assert_eq!(steps.len(), ReachStep::ALL.len());
/// let failed = steps.iter().find(|(_, found)| found.is_wrong()).map(|(step, _)| *step);
/// assert_eq!(failed, Some(ReachStep::Tcp));
/// ```
#[must_use]
pub fn reach(url: &str, within: Duration) -> Vec<(ReachStep, Finding)> {
    let mut way = Way { steps: Vec::new(), within };
    if let Err(failure) = way.go(url) {
        way.steps.push(failure);
    }
    let Some((last, _)) = way.steps.last() else { return way.steps };
    let reason = format!("see {}", last.name());
    for step in ReachStep::ALL.into_iter().skip(way.steps.len()) {
        way.steps.push((step, Finding::Untried(reason.clone())));
    }
    way.steps
}

/// The variables with the URL of a proxy, in the order in which they are read.
const PROXIES: [&str; 6] =
    ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

struct Way {
    steps: Vec<(ReachStep, Finding)>,
    within: Duration,
}

/// The first step that failed.
type StepFailure = (ReachStep, Finding);

impl Way {
    fn good(&mut self, step: ReachStep, seen: String) {
        self.steps.push((step, Finding::Good(seen)));
    }

    fn go(&mut self, url: &str) -> Result<(), StepFailure> {
        let wrong = |why: String| (ReachStep::Proxy, Finding::wrong(why, ""));
        let uri: Uri = url.parse().map_err(|_| wrong("expected a URL".to_owned()))?;
        let origin = check(&uri).map_err(wrong)?;
        let secure = uri.scheme_str() != Some("http");
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let (seen, proxy) = proxy_to(&uri, &origin)?;
        self.good(ReachStep::Proxy, seen);
        let (host, port) = match &proxy {
            Some(proxy) => (proxy.host().to_owned(), proxy.port()),
            None => (host, port),
        };
        let addresses = resolved(&host, port, self.within)
            .map_err(|why| (ReachStep::Dns, Finding::wrong(why, no_name(proxy.is_some()))))?;
        let shown = addresses.iter().take(3).map(|it| it.ip().to_string());
        self.good(ReachStep::Dns, format!("{host} is {}", shown.collect::<Vec<_>>().join(", ")));
        let address = connected(&addresses, self.within).map_err(|error| {
            let seen = format!("{host}, port {port}: {error}");
            (ReachStep::Tcp, Finding::wrong(seen, not_connected(proxy.is_some())))
        })?;
        self.good(ReachStep::Tcp, format!("connected to {address}"));
        self.ask(&uri, &origin)
    }

    /// Sends one request, without credentials.
    fn ask(&mut self, uri: &Uri, origin: &Origin) -> Result<(), StepFailure> {
        let within = self.within;
        let agents =
            Agents::new(|config| config.timeout_connect(Some(within)).timeout_global(Some(within)));
        let agent = agents.to(origin).map_err(|why| (ReachStep::Tls, Finding::wrong(why, "")))?;
        let before = SystemTime::now();
        let answer = agent.get(uri).call().map_err(|error| (ReachStep::Tls, unanswered(&error)))?;
        let status = answer.status().as_u16();
        self.steps.push(match uri.scheme_str() {
            Some("http") => {
                (ReachStep::Tls, Finding::Untried("plain HTTP to this machine".to_owned()))
            }
            _ => (
                ReachStep::Tls,
                Finding::Good(format!("the certificate is valid; answer {status}")),
            ),
        });
        let date = answer.headers().get("date").and_then(|it| it.to_str().ok());
        let taken = before.elapsed().unwrap_or_default();
        self.steps.push((ReachStep::Clock, clock(date, before + taken / 2)));
        Ok(())
    }
}

/// Returns the proxy for a URL, and what to say of it.
fn proxy_to(uri: &Uri, origin: &Origin) -> Result<(String, Option<Proxy>), StepFailure> {
    if origin.is_local() {
        return Ok(("none for this machine".to_owned(), None));
    }
    let value = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let Some((name, value)) = PROXIES.into_iter().find_map(|name| Some((name, value(name)?)))
    else {
        return Ok(("none is set".to_owned(), None));
    };
    if Proxy::new(&value).map_or(true, |proxy| proxy.host().is_empty()) {
        // The value may have a password.
        let seen =
            format!("{name}: expected the URL of a proxy, such as http://proxy.example:3128");
        return Err((ReachStep::Proxy, Finding::wrong(seen, "")));
    }
    let Some(proxy) = Proxy::try_from_env() else {
        return Ok(("none is set".to_owned(), None));
    };
    if proxy.is_no_proxy(uri) {
        return Ok((format!("{name} is not used: NO_PROXY has the host"), None));
    }
    Ok((format!("{}:{} ({name})", proxy.host(), proxy.port()), Some(proxy)))
}

/// Returns the addresses of a name. The system's own time for it may be longer.
fn resolved(host: &str, port: u16, within: Duration) -> Result<Vec<SocketAddr>, String> {
    let (send, receive) = mpsc::channel();
    let name = host.to_owned();
    let asked = thread::Builder::new().spawn(move || {
        let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        // The receiver may have given up.
        _ = send.send(found);
    });
    asked.map_err(|error| format!("no thread: {error}"))?;
    match receive.recv_timeout(within) {
        Ok(Ok(found)) if !found.is_empty() => Ok(found),
        Ok(Ok(_)) => Err(format!("{host} has no address")),
        Ok(Err(error)) => Err(format!("{host} is not found: {error}")),
        Err(_) => Err(format!("{host}: no answer within {} s", within.as_secs())),
    }
}

fn no_name(of_proxy: bool) -> &'static str {
    if of_proxy {
        "check the name of the proxy"
    } else {
        "check the name; if this network has a proxy, set HTTPS_PROXY"
    }
}

fn connected(addresses: &[SocketAddr], within: Duration) -> io::Result<SocketAddr> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        match TcpStream::connect_timeout(address, within) {
            Ok(_) => return Ok(*address),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn not_connected(of_proxy: bool) -> &'static str {
    if of_proxy {
        "check host and port of the proxy"
    } else {
        "check host and port; a firewall may forbid it: if this network has a proxy, set HTTPS_PROXY"
    }
}

/// The result of a request without an answer.
fn unanswered(error: &ureq::Error) -> Finding {
    match error {
        ureq::Error::ConnectProxyFailed(why) => Finding::wrong(
            format!("the proxy refused: {why}"),
            if why.contains("407") {
                "name the user of the proxy: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"
            } else {
                "ask the owner of the proxy to allow the host, or name the host in NO_PROXY"
            },
        ),
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
            let text = error.to_string();
            let remedy = if text.contains("UnknownIssuer") {
                format!(
                    "if a proxy of this network opens TLS, write the certificate of its authority to a file (PEM) \
                     and set {CERTIFICATES} to its path"
                )
            } else if text.contains("NotValidForName") {
                "the server has another name: check the host".to_owned()
            } else if text.contains("Expired") || text.contains("NotValidYet") {
                "check the clock of this machine; otherwise the certificate must be renewed"
                    .to_owned()
            } else {
                "check that the server speaks TLS at this port".to_owned()
            };
            Finding::wrong(text, remedy)
        }
        ureq::Error::Timeout(_) => {
            Finding::wrong(error.to_string(), "a firewall or a proxy may hold the connection")
        }
        other => Finding::wrong(other.to_string(), "check host, port and protocol"),
    }
}

/// Seconds by which the clocks may differ. A token of a key is valid for 60 seconds.
const MOST_SKEW: i64 = 45;

/// Compares the clock of this machine with the header `Date`.
fn clock(date: Option<&str>, here: SystemTime) -> Finding {
    let Some(date) = date else { return Finding::Untried("the answer has no Date".to_owned()) };
    let Ok(there) = DateTime::parse_from_rfc2822(date) else {
        return Finding::Untried(format!("the Date of the answer cannot be read: {date:?}"));
    };
    let here: DateTime<Utc> = here.into();
    let behind = there.signed_duration_since(here).num_seconds();
    if behind.abs() <= MOST_SKEW {
        return Finding::Good(format!("within {MOST_SKEW} s of the server's"));
    }
    let word = if behind > 0 { "behind" } else { "ahead of" };
    Finding::wrong(
        format!("this machine's clock is {} s {word} the server's", behind.abs()),
        "set the clock (NTP): logins with a key and signatures of uploads are rejected",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_less_than_a_token_lives() {
        let here = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let check = |date: Option<&str>, expected: &str| {
            let found = format!("{:?}", clock(date, here));
            assert!(found.contains(expected), "{found}");
        };
        check(Some("Sun, 09 Sep 2001 01:46:40 GMT"), "Good");
        check(Some("Sun, 09 Sep 2001 01:47:25 GMT"), "Good");
        check(Some("Sun, 09 Sep 2001 01:47:26 GMT"), "46 s behind");
        check(Some("Sun, 09 Sep 2001 01:36:40 GMT"), "600 s ahead of");
        check(Some("yesterday"), "Untried");
        check(None, "no Date");
    }

    #[test]
    fn a_request_without_an_answer_has_a_remedy() {
        let check = |error: ureq::Error, seen: &str, remedy: &str| {
            let Finding::Wrong { seen: found, remedy: advised } = unanswered(&error) else {
                panic!()
            };
            assert!(found.contains(seen) && advised.contains(remedy), "{found} {advised}");
        };
        let invalid =
            |text: &str| ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, text));
        check(invalid("invalid peer certificate: UnknownIssuer"), "UnknownIssuer", CERTIFICATES);
        check(invalid("invalid peer certificate: NotValidForName"), "NotValid", "check the host");
        check(invalid("invalid peer certificate: Expired"), "Expired", "clock");
        check(invalid("received corrupt message"), "corrupt", "speaks TLS");
        let proxy = |text: &str| ureq::Error::ConnectProxyFailed(text.to_owned());
        check(proxy("proxy server responded 407/407"), "407", "USER:PASSWORD");
        check(proxy("proxy server responded 403/403"), "403", "NO_PROXY");
        check(ureq::Error::HostNotFound, "", "check host");
    }
}
