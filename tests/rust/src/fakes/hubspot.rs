//! A fake of HubSpot's CRM API: search by properties (version 3), lists of archived records, and
//! associations (version 4). A search pages through 10,000 results and no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Map, Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, table};
use super::{Service, lock};
use crate::generators::parse_time;
use crate::generators::random::Random;
use crate::generators::text::{ascii, capital, name, words};
use crate::generators::time::utc_millis;

/// How the program and the tests of all ready-made jobs know it.
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
const MINUTE: i64 = 60_000;
/// When the last change before the first load was made.
const LAST: i64 = 1_762_000_000_000;
/// Ids of 2, 3 and more digits: numbers that do not sort like texts.
const FIRST_ID: u64 = 95;
/// The largest page of a search, and of a list.
const PAGES: (usize, usize) = (200, 100);
/// The deepest result of a search that can be asked for.
const DEEPEST: usize = 10_000;
const KINDS: [&str; 3] = ["contacts", "companies", "deals"];

/// Smaller pages, so that there are several.
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

/// What an account holds.
#[derive(Debug)]
struct Portal {
    /// The records of each kind, by id.
    records: BTreeMap<&'static str, BTreeMap<u64, Value>>,
    /// Those that were archived before the first load: it never sees them as records.
    always_archived: Vec<(&'static str, u64)>,
    /// From a kind and an id to a kind and ids.
    associations: BTreeMap<(&'static str, u64, &'static str), Vec<u64>>,
    seed: u64,
    next_id: u64,
    hours: i64,
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
                kind(of).map(|of| portal.search(of, &request.body))
            }
            ("GET", ["crm", "v3", "objects", of]) => {
                kind(of).map(|of| portal.list(of, request, origin))
            }
            ("GET", ["crm", "v4", "objects", of, id, "associations", to]) => {
                let known = id.parse().ok().zip(kind(of)).zip(kind(to));
                known.map(|((id, of), to)| portal.associated((of, id, to), request))
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
            ("GET", "tables") => Some(Ok(portal.tables())),
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

impl Portal {
    fn new(seed: u64, contacts: u64) -> Self {
        let mut portal = Self {
            records: KINDS.into_iter().map(|kind| (kind, BTreeMap::new())).collect(),
            always_archived: Vec::new(),
            associations: BTreeMap::new(),
            seed,
            next_id: FIRST_ID,
            hours: 0,
        };
        for (kind, count) in
            [("companies", contacts / 4 + 2), ("contacts", contacts), ("deals", contacts / 3 + 1)]
        {
            for index in 0..count {
                // Changes are not in the order of ids, and several are made in one millisecond.
                let age = (index * 7919 % (count / 2 + 1)) as i64;
                let id = portal.add(kind, LAST - age * MINUTE);
                if index % 5 == 4 {
                    portal.archive(kind, id, LAST);
                    portal.always_archived.push((kind, id));
                }
            }
        }
        let ids = |kind| portal.records[kind].keys().copied().collect::<Vec<_>>();
        let (contacts, companies, deals) = (ids("contacts"), ids("companies"), ids("deals"));
        for (n, id) in contacts.iter().enumerate().filter(|(n, _)| n % 4 != 3) {
            portal.associate(("contacts", *id), ("companies", companies[n % companies.len()]));
        }
        for (n, id) in deals.iter().enumerate() {
            for m in 0..(n % 4).min(contacts.len()) {
                portal.associate(("deals", *id), ("contacts", contacts[(n + m) % contacts.len()]));
            }
            portal.associate(("deals", *id), ("companies", companies[n % companies.len()]));
        }
        portal
    }

    fn add(&mut self, kind: &'static str, at: i64) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let r = &mut Random::new(self.seed, 30, id);
        let (given, family) = name(r);
        let title = capital(&words(r, 1, 3));
        let mut properties = match kind {
            "contacts" => json!({
                "email": format!("{}.{}.{id}@example.org", ascii(given), ascii(family)),
                "firstname": given,
                "lastname": family,
                "phone": r.chance(0.5).then(|| format!("+43 1 {}", r.between(10_000, 99_999))),
                "lifecyclestage": r.pick(&["lead", "customer", "opportunity"]),
            }),
            "companies" => json!({
                "name": title,
                "domain": format!("{}.example", words(r, 1, 1)),
                "numberofemployees": r.between(1, 5000).to_string(),
            }),
            _ => json!({
                "dealname": title,
                "amount": r.chance(0.8).then(|| format!("{}.50", r.between(100, 90_000))),
                "dealstage": "appointmentscheduled",
                "pipeline": "default",
            }),
        };
        properties["hs_object_id"] = id.to_string().into();
        properties["createdate"] = utc_millis(at).into();
        let record = json!({
            "id": id.to_string(),
            "properties": properties,
            "createdAt": utc_millis(at),
            "updatedAt": utc_millis(at),
            "archived": false,
        });
        self.records.entry(kind).or_default().insert(id, record);
        self.touch(kind, id, at);
        id
    }

    fn touch(&mut self, kind: &'static str, id: u64, at: i64) {
        if let Some(record) = self.record(kind, id) {
            record["updatedAt"] = utc_millis(at).into();
            record["properties"][modified(kind)] = utc_millis(at).into();
        }
    }

    fn archive(&mut self, kind: &'static str, id: u64, at: i64) {
        if let Some(record) = self.record(kind, id) {
            record["archived"] = true.into();
            record["archivedAt"] = utc_millis(at).into();
        }
    }

    fn associate(&mut self, from: (&'static str, u64), to: (&'static str, u64)) {
        self.associations.entry((from.0, from.1, to.0)).or_default().push(to.1);
    }

    fn record(&mut self, kind: &'static str, id: u64) -> Option<&mut Value> {
        self.records.get_mut(kind)?.get_mut(&id)
    }

    /// An hour: of each kind the first record is changed, the second is archived, and one is added; the changed
    /// deal has another contact.
    fn advance(&mut self) -> Value {
        self.hours += 1;
        let at = LAST + self.hours * 60 * MINUTE;
        let mut changed = Map::new();
        for (kind, property) in KINDS.into_iter().zip(["lastname", "name", "dealname"]) {
            let living =
                self.records[kind].iter().filter(|(_, record)| record["archived"] == false);
            let living: Vec<u64> = living.map(|(id, _)| *id).collect();
            if let [first, second, ..] = living.as_slice() {
                self.touch(kind, *first, at);
                let value = format!("Changed in hour {}", self.hours);
                if let Some(record) = self.record(kind, *first) {
                    record["properties"][property] = value.into();
                }
                self.archive(kind, *second, at);
                changed.insert(kind.to_owned(), json!(first.to_string()));
            }
            let added = self.add(kind, at + MINUTE);
            if kind == "contacts"
                && let Some(deal) = self.records["deals"].keys().next().copied()
            {
                self.associate(("deals", deal), ("contacts", added));
            }
        }
        changed.into()
    }

    /// What a load makes of it: a record that was archived after it was loaded stays as it was.
    fn tables(&self) -> Value {
        let kept = |kind: &str| -> Vec<Value> {
            let always = |id: &u64| self.always_archived.iter().any(|(k, i)| *k == kind && i == id);
            self.records[kind]
                .iter()
                .filter(|(id, _)| !always(id))
                .map(|(_, r)| r.clone())
                .collect()
        };
        let archived = |kind: &str| -> Vec<Value> {
            self.records[kind].values().filter(|r| r["archived"] == true).cloned().collect()
        };
        let links = |from: &str, to: &str| -> Vec<Value> {
            let of = self.associations.iter().filter(|((of, id, other), _)| {
                *of == from && *other == to && !self.always_archived.contains(&(*of, *id))
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

    fn search(&self, kind: &'static str, body: &[u8]) -> Result<Value, String> {
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
            return Err(
                "There was a problem with the request: 10,000 results is the limit.".to_owned()
            );
        }
        let groups = filters(&body["filterGroups"])?;
        let mut found = Vec::new();
        for record in self.records[kind].values().filter(|record| record["archived"] == false) {
            if groups.is_empty() || groups.iter().any(|group| group.iter().all(|f| f.holds(record)))
            {
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

    fn list(&self, kind: &'static str, request: &Request, origin: &str) -> Result<Value, String> {
        let limit = request.number("limit", 10)?;
        let after = request.number("after", 0)? as u64;
        if !(1..=PAGES.1).contains(&limit) {
            return Err(format!("The limit must be between 1 and {}.", PAGES.1));
        }
        let archived = request.parameter("archived") == Some("true");
        let asked: Vec<&str> =
            request.parameter("properties").map_or(Vec::new(), |list| list.split(',').collect());
        let mut found =
            self.records[kind].range(after..).filter(|(_, r)| r["archived"] == archived);
        let shown: Vec<Value> =
            found.by_ref().take(limit).map(|(_, record)| with(record, kind, &asked)).collect();
        let mut page = json!({ "results": shown });
        if let Some((next, _)) = found.next() {
            let link = format!("{origin}{}?limit={limit}&after={next}", request.path);
            page["paging"] = json!({ "next": { "after": next.to_string(), "link": link } });
        }
        Ok(page)
    }

    fn associated(
        &self,
        of: (&'static str, u64, &'static str),
        request: &Request,
    ) -> Result<Value, String> {
        let (limit, after) = (request.number("limit", 500)?, request.number("after", 0)?);
        let ids = self.associations.get(&of).map_or(&[][..], Vec::as_slice);
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

/// A number, or the milliseconds of a time.
fn number(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| parse_time(text).ok())
}

/// The property that says when a record was last changed.
fn modified(kind: &str) -> &'static str {
    if kind == "contacts" { "lastmodifieddate" } else { "hs_lastmodifieddate" }
}

/// The record with these properties, and those that every record has.
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

    /// More contacts than a search pages through, with an age that is not in the order of their ids.
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

    /// A record that changes while others are read is read by the next load: it begins before this one did.
    #[test]
    fn the_next_load_begins_before_this_one() {
        let service = service(5);
        let started = parse_time("2026-11-20T07:08:09.000Z").unwrap();
        lock(&service.portal).add("contacts", started + 10_000);
        let trial = Trial { selected: &["contacts"], ..FAKE.trials[0] };
        let run = undisturbed(trial.job(FAKE.settings).unwrap(), Arc::new(service));
        let last: Vec<_> = run.report.cursors.iter().map(|cursor| cursor.last.as_deref()).collect();
        assert_eq!(last, [Some("2026-11-20T07:03:09.123Z")]);
    }

    #[test]
    fn what_a_search_refuses_is_refused() {
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
