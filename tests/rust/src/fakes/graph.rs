//! A fake of Microsoft Graph and its token service: OAuth2 client credentials, pages with
//! `@odata.nextLink`, and the members of each group.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::control::parse;
use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, table};
use super::{Credential, Service, lock};
use crate::generators::graph::Directory;
use crate::generators::parse_time;

/// Its entry in the table of fakes.
pub(super) const FAKE: Fake = Fake {
    name: "graph",
    about: "Microsoft Graph, and what gives out its tokens; the size is its number of users",
    size: 30,
    secret: "fake-client:fake-secret",
    settings: &[("tenant", "contoso")],
    make: |options| Arc::new(Graph::new(options)),
    // A token that must be fetched, links to the next page, and a child resource.
    trials: &[Trial {
        name: "everything",
        job: "graph",
        size: 7,
        seed: 42,
        selected: &["users", "groups", "group_members", "sign_ins"],
        shrink,
    }],
};

/// The tenant, which is in the address of the token service.
const TENANT: &str = "contoso";

fn shrink(job: &mut Value) {
    for resource in job["resources"].as_array_mut().into_iter().flatten() {
        let size = if resource["name"] == "sign_ins" { 5 } else { 3 };
        resource["endpoint"]["params"]["$top"] = size.into();
    }
}

/// The service.
#[derive(Debug)]
struct Graph {
    /// The id of the accepted application, and its secret.
    client: (String, String),
    directory: Mutex<Directory>,
    tokens: Mutex<GivenTokens>,
}

/// The issued tokens, numbered from 1. Only the last one is valid.
#[derive(Debug, Default)]
struct GivenTokens {
    given: u64,
    /// A token that is valid for a limited number of requests, if a test sets it: its number, and
    /// the requests left.
    brief: Option<(u64, u64)>,
}

impl Service for Graph {
    fn authorization(&self) -> Option<String> {
        None
    }

    fn credential(&self, request: &Request) -> Credential {
        let mut tokens = lock(&self.tokens);
        let proven = request.proves(&format!("Bearer {}", token(tokens.given)));
        if tokens.given == 0 || proven != Credential::Right {
            return if proven == Credential::None { proven } else { Credential::Wrong };
        }
        let given = tokens.given;
        match &mut tokens.brief {
            Some((number, 0)) if *number == given => return Credential::Wrong,
            Some((number, left)) if *number == given => *left -= 1,
            _ => {}
        }
        proven
    }

    fn is_open(&self, request: &Request) -> bool {
        request.path.ends_with("/oauth2/v2.0/token")
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        let answer =
            if self.is_open(request) { self.token(request) } else { self.list(request, origin) };
        answer.unwrap_or_else(|refusal| refusal)
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let code = match status {
            401 => "InvalidAuthenticationToken",
            404 => "Request_ResourceNotFound",
            429 => "TooManyRequests",
            _ => "BadRequest",
        };
        let inner =
            json!({ "date": "2026-11-20T00:00:00", "request-id": "0", "client-request-id": "0" });
        let body = json!({ "error": { "code": code, "message": message, "innerError": inner } });
        Response::value(status, &body)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("request-id", "0".to_owned()), ("odata-version", "4.0".to_owned())]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        let mut directory = lock(&self.directory);
        Some(match (request.method.as_str(), name) {
            ("POST", "advance") => Ok(directory.advance()),
            // The next token is valid for this number of requests.
            ("POST", "tokens") => parse(request).map(|body| {
                let mut tokens = lock(&self.tokens);
                tokens.brief = body["uses"].as_u64().map(|uses| (tokens.given + 1, uses));
                json!({ "given": tokens.given })
            }),
            ("GET", "tables") => {
                let members = directory.members.iter().flat_map(|(group, members)| {
                    members.iter().map(move |member| json!({ "group": group, "id": member["id"] }))
                });
                let members = members.collect::<Vec<_>>();
                Ok(json!({
                    "USERS": table(&directory.users, &[("ID", "id"), ("DISPLAY_NAME", "displayName"), ("JOB_TITLE", "jobTitle")]),
                    "GROUPS": table(&directory.groups, &[("ID", "id"), ("DISPLAY_NAME", "displayName")]),
                    "GROUP_MEMBERS": table(&members, &[("_GROUPS_ID", "group"), ("ID", "id")]),
                    "SIGN_INS": table(&directory.sign_ins, &[("ID", "id"), ("USER_ID", "userId")]),
                }))
            }
            ("GET", "users") => Ok(directory.users.clone().into()),
            ("GET", "groups") => Ok(directory.groups.clone().into()),
            ("GET", "members") => Ok(json!(directory.members)),
            ("GET", "signIns") => Ok(directory.sign_ins.clone().into()),
            _ => return None,
        })
    }
}

