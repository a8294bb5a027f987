//! An account of PagerDuty: users, teams, services, incidents and their log, and what an hour changes.

use serde_json::{Value, json};

use super::random::Random;
use super::text::{ascii, capital, name, sentence, words};
use super::time::utc;

const PURPOSE: u64 = 20;
const API: &str = "https://api.pagerduty.com";
const WEB: &str = "https://example-team.pagerduty.com";
const HOUR: i64 = 3_600_000;
/// When the last incident before the first load was opened.
const LAST: i64 = 1_762_000_000_000;

/// An account.
#[derive(Clone, Debug)]
pub struct Account {
    /// The people.
    pub users: Vec<Value>,
    /// The teams.
    pub teams: Vec<Value>,
    /// What incidents happen to.
    pub services: Vec<Value>,
    /// Incidents, the oldest first.
    pub incidents: Vec<Value>,
    /// What happened to incidents, the oldest first.
    pub log_entries: Vec<Value>,
    /// Notes of people on incidents: the id of the incident, and the note.
    pub notes: Vec<(String, Value)>,
    seed: u64,
    hours: u64,
}

impl Account {
    /// An account with so many incidents.
    pub fn new(seed: u64, incidents: u64) -> Self {
        let mut account = Self {
            users: (0..12).map(|n| user(seed, n)).collect(),
            teams: (0..3).map(|n| team(seed, n)).collect(),
            services: (0..7).map(|n| service(seed, n)).collect(),
            incidents: Vec::new(),
            log_entries: Vec::new(),
            notes: Vec::new(),
            seed,
            hours: 0,
        };
        for index in 0..incidents {
            account.trigger(index, LAST - (incidents - index) as i64 * HOUR);
        }
        account
    }

    /// An hour: the newest incident that is not resolved is, and gets a note, another is triggered,
    /// and a service is renamed. Says what was done.
    pub fn advance(&mut self) -> Value {
        self.hours += 1;
        let at = LAST + self.hours as i64 * HOUR;
        let resolved = self.incidents.iter_mut().rev().find(|found| found["status"] != "resolved");
        let resolved = resolved.map(|incident| {
            incident["status"] = "resolved".into();
            incident["resolved_at"] = utc(at).into();
            incident["updated_at"] = utc(at).into();
            incident["last_status_change_at"] = utc(at).into();
            incident["assignments"] = json!([]);
            incident.clone()
        });
        if let Some(incident) = &resolved {
            self.log("resolve_log_entry", incident, at);
            self.note(incident, at);
        }
        let next = self.incidents.len() as u64;
        self.trigger(next, at + 60_000);
        if let Some(service) = self.services.first_mut() {
            service["name"] = format!("Renamed in hour {}", self.hours).into();
        }
        json!({
            "resolved": resolved.map(|incident| incident["id"].clone()),
            "triggered": self.incidents.last().map(|incident| incident["id"].clone()),
        })
    }

    fn trigger(&mut self, index: u64, at: i64) {
        let r = &mut Random::new(self.seed, PURPOSE, index);
        let id = format!("Q{index:013}");
        let resolved = index.is_multiple_of(3);
        let who = self.users[index as usize % self.users.len()].clone();
        let place = self.services[index as usize % self.services.len()].clone();
        let title = sentence(r, 4, 9);
        let assignments = if resolved {
            json!([])
        } else {
            json!([{ "at": utc(at), "assignee": reference(&who, "user_reference") }])
        };
        let incident = json!({
            "incident_number": index + 1,
            "title": title,
            "description": title,
            "created_at": utc(at),
            "updated_at": utc(at),
            "status": if resolved { "resolved" } else { "triggered" },
            "incident_key": r.hex(32),
            "service": reference(&place, "service_reference"),
            "assignments": assignments,
            "assigned_via": "escalation_policy",
            "last_status_change_at": utc(at),
            "resolved_at": resolved.then(|| utc(at)),
            "first_trigger_log_entry": {
                "id": format!("R{index:013}"),
                "type": "trigger_log_entry_reference",
            },
            "alert_counts": { "all": 1, "triggered": u8::from(!resolved), "resolved": u8::from(resolved) },
            "is_mergeable": true,
            "teams": [reference(&self.teams[index as usize % self.teams.len()], "team_reference")],
            "pending_actions": [],
            "acknowledgements": [],
            "urgency": r.pick(&["high", "low"]),
            "id": id,
            "type": "incident",
            "summary": format!("[#{}] {title}", index + 1),
            "self": format!("{API}/incidents/{id}"),
            "html_url": format!("{WEB}/incidents/{id}"),
        });
        self.log("trigger_log_entry", &incident, at);
        if index.is_multiple_of(5) {
            self.note(&incident, at + 1000);
        }
        self.incidents.push(incident);
    }

