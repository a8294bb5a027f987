//! The policy of an installation: what its owner allows in the jobs of others. It lists the schemas
//! they write to, the stages they read, the hosts they request, and how each credential is used.
//! Everything else is rejected.

use indexmap::IndexMap;
use serde_json::{Map, Value};

use super::credential::Credential;
use super::endpoint::{Endpoint, METHODS, Method};
use super::parse::{self, JobObject, Keys, at, element, member};
use super::resource::Input;
use super::{Job, url};
use crate::fault::{Fault, Result};
use crate::sql::identifier;
use crate::sql::stage::StagePlace;

/// The policy of an installation.
///
/// ```json
/// {
///   "schemas": ["RAW.SALES", "RAW.DEV_*"],
///   "stages": ["@RAW.PUBLIC.LANDING/sales"],
///   "hosts": ["api.example.com"],
///   "credentials": {"shop": {"type": "bearer", "hosts": ["api.shop.example"], "methods": ["GET"]}}
/// }
/// ```
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    schemas: Vec<SchemaPattern>,
    sources: AllowedSources,
}

/// The stages that jobs may read.
#[derive(Clone, Debug)]
enum AllowedSources {
    /// Any stage: the jobs are the owner's own.
    Any,
    /// Only the listed ones.
    Listed(Listed),
}

#[derive(Clone, Debug)]
struct Listed {
    stages: Vec<StagePlace>,
    /// Hosts that are requested without a credential.
    hosts: Vec<String>,
    credentials: IndexMap<String, Permit>,
}

/// How a credential may be used.
#[derive(Clone, Debug)]
struct Permit {
    credential: Credential,
    methods: Vec<Method>,
}

/// One schema, or all schemas of a database with a common prefix.
#[derive(Clone, Debug)]
struct SchemaPattern {
    text: String,
    database: String,
    schema: String,
    is_prefix: bool,
}

impl Policy {
    /// Parses a policy.
    ///
    /// # Errors
    /// A config fault with the path, the expected value and the value found.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let value = parse::json(text)?;
        let object = JobObject::new(&value, "", KEYS)?;
        let schemas = parsed(&object, "schemas", SchemaPattern::parse)?;
        if object.choice("sources", &[("any", ())])?.is_some() {
            return Ok(Self { schemas, sources: AllowedSources::Any });
        }
        let mut credentials = IndexMap::new();
        for (name, value) in object.map("credentials")?.into_iter().flatten() {
            let place = member("credentials", name);
            credentials.insert(name.clone(), Permit::parse(name, value, &place)?);
        }
        let hosts = object.texts("hosts")?.unwrap_or_default();
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let stages = parsed(&object, "stages", StagePlace::parse)?;
        Ok(Self { schemas, sources: AllowedSources::Listed(Listed { stages, hosts, credentials }) })
    }

    /// Checks a job that writes to the given schema.
    ///
    /// # Errors
    /// A config fault with the path in the job and what the policy allows there.
    pub(crate) fn check(&self, job: &Job, database: &str, schema: &str) -> Result<()> {
        if !self.schemas.iter().any(|allowed| allowed.covers(database, schema)) {
            let allowed = self.schemas.iter().map(|allowed| allowed.text.as_str());
            let message = format!("the schema {database}.{schema} is not allowed");
            return Err(not_allowed("dataset", &message, "schemas", allowed));
        }
        let AllowedSources::Listed(listed) = &self.sources else { return Ok(()) };
        listed.check_credentials(job)?;
        for (n, resource) in job.resources.iter().enumerate() {
            let place = element("resources", n);
            match &resource.input {
                Input::Pull(pulled) => listed.check_files(&pulled.files, &place)?,
                Input::Endpoint(endpoint) => listed
                    .check_endpoint(job, endpoint)
                    .map_err(|fault| fault.at(format_args!("{place}.endpoint")))?,
            }
        }
        Ok(())
    }

    /// Returns `true` if the jobs are those of others, not the owner's.
    pub(crate) fn is_for_others(&self) -> bool {
        matches!(self.sources, AllowedSources::Listed(_))
    }

    /// Checks a request that is about to be sent.
    ///
    /// # Errors
    /// A config fault if the host of the URL is not allowed.
    pub(crate) fn check_request(&self, url: &str) -> Result<()> {
        match &self.sources {
            AllowedSources::Any => Ok(()),
            AllowedSources::Listed(listed) => listed.check_host(url),
        }
    }
}

