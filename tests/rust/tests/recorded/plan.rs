//! What our client does against a recording: how it logs in, what it runs, or why it is not concerned.

use std::collections::BTreeMap;

use serde_json::Value;
use snowcat_tests::recorded::{Mapping, ValuePattern};

use crate::endpoint::{Endpoint, endpoints};
use crate::needs::{Need, Needs};

/// Parameters of a connection by name.
pub(crate) type Parameters = BTreeMap<&'static str, String>;

/// What our client does.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The connections, one after the other. One that opens runs the statements, if it is the last.
    pub(crate) logins: Vec<Parameters>,
    pub(crate) statements: Vec<Statement>,
    /// Whether the statement is aborted while it runs.
    pub(crate) aborts: bool,
}

/// A statement, or files for a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Sql(String),
    /// Uploads to a stage, whose name begins with `@`.
    Put(String),
}

/// No parameters of a connection, but what the files for them have in a container.
pub(crate) const CONTAINER_TOKEN: &str = "container token";
pub(crate) const SERVICE_TOKEN: &str = "service token";

/// Ways to log in that no person has to take part in.
const AUTHENTICATORS: &[&str] =
    &["SNOWFLAKE", "SNOWFLAKE_JWT", "OAUTH", "PROGRAMMATIC_ACCESS_TOKEN", "USERNAME_PASSWORD_MFA"];

impl Plan {
    /// The plan for these mappings.
    ///
    /// # Errors
    ///
    /// The reason why they do not concern our client.
    pub(crate) fn of(mappings: &[Mapping]) -> Result<Self, String> {
        let endpoints = endpoints(mappings);
        let has = |endpoint: Endpoint| endpoints.contains(&endpoint);
        not_ours(mappings, &endpoints)?;
        let mut logins: Vec<Parameters> = Vec::new();
        let mut statements = Vec::new();
        for (mapping, endpoint) in mappings.iter().zip(&endpoints) {
            match endpoint {
                Endpoint::Login => {
                    let parameters = parameters(mapping)?;
                    if !logins.contains(&parameters) {
                        logins.push(parameters);
                    }
                }
                Endpoint::Query => {
                    let statement = statement(mapping);
                    if let Some(statement) = statement.filter(|it| !statements.contains(it)) {
                        statements.push(statement);
                    }
                }
                _ => {}
            }
        }
        let follows = [Endpoint::Statement, Endpoint::Chunk, Endpoint::Renewal, Endpoint::Abort];
        if statements.is_empty() && (follows.into_iter().any(has) || !has(Endpoint::Login)) {
            statements.push(Statement::Sql("SELECT 1".to_owned()));
        }
        if logins.is_empty() {
            logins.push(usual());
        }
        Ok(Self { logins, statements, aborts: has(Endpoint::Abort) })
    }
}

/// # Errors
///
/// The reason why mappings do not concern our client.
fn not_ours(mappings: &[Mapping], endpoints: &[Endpoint]) -> Result<(), String> {
    let has = |endpoint: Endpoint| endpoints.contains(&endpoint);
    let only = |allowed: &[Endpoint]| endpoints.iter().all(|it| allowed.contains(it));
    if mappings.is_empty() {
        return Err("has no mappings".to_owned());
    }
    let reason = match () {
        () if has(Endpoint::SignIn) => "a person signs in, in a browser or at an identity provider",
        () if has(Endpoint::OauthToken) => "requests OAuth tokens; our client is given one",
        () if has(Endpoint::AbortById) => {
            "aborts by the statement's id; our client by the request's"
        }
        () if only(&[Endpoint::Telemetry]) => "telemetry, which our client does not send",
        () if only(&[Endpoint::Monitoring]) => "monitoring, which our client does not read",
        () if only(&[Endpoint::Heartbeat]) => "a heartbeat alone, which is sent after minutes",
        () if only(&[Endpoint::Upload]) => "objects of a stage that no statement names",
        () if only(&[Endpoint::Other]) => "addresses that the protocol does not have",
        () => "",
    };
    if !reason.is_empty() {
        return Err(reason.to_owned());
    }
    for (mapping, endpoint) in mappings.iter().zip(endpoints) {
        of_request(mapping, *endpoint)?;
        of_response(mapping)?;
    }
    Ok(())
}

fn of_request(mapping: &Mapping, endpoint: Endpoint) -> Result<(), String> {
    let needs = Needs::of(&mapping.request);
    let present = |path: &str| needs.member(path).is_some_and(|need| *need != Need::Absent);
    if endpoint == Endpoint::Login {
        let authenticator = needs.text("data.AUTHENTICATOR").unwrap_or("SNOWFLAKE");
        if !AUTHENTICATORS.contains(&authenticator.to_ascii_uppercase().as_str()) {
            return Err(format!("logs in by {authenticator}, which our client does not have"));
        }
        if present("data.RAW_SAML_RESPONSE") {
            return Err("logs in with the answer of an identity provider".to_owned());
        }
        if authenticator == "USERNAME_PASSWORD_MFA" && present("data.TOKEN") {
            return Err("logs in with a cached token of a second factor".to_owned());
        }
        for member in ["data.CLIENT_APP_ID", "data.CLIENT_ENVIRONMENT.APPLICATION"] {
            if let Some(name) = needs.text(member) {
                return Err(format!("the login has to name another driver: {name}"));
            }
        }
    }
    for (name, _) in &mapping.request.headers {
        if name.eq_ignore_ascii_case("user-agent") || name.to_lowercase().starts_with("client_app")
        {
            return Err(format!("the header {name} has to name another driver"));
        }
    }
    if needs.has_below("queryContextDTO") || present("queryContextDTO") {
        return Err("returns the query context, which matters to hybrid tables only".to_owned());
    }
    for (member, what) in [
        ("bindings", "binds parameters"),
        ("bindStage", "binds parameters"),
        ("asyncExec", "submits a statement and does not wait for it"),
        ("describeOnly", "describes a statement"),
    ] {
        if present(member) && needs.text(member) != Some("false") {
            return Err(format!("{what}, which our client does not"));
        }
    }
    Ok(())
}

