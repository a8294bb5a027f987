//! A stand-in for Jira Cloud: searches, and the lists that belong to an issue or a board.

mod api;
mod control;
mod jql;
mod lists;
mod site;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{Credential, Service, Setup, Standin, lock};

pub use self::site::{Brief, Site};

/// What is in it, and who may ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many issues there are.
    pub issues: u64,
    /// The seed of the issues.
    pub seed: u64,
    /// Who may ask.
    pub user: String,
    /// The secret that proves it.
    pub token: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            issues: 250,
            seed: 42,
            user: "loader@example.org".to_owned(),
            token: "stand-in-token".to_owned(),
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
    /// Fills it.
    pub fn new(options: &Options) -> Self {
        let credential = STANDARD.encode(format!("{}:{}", options.user, options.token));
        Self {
            authorization: format!("Basic {credential}"),
            site: Mutex::new(Site::new(options.seed, options.issues)),
        }
    }

    /// Starts a stand-in for it.
    ///
    /// # Errors
    ///
    /// When the port cannot be had.
    pub fn start(self: &Arc<Self>, setup: Setup) -> io::Result<Standin> {
        Standin::start(setup, Arc::<Self>::clone(self))
    }

    /// The data behind it. No request is answered while the guard is held.
    pub fn site(&self) -> MutexGuard<'_, Site> {
        lock(&self.site)
    }
}

impl Service for Jira {
    fn credential(&self, request: &Request) -> Credential {
        request.proves(&self.authorization)
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        api::answer(request, self, origin)
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let response = refusal(status, message);
        if status == 401 {
            return response
                .with("www-authenticate", "OAuth realm=\"stand-in\"")
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

/// A refusal as Jira words it.
fn refusal(status: u16, message: &str) -> Response {
    Response::value(status, &json!({ "errorMessages": [message], "errors": {} }))
}
