//! A fake of Zendesk Support's incremental exports: of tickets and users by a cursor, of organizations and
//! ticket events by time. Exports by time repeat the items of the last second of a page.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::registry::{Fake, Options, Trial, basic, table};
use super::{Service, lock};
use crate::generators::random::Random;
use crate::generators::text::{ascii, capital, name, sentence, words};
use crate::generators::time::utc;

/// How the program and the tests of all ready-made jobs know it.
pub(super) const FAKE: Fake = Fake {
    name: "zendesk",
    about: "Zendesk Support; the size is its number of tickets",
    size: 40,
    secret: "loader@example.org/token:fake-token",
    settings: &[("subdomain", "your-subdomain")],
    make: |options| Arc::new(Zendesk::new(options)),
    trials: &[
        Trial {
            name: "tickets and users",
            job: "zendesk",
            size: 10,
            seed: 42,
            selected: &["tickets", "users"],
            shrink,
        },
        Trial {
            name: "organizations and ticket events",
            job: "zendesk",
            size: 20,
            seed: 42,
            selected: &["organizations", "ticket_events"],
            shrink,
        },
    ],
};

const SMALL_PAGE: u64 = 2;
const HOUR: i64 = 3600;
/// When the last change before the first load was made, in seconds.
const LAST: i64 = 1_762_000_000;
const LARGEST_PAGE: usize = 1000;
/// Exports omit what changed within this many seconds.
const RECENT: i64 = 60;

/// Smaller pages, so that there are several.
fn shrink(job: &mut Value) {
    job["resource_defaults"]["endpoint"]["params"]["per_page"] = SMALL_PAGE.into();
}

/// The service.
#[derive(Debug)]
struct Zendesk {
    authorization: String,
    account: Mutex<ZendeskAccount>,
}

/// What an account holds. Every item has the second at which it last changed.
#[derive(Debug)]
struct ZendeskAccount {
    tickets: Vec<(i64, Value)>,
    users: Vec<(i64, Value)>,
    organizations: Vec<(i64, Value)>,
    events: Vec<(i64, Value)>,
    seed: u64,
    hours: i64,
}

impl Service for Zendesk {
    fn authorization(&self) -> Option<String> {
        Some(self.authorization.clone())
    }

    fn answer(&self, request: &Request, origin: &str) -> Response {
        let account = lock(&self.account);
        let Some(list) = request.path.strip_prefix("/api/v2/incremental/") else {
            return self.refusal(404, "");
        };
        let export = Export { request, origin, now: LAST + account.hours * HOUR + 2 * RECENT };
        let page = match (request.method.as_str(), list.trim_end_matches(".json")) {
            ("GET", "tickets/cursor") => export.by_cursor("tickets", &account.tickets),
            ("GET", "users/cursor") => export.by_cursor("users", &account.users),
            ("GET", "organizations") => export.by_time("organizations", &account.organizations),
            ("GET", "ticket_events") => export.by_time("ticket_events", &account.events),
            _ => return self.refusal(404, ""),
        };
        match page {
            Ok(page) => Response::value(200, &page),
            Err(message) => {
                let body = json!({ "error": "StartTimeInvalid", "description": message });
                Response::value(422, &body)
            }
        }
    }

    fn refusal(&self, status: u16, message: &str) -> Response {
        let (error, description) = match status {
            401 => ("Couldn't authenticate you", "The token is not known."),
            404 => ("RecordNotFound", "Not found"),
            429 => (
                "APIRateLimitExceeded",
                "Number of allowed incremental export API requests per minute exceeded",
            ),
            _ => ("InvalidEndpoint", message),
        };
        Response::value(status, &json!({ "error": error, "description": description }))
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        vec![("x-zendesk-request-id", "fffe2b9b0a1d".to_owned())]
    }

    fn control(&self, request: &Request, name: &str) -> Option<Result<Value, String>> {
        let mut account = lock(&self.account);
        match (request.method.as_str(), name) {
            ("POST", "advance") => Some(Ok(account.advance())),
            ("GET", "tables") => Some(Ok(account.tables())),
            _ => None,
        }
    }
}

impl Zendesk {
    fn new(options: &Options) -> Self {
        Self {
            authorization: basic(&options.secret),
            account: Mutex::new(ZendeskAccount::new(options.seed, options.size)),
        }
    }
}

