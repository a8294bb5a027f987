//! A fake of HubSpot's CRM API: search by properties (version 3), lists of archived records, and
//! associations (version 4). A search returns at most 10,000 results.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, table};
use super::{Service, lock};
use crate::generators::crm::{KINDS, Portal, modified};
use crate::generators::parse_time;

/// Its entry in the table of fakes.
pub(super) const FAKE: Fake = Fake {
    name: "hubspot",
    about: "HubSpot's CRM; the size is its number of contacts",
    size: 40,
    secret: "fake-token",
    settings: &[],
    make: |options| Arc::new(HubSpot::new(options)),
    trials: &[
        Trial {
            name: "contacts and their companies",
            job: "hubspot",
            size: 6,
            seed: 42,
            selected: &["contacts", "contact_companies"],
            shrink,
        },
        Trial {
            name: "deals and archived contacts",
            job: "hubspot",
            size: 40,
            seed: 42,
            selected: &["deals", "archived_contacts"],
            shrink,
        },
    ],
};

const SMALL_PAGE: u64 = 2;
/// The largest page of a search, and of a list.
const PAGES: (usize, usize) = (200, 100);
/// The last result of a search that may be requested.
const DEEPEST: usize = 10_000;

/// Lowers the page sizes, so that there are several pages.
fn shrink(job: &mut Value) {
    for resource in job["resources"].as_array_mut().into_iter().flatten() {
        for place in ["/endpoint/json/limit", "/endpoint/params/limit"] {
            if let Some(limit) = resource.pointer_mut(place) {
                *limit = SMALL_PAGE.into();
            }
        }
    }
}

/// The service.
#[derive(Debug)]
struct HubSpot {
    authorization: String,
    portal: Mutex<Portal>,
}

impl Service for HubSpot {
    fn authorization(&self) -> Option<String> {
        Some(self.authorization.clone())
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        let portal = lock(&self.portal);
        let parts: Vec<&str> = request.path.trim_matches('/').split('/').collect();
        let kind = |name: &str| KINDS.into_iter().find(|kind| *kind == name);
        let found = match (request.method.as_str(), parts.as_slice()) {
            ("POST", ["crm", "v3", "objects", of, "search"]) => {
                kind(of).map(|of| search(&portal, of, &request.body))
            }
            ("GET", ["crm", "v3", "objects", of]) => {
                kind(of).map(|of| list(&portal, of, request, origin))
            }
            ("GET", ["crm", "v4", "objects", of, id, "associations", to]) => {
                let known = id.parse().ok().zip(kind(of)).zip(kind(to));
                known.map(|((id, of), to)| associated(&portal, (of, id, to), request))
            }
            _ => None,
        };
        match found {
            Some(Ok(body)) => Response::value(200, &body),
            Some(Err(message)) => self.refusal(400, &message),
            None => self.refusal(404, "resource not found"),
        }
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let (message, category) = match status {
            401 => ("Authentication credentials not found.", "INVALID_AUTHENTICATION"),
            403 => ("This token does not have the required scopes.", "MISSING_SCOPES"),
            429 => ("You have reached your secondly limit.", "RATE_LIMITS"),
            _ => (message, "VALIDATION_ERROR"),
        };
        let body = json!({
            "status": "error",
            "message": message,
            "correlationId": "aeb5f871-7f07-4993-9211-075dc63e7cbf",
            "category": category,
        });
        Response::value(status, &body)
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![
            ("x-hubspot-ratelimit-max", "190".to_owned()),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000".to_owned()),
        ]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        let mut portal = lock(&self.portal);
        match (request.method.as_str(), name) {
            ("POST", "advance") => Some(Ok(portal.advance())),
            ("GET", "tables") => Some(Ok(tables(&portal))),
            _ => None,
        }
    }
}

impl HubSpot {
    fn new(options: &Options) -> Self {
        Self {
            authorization: format!("Bearer {}", options.secret),
            portal: Mutex::new(Portal::new(options.seed, options.size)),
        }
    }
}

