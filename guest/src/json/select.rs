//! The records of a page, and other values of it that the source needs.
//!
//! A page is read once. Each record that the selector matches is passed to `take`. Values at the
//! paths of a paginator are captured as text. The rest is skipped.

use crate::fault::{Context, Result};
use crate::json::{Path, Segment};
use crate::json::{Peek, Reader, unescape};

/// The result of a page in addition to its records.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Facts {
    /// The number of records.
    pub(crate) records: u64,
    /// For each wanted path the first value that it matches, as JSON text.
    pub(crate) captured: Vec<Option<String>>,
    /// `true` if the selector matched anything.
    pub(crate) selected: bool,
    /// The keys of the page if it is an object, for errors.
    pub(crate) keys: Vec<String>,
}

/// Takes one record, and must step over it. [`Flow::Pause`] requests a pause before the next one.
pub(crate) type Take<'f> = dyn FnMut(&mut Reader<'_>) -> Result<Flow> + 'f;

/// The decision after a record: how to go on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Flow {
    /// With the next record.
    On,
    /// After a pause.
    Pause,
}

/// The state of a walk through a page, which may have pauses.
#[derive(Debug, Default)]
pub(crate) struct WalkedPage {
    /// The result so far.
    pub(crate) facts: Facts,
    /// The position of the value that is walked.
    value: usize,
    /// The number of finished matches of the selector in this value, and the position of the next record of the
    /// current match (0: its first).
    done: u64,
    next: usize,
}

impl WalkedPage {
    /// The state at the beginning of a page.
    pub(crate) fn new(wanted: &[Path]) -> Self {
        let facts = Facts { captured: vec![None; wanted.len()], ..Facts::default() };
        Self { facts, ..Self::default() }
    }
}

/// Walks a page: JSON values one after the other, usually one. Returns `false` if `take` requested
/// a pause: the next call then goes on after that record.
///
/// Without a selector every value is a record, or an array of records. With a selector every match
/// is a record, or an array of records. An object without a match is a record itself if `loose` is
/// set, because a file may hold pages or records.
#[expect(clippy::too_many_arguments, reason = "input, selection, options and state")]
pub(crate) fn walk(
    mut reader: Reader<'_>,
    selector: Option<&Path>,
    wanted: &[Path],
    loose: bool,
    walked: &mut WalkedPage,
    take: &mut Take<'_>,
) -> Result<bool> {
    if walked.value > 0 {
        reader.seek(walked.value);
    }
    let mut walk = PageWalk { selector, wanted, take, walked, matched: 0 };
    while !reader.at_end() {
        walk.walked.value = reader.position();
        walk.matched = 0;
        let active = Active {
            select: selector.map(|_| 0),
            wanted: (0..wanted.len()).map(|w| (w, 0)).collect(),
        };
        let flow = match selector {
            None => {
                if !wanted.is_empty() {
                    walk.visit(&mut reader.clone(), &active)?;
                }
                walk.records(&mut reader)?
            }
            Some(selector) if loose && find(reader.clone().skip()?, selector)?.is_none() => {
                walk.records(&mut reader)?
            }
            Some(_) => walk.visit(&mut reader, &active)?,
        };
        if flow == Flow::Pause {
            return Ok(false);
        }
        (walk.walked.done, walk.walked.next) = (0, 0);
    }
    Ok(true)
}

/// The wanted values of a page without records.
pub(crate) fn capture(text: &str, wanted: &[Path]) -> Result<Facts> {
    let mut walked = WalkedPage::new(wanted);
    let mut take = |_: &mut Reader<'_>| Ok(Flow::On);
    let mut walk =
        PageWalk { selector: None, wanted, take: &mut take, walked: &mut walked, matched: 0 };
    let mut reader = Reader::new(text);
    while !reader.at_end() {
        let active = Active { select: None, wanted: (0..wanted.len()).map(|w| (w, 0)).collect() };
        walk.visit(&mut reader, &active)?;
    }
    Ok(walked.facts)
}

