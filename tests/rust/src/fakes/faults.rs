//! Faults: which requests fail, and how.
//!
//! A specification is a list of `PATH@WHICH=ACTION`, separated by semicolons or line ends:
//!
//! ```text
//! search/jql@2=throttle:1; search/jql@4-5=status:503; project/search@*=slow:200
//! ```
//!
//! `PATH` is the end of a request's path. `WHICH` counts the requests to that path, including
//! failed ones, from 1: a number, a range, or `*` for all. The first matching fault applies.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The effect of a fault on a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// `broken`: the right answer with its first colon replaced, which is invalid JSON.
    Broken,
    /// `cut`: the full length is announced, half of the body is sent, and the connection ends.
    Cut,
    /// `drop`: the connection ends without an answer.
    Drop,
    /// `empty`: status 200 without a body.
    Empty,
    /// `garbled`: the right answer with a byte that is not UTF-8.
    Garbled,
    /// `html`: status 200 and an HTML page, as from a proxy or a login.
    Html,
    /// `gzip`: the right answer, compressed.
    Gzip,
    /// `huge:BYTES`: the right answer, padded with blanks to this length.
    Huge(usize),
    /// `limit:SECONDS`: status 403 with `x-ratelimit-remaining: 0`, and `x-ratelimit-reset` this
    /// many seconds from now, as GitHub sends them.
    Limit(u64),
    /// `not-gzip`: the right answer, declared as compressed although it is not.
    NotGzip,
    /// `redirect:URL`: status 302.
    Redirect(String),
    /// `repeat`: the last answer at this path again, whatever is requested.
    Repeat,
    /// `short-gzip`: the first half of the right answer, compressed.
    ShortGzip,
    /// `short`: a complete response with truncated JSON.
    Short,
    /// `slow:MILLISECONDS`: the right answer, delayed.
    Slow(Duration),
    /// `status:CODE`: this status, with an error in the service's form.
    Status(u16),
    /// `throttle:SECONDS`: status 429 with `retry-after`; `throttle` omits the header.
    Throttle(Option<u64>),
    /// `throttle-date:SECONDS`: status 429 with `retry-after` as a date this many seconds from now.
    ThrottleDate(u64),
    /// `type:MIME`: the right answer with another content type.
    Type(String),
    /// `wrong-gzip`: the right answer, compressed, with a wrong checksum.
    WrongGzip,
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, argument) = match text.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (text, None),
        };
        let number = || {
            argument
                .and_then(|argument| argument.parse::<u64>().ok())
                .ok_or_else(|| format!("expected {name}:NUMBER, found {text}"))
        };
        match (name, argument) {
            ("broken", None) => Ok(Self::Broken),
            ("cut", None) => Ok(Self::Cut),
            ("drop", None) => Ok(Self::Drop),
            ("empty", None) => Ok(Self::Empty),
            ("garbled", None) => Ok(Self::Garbled),
            ("gzip", None) => Ok(Self::Gzip),
            ("html", None) => Ok(Self::Html),
            ("huge", _) => number().map(|bytes| Self::Huge(bytes as usize)),
            ("limit", _) => number().map(Self::Limit),
            ("not-gzip", None) => Ok(Self::NotGzip),
            ("redirect", Some(url)) => Ok(Self::Redirect(url.to_owned())),
            ("repeat", None) => Ok(Self::Repeat),
            ("short", None) => Ok(Self::Short),
            ("short-gzip", None) => Ok(Self::ShortGzip),
            ("slow", _) => number().map(|millis| Self::Slow(Duration::from_millis(millis))),
            ("status", _) => match number()? {
                code @ 200..600 => Ok(Self::Status(code as u16)),
                code => Err(format!("expected a status from 200 to 599, found {code}")),
            },
            ("throttle", None) => Ok(Self::Throttle(None)),
            ("throttle", _) => number().map(|seconds| Self::Throttle(Some(seconds))),
            ("throttle-date", _) => number().map(Self::ThrottleDate),
            ("type", Some(kind)) => Ok(Self::Type(kind.to_owned())),
            ("wrong-gzip", None) => Ok(Self::WrongGzip),
            _ => Err(format!(
                "expected broken, cut, drop, empty, garbled, gzip, html, huge:BYTES, limit:SECONDS, not-gzip, \
                 redirect:URL, repeat, short, short-gzip, slow:MILLISECONDS, status:CODE, throttle[:SECONDS], \
                 throttle-date:SECONDS, type:MIME or wrong-gzip, found {text}"
            )),
        }
    }
}

/// One fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    text: String,
    path: String,
    first: u64,
    last: u64,
    /// Its effect.
    pub action: Action,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected PATH@WHICH=ACTION, found {text}");
        let (place, action) = text.split_once('=').ok_or_else(wrong)?;
        let (path, which) = place.rsplit_once('@').ok_or_else(wrong)?;
        let number = |digits: &str| digits.trim().parse::<u64>().map_err(|_| wrong());
        let (first, last) = match which.trim().split_once('-') {
            _ if which.trim() == "*" => (1, u64::MAX),
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(which)?, number(which)?),
        };
        if first == 0 || last < first || path.trim().is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            text: text.to_owned(),
            path: path.trim().to_owned(),
            first,
            last,
            action: action.trim().parse()?,
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// All faults, and the number of requests so far.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    faults: Vec<Fault>,
    seen: BTreeMap<String, u64>,
}

impl Faults {
    /// Returns `true` if an answer may have to be repeated.
    pub(super) fn repeat(&self) -> bool {
        self.faults.iter().any(|fault| fault.action == Action::Repeat)
    }

    /// Counts a request to this path. Returns its fault.
    pub fn next(&mut self, path: &str) -> Option<Fault> {
        let seen = self.seen.entry(path.to_owned()).or_default();
        *seen += 1;
        self.faults
            .iter()
            .find(|fault| path.ends_with(&fault.path) && (fault.first..=fault.last).contains(seen))
            .cloned()
    }
}

impl FromStr for Faults {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let faults = text
            .split([';', '\n'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()?;
        Ok(Self { faults, seen: BTreeMap::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_apply_to_the_counted_requests() {
        let mut faults = "a/b@2=cut; b@3-4 = status:503 ;c@*=slow:5".parse::<Faults>().unwrap();
        let mut hits = |path: &str| {
            let hit = |_| faults.next(path).map(|fault| fault.action);
            (0..5).map(hit).collect::<Vec<_>>()
        };
        let unavailable = Some(Action::Status(503));
        assert_eq!(
            hits("/x/a/b"),
            [None, Some(Action::Cut), unavailable.clone(), unavailable, None]
        );
        assert_eq!(hits("/c"), vec![Some(Action::Slow(Duration::from_millis(5))); 5]);
        assert_eq!(hits("/d"), vec![None; 5]);
    }

    #[test]
    fn invalid_faults_are_rejected() {
        for text in [
            "cut",
            "a=cut",
            "a@0=cut",
            "a@3-2=cut",
            "a@x=cut",
            "@1=cut",
            "a@1=cut:1",
            "a@1=slow",
            "a@1=status:99",
            "a@1=redirect",
            "a@1=explode",
            "a@1=throttle:soon",
        ] {
            assert!(text.parse::<Faults>().is_err(), "{text}");
        }
        assert!("".parse::<Faults>().is_ok());
    }
}