/// The rows that a load makes of the account. A record that is archived after it was loaded keeps its row.
fn tables(portal: &Portal) -> Value {
    let kept = |kind: &str| -> Vec<Value> {
        let always = |id: &u64| portal.always_archived.iter().any(|(k, i)| *k == kind && i == id);
        portal.records[kind].iter().filter(|(id, _)| !always(id)).map(|(_, r)| r.clone()).collect()
    };
    let archived = |kind: &str| -> Vec<Value> {
        portal.records[kind].values().filter(|r| r["archived"] == true).cloned().collect()
    };
    let links = |from: &str, to: &str| -> Vec<Value> {
        let of = portal.associations.iter().filter(|((of, id, other), _)| {
            *of == from && *other == to && !portal.always_archived.contains(&(*of, *id))
        });
        of.flat_map(|((_, id, _), ids)| {
            ids.iter().map(move |to| json!({ "from": id.to_string(), "to": to }))
        })
        .collect()
    };
    let columns = |property| [("ID", "id"), property];
    json!({
        "CONTACTS": table(
            &kept("contacts"),
            &[("ID", "id"), ("PROPERTIES__EMAIL", "properties.email"), ("PROPERTIES__LASTNAME", "properties.lastname")],
        ),
        "COMPANIES": table(&kept("companies"), &columns(("PROPERTIES__NAME", "properties.name"))),
        "DEALS": table(&kept("deals"), &columns(("PROPERTIES__DEALNAME", "properties.dealname"))),
        "CONTACT_COMPANIES": table(&links("contacts", "companies"), &[("_CONTACTS_ID", "from"), ("TO_OBJECT_ID", "to")]),
        "DEAL_CONTACTS": table(&links("deals", "contacts"), &[("_DEALS_ID", "from"), ("TO_OBJECT_ID", "to")]),
        "DEAL_COMPANIES": table(&links("deals", "companies"), &[("_DEALS_ID", "from"), ("TO_OBJECT_ID", "to")]),
        "ARCHIVED_CONTACTS": table(&archived("contacts"), &columns(("PROPERTIES__EMAIL", "properties.email"))),
        "ARCHIVED_COMPANIES": table(&archived("companies"), &columns(("PROPERTIES__NAME", "properties.name"))),
        "ARCHIVED_DEALS": table(&archived("deals"), &columns(("PROPERTIES__DEALNAME", "properties.dealname"))),
    })
}

/// A page of a search.
fn search(portal: &Portal, kind: &'static str, body: &[u8]) -> Result<Value, String> {
    let body: Value = serde_json::from_slice(body).map_err(|_| "Invalid input JSON")?;
    let limit = body["limit"].as_u64().map_or(10, |limit| limit as usize);
    let after = match &body["after"] {
        Value::Null => 0,
        Value::String(text) => text.parse().map_err(|_| "after is not a number")?,
        other => other.as_u64().ok_or("after is not a number")? as usize,
    };
    if !(1..=PAGES.0).contains(&limit) {
        return Err(format!("The limit must be between 1 and {}.", PAGES.0));
    }
    if after + limit > DEEPEST {
        return Err("There was a problem with the request: 10,000 results is the limit.".to_owned());
    }
    let groups = filters(&body["filterGroups"])?;
    let mut found = Vec::new();
    for record in portal.records[kind].values().filter(|record| record["archived"] == false) {
        if groups.is_empty() || groups.iter().any(|group| group.iter().all(|f| f.holds(record))) {
            found.push(record);
        }
    }
    let sorts = body["sorts"].as_array().map_or(&[][..], Vec::as_slice);
    match sorts {
        [] => {}
        [sort] => {
            let by = sort["propertyName"].as_str().ok_or("a sort names no property")?;
            found.sort_by_key(|record| record["properties"][by].as_str().and_then(number));
            if sort["direction"] == "DESCENDING" {
                found.reverse();
            }
        }
        _ => return Err("Only one sort can be specified.".to_owned()),
    }
    let asked: Vec<&str> =
        body["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let shown: Vec<Value> =
        found.iter().skip(after).take(limit).map(|record| with(record, kind, &asked)).collect();
    let mut page = json!({ "total": found.len(), "results": shown });
    if after + limit < found.len() {
        page["paging"] = json!({ "next": { "after": (after + limit).to_string() } });
    }
    Ok(page)
}

/// A page of a list.
fn list(
    portal: &Portal,
    kind: &'static str,
    request: &Request,
    origin: &str,
) -> Result<Value, String> {
    let limit = request.number("limit", 10)?;
    let after = request.number("after", 0)? as u64;
    if !(1..=PAGES.1).contains(&limit) {
        return Err(format!("The limit must be between 1 and {}.", PAGES.1));
    }
    let archived = request.parameter("archived") == Some("true");
    let asked: Vec<&str> =
        request.parameter("properties").map_or(Vec::new(), |list| list.split(',').collect());
    let mut found = portal.records[kind].range(after..).filter(|(_, r)| r["archived"] == archived);
    let shown: Vec<Value> =
        found.by_ref().take(limit).map(|(_, record)| with(record, kind, &asked)).collect();
    let mut page = json!({ "results": shown });
    if let Some((next, _)) = found.next() {
        let link = format!("{origin}{}?limit={limit}&after={next}", request.path);
        page["paging"] = json!({ "next": { "after": next.to_string(), "link": link } });
    }
    Ok(page)
}

/// A page of the associations of a record with records of another kind.
fn associated(
    portal: &Portal,
    of: (&'static str, u64, &'static str),
    request: &Request,
) -> Result<Value, String> {
    let (limit, after) = (request.number("limit", 500)?, request.number("after", 0)?);
    let ids = portal.associations.get(&of).map_or(&[][..], Vec::as_slice);
    let shown: Vec<Value> = ids
        .iter()
        .skip(after)
        .take(limit)
        .map(|id| {
            let kind = json!({ "category": "HUBSPOT_DEFINED", "typeId": 1, "label": null });
            json!({ "toObjectId": id, "associationTypes": [kind] })
        })
        .collect();
    let mut page = json!({ "results": shown });
    if after + limit < ids.len() {
        page["paging"] = json!({ "next": { "after": (after + limit).to_string() } });
    }
    Ok(page)
}

/// A condition of a search.
struct Filter<'b> {
    property: &'b str,
    operator: &'b str,
    value: i64,
}

