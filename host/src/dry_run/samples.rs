//! Saved responses of a source: pages in files, for each record of a parent, and those in a
//! transcript. A [`DryRun`](crate::DryRun) returns them instead of requesting the source.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::host::Pulled;
use crate::input::MARK;
use crate::input::files::{Input, Store};
use crate::interface::{Content, Failure, Pull, Reply, Request, Response};
use crate::transcript;

/// The prefix of the parameter with the number of a page, from 2.
const PAGE: &str = "?x-snowcat-page=";

/// The saved pages of a resource that is requested once for each record of its parent: files whose
/// names contain a field of that record, such as `comments/{resources.posts.id}/*.json`. Each file
/// is one page of the source.
///
/// ```
/// use snowcat_host::dry_run::samples::Sample;
///
/// let sample = Sample::new("comments", "comments/{resources.posts.id}/*.json");
/// let parents = sample.as_ref().map(|sample| sample.parents().collect::<Vec<_>>());
/// assert_eq!(parents, Some(vec!["posts"]));
/// assert!(Sample::new("comments", "comments.json").is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Sample {
    resource: String,
    pieces: Vec<PatternSegment>,
    /// The records that were requested.
    asked: BTreeSet<Vec<String>>,
    /// The requested records without a file.
    missing: BTreeSet<Vec<String>>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum PatternSegment {
    Text(String),
    /// The parent, and a field of its records.
    Field(String, String),
}

impl Sample {
    /// Parses a pattern of files. `None` if it has no field of a parent's record.
    #[must_use]
    pub fn new(resource: &str, pattern: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once("{resources.") {
            let (name, behind) = after.split_once('}')?;
            let (parent, field) = name.split_once('.')?;
            pieces.push(PatternSegment::Text(before.to_owned()));
            pieces.push(PatternSegment::Field(parent.to_owned(), field.to_owned()));
            rest = behind;
        }
        if pieces.is_empty() {
            return None;
        }
        pieces.push(PatternSegment::Text(rest.to_owned()));
        let (asked, missing) = (BTreeSet::new(), BTreeSet::new());
        Some(Self { resource: resource.to_owned(), pieces, asked, missing })
    }

    /// The name of the resource.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Returns the resources whose fields are in the names of files.
    pub fn parents(&self) -> impl Iterator<Item = &str> {
        self.fields().map(|(parent, _)| parent)
    }

    /// Returns the number of requested records, and of those without a file.
    #[must_use]
    pub fn found(&self) -> (usize, usize) {
        (self.asked.len(), self.missing.len())
    }

    /// Changes the resource's endpoint in a job so that its pages follow one another like the saved
    /// ones.
    pub fn prepare(&self, endpoint: &mut Map<String, Value>) {
        endpoint.insert("paginator".to_owned(), "header_link".into());
    }

    fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pieces.iter().filter_map(|piece| match piece {
            PatternSegment::Field(parent, field) => Some((parent.as_str(), field.as_str())),
            PatternSegment::Text(_) => None,
        })
    }

    /// Returns the requested page, if the request is for this resource.
    pub(crate) fn answer(
        &mut self,
        stores: &[Arc<dyn Store>],
        request: &Request,
    ) -> Option<Result<Response, Failure>> {
        if request.resource != self.resource {
            return None;
        }
        let record: Result<Vec<String>, Failure> =
            self.fields().map(|(parent, field)| value(request, parent, field)).collect();
        let record = match record {
            Ok(record) => record,
            Err(failure) => return Some(Err(failure)),
        };
        let page = match request.url.rsplit_once(PAGE) {
            Some((_, number)) => number.parse().unwrap_or(1),
            None => 1,
        };
        let answer = self.page(stores, &record, page).map_err(|e| failure(e.to_string()));
        self.asked.insert(record);
        Some(answer)
    }

    fn page(
        &mut self,
        stores: &[Arc<dyn Store>],
        record: &[String],
        page: usize,
    ) -> io::Result<Response> {
        let mut values = record.iter();
        let place: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                PatternSegment::Text(text) => text.clone(),
                PatternSegment::Field(..) => {
                    values.next().map_or_else(String::new, |value| part(value))
                }
            })
            .collect();
        let mut input = match Input::of_places(stores, &[place]) {
            Ok(input) => input,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.missing.insert(record.to_vec());
                return Ok(Response { status: 204, headers: Vec::new(), body: String::new() });
            }
            Err(e) => return Err(e),
        };
        let mut files = 0;
        let mut body = String::new();
        loop {
            // Pages before the requested one are not read; of later ones only the existence
            // matters.
            let skip = files > 0 && files != page;
            let pull = Pull {
                resource: self.resource.clone(),
                files: Vec::new(),
                content: Content::Text,
                skip,
                encoding: None,
            };
            match input.pull(&pull)? {
                Pulled::File(_) => files += 1,
                // Text has no columns.
                Pulled::Columns(_) => {}
                Pulled::Page(text) => body.push_str(&text),
                Pulled::End => break,
            }
            if files > page {
                break;
            }
        }
        if body.contains(MARK) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "expected a page in UTF-8, found other bytes",
            ));
        }
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        if files > page {
            headers.push(("link".to_owned(), format!("<{PAGE}{}>; rel=\"next\"", page + 1)));
        }
        Ok(Response { status: 200, headers, body })
    }
}

/// Returns a field of the parent's record that the request uses.
fn value(request: &Request, parent: &str, field: &str) -> Result<String, Failure> {
    let known = request.parent.iter().find(|(path, _)| path == field);
    known.map(|(_, value)| value.clone()).ok_or_else(|| {
        let known: Vec<&str> = request.parent.iter().map(|(path, _)| path.as_str()).collect();
        failure(format!(
            "expected {{resources.{parent}.{field}}} in the endpoint of {}, as in the name of its file, found {}",
            request.resource,
            if known.is_empty() { "no field of a parent".to_owned() } else { known.join(", ") }
        ))
    })
}

/// A value as a part of a file name.
fn part(value: &str) -> String {
    let text = value.replace(['/', '\\', '*', '?'], "_");
    if matches!(text.as_str(), "." | "..") { "_".repeat(text.len()) } else { text }
}

/// The responses in a transcript of another run.
///
/// ```
/// use snowcat_host::dry_run::samples::Answers;
///
/// assert!(Answers::new("{\"reply\":\"start\"}\n").is_ok());
/// assert!(Answers::new("id,name\n").is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Answers(BTreeMap<(String, String, Option<String>), Response>);

impl Answers {
    /// Reads a transcript. Of several answers to one request, the last response counts.
    ///
    /// # Errors
    /// The line that does not belong to a transcript.
    pub fn new(transcript: &str) -> Result<Self, String> {
        let mut answers = BTreeMap::new();
        let mut asked = Vec::new();
        for (number, line) in (1..).zip(transcript.lines()).filter(|(_, line)| !line.is_empty()) {
            let wrong = |why: String| format!("line {number}: {why}");
            let line: Value = serde_json::from_str(line).map_err(|e| wrong(e.to_string()))?;
            if let Some(requests) = line.pointer("/step/fetch") {
                asked = transcript::parse_requests(requests).map_err(wrong)?;
            } else if line.pointer("/reply/responses").is_some() {
                let Reply::Responses(responses) = transcript::parse_reply(&line).map_err(wrong)?
                else {
                    continue;
                };
                for (request, response) in asked.drain(..).zip(responses) {
                    if let Ok(response) = response {
                        answers.insert((request.method, request.url, request.body), response);
                    }
                }
            } else if ["step", "reply", "fault"].iter().all(|key| line.get(key).is_none()) {
                return Err(wrong(format!("expected a step or a reply, found {line}")));
            }
        }
        Ok(Self(answers))
    }

    pub(crate) fn answer(&self, request: &Request) -> Result<Response, Failure> {
        let key = (request.method.clone(), request.url.clone(), request.body.clone());
        match self.0.get(&key) {
            Some(response) => Ok(response.clone()),
            None => Err(failure(format!(
                "expected an answer in the transcript to {} {}, found none",
                request.method, request.url
            ))),
        }
    }
}