impl Listed {
    fn check_credentials(&self, job: &Job) -> Result<()> {
        for (name, credential) in &job.credentials {
            let place = member("credentials", name);
            let Some(permit) = self.credentials.get(name) else {
                let known = self.credentials.keys().map(String::as_str);
                let message = format!("the credential {name:?} is not allowed");
                return Err(not_allowed(&place, &message, "credentials", known));
            };
            permit.check(credential, &place)?;
        }
        Ok(())
    }

    fn check_files(&self, files: &[String], place: &str) -> Result<()> {
        for (n, file) in files.iter().enumerate() {
            let place = element(&format!("{place}.files"), n);
            let meant = StagePlace::parse(file).map_err(|fault| fault.at(&place))?;
            if !self.stages.iter().any(|stage| stage.contains(&meant)) {
                let message = format!("the place {file:?} is not allowed");
                let allowed: Vec<String> = self.stages.iter().map(ToString::to_string).collect();
                let allowed = allowed.iter().map(String::as_str);
                return Err(not_allowed(&place, &message, "stages", allowed));
            }
        }
        Ok(())
    }

    fn check_endpoint(&self, job: &Job, endpoint: &Endpoint) -> Result<()> {
        check_method_is_plain(job, endpoint)?;
        let Some(used) = job.credential(endpoint) else {
            let url = job.url_without_placeholders(endpoint)?;
            // A URL from the parent's record is checked when it is requested.
            return if url::scheme(&url).is_some() { self.check_host(&url) } else { Ok(()) };
        };
        let methods = self.credentials.get(&used.name).map_or(&[][..], |permit| &permit.methods);
        if methods.contains(&endpoint.method) {
            return Ok(());
        }
        let method = endpoint.method.name();
        let message = format!("{method} is not allowed with the credential {:?}", used.name);
        let key = format!("credentials.{}.methods", used.name);
        Err(not_allowed("", &message, &key, methods.iter().map(|method| method.name())))
    }

    /// Checks that the host of a URL is listed, for requests without a credential or in a
    /// credential.
    fn check_host(&self, url: &str) -> Result<()> {
        let place = url::place(url);
        let of_credentials = self.credentials.values().flat_map(|it| &it.credential.hosts);
        let known: Vec<&str> =
            self.hosts.iter().chain(of_credentials).map(String::as_str).collect();
        if place.as_deref().is_some_and(|place| known.contains(&place)) {
            return Ok(());
        }
        let Some(place) = place else { return Err(at("", "the request has no valid URL")) };
        let message = format!("the host {place} is not allowed");
        Err(not_allowed("", &message, "hosts", known.into_iter()))
    }
}

impl Permit {
    fn parse(name: &str, value: &Value, place: &str) -> Result<Self> {
        // Everything but the methods is parsed as in a job.
        let Value::Object(mut map) = value.clone() else {
            return Err(parse::wrong_type("an object", value, place));
        };
        let methods = map.remove("methods");
        let of = Value::Object(Map::from_iter(methods.map(|it| ("methods".to_owned(), it))));
        let object = JobObject::new(&of, place, Keys::of(&["methods"]))?;
        let methods = match object.list("methods")? {
            None => vec![Method::Get],
            Some(items) => items
                .iter()
                .enumerate()
                .map(|(n, item)| {
                    parse::choice(item, &element(&object.place_of("methods"), n), METHODS)
                })
                .collect::<Result<_>>()?,
        };
        Ok(Self { credential: Credential::parse(name, &Value::Object(map), place)?, methods })
    }