/// A request for a page of an export.
struct Export<'r> {
    request: &'r Request,
    origin: &'r str,
    now: i64,
}

impl Export<'_> {
    fn start_time(&self) -> Result<i64, String> {
        let text = self.request.parameter("start_time").ok_or("start_time is missing")?;
        let start = text.parse().map_err(|_| format!("start_time {text} is not a number"))?;
        if start > self.now - RECENT {
            return Err("Too recent start_time. Use a start_time older than 60 seconds".to_owned());
        }
        Ok(start)
    }

    fn size(&self) -> Result<usize, String> {
        let size = self.request.number("per_page", LARGEST_PAGE)?;
        Ok(size.clamp(1, LARGEST_PAGE))
    }

    /// The address of the next page: this one, but with another parameter in the place of `start_time` and `cursor`.
    fn next(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let others = self.request.query.iter();
        query.extend_pairs(others.filter(|(name, _)| name != "start_time" && name != "cursor"));
        query.append_pair(name, value);
        format!("{}{}?{}", self.origin, self.request.path, query.finish())
    }

    /// A page that begins behind a cursor, or at a time.
    fn by_cursor(&self, key: &str, items: &[(i64, Value)]) -> Result<Value, String> {
        let behind = match self.request.parameter("cursor") {
            None => (self.start_time()?, i64::MIN),
            Some(cursor) => cursor
                .split_once('-')
                .and_then(|(time, id)| time.parse().ok().zip(id.parse().ok()))
                .ok_or("cursor is not valid")?,
        };
        let found = self.sorted(items, |place| place > behind);
        let size = self.size()?;
        let shown: Vec<&Value> = found.iter().take(size).map(|(_, item)| *item).collect();
        let (time, id) = found.iter().take(size).next_back().map_or(behind, |(place, _)| *place);
        let cursor = format!("{time}-{id}");
        Ok(json!({
            key: shown,
            "after_url": self.next("cursor", &cursor),
            "after_cursor": cursor,
            "before_url": null,
            "before_cursor": null,
            "end_of_stream": found.len() <= size,
        }))
    }

    /// A page that begins at a time. The items of a second are never on two pages, unless the next one repeats them.
    fn by_time(&self, key: &str, items: &[(i64, Value)]) -> Result<Value, String> {
        let start = self.start_time()?;
        let found = self.sorted(items, |(time, _)| time >= start);
        let mut count = self.size()?.min(found.len());
        let second = |n: usize| found.get(n).map(|((time, _), _)| *time);
        // To the end of a second, and beyond the one that it begins with.
        while count < found.len()
            && (second(count) == second(count - 1) || second(count - 1) == Some(start))
        {
            count += 1;
        }
        let end_time = count.checked_sub(1).and_then(second).unwrap_or(start);
        let shown: Vec<&Value> = found.iter().take(count).map(|(_, item)| *item).collect();
        Ok(json!({
            key: shown,
            "count": count,
            "end_of_stream": count == found.len(),
            "end_time": end_time,
            "next_page": self.next("start_time", &end_time.to_string()),
        }))
    }

    /// The items in the order of their changes.
    fn sorted<'i>(
        &self,
        items: &'i [(i64, Value)],
        holds: impl Fn((i64, i64)) -> bool,
    ) -> Vec<((i64, i64), &'i Value)> {
        let place = |(time, item): &(i64, Value)| (*time, item["id"].as_i64().unwrap_or_default());
        let mut found: Vec<_> = items.iter().map(|item| (place(item), &item.1)).collect();
        found.retain(|(place, _)| holds(*place) && place.0 <= self.now - RECENT);
        found.sort_by_key(|(place, _)| *place);
        found
    }
}

impl ZendeskAccount {
    fn new(seed: u64, tickets: u64) -> Self {
        let mut account = Self {
            tickets: Vec::new(),
            users: Vec::new(),
            organizations: Vec::new(),
            events: Vec::new(),
            seed,
            hours: 0,
        };
        // Three of each change in one second: the last second of a page is that of the next one's first items.
        let at = |index: u64, count: u64| LAST - (count - index).div_euclid(3) as i64 * HOUR;
        let (users, organizations) = (tickets / 2 + 3, tickets / 3 + 5);
        for index in 0..organizations {
            account.add_organization(at(index, organizations));
        }
        for index in 0..users {
            account.add_user(at(index, users));
        }
        for index in 0..tickets {
            account.add_ticket(at(index, tickets));
            if index % 6 == 5 {
                account.change(index as usize, "deleted", at(index, tickets));
            }
        }
        account
    }

