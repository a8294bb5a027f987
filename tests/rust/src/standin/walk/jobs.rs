//! The jobs that are walked through, with pages so small that there are several.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::Walk;
use crate::standin::http::{Request, Response};
use crate::standin::{Credential, Service, github, graph, jira, lock, pagerduty};

pub(super) const OF_ISSUES: &[&str] =
    &["issues", "changed_issues", "issue_changelogs", "issue_comments", "issue_worklogs"];
pub(super) const OF_BOARDS: &[&str] = &["projects", "boards", "sprints"];

/// Some resources of Jira: pages by a token, by `startAt` with and without a total, children of issues
/// and of boards.
pub(super) fn jira(selected: &[&str]) -> Walk {
    // With this seed one changelog of three is longer than what a search gives.
    let options = jira::Options { issues: 3, seed: 107, ..jira::Options::default() };
    let mut job = job(include_str!("../../../../../procedures/jobs/jira_all.json"));
    job["selected"] = json!(selected);
    let usual = job["resource_defaults"]["endpoint"]["paginator"].clone();
    for (resource, size) in
        [("boards", 4), ("sprints", 20), ("issue_changelogs", 30), ("projects", 5)]
    {
        let known = job["resources"].as_array_mut().unwrap();
        let known = known.iter_mut().find(|known| known["name"] == resource).unwrap();
        let paginator = &mut known["endpoint"]["paginator"];
        if paginator.is_null() {
            *paginator = usual.clone();
        }
        paginator["limit"] = size.into();
    }
    for resource in job["resources"].as_array_mut().unwrap() {
        let params = &mut resource["endpoint"]["params"];
        if params["fields"] == "*all" {
            // An issue has hundreds of fields, and there are hundreds of runs.
            params["fields"] = "summary,updated,project,labels,customfield_10020".into();
            params["expand"] = "".into();
        }
        if let Some(size) = params.get_mut("maxResults") {
            *size = 1.into();
        }
    }
    // loader@example.org:stand-in-token
    let authorization = "Basic bG9hZGVyQGV4YW1wbGUub3JnOnN0YW5kLWluLXRva2Vu";
    Walk::new(job, move || Kept::of(jira::Jira::new(&options)), Some(authorization))
}

/// Microsoft Graph: a token that is given out, links to the next page, a child.
pub(super) fn graph() -> Walk {
    let options = graph::Options { users: 7, ..graph::Options::default() };
    let mut job = job(include_str!("../../../../../procedures/jobs/graph.json"));
    for resource in job["resources"].as_array_mut().unwrap() {
        let size = if resource["name"] == "sign_ins" { 5 } else { 3 };
        resource["endpoint"]["params"]["$top"] = size.into();
    }
    Walk::new(job, move || Kept::of(graph::Graph::new(&options)), None)
}

/// PagerDuty: offsets with a total.
pub(super) fn pagerduty() -> Walk {
    let options = pagerduty::Options { incidents: 5, ..pagerduty::Options::default() };
    let mut job = job(include_str!("../../../../../procedures/jobs/pagerduty.json"));
    job["client"]["paginator"]["limit"] = 3.into();
    let authorization = Some("Token token=stand-in-token");
    Walk::new(job, move || Kept::of(pagerduty::PagerDuty::new(&options)), authorization)
}

/// GitHub: links in a header.
pub(super) fn github() -> Walk {
    let options = github::Options { issues: 5, ..github::Options::default() };
    let mut job = job(include_str!("../../../../../procedures/jobs/github.json"));
    job["resource_defaults"]["endpoint"]["params"]["per_page"] = 3.into();
    job["selected"] = json!(["issues", "comments", "stargazers"]);
    let authorization = Some("Bearer stand-in-token");
    Walk::new(job, move || Kept::of(github::GitHub::new(&options)), authorization)
}

fn job(text: &str) -> Value {
    let settings = [
        ("jira_subdomain", "example-team"),
        ("owner", "octo-org"),
        ("repository", "octo-repo"),
        ("since", "2025-06-01T00:00:00Z"),
        ("tenant", "contoso"),
    ];
    let fill = |text: String, (name, value): &(&str, &str)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    };
    serde_json::from_str(&settings.iter().fold(text.to_owned(), fill)).unwrap()
}

/// A service whose data stay as they are: hundreds of runs ask for the same, which takes a while to make.
#[derive(Debug)]
struct Kept<S> {
    service: S,
    /// By path and query.
    answers: Mutex<BTreeMap<String, Response>>,
}

impl<S: Service + 'static> Kept<S> {
    fn of(service: S) -> Arc<dyn Service> {
        Arc::new(Self { service, answers: Mutex::default() })
    }
}

impl<S: Service> Service for Kept<S> {
    fn credential(&self, request: &Request) -> Credential {
        self.service.credential(request)
    }

    fn is_open(&self, request: &Request) -> bool {
        self.service.is_open(request)
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        if request.method != "GET" {
            return self.service.answer(request, origin);
        }
        let key = format!("{}?{:?}", request.path, request.query);
        let make = || self.service.answer(request, origin);
        lock(&self.answers).entry(key).or_insert_with(make).clone()
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        self.service.refusal(status, message)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        self.service.headers()
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        self.service.control(request, name)
    }
}