    fn log(&mut self, kind: &str, incident: &Value, at: i64) {
        let id = format!("R{:013}", self.log_entries.len());
        self.log_entries.push(json!({
            "id": id,
            "type": kind,
            "summary": capital(&kind.replace("_log_entry", "d")),
            "self": format!("{API}/log_entries/{id}"),
            "html_url": null,
            "created_at": utc(at),
            "agent": reference(&self.users[0], "user_reference"),
            "channel": { "type": "api" },
            "service": incident["service"],
            "incident": reference(incident, "incident_reference"),
            "teams": incident["teams"],
            "contexts": [{ "type": "link", "href": format!("{WEB}/runbook"), "text": "Runbook" }],
        }));
    }

    fn note(&mut self, incident: &Value, at: i64) {
        let index = self.notes.len() as u64;
        let r = &mut Random::new(self.seed, PURPOSE + 1, index);
        let note = json!({
            "id": format!("N{index:013}"),
            "user": reference(&self.users[index as usize % self.users.len()], "user_reference"),
            "channel": { "summary": "The PagerDuty website" },
            "content": sentence(r, 4, 14),
            "created_at": utc(at),
        });
        self.notes.push((incident["id"].as_str().unwrap_or_default().to_owned(), note));
    }
}

fn reference(to: &Value, kind: &str) -> Value {
    json!({
        "id": to["id"],
        "type": kind,
        "summary": to["summary"],
        "self": to["self"],
        "html_url": to["html_url"],
    })
}

fn user(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE + 2, index);
    let (given, family) = name(r);
    let id = format!("PU{index:05}");
    let full = format!("{given} {family}");
    json!({
        "name": full,
        "email": format!("{}.{}@example.org", ascii(given), ascii(family)),
        "time_zone": "Europe/Vienna",
        "color": "purple",
        "role": r.pick(&["user", "admin", "observer"]),
        "avatar_url": format!("https://secure.gravatar.com/avatar/{}.png", r.hex(32)),
        "description": r.chance(0.3).then(|| sentence(r, 3, 8)),
        "invitation_sent": false,
        "job_title": null,
        "teams": [],
        "contact_methods": [{
            "id": format!("PC{index:05}"),
            "type": "email_contact_method_reference",
            "summary": "Default",
        }],
        "id": id,
        "type": "user",
        "summary": full,
        "self": format!("{API}/users/{id}"),
        "html_url": format!("{WEB}/users/{id}"),
    })
}

fn team(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE + 3, index);
    let (id, name) = (format!("PT{index:05}"), capital(&words(r, 1, 2)));
    json!({
        "id": id,
        "name": name,
        "description": null,
        "type": "team",
        "summary": name,
        "self": format!("{API}/teams/{id}"),
        "html_url": format!("{WEB}/teams/{id}"),
        "default_role": "manager",
        "parent": null,
    })
}

fn service(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE + 4, index);
    let (id, name) = (format!("PS{index:05}"), capital(&words(r, 1, 3)));
    json!({
        "name": name,
        "description": r.chance(0.5).then(|| sentence(r, 3, 9)),
        "created_at": utc(LAST - 9000 * HOUR),
        "updated_at": utc(LAST - 900 * HOUR),
        "status": "active",
        "auto_resolve_timeout": 14_400,
        "acknowledgement_timeout": null,
        "alert_creation": "create_alerts_and_incidents",
        "incident_urgency_rule": { "type": "constant", "urgency": "high" },
        "integrations": [{ "id": format!("PI{index:05}"), "type": "events_api_v2_inbound_integration_reference" }],
        "id": id,
        "type": "service",
        "summary": name,
        "self": format!("{API}/services/{id}"),
        "html_url": format!("{WEB}/service-directory/{id}"),
    })
}