    /// An hour: the first open ticket is solved, the next one deleted, another created; a user and an organization
    /// get another name, and there is one more of each.
    fn advance(&mut self) -> Value {
        self.hours += 1;
        let at = LAST + self.hours * HOUR;
        let open =
            self.tickets.iter().enumerate().filter(|(_, (_, ticket))| ticket["status"] == "open");
        let open: Vec<usize> = open.map(|(n, _)| n).take(2).collect();
        for (n, status) in open.iter().zip(["solved", "deleted"]) {
            self.change(*n, status, at);
        }
        self.add_ticket(at);
        for list in [&mut self.users, &mut self.organizations] {
            if let Some((time, item)) = list.first_mut() {
                *time = at;
                item["name"] = format!("Renamed in hour {}", self.hours).into();
                item["updated_at"] = utc(at * 1000).into();
            }
        }
        self.add_user(at);
        self.add_organization(at);
        let id =
            |n: Option<&usize>| n.and_then(|n| self.tickets.get(*n)).map(|(_, t)| t["id"].clone());
        json!({ "solved": id(open.first()), "deleted": id(open.get(1)) })
    }

    fn add_ticket(&mut self, at: i64) {
        let n = self.tickets.len();
        let r = &mut Random::new(self.seed, 40, n as u64);
        let subject = sentence(r, 3, 8);
        let of =
            |list: &[(i64, Value)]| list.get(n % list.len().max(1)).map(|(_, i)| i["id"].clone());
        let ticket = json!({
            "id": n + 1,
            "url": format!("https://example-team.zendesk.com/api/v2/tickets/{}.json", n + 1),
            "external_id": null,
            "created_at": utc(at * 1000),
            "updated_at": utc(at * 1000),
            // A change by the system comes later than the last one by a person.
            "generated_timestamp": at,
            "type": r.pick(&["question", "incident", "problem"]),
            "subject": subject,
            "raw_subject": subject,
            "description": sentence(r, 5, 20),
            "priority": r.chance(0.7).then(|| r.pick(&["low", "normal", "high"])),
            "status": "open",
            "requester_id": of(&self.users),
            "organization_id": of(&self.organizations),
            "tags": words(r, 0, 3).split_whitespace().collect::<Vec<_>>(),
            "custom_fields": [{ "id": 360_001, "value": r.chance(0.5).then(|| words(r, 1, 1)) }],
            "via": { "channel": r.pick(&["web", "email", "api"]) },
            "is_public": true,
        });
        self.tickets.push((at, ticket));
        self.event(n, "Create", at);
    }

    fn change(&mut self, n: usize, status: &str, at: i64) {
        if let Some((time, ticket)) = self.tickets.get_mut(n) {
            *time = at;
            ticket["status"] = status.into();
            ticket["updated_at"] = utc(at * 1000).into();
            ticket["generated_timestamp"] = at.into();
        }
        self.event(n, "Change", at);
    }

    fn event(&mut self, ticket: usize, kind: &str, at: i64) {
        let id = self.events.len() + 9001;
        let event = json!({
            "id": id,
            "ticket_id": ticket + 1,
            "timestamp": at,
            "created_at": utc(at * 1000),
            "updater_id": 20_978_392,
            "via": "Web form",
            "event_type": "Audit",
            "child_events": [
                { "id": id * 10, "via": "Web form", "event_type": kind, "status": "open" },
                { "id": id * 10 + 1, "via": "Web form", "event_type": "Comment", "comment_public": true },
            ],
        });
        self.events.push((at, event));
    }

    fn add_user(&mut self, at: i64) {
        let n = self.users.len();
        let r = &mut Random::new(self.seed, 41, n as u64);
        let (given, family) = name(r);
        let user = json!({
            "id": 35_436 + n,
            "name": format!("{given} {family}"),
            "email": format!("{}.{n}@example.org", ascii(family)),
            "created_at": utc(at * 1000),
            "updated_at": utc(at * 1000),
            "role": r.pick(&["end-user", "agent", "admin"]),
            "active": true,
            "tags": [],
        });
        self.users.push((at, user));
    }

