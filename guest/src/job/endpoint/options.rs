//! Options that the client and an endpoint both have.

use serde_json::Value;

use crate::fault::Result;
use crate::job::paginator::Paginator;
use crate::job::parse::{JobObject, at, member, wrong_type};

/// The name of a credential.
pub(super) fn auth(object: &JobObject<'_>) -> Result<Option<String>> {
    match object.get("auth") {
        Some(found @ (Value::Object(_) | Value::Array(_))) => Err(object.wrong_type(
            "the name of one of the job's credentials (secrets stay with the host)",
            found,
            "auth",
        )),
        _ => Ok(object.text("auth")?.map(str::to_owned)),
    }
}

pub(super) fn paginator(object: &JobObject<'_>) -> Result<Option<Paginator>> {
    let Some(value) = object.get("paginator") else { return Ok(None) };
    let paginator = Paginator::parse(value, &object.place_of("paginator"))?;
    // In dlt too "auto" is the same as no value.
    Ok(Some(paginator).filter(|paginator| !paginator.is_auto()))
}

/// Parses the headers, names in lower case; `parse` parses a value with this path.
pub(super) fn headers<T>(
    object: &JobObject<'_>,
    mut parse: impl FnMut(&str, &str) -> Result<T>,
) -> Result<Vec<(String, T)>> {
    let Some(map) = object.map("headers")? else { return Ok(Vec::new()) };
    let mut headers: Vec<(String, T)> = Vec::new();
    for (name, value) in map {
        let place = member(&object.place_of("headers"), name);
        let lower = name.to_ascii_lowercase();
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if lower.is_empty() || !lower.bytes().all(token) {
            return Err(at(&place, format_args!("expected the name of a header, found {name:?}")));
        }
        if matches!(lower.as_str(), "authorization" | "proxy-authorization" | "cookie") {
            return Err(at(
                &place,
                "a secret does not belong in the job: name a credential in \"auth\"",
            ));
        }
        if headers.iter().any(|(known, _)| *known == lower) {
            return Err(at(&place, "the header is given twice"));
        }
        let value = match value {
            Value::String(text) if !text.chars().any(char::is_control) => text.clone(),
            Value::Number(number) => number.to_string(),
            other => return Err(wrong_type("a string without control characters", other, &place)),
        };
        headers.push((lower, parse(&value, &place)?));
    }
    Ok(headers)
}
