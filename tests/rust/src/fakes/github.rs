//! A fake of GitHub's REST API: the lists of one repository.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, table};
use super::{Credential, Service, lock};
use crate::generators::github::Repository;
use crate::generators::parse_time;

const LIMIT: u64 = 5000;
const STARS: &str = "application/vnd.github.star+json";

/// Its entry in the table of fakes.
pub(super) const FAKE: Fake = Fake {
    name: "github",
    about: "GitHub, a repository; the size is its number of issues, pull requests among them",
    size: 60,
    secret: "fake-token",
    settings: &[("owner", "octo-org"), ("repository", "octo-repo")],
    make: |options| Arc::new(GitHub::new(options)),
    // Links in a header.
    trials: &[Trial {
        name: "issues, comments and stars",
        job: "github",
        size: 5,
        seed: 42,
        selected: &["issues", "comments", "stargazers"],
        shrink: |job| job["resource_defaults"]["endpoint"]["params"]["per_page"] = 3.into(),
    }],
};

const REPOSITORY: &str = "octo-org/octo-repo";

/// The service.
#[derive(Debug)]
struct GitHub {
    token: String,
    repository: Mutex<Repository>,
    used: AtomicU64,
}

impl Service for GitHub {
    fn credential(&self, request: &Request) -> Credential {
        match request.proves(&format!("Bearer {}", self.token)) {
            // The older form is accepted, too.
            Credential::Wrong => request.proves(&format!("token {}", self.token)),
            proven => proven,
        }
    }

    fn authorization(&self) -> Option<String> {
        Some(format!("Bearer {}", self.token))
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        if request.header("user-agent").is_none() {
            return self.refusal(
                403,
                "Request forbidden by administrative rules. Please make sure your request has a \
                 User-Agent header.",
            );
        }
        self.list(request, origin).unwrap_or_else(|refusal| refusal)
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let message = if status == 401 { "Bad credentials" } else { message };
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Response::value(status, &body)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let used = self.used.fetch_add(1, Ordering::Relaxed) + 1;
        vec![
            ("x-ratelimit-limit", LIMIT.to_string()),
            ("x-ratelimit-remaining", LIMIT.saturating_sub(used).to_string()),
            ("x-ratelimit-used", used.to_string()),
            ("x-ratelimit-resource", "core".to_owned()),
            ("x-github-media-type", "github.v3; format=json".to_owned()),
            ("x-github-request-id", format!("0A0A:{used:04X}")),
        ]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        let mut repository = lock(&self.repository);
        Some(Ok(match (request.method.as_str(), name) {
            ("POST", "advance") => repository.advance(),
            ("GET", "issues") => repository.issues.clone().into(),
            ("GET", "pulls") => repository.pulls.clone().into(),
            ("GET", "comments") => repository.comments.clone().into(),
            ("GET", "events") => repository.events.clone().into(),
            ("GET", "stargazers") => repository.stargazers.clone().into(),
            ("GET", "commits") => repository.commits.clone().into(),
            ("GET", "tables") => json!({
                "ISSUES": table(&repository.issues, &[("ID", "id"), ("STATE", "state"), ("TITLE", "title")]),
                "PULL_REQUESTS": table(&repository.pulls, &[("ID", "id"), ("STATE", "state"), ("HEAD__SHA", "head.sha")]),
                "COMMENTS": table(&repository.comments, &[("ID", "id"), ("BODY", "body")]),
                "ISSUE_EVENTS": table(&repository.events, &[("ID", "id"), ("EVENT", "event")]),
                "STARGAZERS": table(&repository.stargazers, &[("USER__ID", "user.id")]),
                "COMMITS": table(&repository.commits, &[("SHA", "sha"), ("COMMIT__MESSAGE", "commit.message")]),
            }),
            _ => return None,
        }))
    }
}

impl GitHub {
    fn new(options: &Options) -> Self {
        let repository = Repository::new(options.seed, REPOSITORY, options.size);
        Self {
            token: options.secret.clone(),
            repository: Mutex::new(repository),
            used: AtomicU64::new(0),
        }
    }