    fn add_organization(&mut self, at: i64) {
        let n = self.organizations.len();
        let r = &mut Random::new(self.seed, 42, n as u64);
        let organization = json!({
            "id": 509_974 + n,
            "name": capital(&words(r, 1, 2)),
            "created_at": utc(at * 1000),
            "updated_at": utc(at * 1000),
            "domain_names": [format!("{}.example", words(r, 1, 1))],
            "details": null,
            "tags": [],
        });
        self.organizations.push((at, organization));
    }

    /// What a load makes of it.
    fn tables(&self) -> Value {
        let items = |list: &[(i64, Value)]| list.iter().map(|(_, i)| i.clone()).collect::<Vec<_>>();
        let children = |list: &[(i64, Value)], key: &str| -> Vec<Value> {
            list.iter().flat_map(|(_, i)| i[key].as_array().cloned().unwrap_or_default()).collect()
        };
        json!({
            "TICKETS": table(&items(&self.tickets), &[("ID", "id"), ("STATUS", "status"), ("SUBJECT", "subject")]),
            "TICKETS__CUSTOM_FIELDS": table(&children(&self.tickets, "custom_fields"), &[("ID", "id"), ("VALUE", "value")]),
            "USERS": table(&items(&self.users), &[("ID", "id"), ("NAME", "name"), ("EMAIL", "email")]),
            "ORGANIZATIONS": table(&items(&self.organizations), &[("ID", "id"), ("NAME", "name")]),
            "TICKET_EVENTS": table(&items(&self.events), &[("ID", "id"), ("TICKET_ID", "ticket_id")]),
            "TICKET_EVENTS__CHILD_EVENTS": table(
                &children(&self.events, "child_events"),
                &[("ID", "id"), ("EVENT_TYPE", "event_type")],
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(service: &Zendesk, target: &str) -> (u16, Value) {
        let target = target.strip_prefix("http://x").unwrap_or(target);
        let response =
            service.answer(&Request::new("GET", target, Vec::new(), Vec::new()), "http://x");
        (response.status, serde_json::from_slice(&response.body).unwrap())
    }

    /// Every item of an export, and how many pages there were.
    fn export(service: &Zendesk, target: &str, key: &str, next: &str) -> (Vec<i64>, usize) {
        let (mut ids, mut pages, mut target) = (Vec::new(), 0, target.to_owned());
        loop {
            let (status, page) = get(service, &target);
            assert_eq!(status, 200, "{target}: {page}");
            ids.extend(
                page[key].as_array().unwrap().iter().map(|item| item["id"].as_i64().unwrap()),
            );
            pages += 1;
            if page["end_of_stream"] == true {
                return (ids, pages);
            }
            target = page[next].as_str().unwrap().to_owned();
        }
    }

    #[test]
    fn exports_by_time_repeat_the_last_second_of_a_page() {
        let service = Zendesk::new(&Options { size: 30, ..FAKE.options() });
        let prefix = "/api/v2/incremental";
        let by_time = |of: &str, key: &str| {
            export(&service, &format!("{prefix}/{of}?start_time=0&per_page=4"), key, "next_page")
        };
        for (of, key, count) in [
            ("organizations.json", "organizations", 15),
            ("ticket_events.json", "ticket_events", 35),
        ] {
            let (mut ids, pages) = by_time(of, key);
            assert!(pages > 2 && ids.len() > count, "{of}: {} of {count} on {pages}", ids.len());
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), count, "{of}");
        }
        let target = format!("{prefix}/tickets/cursor.json?start_time=0&per_page=4");
        let (tickets, pages) = export(&service, &target, "tickets", "after_url");
        assert_eq!((tickets.len(), pages), (30, 8), "a cursor repeats nothing");
    }

    #[test]
    fn what_zendesk_refuses_is_refused() {
        let service = Zendesk::new(&FAKE.options());
        for (target, status) in [
            ("/api/v2/incremental/tickets/cursor.json", 422),
            ("/api/v2/incremental/users/cursor.json?start_time=soon", 422),
            ("/api/v2/incremental/organizations.json?start_time=1762000100", 422),
            ("/api/v2/incremental/users/cursor.json?cursor=x", 422),
            ("/api/v2/tickets.json", 404),
        ] {
            assert_eq!(get(&service, target).0, status, "{target}");
        }
    }
}
