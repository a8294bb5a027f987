//! An account of a CRM: contacts, companies, deals and their associations, and the changes of an hour.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::random::Random;
use super::text::{ascii, capital, name, words};
use super::time::utc_millis;

const MINUTE: i64 = 60_000;
/// The time of the last change before the first load.
const LAST: i64 = 1_762_000_000_000;
/// Ids have 2, 3 and more digits: as numbers they sort differently than as strings.
const FIRST_ID: u64 = 95;
/// The kinds of records.
pub const KINDS: [&str; 3] = ["contacts", "companies", "deals"];

/// An account.
#[derive(Debug)]
pub struct Portal {
    /// The records of each kind, by id.
    pub records: BTreeMap<&'static str, BTreeMap<u64, Value>>,
    /// Records that were archived before the first load, which never sees them.
    pub always_archived: Vec<(&'static str, u64)>,
    /// The associated ids of another kind, by kind, id and the other kind.
    pub associations: BTreeMap<(&'static str, u64, &'static str), Vec<u64>>,
    seed: u64,
    next_id: u64,
    hours: i64,
}

impl Portal {
    /// An account with `contacts` contacts.
    pub fn new(seed: u64, contacts: u64) -> Self {
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
                // Changes are not in the order of ids, and several share a millisecond.
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

    /// Adds a record that was created at this time. Returns its id.
    pub fn add(&mut self, kind: &'static str, at: i64) -> u64 {
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

    /// Advances by an hour: of each kind the first record changes, the second is archived, and one is added. The
    /// changed deal gets another contact. Returns the changed records.
    pub fn advance(&mut self) -> Value {
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
}

/// The property with the time of a record's last change.
pub fn modified(kind: &str) -> &'static str {
    if kind == "contacts" { "lastmodifieddate" } else { "hs_lastmodifieddate" }
}