impl Filter<'_> {
    fn holds(&self, record: &Value) -> bool {
        let Some(found) = record["properties"][self.property].as_str().and_then(number) else {
            return false;
        };
        match self.operator {
            "EQ" => found == self.value,
            "GT" => found > self.value,
            "GTE" => found >= self.value,
            "LT" => found < self.value,
            _ => found <= self.value,
        }
    }
}

fn filters(groups: &Value) -> Result<Vec<Vec<Filter<'_>>>, String> {
    let groups = groups.as_array().map_or(&[][..], Vec::as_slice);
    groups
        .iter()
        .map(|group| group["filters"].as_array().into_iter().flatten().map(filter).collect())
        .collect()
}

fn filter(filter: &Value) -> Result<Filter<'_>, String> {
    let text = |key: &str| filter[key].as_str().ok_or_else(|| format!("a filter has no {key}"));
    let (property, operator, value) = (text("propertyName")?, text("operator")?, text("value")?);
    if !["EQ", "GT", "GTE", "LT", "LTE"].contains(&operator) {
        return Err(format!("{operator} is not an operator"));
    }
    let value = value.parse().map_err(|_| format!("{value} was not a valid long"))?;
    Ok(Filter { property, operator, value })
}

/// A number, or a time in milliseconds.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| parse_time(text).ok())
}

/// The record with the requested properties, and those that every record has.
fn with(record: &Value, kind: &str, asked: &[&str]) -> Value {
    let mut shown = record.clone();
    if let Some(properties) = shown["properties"].as_object_mut() {
        let always = ["hs_object_id", "createdate", modified(kind)];
        properties.retain(|key, _| always.contains(&&**key) || asked.contains(&&**key));
        for missing in asked {
            properties.entry(*missing).or_insert(Value::Null);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::walk::undisturbed;

    fn service(size: u64) -> HubSpot {
        HubSpot::new(&Options { size, ..FAKE.options() })
    }

    fn search(service: &HubSpot, body: &Value) -> (u16, Value) {
        let body = body.to_string().into_bytes();
        let request = Request::new("POST", "/crm/v3/objects/contacts/search", Vec::new(), body);
        let response = service.answer(&request, "");
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    /// There are more contacts than a search returns, and their order by age is not that of their ids.
    #[test]
    fn every_contact_is_loaded_beyond_the_limit_of_a_search() {
        let size = 12_600;
        let service = service(size);
        let all = json!({ "limit": 200 });
        assert_eq!(search(&service, &all).1["total"], size * 4 / 5);
        for (after, status) in [(9800, 200), (9801, 400), (10_000, 400)] {
            let page = json!({ "limit": 200, "after": after.to_string() });
            assert_eq!(search(&service, &page).0, status, "{after}");
        }
        let trial = Trial { selected: &["contacts"], shrink: |_| (), ..FAKE.trials[0] };
        let run = undisturbed(trial.job(FAKE.settings).unwrap(), Arc::new(service));
        assert_eq!(run.fault, None);
        let rows =
            run.report.tables.iter().find(|table| table.name.eq_ignore_ascii_case("contacts"));
        assert_eq!(rows.map(|table| table.rows), Some(size * 4 / 5));
        // The last page is empty.
        assert_eq!(run.requests.len() as u64, (size * 4 / 5).div_ceil(200) + 1);
    }

    /// A record that changes while others are read is read by the next load, whose range starts before this load.
    #[test]
    fn next_load_starts_before_this_one() {
        let service = service(5);
        let started = parse_time("2026-11-20T07:08:09.000Z").unwrap();
        lock(&service.portal).add("contacts", started + 10_000);
        let trial = Trial { selected: &["contacts"], ..FAKE.trials[0] };
        let run = undisturbed(trial.job(FAKE.settings).unwrap(), Arc::new(service));
        let last: Vec<_> = run.report.cursors.iter().map(|cursor| cursor.last.as_deref()).collect();
        assert_eq!(last, [Some("2026-11-20T07:03:09.123Z")]);
    }

    #[test]
    fn invalid_searches_are_rejected() {
        let service = service(5);
        for (body, says) in [
            (json!({ "limit": 201 }), "The limit must be between 1 and 200."),
            (
                json!({ "sorts": [{ "propertyName": "a" }, { "propertyName": "b" }] }),
                "Only one sort",
            ),
            (
                json!({ "filterGroups": [{ "filters": [{ "propertyName": "a", "operator": "GT", "value": "x" }] }] }),
                "x was not a valid long",
            ),
        ] {
            let (status, answer) = search(&service, &body);
            assert!(
                status == 400 && answer["message"].as_str().unwrap().starts_with(says),
                "{answer}"
            );
        }
    }
}
