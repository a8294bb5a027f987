//! The supported addresses of Jira's REST API.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::http::{Request, Response};
use super::jql::Query;
use super::site::Issue;
use super::{Jira, lists, refusal};
use crate::generators::jira::user;
use crate::generators::zone_name;

/// The maximum number of issues with fields in one answer.
const PAGE_LIMIT: usize = 100;
/// The maximum number of issues if only ids are requested.
const ID_LIMIT: usize = 5000;
const DEFAULT_PAGE: usize = 50;

/// Answers a request whose credential was accepted.
pub(super) fn answer(request: &Request, jira: &Jira, origin: &str) -> Response {
    let path = request.path.split('/').skip(1).collect::<Vec<_>>();
    let answer = match (request.method.as_str(), path.as_slice()) {
        ("GET", ["rest", "api", "3", "search", "jql"]) => {
            Search::from_query(request).and_then(|search| search.run(jira))
        }
        ("POST", ["rest", "api", "3", "search", "jql"]) => {
            Search::from_body(request).and_then(|search| search.run(jira))
        }
        ("GET", ["rest", "api", "3", "myself"]) => Ok(myself()),
        (_, ["rest", "api", "3", "search"]) => Err(refusal(
            410,
            "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.",
        )),
        ("GET", path) => lists::answer(request, path, jira, origin),
        _ => Err(refusal(405, "Method Not Allowed")),
    };
    answer.unwrap_or_else(|refusal| refusal)
}

/// The parameters of a search.
struct Search {
    jql: String,
    token: Option<String>,
    count: String,
    fields: Vec<String>,
    changelog: bool,
}

impl Search {
    fn from_query(request: &Request) -> Result<Self, Response> {
        let list = |name: &str| {
            request
                .query
                .iter()
                .filter(|(found, _)| found == name)
                .flat_map(|(_, value)| value.split(','))
                .map(|part| part.trim().to_owned())
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
        };
        Ok(Self {
            jql: request.parameter("jql").unwrap_or_default().to_owned(),
            token: request.parameter("nextPageToken").map(str::to_owned),
            count: request.parameter("maxResults").unwrap_or_default().to_owned(),
            fields: list("fields"),
            changelog: list("expand").iter().any(|part| part == "changelog"),
        })
    }

    fn from_body(request: &Request) -> Result<Self, Response> {
        let body = serde_json::from_slice::<Value>(&request.body).map_err(|_| {
            refusal(
                400,
                "Invalid request payload. Refer to the REST API documentation and try again.",
            )
        })?;
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let fields = body["fields"].as_array().into_iter().flatten();
        Ok(Self {
            jql: text("jql").unwrap_or_default(),
            token: text("nextPageToken"),
            count: body["maxResults"].as_u64().map(|count| count.to_string()).unwrap_or_default(),
            fields: fields.filter_map(|field| field.as_str().map(str::to_owned)).collect(),
            changelog: text("expand")
                .is_some_and(|parts| parts.split(',').any(|part| part == "changelog")),
        })
    }

    fn run(&self, jira: &Jira) -> Result<Response, Response> {
        let query = Query::parse(&self.jql).map_err(|message| refusal(400, &message))?;
        let only_ids = self.fields.iter().all(|field| field == "id" || field == "key");
        let asked =
            if self.count.is_empty() { DEFAULT_PAGE } else { self.count.parse().unwrap_or(0) };
        if !(1..=ID_LIMIT).contains(&asked) {
            return Err(refusal(400, "The max results parameter has to be between 1 and 5,000."));
        }
        let count = if only_ids { asked } else { asked.min(PAGE_LIMIT) };
        let after = self.token.as_deref().map(|token| place(token, &self.jql)).transpose()?;
        // The texts and the page are made without holding the lock.
        let page = jira.site().search(&query, after.as_deref(), count);
        let selection = Selection::new(&self.fields);
        let mut body = b"{\"issues\":[".to_vec();
        for (at, issue) in page.issues.iter().enumerate() {
            if at > 0 {
                body.push(b',');
            }
            self.write_issue(issue, &selection, &mut body);
        }
        body.push(b']');
        if let Some(next) = &page.next {
            body.extend_from_slice(
                format!(",\"nextPageToken\":\"{}\"", token(next, &self.jql)).as_bytes(),
            );
        }
        body.extend_from_slice(format!(",\"isLast\":{}}}", page.next.is_none()).as_bytes());
        Ok(Response::json(200, body))
    }

    fn write_issue(&self, issue: &Arc<Issue>, selection: &Selection, body: &mut Vec<u8>) {
        if matches!(selection, Selection::Ids) && !self.changelog && self.fields.is_empty() {
            body.extend_from_slice(format!("{{\"id\":\"{}\"}}", issue.id()).as_bytes());
            return;
        }
        let texts = issue.texts();
        body.extend_from_slice(texts.head.as_bytes());
        if self.changelog {
            body.extend_from_slice(b",\"changelog\":");
            body.extend_from_slice(texts.changelog.as_bytes());
        }
        match selection {
            Selection::All => {
                body.extend_from_slice(b",\"fields\":");
                body.extend_from_slice(texts.fields.as_bytes());
            }
            Selection::Ids => {}
            Selection::Some { .. } => {
                let mut fields = issue.document()["fields"].take();
                if let Some(fields) = fields.as_object_mut() {
                    fields.retain(|name, _| selection.holds(name));
                }
                body.extend_from_slice(b",\"fields\":");
                body.extend_from_slice(fields.to_string().as_bytes());
            }
        }
        body.push(b'}');
    }
}

/// The requested fields.
enum Selection {
    All,
    Ids,
    Some { named: BTreeSet<String>, without: BTreeSet<String>, others: bool },
}

impl Selection {
    fn new(fields: &[String]) -> Self {
        let all = fields.iter().any(|field| field == "*all");
        let navigable = fields.iter().any(|field| field == "*navigable");
        let mut without = BTreeSet::new();
        let mut named = BTreeSet::new();
        for field in fields {
            match field.strip_prefix('-') {
                Some(field) => without.insert(field.to_owned()),
                None if field.starts_with('*') || field == "id" || field == "key" => false,
                None => named.insert(field.clone()),
            };
        }
        if navigable && !all {
            without.extend(["comment", "worklog"].map(str::to_owned));
        }
        match (all || navigable, without.is_empty() && named.is_empty()) {
            (true, _) if without.is_empty() => Self::All,
            (false, true) => Self::Ids,
            (others, _) => Self::Some { others: others || named.is_empty(), named, without },
        }
    }

    fn holds(&self, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::Ids => false,
            Self::Some { named, without, others } => {
                named.contains(field) || (*others && !without.contains(field))
            }
        }
    }
}

/// A token for the start of a page, opaque to clients.
fn token(place: &[i64], jql: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!([place, jql]).to_string())
}

/// A token is valid for its query only.
fn place(token: &str, jql: &str) -> Result<Vec<i64>, Response> {
    let refused = || refusal(400, "The provided next page token is invalid or expired.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| refused())?;
    let found = serde_json::from_slice::<Value>(&bytes).map_err(|_| refused())?;
    if found[1] != jql {
        return Err(refused());
    }
    let place = found[0].as_array().ok_or_else(refused)?;
    place.iter().map(|value| value.as_i64().ok_or_else(refused)).collect()
}

/// The account of the client, with the time zone in which its queries are interpreted.
fn myself() -> Response {
    let mut me = user(0);
    me["timeZone"] = zone_name().into();
    Response::value(200, &me)
}
