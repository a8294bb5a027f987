//! The jobs that are walked through, with pages so small that there are several.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Walk;
use crate::standin::{github, graph, jira, pagerduty};

pub(super) const OF_ISSUES: &[&str] =
    &["issues", "changed_issues", "issue_changelogs", "issue_comments", "issue_worklogs"];
pub(super) const OF_BOARDS: &[&str] = &["projects", "boards", "sprints"];

/// Some resources of Jira: pages by a token, by `startAt` with and without a total, children of issues
/// and of boards.
pub(super) fn jira(selected: &[&str]) -> Walk {
    // With this seed one changelog of three is longer than what a search gives.
    let options = jira::Options { issues: 3, seed: 107, ..jira::Options::default() };
    let mut job = job(include_str!("../../../../procedures/jobs/jira_all.json"));
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
    Walk::new(job, move || Arc::new(jira::Jira::new(&options)), Some(authorization))
}

/// Microsoft Graph: a token that is given out, links to the next page, a child.
pub(super) fn graph() -> Walk {
    let options = graph::Options { users: 7, ..graph::Options::default() };
    let mut job = job(include_str!("../../../../procedures/jobs/graph.json"));
    for resource in job["resources"].as_array_mut().unwrap() {
        let size = if resource["name"] == "sign_ins" { 5 } else { 3 };
        resource["endpoint"]["params"]["$top"] = size.into();
    }
    Walk::new(job, move || Arc::new(graph::Graph::new(&options)), None)
}

/// PagerDuty: offsets with a total.
pub(super) fn pagerduty() -> Walk {
    let options = pagerduty::Options { incidents: 5, ..pagerduty::Options::default() };
    let mut job = job(include_str!("../../../../procedures/jobs/pagerduty.json"));
    job["client"]["paginator"]["limit"] = 3.into();
    let authorization = Some("Token token=stand-in-token");
    Walk::new(job, move || Arc::new(pagerduty::PagerDuty::new(&options)), authorization)
}

/// GitHub: links in a header.
pub(super) fn github() -> Walk {
    let options = github::Options { issues: 5, ..github::Options::default() };
    let mut job = job(include_str!("../../../../procedures/jobs/github.json"));
    job["resource_defaults"]["endpoint"]["params"]["per_page"] = 3.into();
    job["selected"] = json!(["issues", "comments", "stargazers"]);
    let authorization = Some("Bearer stand-in-token");
    Walk::new(job, move || Arc::new(github::GitHub::new(&options)), authorization)
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