fn failure(message: String) -> Failure {
    Failure { code: String::new(), message, transient: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read() {
        let check = |pattern: &str, expected: Option<&[(&str, &str)]>| {
            let sample = Sample::new("comments", pattern);
            let fields: Option<Vec<(&str, &str)>> =
                sample.as_ref().map(|sample| sample.fields().collect());
            assert_eq!(fields.as_deref(), expected, "{pattern}");
        };
        check("comments.json", None);
        check("{id}.json", None);
        check("c/{resources.posts.id}/*.json", Some(&[("posts", "id")]));
        check(
            "{resources.posts.by.name}-{resources.posts.id}",
            Some(&[("posts", "by.name"), ("posts", "id")]),
        );
        check("{resources.posts.id", None);
        check("{resources.posts}", None);
    }

    #[test]
    fn fields_of_the_request_name_the_file() {
        let check = |parent: &[(&str, &str)], field: &str, expected: Result<&str, &str>| {
            let parent = parent.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let request = Request {
                resource: "comments".to_owned(),
                parent,
                method: "GET".to_owned(),
                url: "https://x/1".to_owned(),
                headers: Vec::new(),
                auth: None,
                body: None,
            };
            let found = value(&request, "posts", field).map_err(|it| it.message);
            assert_eq!(found.as_deref().map_err(String::as_str), expected);
        };
        check(&[("id", "7"), ("by.name", "a")], "by.name", Ok("a"));
        let start = "expected {resources.posts.slug} in the endpoint of comments, as in the name of its file, found ";
        check(&[("id", "7")], "slug", Err(&format!("{start}id")));
        check(&[], "slug", Err(&format!("{start}no field of a parent")));
    }

    #[test]
    fn values_are_one_segment_of_a_name() {
        let check = |value: &str, expected: &str| assert_eq!(part(value), expected);
        check("7", "7");
        check("octo/repo", "octo_repo");
        check("../x", ".._x");
        check("..", "__");
        check("a*?", "a__");
    }

    #[test]
    fn last_response_to_a_request_counts() {
        let text = [
            r#"{"reply":"start"}"#,
            r#"{"step":{"fetch":[{"auth":null,"body":null,"headers":[],"method":"GET","url":"https://x/1"},{"auth":null,"body":"{}","headers":[],"method":"POST","url":"https://x/2"}]}}"#,
            r#"{"reply":{"responses":[{"ok":{"body":"busy","headers":[],"status":503}},{"err":{"code":"","message":"no","transient":true}}]}}"#,
            r#"{"step":{"wait":{"reason":"503","seconds":1.0}}}"#,
            r#"{"reply":"done"}"#,
            r#"{"step":{"fetch":[{"auth":null,"body":null,"headers":[],"method":"GET","url":"https://x/1"}]}}"#,
            r#"{"reply":{"responses":[{"ok":{"body":"[1]","headers":[["a","b"]],"status":200}}]}}"#,
        ];
        let answers = Answers::new(&text.join("\n")).unwrap();
        let request = |method: &str, url: &str, body: Option<&str>| Request {
            resource: String::new(),
            parent: Vec::new(),
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            auth: None,
            body: body.map(str::to_owned),
        };
        let found = answers.answer(&request("GET", "https://x/1", None)).unwrap();
        assert_eq!((found.status, found.body.as_str()), (200, "[1]"));
        for other in
            [request("POST", "https://x/2", Some("{}")), request("POST", "https://x/1", None)]
        {
            let failure = answers.answer(&other).unwrap_err();
            assert!(failure.message.contains(&other.url) && !failure.transient, "{failure:?}");
        }
        for wrong in ["{", "{\"id\":1}", "{\"step\":{\"fetch\":7}}"] {
            assert!(Answers::new(wrong).unwrap_err().starts_with("line 1: "), "{wrong}");
        }
    }
}
