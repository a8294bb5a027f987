//! The people of the site. There are few of them, as in a real one: texts repeat.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::catalogue::API;
use crate::generators::random::Random;
use crate::generators::text::{ascii, name};

const PURPOSE: u64 = 5;
/// How many there are.
pub const COUNT: u64 = 120;
const ZONES: &[&str] = &["America/New_York", "Asia/Kolkata", "Europe/Berlin", "Europe/Vienna"];

static PEOPLE: LazyLock<Vec<Value>> = LazyLock::new(|| (0..COUNT).map(person).collect());

/// Somebody, always the same one for the same number.
pub fn user(number: u64) -> Value {
    PEOPLE[(number % COUNT) as usize].clone()
}

/// Somebody.
pub(super) fn anybody(r: &mut Random) -> &'static Value {
    &PEOPLE[r.below(COUNT) as usize]
}

fn person(number: u64) -> Value {
    // The same people whatever the seed: they belong to the site, not to its issues.
    let r = &mut Random::new(0, PURPOSE, number);
    let account = if r.chance(0.5) {
        format!("{}:{}", r.between(557_058, 712_020), r.uuid())
    } else {
        r.hex(24)
    };
    let (given, family) = name(r);
    let (first, last) = (ascii(given), ascii(family));
    let initials = format!("{}{}", &given[..1], last[..1].to_ascii_uppercase());
    let avatar = format!(
        "https://secure.gravatar.com/avatar/{}?d=https%3A%2F%2Favatar-management--avatars.us-west-2\
         .prod.public.atl-paas.net%2Finitials%2F{initials}-{}.png",
        r.hex(32),
        r.below(7)
    );
    let mut person =
        json!({ "self": format!("{API}/user?accountId={account}"), "accountId": account });
    // People may hide their address.
    if r.chance(0.6) {
        person["emailAddress"] = format!("{first}.{last}@example.org").into();
    }
    person["avatarUrls"] =
        json!({ "48x48": avatar, "24x24": avatar, "16x16": avatar, "32x32": avatar });
    person["displayName"] = format!("{given} {family}").into();
    person["active"] = r.chance(0.9).into();
    person["timeZone"] = r.pick(ZONES).into();
    person["accountType"] = "atlassian".into();
    person
}