/// The first value of a document that the path matches, as JSON text.
pub(crate) fn find<'a>(text: &'a str, path: &Path) -> Result<Option<&'a str>> {
    find_from(&mut Reader::new(text), path.segments())
}

fn find_from<'a>(reader: &mut Reader<'a>, path: &[Segment]) -> Result<Option<&'a str>> {
    let Some((step, rest)) = path.split_first() else { return reader.skip().map(Some) };
    let peek = reader.peek()?;
    let object = peek == Peek::Object;
    if !object && peek != Peek::Array {
        reader.skip()?;
        return Ok(None);
    }
    let length = match (object, step) {
        (false, Segment::FromEnd(_)) => length(reader.clone())?,
        _ => 0,
    };
    let mut more = reader.enter();
    let mut at = 0;
    while more {
        let into =
            if object { is_member(step, reader.key()?) } else { is_element(step, at, length) };
        if into {
            // The first match ends the search; the rest is not read.
            if let Some(found) = find_from(reader, rest)? {
                return Ok(Some(found));
            }
        } else {
            reader.skip()?;
        }
        at += 1;
        more = reader.more(if object { b'}' } else { b']' })?;
    }
    Ok(None)
}

/// Returns `true` if a segment matches the members with this key, given as it is spelled.
fn is_member(step: &Segment, key: &str) -> bool {
    match step {
        Segment::Key(name) => is_key(key, name),
        Segment::Fields => true,
        Segment::FromEnd(_) | Segment::Index(_) | Segment::Items => false,
    }
}

/// Returns `true` if a segment matches this element of an array of this length.
fn is_element(step: &Segment, at: usize, length: usize) -> bool {
    match step {
        Segment::FromEnd(index) => length.checked_sub(*index) == Some(at),
        Segment::Index(index) => *index == at,
        Segment::Items | Segment::Fields => true,
        Segment::Key(_) => false,
    }
}

/// The number of elements of the next array.
fn length(mut reader: Reader<'_>) -> Result<usize> {
    reader.peek()?;
    let mut more = reader.enter();
    let mut length = 0;
    while more {
        reader.skip()?;
        length += 1;
        more = reader.more(b']')?;
    }
    Ok(length)
}

struct PageWalk<'w, 'f> {
    selector: Option<&'w Path>,
    wanted: &'w [Path],
    take: &'w mut Take<'f>,
    walked: &'w mut WalkedPage,
    /// The number of matches of the selector in the value so far.
    matched: u64,
}

/// The number of matched segments of each path that leads here.
#[derive(Clone)]
struct Active {
    select: Option<usize>,
    wanted: Vec<(usize, usize)>,
}

impl PageWalk<'_, '_> {
    fn visit(&mut self, reader: &mut Reader<'_>, active: &Active) -> Result<Flow> {
        let start = reader.clone();
        for &(wanted, done) in &active.wanted {
            let complete =
                self.wanted.get(wanted).is_some_and(|path| path.segments().len() == done);
            if let (true, Some(slot @ None)) =
                (complete, self.walked.facts.captured.get_mut(wanted))
            {
                *slot = Some(start.clone().skip()?.to_owned());
            }
        }
        let segments = self.selector.map_or(&[][..], Path::segments);
        if active.select == Some(segments.len()) {
            self.walked.facts.selected = true;
            let rest = Active { select: None, wanted: active.wanted.clone() };
            if rest.wanted.iter().any(|&(wanted, done)| self.step(wanted, done).is_some()) {
                self.visit(&mut reader.clone(), &rest)?;
            }
            return self.records(reader);
        }
        match reader.peek()? {
            Peek::Object => {
                let mut more = reader.enter();
                while more {
                    let key = reader.key()?;
                    let next = self.follow(active, |step| is_member(step, key));
                    if active.select == Some(0) && self.walked.facts.keys.len() < 20 {
                        self.walked.facts.keys.push(unescape(key));
                    }
                    if self.into(reader, &next).at(|| format!("key {key:?}"))? == Flow::Pause {
                        return Ok(Flow::Pause);
                    }
                    more = reader.more(b'}')?;
                }
            }
            Peek::Array => {
                let counts = self.follow(active, |step| matches!(step, Segment::FromEnd(_)));
                let length = match counts.select.is_some() || !counts.wanted.is_empty() {
                    true => length(reader.clone())?,
                    false => 0,
                };
                let mut more = reader.enter();
                let mut at = 0;
                while more {
                    let next = self.follow(active, |step| is_element(step, at, length));
                    if self.into(reader, &next)? == Flow::Pause {
                        return Ok(Flow::Pause);
                    }
                    at += 1;
                    more = reader.more(b']')?;
                }
            }
            _ => drop(reader.skip()?),
        }
        Ok(Flow::On)
    }

