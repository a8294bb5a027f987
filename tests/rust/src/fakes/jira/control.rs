//! Control addresses that only the fake of Jira has, to change its issues.

use serde_json::{Value, json};

use super::super::control::parse;
use super::super::http::Request;
use super::super::lock;
use super::super::registry::table;
use super::{Brief, Jira};
use crate::generators::parse_time;

/// Answers a control request. `None` if there is no such address.
pub(super) fn answer(jira: &Jira, request: &Request, name: &str) -> Option<Result<Value, String>> {
    let site = || lock(&jira.site);
    Some(match (request.method.as_str(), name) {
        ("POST", "advance") => {
            let mut site = site();
            let some = site.briefs().into_iter().take(2).map(|brief| brief.id).collect::<Vec<_>>();
            let some = some.iter().map(String::as_str).collect::<Vec<_>>();
            site.edit(&some, None).map(
                |edited| json!({ "edited": list(&edited), "created": list(&site.create(1, None)) }),
            )
        }
        ("GET", "tables") => {
            let site = site();
            let briefs = site.briefs();
            let issues: Vec<Value> =
                briefs.iter().filter_map(|brief| site.document(&brief.id)).collect();
            Ok(
                json!({ "ISSUES": table(&issues, &[("ID", "id"), ("FIELDS__SUMMARY", "fields.summary")]) }),
            )
        }
        ("POST", "edit") => Order::parse(request).and_then(|order| {
            Ok(json!({ "edited": list(&site().edit(&order.names(), order.at)?) }))
        }),
        ("POST", "create") => Order::parse(request)
            .map(|order| json!({ "created": list(&site().create(order.count, order.at)) })),
        ("POST", "delete") => Order::parse(request)
            .and_then(|order| Ok(json!({ "deleted": list(&site().delete(&order.names())?) }))),
        ("GET", "issues") => Ok(json!({ "issues": list(&site().briefs()) })),
        ("GET", _) => {
            let issue = name.strip_prefix("issues/")?;
            site().document(issue).ok_or_else(|| format!("there is no issue {issue}"))
        }
        _ => return None,
    })
}

struct Order {
    issues: Vec<String>,
    count: u64,
    at: Option<i64>,
}

impl Order {
    fn parse(request: &Request) -> Result<Self, String> {
        let body = parse(request)?;
        let at = match &body["at"] {
            Value::Null => None,
            Value::String(text) => Some(parse_time(text)?),
            other => return Err(format!("expected an instant in \"at\", found {other}")),
        };
        let issues = body["issues"].as_array().into_iter().flatten();
        let issues = issues.map(|issue| match issue {
            Value::String(name) => Ok(name.clone()),
            Value::Number(id) => Ok(id.to_string()),
            other => Err(format!("expected an issue's number or key, found {other}")),
        });
        Ok(Self {
            issues: issues.collect::<Result<_, _>>()?,
            count: body["count"].as_u64().unwrap_or(1),
            at,
        })
    }

    fn names(&self) -> Vec<&str> {
        self.issues.iter().map(String::as_str).collect()
    }
}

fn list(briefs: &[Brief]) -> Vec<Value> {
    briefs.iter().map(Brief::to_json).collect()
}
