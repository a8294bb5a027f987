//! A fake of PagerDuty's REST API, version 2: lists with `offset`, `limit`, `more` and, on request,
//! `total`.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, table};
use super::{Service, lock};
use crate::generators::pagerduty::Account;
use crate::generators::parse_time;

/// The maximum of offset plus limit.
const DEEPEST: usize = 10_000;
/// The longest range of time that may be requested, in milliseconds.
const RANGE: i64 = 180 * 86_400_000;

/// Its entry in the table of fakes.
pub(super) const FAKE: Fake = Fake {
    name: "pagerduty",
    about: "PagerDuty; the size is its number of incidents",
    size: 60,
    secret: "Token token=fake-token",
    settings: &[("since", "2025-06-01T00:00:00Z")],
    make: |options| Arc::new(PagerDuty::new(options)),
    // Offsets with a total.
    trials: &[
        Trial {
            name: "incidents and their notes",
            job: "pagerduty",
            size: 7,
            seed: 42,
            selected: &["incidents", "incident_notes"],
            shrink,
        },
        Trial {
            name: "everything else",
            job: "pagerduty",
            size: 5,
            seed: 42,
            selected: &["users", "teams", "services", "log_entries"],
            shrink,
        },
    ],
};

fn shrink(job: &mut Value) {
    job["client"]["paginator"]["limit"] = 3.into();
}

/// The service.
#[derive(Debug)]
struct PagerDuty {
    authorization: String,
    account: Mutex<Account>,
}

impl Service for PagerDuty {
    fn authorization(&self) -> Option<String> {
        Some(self.authorization.clone())
    }

    fn answer(&self, request: &Request, _: &str) -> Response {
        self.list(request).unwrap_or_else(|refusal| refusal)
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let (message, code) = match status {
            401 => ("Unauthorized", 2006),
            404 => ("Not Found", 2100),
            429 => ("Rate Limit Exceeded", 2020),
            _ => (message, 2001),
        };
        Response::value(status, &json!({ "error": { "message": message, "code": code } }))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("ratelimit-limit", "960".to_owned()),
            ("ratelimit-remaining", "959".to_owned()),
            ("ratelimit-reset", "60".to_owned()),
        ]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        let mut account = lock(&self.account);
        Some(Ok(match (request.method.as_str(), name) {
            ("POST", "advance") => account.advance(),
            ("GET", "tables") => {
                let named = [("ID", "id"), ("NAME", "name")];
                let notes = account.notes.iter();
                let notes = notes.map(|(of, note)| json!({ "incident": of, "note": note }));
                let note =
                    [("_INCIDENTS_ID", "incident"), ("ID", "note.id"), ("CONTENT", "note.content")];
                json!({
                    "INCIDENTS": table(&account.incidents, &[("ID", "id"), ("STATUS", "status"), ("TITLE", "title")]),
                    "INCIDENT_NOTES": table(&notes.collect::<Vec<_>>(), &note),
                    "LOG_ENTRIES": table(&account.log_entries, &[("ID", "id"), ("TYPE", "type")]),
                    "USERS": table(&account.users, &named),
                    "TEAMS": table(&account.teams, &named),
                    "SERVICES": table(&account.services, &named),
                })
            }
            ("GET", "users") => account.users.clone().into(),
            ("GET", "teams") => account.teams.clone().into(),
            ("GET", "services") => account.services.clone().into(),
            ("GET", "incidents") => account.incidents.clone().into(),
            ("GET", "log_entries") => account.log_entries.clone().into(),
            ("GET", "notes") => account
                .notes
                .iter()
                .map(|(of, note)| json!({ "incident": of, "note": note }))
                .collect(),
            _ => return None,
        }))
    }
}

impl PagerDuty {
    fn new(options: &Options) -> Self {
        let account = Mutex::new(Account::new(options.seed, options.size));
        Self { authorization: options.secret.clone(), account }
    }

    fn list(&self, request: &Request) -> Result<Response, Response> {
        let account = lock(&self.account);
        if request.method != "GET" {
            return Err(self.refusal(404, ""));
        }
        match request.path.trim_start_matches('/') {
            "users" => self.page(request, "users", &account.users),
            "teams" => self.page(request, "teams", &account.teams),
            "services" => self.page(request, "services", &account.services),
            "incidents" => {
                let incidents = self.range(request, &account.incidents)?;
                self.page(request, "incidents", &incidents)
            }
            "log_entries" => {
                let mut entries = self.range(request, &account.log_entries)?;
                // In reverse order of time.
                entries.reverse();
                self.page(request, "log_entries", &entries)
            }
            path => {
                let incident = path
                    .strip_prefix("incidents/")
                    .and_then(|rest| rest.strip_suffix("/notes"))
                    .filter(|id| account.incidents.iter().any(|incident| incident["id"] == **id))
                    .ok_or_else(|| self.refusal(404, ""))?;
                let notes = account.notes.iter().filter(|(of, _)| of == incident);
                let notes = notes.map(|(_, note)| note.clone()).collect::<Vec<_>>();
                Ok(Response::value(200, &json!({ "notes": notes })))
            }
        }
    }

    /// The items created in the requested range of time.
    fn range(&self, request: &Request, items: &[Value]) -> Result<Vec<Value>, Response> {
        let instant = |name: &str| {
            let text = request.parameter(name).filter(|text| !text.is_empty());
            let wrong = |_| self.invalid(&format!("{name} is not a valid date."));
            text.map(|text| parse_time(text).map_err(wrong)).transpose()
        };
        let (mut since, mut until) = (instant("since")?, instant("until")?);
        if request.parameter("date_range") == Some("all") {
            (since, until) = (None, None);
        }
        if let (Some(since), Some(until)) = (since, until)
            && until - since > RANGE
        {
            return Err(self.invalid("The range of time is longer than 6 months."));
        }
        let sorted = request.parameter("sort_by").is_none_or(|by| by == "created_at:asc");
        if !sorted {
            return Err(self.invalid("sort_by is not known."));
        }
        let at = |item: &Value| item["created_at"].as_str().and_then(|at| parse_time(at).ok());
        Ok(items
            .iter()
            .filter(|item| since.is_none_or(|since| at(item) >= Some(since)))
            .filter(|item| until.is_none_or(|until| at(item) < Some(until)))
            .cloned()
            .collect())
    }

    fn page(&self, request: &Request, key: &str, items: &[Value]) -> Result<Response, Response> {
        let number =
            |name, default| request.number(name, default).map_err(|text| self.invalid(&text));
        let (limit, offset) = (number("limit", 25)?, number("offset", 0)?);
        if !(1..=100).contains(&limit) {
            return Err(self.invalid("Limit must be between 1 and 100."));
        }
        if offset.saturating_add(limit) > DEEPEST {
            return Err(self.invalid("Offset must be less than 10000."));
        }
        let shown = items.iter().skip(offset).take(limit).cloned().collect::<Vec<_>>();
        let total = request.parameter("total") == Some("true");
        let mut page = json!({
            "limit": limit,
            "offset": offset,
            "total": total.then_some(items.len()),
            "more": offset.saturating_add(limit) < items.len(),
        });
        page[key] = shown.into();
        Ok(Response::value(200, &page))
    }

    fn invalid(&self, why: &str) -> Response {
        let body = json!({
            "error": { "message": "Invalid Input Provided", "code": 2001, "errors": [why] },
        });
        Response::value(400, &body)
    }
}
