//! A fake of Jira Cloud: searches, and the lists that belong to an issue or a board.

mod api;
mod control;
mod jql;
mod lists;
mod site;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, basic};
use super::{FakeServer, Service, Setup, lock};

pub use self::site::{Brief, Site};

/// Its entry in the table of fakes.
pub(super) const FAKE: Fake = Fake {
    name: "jira",
    about: "Jira Cloud; the size is its number of issues",
    size: 250,
    secret: "loader@example.org:fake-token",
    settings: &[("jira_subdomain", "example-team")],
    make: |options| Arc::new(Jira::new(options)),
    trials: &[
        Trial {
            name: "issues",
            job: "jira_all",
            size: 3,
            // With this seed, one changelog of three is longer than in a search.
            seed: 107,
            selected: &[
                "issues",
                "changed_issues",
                "issue_changelogs",
                "issue_comments",
                "issue_worklogs",
            ],
            shrink,
        },
        Trial {
            name: "boards",
            job: "jira_all",
            size: 3,
            seed: 107,
            selected: &["projects", "boards", "sprints"],
            shrink,
        },
    ],
};

/// Pages by a token, by `startAt` with and without a total, and of lists of issues and boards; with
/// few of an issue's hundreds of fields.
fn shrink(job: &mut Value) {
    let usual = job["resource_defaults"]["endpoint"]["paginator"].clone();
    for resource in job["resources"].as_array_mut().into_iter().flatten() {
        let size = match resource["name"].as_str() {
            Some("boards") => 4,
            Some("sprints") => 20,
            Some("issue_changelogs") => 30,
            Some("projects") => 5,
            _ => 0,
        };
        if size > 0 {
            let paginator = &mut resource["endpoint"]["paginator"];
            if paginator.is_null() {
                *paginator = usual.clone();
            }
            paginator["limit"] = size.into();
        }
        let params = &mut resource["endpoint"]["params"];
        if params["fields"] == "*all" {
            params["fields"] = "summary,updated,project,labels,customfield_10020".into();
            params["expand"] = "".into();
        }
        if let Some(size) = params.get_mut("maxResults") {
            *size = 1.into();
        }
    }
}

/// The service.
#[derive(Debug)]
pub struct Jira {
    authorization: String,
    site: Mutex<Site>,
}

impl Jira {
    /// Generates the data.
    pub fn new(options: &Options) -> Self {
        Self {
            authorization: basic(&options.secret),
            site: Mutex::new(Site::new(options.seed, options.size)),
        }
    }

    /// Starts a server for it.
    ///
    /// # Errors
    ///
    /// If the port cannot be bound.
    pub fn start(self: &Arc<Self>, setup: Setup) -> io::Result<FakeServer> {
        FakeServer::start(setup, Arc::<Self>::clone(self))
    }

    /// The data of the fake. No request is answered while the guard is held.
    pub fn site(&self) -> MutexGuard<'_, Site> {
        lock(&self.site)
    }
}

impl Service for Jira {
    fn authorization(&self) -> Option<String> {
        Some(self.authorization.clone())
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        api::answer(request, self, origin)
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let response = refusal(status, message);
        if status == 401 {
            return response
                .with("www-authenticate", "OAuth realm=\"fake\"")
                .with("x-seraph-loginreason", "AUTHENTICATED_FAILED");
        }
        response
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("x-arequestid", "5ca1ab1e".to_owned()),
            ("set-cookie", "atlassian.xsrf.token=not-for-loads; Path=/; Secure".to_owned()),
        ]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        control::answer(self, request, name)
    }
}

/// An error in Jira's form.
fn refusal(status: u16, message: &str) -> Response {
    Response::value(status, &json!({ "errorMessages": [message], "errors": {} }))
}