    fn into(&mut self, reader: &mut Reader<'_>, next: &Active) -> Result<Flow> {
        if next.select.is_none() && next.wanted.is_empty() {
            return reader.skip().map(|_| Flow::On);
        }
        self.visit(reader, next)
    }

    /// The paths that match a member too, each with one more segment.
    fn follow(&self, active: &Active, matches: impl Fn(&Segment) -> bool) -> Active {
        let select = active.select.filter(|&done| {
            self.selector.and_then(|path| path.segments().get(done)).is_some_and(&matches)
        });
        let wanted = active.wanted.iter().copied();
        let wanted = wanted.filter(|&(wanted, done)| self.step(wanted, done).is_some_and(&matches));
        Active {
            select: select.map(|done| done + 1),
            wanted: wanted.map(|(wanted, done)| (wanted, done + 1)).collect(),
        }
    }

    fn step(&self, wanted: usize, done: usize) -> Option<&Segment> {
        self.wanted.get(wanted)?.segments().get(done)
    }

    /// Takes a value that is a record, or an array of records.
    fn records(&mut self, reader: &mut Reader<'_>) -> Result<Flow> {
        self.matched += 1;
        if self.matched <= self.walked.done {
            return reader.skip().map(|_| Flow::On);
        }
        let mut flow = Flow::On;
        match reader.peek()? {
            Peek::Array => {
                let mut more = match std::mem::take(&mut self.walked.next) {
                    0 => reader.enter(),
                    next => {
                        reader.seek(next);
                        true
                    }
                };
                while more {
                    flow = self.record(reader)?;
                    more = reader.more(b']')?;
                    if flow == Flow::Pause && more {
                        self.walked.next = reader.position();
                        return Ok(flow);
                    }
                }
            }
            Peek::Null => reader.null()?,
            _ => flow = self.record(reader)?,
        }
        self.walked.done += 1;
        Ok(flow)
    }

    fn record(&mut self, reader: &mut Reader<'_>) -> Result<Flow> {
        self.walked.facts.records += 1;
        (self.take)(reader).at(|| format!("record {}", self.walked.facts.records))
    }
}