    fn list(&self, request: &Request, origin: &str) -> Result<Response, Response> {
        let not_found = || self.refusal(404, "Not Found");
        let repository = lock(&self.repository);
        let path = request.path.strip_prefix("/repos/").ok_or_else(not_found)?;
        let list = path.strip_prefix(&repository.full_name).ok_or_else(not_found)?;
        if request.method != "GET" {
            return Err(not_found());
        }
        let items = match list {
            "/issues" => self.changed(request, &repository.issues, true)?,
            "/pulls" => self.changed(request, &repository.pulls, false)?,
            "/issues/comments" => self.changed(request, &repository.comments, true)?,
            // In reverse order of time, without any parameters.
            "/issues/events" => {
                let mut events = repository.events.clone();
                events.reverse();
                events
            }
            "/stargazers" => {
                let dated = request.header("accept").is_some_and(|accept| accept.contains(STARS));
                let stars = repository.stargazers.iter();
                stars.map(|star| if dated { star.clone() } else { star["user"].clone() }).collect()
            }
            "/commits" => self.commits(request, &repository.commits)?,
            _ => return Err(not_found()),
        };
        self.page(request, origin, &items)
    }

    /// Issues, pull requests or comments by state and time of change, in the requested order.
    fn changed(
        &self,
        request: &Request,
        items: &[Value],
        since: bool,
    ) -> Result<Vec<Value>, Response> {
        let of_issues = items.first().is_none_or(|item| item["state"].is_string());
        let state = request.parameter("state").unwrap_or("open");
        if !["open", "closed", "all"].contains(&state) {
            return Err(self.invalid("state"));
        }
        let since = if since { self.since(request)? } else { None };
        let sort = match request.parameter("sort").unwrap_or("created") {
            "created" => "created_at",
            "updated" => "updated_at",
            _ => return Err(self.invalid("sort")),
        };
        let descending = match request.parameter("direction") {
            Some("asc") => false,
            Some("desc") => true,
            // Comments are in their own order unless another is requested.
            None => of_issues || request.parameter("sort").is_some(),
            Some(_) => return Err(self.invalid("direction")),
        };
        let mut found = items
            .iter()
            .filter(|item| !of_issues || state == "all" || item["state"] == state)
            .filter(|item| since.is_none_or(|since| time(&item["updated_at"]) >= since))
            .cloned()
            .collect::<Vec<_>>();
        found.sort_by_key(|item| (time(&item[sort]), item["id"].as_i64()));
        if descending {
            found.reverse();
        }
        Ok(found)
    }

    /// In reverse order of time.
    fn commits(&self, request: &Request, commits: &[Value]) -> Result<Vec<Value>, Response> {
        let since = self.since(request)?;
        let date = |commit: &Value| time(&commit["commit"]["committer"]["date"]);
        let newest = commits.iter().rev();
        Ok(newest
            .filter(|commit| since.is_none_or(|since| date(commit) >= since))
            .cloned()
            .collect())
    }

    fn since(&self, request: &Request) -> Result<Option<i64>, Response> {
        let since = request.parameter("since").filter(|since| !since.is_empty());
        since.map(|since| parse_time(since).map_err(|_| self.invalid("since"))).transpose()
    }

    fn invalid(&self, field: &str) -> Response {
        let body = json!({
            "message": "Validation Failed",
            "errors": [{ "resource": "Issue", "field": field, "code": "invalid" }],
            "documentation_url": "https://docs.github.com/rest",
            "status": "422",
        });
        Response::value(422, &body)
    }

    fn page(&self, request: &Request, origin: &str, items: &[Value]) -> Result<Response, Response> {
        let number =
            |name, default| request.number(name, default).map_err(|text| self.refusal(400, &text));
        let size = number("per_page", 30)?.clamp(1, 100);
        let page = number("page", 1)?.max(1);
        let last = items.len().div_ceil(size).max(1);
        let shown = items.iter().skip((page - 1).saturating_mul(size)).take(size);
        let response = Response::value(200, &shown.cloned().collect());
        let at = |page: usize, rel: &str| {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(request.query.iter().filter(|(name, _)| name != "page"));
            query.append_pair("page", &page.to_string());
            format!("<{origin}{}?{}>; rel=\"{rel}\"", request.path, query.finish())
        };
        let mut links = Vec::new();
        if page > 1 {
            links.push(at(page - 1, "prev"));
        }
        if page < last {
            links.extend([at(page + 1, "next"), at(last, "last")]);
        }
        if page > 1 {
            links.push(at(1, "first"));
        }
        Ok(if links.is_empty() { response } else { response.with("link", links.join(", ")) })
    }
}

/// The milliseconds of an instant in GitHub's format.
fn time(value: &Value) -> i64 {
    value.as_str().and_then(|text| parse_time(text).ok()).unwrap_or_default()
}