fn of_response(mapping: &Mapping) -> Result<(), String> {
    let Some(json) = mapping.response.json() else { return Ok(()) };
    let data = |name: &str| json.get("data").and_then(|data| data.get(name));
    let set = |name: &str| data(name).is_some_and(|it| !it.is_null() && it != "");
    if data("command") == Some(&"DOWNLOAD".into()) {
        return Err("downloads files of a stage".to_owned());
    }
    if set("rowsetBase64") || data("queryResultFormat") == Some(&"arrow".into()) {
        return Err("rows in Arrow; our client requests JSON".to_owned());
    }
    let info = data("stageInfo").filter(|_| data("command") == Some(&"UPLOAD".into()));
    let local = |name: &str| info.and_then(|it| it.get(name)).is_some_and(|it| it.is_string());
    if info.is_some_and(|it| it.get("locationType") != Some(&"GCS".into())) && !local("endPoint") {
        return Err("uploads to the cloud's own host, which no recording has".to_owned());
    }
    if set("resultIds") {
        return Err("several statements in one request".to_owned());
    }
    Ok(())
}

/// The parameters of a connection whose login meets the needs of a mapping.
fn parameters(mapping: &Mapping) -> Result<Parameters, String> {
    let needs = Needs::of(&mapping.request);
    let mut parameters = usual();
    for (member, name) in [
        ("data.ACCOUNT_NAME", "account"),
        ("data.LOGIN_NAME", "user"),
        ("data.PASSWORD", "password"),
        ("data.PASSCODE", "passcode"),
    ] {
        if let Some(text) = needs.example(member) {
            parameters.insert(name, text);
        }
    }
    let token = needs.example("data.TOKEN");
    let authenticator = needs.text("data.AUTHENTICATOR").map(str::to_ascii_uppercase);
    let authenticator = authenticator.or_else(|| token.as_ref().map(|_| "OAUTH".to_owned()));
    match authenticator.as_deref() {
        None | Some("SNOWFLAKE") => {}
        Some("SNOWFLAKE_JWT") => {
            parameters.remove("password");
            parameters.insert("private_key_raw", crate::client::private_key());
        }
        Some("USERNAME_PASSWORD_MFA") => {
            parameters.entry("passcode").or_insert_with(|| "123456".to_owned());
        }
        Some(_) => {
            parameters.remove("password");
            parameters.insert("token", token.unwrap_or_else(|| "token".to_owned()));
        }
    }
    if let Some(authenticator) = authenticator {
        parameters.insert("authenticator", authenticator);
    }
    if needs.member("data.SPCS_TOKEN").is_some_and(|need| *need != Need::Absent) {
        let or_any = |text: Option<String>| text.unwrap_or_else(|| "token".to_owned());
        if !["data.LOGIN_NAME", "data.PASSWORD"].iter().any(|it| needs.member(it).is_some()) {
            // The login of a container has no user.
            let account = parameters.remove("account").unwrap_or_default();
            parameters = BTreeMap::from([("account", account)]);
            parameters.insert(CONTAINER_TOKEN, or_any(needs.example("data.TOKEN")));
        }
        parameters.insert(SERVICE_TOKEN, or_any(needs.example("data.SPCS_TOKEN")));
    }
    for (query, name) in [
        ("roleName", "role"),
        ("warehouse", "warehouse"),
        ("databaseName", "database"),
        ("schemaName", "schema"),
    ] {
        for (found, pattern) in &mapping.request.query {
            if found == query
                && let ValuePattern::EqualTo { text, .. } = pattern
            {
                parameters.insert(name, text.clone());
            }
        }
    }
    Ok(parameters)
}

/// A login that no mapping needs anything of.
fn usual() -> Parameters {
    let pairs = [("account", "acme"), ("user", "LOADER"), ("password", "hunter2")];
    pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// A statement that meets the needs of a mapping, or an upload if the answer is one for it.
fn statement(mapping: &Mapping) -> Option<Statement> {
    let sql = Needs::of(&mapping.request).statement()?;
    let uploads = |json: Value| json.pointer("/data/command") == Some(&"UPLOAD".into());
    if !mapping.response.json().is_some_and(uploads) && !sql.starts_with("PUT") {
        return Some(Statement::Sql(sql));
    }
    let stage = sql.split_whitespace().find(|word| word.starts_with('@')).unwrap_or("@STAGE");
    Some(Statement::Put(stage.to_owned()))
}