    /// Checks that a job uses the credential with the options of the policy, for hosts of the
    /// policy.
    fn check(&self, used: &Credential, place: &str) -> Result<()> {
        let allowed = &self.credential;
        if used.options != allowed.options {
            let options = Value::Object(allowed.options.clone()).to_string();
            let message = format!(
                "expected the options of this credential in the owner's policy ({options}), found others"
            );
            return Err(at(place, message));
        }
        match used.hosts.iter().position(|host| !allowed.hosts.contains(host)) {
            None => Ok(()),
            Some(n) => {
                let host = used.hosts.get(n).map_or("", String::as_str);
                let message =
                    format!("the credential {:?} is not allowed for the host {host}", used.name);
                let key = format!("credentials.{}.hosts", used.name);
                let place = element(&format!("{place}.hosts"), n);
                Err(not_allowed(&place, &message, &key, allowed.hosts.iter().map(String::as_str)))
            }
        }
    }
}

impl SchemaPattern {
    fn parse(text: &str) -> Result<Self> {
        let fault = || {
            Fault::config(format_args!(
                "expected a schema, DATABASE.SCHEMA, or DATABASE.* or DATABASE.PREFIX*, found {text:?}"
            ))
        };
        let (name, is_prefix) = match text.strip_suffix('*') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let all = name.strip_suffix('.').filter(|_| is_prefix);
        let (parts, path) = identifier::qualified(all.unwrap_or(name)).ok_or_else(fault)?;
        let (database, schema) = match (parts.as_slice(), all) {
            ([database], Some(_)) => (database.clone(), String::new()),
            ([database, schema], None) => (database.clone(), schema.clone()),
            _ => return Err(fault()),
        };
        if !path.is_empty() || name.contains('/') {
            return Err(fault());
        }
        Ok(Self { text: text.to_owned(), database, schema, is_prefix })
    }

    /// Returns `true` if the pattern matches the schema.
    fn covers(&self, database: &str, schema: &str) -> bool {
        let alike =
            if self.is_prefix { schema.starts_with(&self.schema) } else { schema == self.schema };
        self.database == database && alike
    }
}

/// Rejects headers that override the method: some servers apply them.
fn check_method_is_plain(job: &Job, endpoint: &Endpoint) -> Result<()> {
    let of_client =
        job.client.iter().flat_map(|client| client.headers.iter().map(|(name, _)| name));
    let own = endpoint.headers.iter().map(|(name, _)| name);
    match of_client.chain(own).find(|name| OVERRIDES.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Fault::config(format_args!(
            "the header {name} is not allowed by the owner's policy: it overrides the method"
        ))),
    }
}

/// Headers that override the method, in lower case.
const OVERRIDES: &[&str] = &["x-http-method", "x-http-method-override", "x-method-override"];

/// Parses each item of a list of strings.
fn parsed<T>(object: &JobObject<'_>, key: &str, parse: fn(&str) -> Result<T>) -> Result<Vec<T>> {
    let texts = object.texts(key)?.unwrap_or_default();
    let place = object.place_of(key);
    texts
        .iter()
        .enumerate()
        .map(|(n, text)| parse(text).map_err(|fault| fault.at(element(&place, n))))
        .collect()
}

/// The fault for a value that the policy does not allow.
#[cold]
fn not_allowed<'a>(
    place: &str,
    message: &str,
    key: &str,
    allowed: impl Iterator<Item = &'a str>,
) -> Fault {
    let allowed = allowed.collect::<Vec<_>>().join(", ");
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed };
    let message = format!("{message} by the owner's policy, whose \"{key}\" allows {allowed}");
    at(place, message)
}

const KEYS: Keys = Keys::of(&["schemas", "stages", "hosts", "credentials", "sources"]);

#[cfg(test)]
mod tests;