impl Graph {
    fn new(options: &Options) -> Self {
        let (id, secret) = options.secret.split_once(':').unwrap_or((&options.secret, ""));
        Self {
            client: (id.to_owned(), secret.to_owned()),
            directory: Mutex::new(Directory::new(options.seed, options.size)),
            tokens: Mutex::default(),
        }
    }

    /// Issues a token, as specified by RFC 6749 (section 4.4) and the identity platform.
    fn token(&self, request: &Request) -> Result<Response, Response> {
        let refused = |error: &str, description: &str| {
            Response::value(400, &json!({ "error": error, "error_description": description }))
        };
        if request.path != format!("/{TENANT}/oauth2/v2.0/token") {
            return Err(refused("invalid_request", "AADSTS90002: Tenant not found."));
        }
        let form = form_urlencoded::parse(&request.body).into_owned().collect::<BTreeMap<_, _>>();
        let given = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if request.method != "POST" || given("grant_type") != "client_credentials" {
            return Err(refused("unsupported_grant_type", "AADSTS70003: Unsupported grant type."));
        }
        if !given("scope").ends_with("/.default") {
            return Err(refused("invalid_scope", "AADSTS1002012: The scope is not valid."));
        }
        if given("client_id") != self.client.0 || given("client_secret") != self.client.1 {
            let body = json!({
                "error": "invalid_client",
                "error_description": "AADSTS7000215: Invalid client secret provided.",
            });
            return Err(Response::value(401, &body));
        }
        let mut tokens = lock(&self.tokens);
        tokens.given += 1;
        let body = json!({
            "token_type": "Bearer",
            "expires_in": 3599,
            "ext_expires_in": 3599,
            "access_token": token(tokens.given),
        });
        Ok(Response::value(200, &body))
    }

    fn list(&self, request: &Request, origin: &str) -> Result<Response, Response> {
        let directory = lock(&self.directory);
        let path = request.path.split('/').skip(1).collect::<Vec<_>>();
        let missing = |what: &str| {
            self.refusal(404, &format!("Resource '{what}' does not exist or is not accessible."))
        };
        match path.as_slice() {
            ["v1.0", "users"] => self.page(request, origin, &directory.users, 999),
            ["v1.0", "groups"] => self.page(request, origin, &directory.groups, 999),
            ["v1.0", "groups", group, "members"] => {
                let members = directory.members.get(*group).ok_or_else(|| missing(group))?;
                self.page(request, origin, members, 999)
            }
            ["v1.0", "auditLogs", "signIns"] => {
                let since = self.since(request)?;
                let at = |item: &Value| {
                    item["createdDateTime"].as_str().and_then(|at| parse_time(at).ok())
                };
                let found = directory
                    .sign_ins
                    .iter()
                    // In reverse order of time.
                    .rev()
                    .filter(|item| since.is_none_or(|since| at(item) >= Some(since)))
                    .cloned()
                    .collect::<Vec<_>>();
                self.page(request, origin, &found, 1000)
            }
            _ => Err(missing(&request.path)),
        }
    }

    /// The only supported filter: `createdDateTime ge 2026-01-01T00:00:00Z`.
    fn since(&self, request: &Request) -> Result<Option<i64>, Response> {
        let Some(filter) = request.parameter("$filter") else { return Ok(None) };
        let since = filter.strip_prefix("createdDateTime ge ").and_then(|at| parse_time(at).ok());
        since.map(Some).ok_or_else(|| self.refusal(400, "Invalid filter clause."))
    }

    fn page(
        &self,
        request: &Request,
        origin: &str,
        items: &[Value],
        most: usize,
    ) -> Result<Response, Response> {
        let number =
            |name, default| request.number(name, default).map_err(|text| self.refusal(400, &text));
        let size = number("$top", 100)?;
        if !(1..=most).contains(&size) {
            let why = format!(
                "Invalid page size specified: '{size}'. Must be between 1 and {most} inclusive."
            );
            return Err(self.refusal(400, &why));
        }
        let from = number("$skiptoken", 0)?;
        let shown = items.iter().skip(from).take(size).cloned().collect::<Vec<_>>();
        let collection = request.path.trim_start_matches("/v1.0/");
        let mut page = json!({ "@odata.context": format!("{origin}/v1.0/$metadata#{collection}") });
        if from.saturating_add(size) < items.len() {
            let mut query = form_urlencoded::Serializer::new(String::new());
            query.extend_pairs(request.query.iter().filter(|(name, _)| name != "$skiptoken"));
            query.append_pair("$skiptoken", &(from + size).to_string());
            page["@odata.nextLink"] = format!("{origin}{}?{}", request.path, query.finish()).into();
        }
        page["value"] = shown.into();
        Ok(Response::value(200, &page))
    }
}

/// The text of a token.
fn token(number: u64) -> String {
    format!("fake.token.{number}")
}
