//! The base URL of an API, and its credential.

use serde_json::{Map, Value};

use super::super::schema::{Schemas, text};

/// The base URL of paths, and a comment.
pub(super) fn base_url(spec: &Value) -> (String, Option<&'static str>) {
    const UNKNOWN: &str = "The description names no host: put it here and in the credential.";
    if let Some(host) = text(spec.get("host")) {
        let secure = spec.get("schemes").and_then(Value::as_array).is_none_or(|schemes| {
            schemes.is_empty() || schemes.iter().any(|scheme| scheme == "https")
        });
        let scheme = if secure { "https" } else { "http" };
        let path = text(spec.get("basePath")).unwrap_or("/");
        return (format!("{scheme}://{host}{path}"), None);
    }
    let mut url = text(spec.pointer("/servers/0/url")).unwrap_or("/").to_owned();
    let variables = spec.pointer("/servers/0/variables").and_then(Value::as_object);
    for (name, variable) in variables.into_iter().flatten() {
        let value = text(variable.get("default")).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), value);
    }
    if url.starts_with("http") && !url.contains('{') {
        return (url, None);
    }
    let path = url
        .split("://")
        .nth(1)
        .map_or(url.as_str(), |rest| rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"));
    (format!("https://api.example.com/{}", path.trim_start_matches('/')), Some(UNKNOWN))
}

/// The first credential of the description.
pub(super) fn credential(spec: &Value) -> Option<(String, Map<String, Value>)> {
    let schemes = spec
        .pointer("/components/securitySchemes")
        .or_else(|| spec.get("securityDefinitions"))?
        .as_object()?;
    let asked = spec.pointer("/security/0").and_then(Value::as_object);
    let name = asked.and_then(|it| it.keys().next()).or_else(|| schemes.keys().next())?;
    let scheme = Schemas::new(spec).resolve(schemes.get(name)?);
    let mut credential = Map::new();
    let mut put = |key: &str, value: Value| drop(credential.insert(key.to_owned(), value));
    let kind = text(scheme.get("type")).unwrap_or_default();
    match (kind, text(scheme.get("scheme")).unwrap_or_default().to_ascii_lowercase().as_str()) {
        ("http", "basic") | ("basic", _) => put("type", "http_basic".into()),
        ("http", _) => put("type", "bearer".into()),
        ("apiKey", _) => {
            put("type", "api_key".into());
            put("name", text(scheme.get("name")).unwrap_or("Authorization").into());
            put("location", text(scheme.get("in")).unwrap_or("header").into());
        }
        ("oauth2", _) => {
            let token = text(scheme.pointer("/flows/clientCredentials/tokenUrl")).or_else(|| {
                (text(scheme.get("flow")) == Some("application"))
                    .then(|| text(scheme.get("tokenUrl")))
                    .flatten()
            });
            match token.filter(|url| url.starts_with("https://")) {
                Some(url) => {
                    put("type", "oauth2_client_credentials".into());
                    put("access_token_url", url.into());
                }
                None => {
                    put("type", "bearer".into());
                    put("//type", "The API has OAuth 2.0 with a person who consents: oauth2_refresh_token, or snowflake_oauth with a security integration, may suit.".into());
                }
            }
        }
        _ => return None,
    }
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
        .collect();
    Some((plain, credential))
}