/// Returns `true` if a key, given as it is spelled, has this name.
fn is_key(raw: &str, name: &str) -> bool {
    raw == name || (raw.contains('\\') && unescape(raw) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        text: &str,
        selector: Option<&str>,
        wanted: &[&str],
        expect: &[&str],
        captured: &[Option<&str>],
    ) {
        let selector = selector.map(|s| Path::parse(s).unwrap());
        let wanted: Vec<Path> = wanted.iter().map(|w| Path::parse(w).unwrap()).collect();
        // With pauses after no record, after every second record and after every record.
        for every in [usize::MAX, 2, 1] {
            let mut records = Vec::new();
            let mut walked = WalkedPage::new(&wanted);
            let mut pauses = 0;
            let mut take = |reader: &mut Reader<'_>| {
                records.push(reader.skip()?.to_owned());
                Ok(if records.len() % every == 0 { Flow::Pause } else { Flow::On })
            };
            let go_on = |walked: &mut WalkedPage, take: &mut Take<'_>| {
                walk(Reader::new(text), selector.as_ref(), &wanted, false, walked, take).unwrap()
            };
            while !go_on(&mut walked, &mut take) {
                pauses += 1;
            }
            assert_eq!(records, expect, "{text}");
            assert_eq!(pauses, expect.len() / every, "{text}");
            let facts = walked.facts;
            assert_eq!(facts.records as usize, expect.len());
            let found: Vec<_> = facts.captured.iter().map(Option::as_deref).collect();
            assert_eq!(found, captured, "{text}");
        }
    }

    #[test]
    fn records_and_facts() {
        check("[1,{\"a\":2}]", None, &[], &["1", "{\"a\":2}"], &[]);
        check("{\"a\":1}\n{\"a\":2}", None, &[], &["{\"a\":1}", "{\"a\":2}"], &[]);
        check(
            r#"{"issues":[{"id":1},{"id":2}],"next":{"token":"x"},"total":7}"#,
            Some("issues"),
            &["next.token", "total", "missing"],
            &["{\"id\":1}", "{\"id\":2}"],
            &[Some("\"x\""), Some("7"), None],
        );
        check(r#"{"data":{"items":[]}}"#, Some("data.items"), &["data.items[0].id"], &[], &[None]);
        check(
            r#"{"data":[{"rows":[1,2]},{"rows":[3]}]}"#,
            Some("data[*].rows"),
            &["data[1].rows[0]"],
            &["1", "2", "3"],
            &[Some("3")],
        );
        check(
            r#"[{"id":1},{"id":2}]"#,
            Some("$"),
            &["[1].id"],
            &["{\"id\":1}", "{\"id\":2}"],
            &[Some("2")],
        );
        check("", Some("issues"), &[], &[], &[]);
        let page = r#"{"data":[{"id":1},{"id":2,"sort":[7,"x"]}],"none":[]}"#;
        check(
            page,
            Some("data"),
            &["data[-1].id", "data[-2].id", "data[-3].id", "none[-1]", "data[-1].sort"],
            &[r#"{"id":1}"#, r#"{"id":2,"sort":[7,"x"]}"#],
            &[Some("2"), Some("1"), None, None, Some(r#"[7,"x"]"#)],
        );
        check("[[1],[2,3]]", Some("[-1]"), &[], &["2", "3"], &[]);
    }

    #[test]
    fn captures_without_records() {
        let next = Path::parse("paging.next").unwrap();
        let facts = capture(r#"{"items":[{}],"paging":{"next":"x"}}"#, &[next]).unwrap();
        assert_eq!((facts.records, facts.captured), (0, vec![Some("\"x\"".to_owned())]));
    }

    #[test]
    fn finds_one_value() {
        let check = |text: &str, path: &str, found: Option<&str>| {
            assert_eq!(find(text, &Path::parse(path).unwrap()).unwrap(), found, "{path}");
        };
        check(r#"{"a":[1,2,[3]]}"#, "a[-1][-1]", Some("3"));
        check(r#"{"a":[1,2]}"#, "a[-2]", Some("1"));
        check(r#"{"a":[1,2]}"#, "a[-3]", None);
        check(r#"{"a":{"b":1}}"#, "a[-1]", None);
    }

    #[test]
    fn a_page_may_be_a_record() {
        let selector = Path::parse("issues").unwrap();
        let mut records = 0;
        let text = "{\"issues\":[1,2]} {\"id\":3} [4,5]";
        walk(
            Reader::new(text),
            Some(&selector),
            &[],
            true,
            &mut WalkedPage::default(),
            &mut |reader| {
                records += 1;
                reader.skip().map(|_| Flow::On)
            },
        )
        .unwrap();
        assert_eq!(records, 5);
    }

    #[test]
    fn faults_say_where() {
        let selector = Path::parse("issues").unwrap();
        let reader = Reader::new("{\"issues\":[{\"a\":1},{\"a\":}]}");
        let mut take = |reader: &mut Reader<'_>| reader.skip().map(|_| Flow::On);
        let fault =
            walk(reader, Some(&selector), &[], false, &mut WalkedPage::default(), &mut take)
                .unwrap_err();
        assert_eq!(
            fault.to_string(),
            "key \"issues\": record 2: not JSON: expected a value, found '}' at line 1 column 25 (byte 24)"
        );
    }
}
