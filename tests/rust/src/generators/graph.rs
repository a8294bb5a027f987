//! A directory of Microsoft Graph: users, groups, who is in which group, and sign-ins.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::random::Random;
use super::text::{ascii, capital, name, sentence, words};
use super::time::utc;

const PURPOSE: u64 = 30;
const HOUR: i64 = 3_600_000;
/// When the last sign-in before the first load was.
const LAST: i64 = 1_762_000_000_000;

/// A directory.
#[derive(Clone, Debug)]
pub struct Directory {
    /// The people.
    pub users: Vec<Value>,
    /// The groups.
    pub groups: Vec<Value>,
    /// The people in each group, by its id.
    pub members: BTreeMap<String, Vec<Value>>,
    /// Who signed in, the oldest first.
    pub sign_ins: Vec<Value>,
    seed: u64,
    days: u64,
}

impl Directory {
    /// A directory with so many users.
    pub fn new(seed: u64, users: u64) -> Self {
        let users = (0..users).map(|index| user(seed, index)).collect::<Vec<_>>();
        let groups = (0..5).map(|index| group(seed, index)).collect::<Vec<_>>();
        let mut members = BTreeMap::new();
        for (at, group) in groups.iter().enumerate() {
            // The last has none.
            let inside =
                users.iter().enumerate().filter(|(n, _)| at < 4 && n.is_multiple_of(at + 2));
            members.insert(text(&group["id"]), inside.map(|(_, user)| member(user)).collect());
        }
        let mut directory = Self { users, groups, members, sign_ins: Vec::new(), seed, days: 0 };
        for index in 0..directory.users.len() as i64 * 2 {
            directory.sign_in(LAST - (directory.users.len() as i64 * 2 - index) * HOUR);
        }
        directory
    }

    /// A day: somebody leaves the first group, somebody gets another title, somebody signs in. Says
    /// what was done.
    pub fn advance(&mut self) -> Value {
        self.days += 1;
        let left = self.members.values_mut().find(|members| !members.is_empty());
        let left = left.map(|members| members.remove(0)["id"].clone());
        let promoted = self.users.first_mut().map(|user| {
            user["jobTitle"] = format!("Title of day {}", self.days).into();
            user["id"].clone()
        });
        self.sign_in(LAST + self.days as i64 * 24 * HOUR);
        json!({ "left": left, "promoted": promoted })
    }

    fn sign_in(&mut self, at: i64) {
        let index = self.sign_ins.len() as u64;
        let r = &mut Random::new(self.seed, PURPOSE + 3, index);
        let Some(user) = self.users.get(index as usize % self.users.len().max(1)) else { return };
        let failed = r.chance(0.1);
        self.sign_ins.push(json!({
            "id": r.uuid(),
            "createdDateTime": utc(at),
            "userDisplayName": user["displayName"],
            "userPrincipalName": user["userPrincipalName"],
            "userId": user["id"],
            "appId": r.uuid(),
            "appDisplayName": r.pick(&["Office 365", "Azure Portal", "Graph Explorer"]),
            "ipAddress": format!("192.0.2.{}", r.below(255)),
            "clientAppUsed": "Browser",
            "isInteractive": true,
            "conditionalAccessStatus": "notApplied",
            "riskLevelAggregated": "none",
            "status": {
                "errorCode": if failed { 50126 } else { 0 },
                "failureReason": failed.then_some("Invalid username or password."),
                "additionalDetails": null,
            },
            "deviceDetail": { "deviceId": "", "displayName": null, "operatingSystem": "Linux", "browser": "Firefox" },
            "location": {
                "city": "Wien",
                "state": null,
                "countryOrRegion": "AT",
                "geoCoordinates": { "altitude": null, "latitude": 48.2, "longitude": 16.37 },
            },
            "appliedConditionalAccessPolicies": [],
        }));
    }
}

fn user(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE, index);
    let (given, family) = name(r);
    let address = format!("{}.{}{index}@example.org", ascii(given), ascii(family));
    json!({
        "businessPhones": if r.chance(0.5) { vec![format!("+43 1 {}", 100_000 + index)] } else { Vec::new() },
        "displayName": format!("{given} {family}"),
        "givenName": given,
        "jobTitle": r.chance(0.6).then(|| capital(&words(r, 1, 2))),
        "mail": address,
        "mobilePhone": null,
        "officeLocation": r.chance(0.4).then_some("18/2111"),
        "preferredLanguage": "de-AT",
        "surname": family,
        "userPrincipalName": address,
        "id": r.uuid(),
    })
}

fn group(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE + 1, index);
    let name = capital(&words(r, 1, 3));
    json!({
        "id": r.uuid(),
        "deletedDateTime": null,
        "classification": null,
        "createdDateTime": utc(LAST - (9000 - index as i64) * HOUR),
        "description": r.chance(0.7).then(|| sentence(r, 3, 9)),
        "displayName": name,
        "groupTypes": if index.is_multiple_of(2) { vec!["Unified"] } else { Vec::new() },
        "mail": format!("group{index}@example.org"),
        "mailEnabled": index.is_multiple_of(2),
        "mailNickname": format!("group{index}"),
        "securityEnabled": true,
        "visibility": "Public",
        "proxyAddresses": [format!("SMTP:group{index}@example.org")],
    })
}

/// A user as the list of a group's members gives it.
fn member(user: &Value) -> Value {
    let mut member = json!({ "@odata.type": "#microsoft.graph.user" });
    if let (Some(member), Some(user)) = (member.as_object_mut(), user.as_object()) {
        member.extend(user.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    member
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
