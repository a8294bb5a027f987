//! The changelog of an issue: who changed what, the newest change first.

use serde_json::{Value, json};

use super::Outline;
use super::catalogue::{LABELS, STATUSES};
use super::people::anybody;
use crate::generators::random::Random;
use crate::generators::text::prose;
use crate::generators::time::jira_time;

const STEP: i64 = 2 * super::HOUR;

/// The whole changelog.
pub(super) fn changelog(r: &mut Random, issue: &Outline) -> Value {
    let count = 1 + r.exponential(8.0).min(99);
    let mut histories = Vec::with_capacity(count);
    for n in 0..count {
        // The newest first, and newest first has the highest number.
        let id = issue.id * 100 + (count - 1 - n) as u64;
        histories.push(history(r, id, issue.updated - n as i64 * STEP));
    }
    let mut log = json!({ "startAt": 0, "maxResults": count, "total": count });
    log["histories"] = histories.into();
    log
}

fn history(r: &mut Random, id: u64, at: i64) -> Value {
    let count = r.weighted(&[(1, 70), (2, 18), (3, 8), (4, 4)]);
    let items = (0..count).map(|_| item(r)).collect::<Vec<_>>();
    let mut history = json!({
        "id": id.to_string(),
        "author": anybody(r),
        "created": jira_time(at - r.between(0, 999)),
    });
    history["items"] = items.into();
    history
}

fn item(r: &mut Random) -> Value {
    match r.below(100) {
        0..35 => {
            let (from, to) = (r.pick(&STATUSES), r.pick(&STATUSES));
            change(
                "status",
                "status",
                (Some(from.id), Some(from.name)),
                (Some(to.id), Some(to.name)),
            )
        }
        35..50 => {
            let (from, to) = (anybody(r), anybody(r));
            let before = if r.chance(0.5) { from["accountId"].as_str() } else { None };
            change(
                "assignee",
                "assignee",
                (before, from["displayName"].as_str()),
                (to["accountId"].as_str(), to["displayName"].as_str()),
            )
        }
        50..62 => {
            let sprint = r.between(1, 120);
            let (id, name) = (sprint.to_string(), format!("PLAT Sprint {sprint}"));
            change(
                "Sprint",
                "customfield_10020",
                (Some(""), Some("")),
                (Some(id.as_str()), Some(name.as_str())),
            )
        }
        62..70 => {
            let rank = r.pick(&["Ranked higher", "Ranked lower"]);
            change("Rank", "customfield_10019", (Some(""), Some("")), (Some(""), Some(rank)))
        }
        70..78 => {
            let (from, to) = (prose(r, 1, 8), prose(r, 1, 8));
            change(
                "description",
                "description",
                (None, Some(from.as_str())),
                (None, Some(to.as_str())),
            )
        }
        78..86 => {
            let labels = r.sample(&LABELS, 2).join(" ");
            change("labels", "labels", (Some(""), Some("")), (Some(""), Some(labels.as_str())))
        }
        86..93 => {
            let points = r.pick(&["1", "2", "3", "5", "8"]);
            change("Story Points", "customfield_10016", (None, None), (None, Some(points)))
        }
        _ => {
            let (from, to) = ((r.below(91) * 600).to_string(), (r.below(91) * 600).to_string());
            change(
                "timeestimate",
                "timeestimate",
                (Some(from.as_str()), Some(from.as_str())),
                (Some(to.as_str()), Some(to.as_str())),
            )
        }
    }
}

/// From and to are an id, where the field has ids, and what a person reads.
fn change(
    field: &str,
    id: &str,
    from: (Option<&str>, Option<&str>),
    to: (Option<&str>, Option<&str>),
) -> Value {
    json!({
        "field": field,
        "fieldtype": if id.starts_with("customfield") { "custom" } else { "jira" },
        "fieldId": id,
        "from": from.0,
        "fromString": from.1,
        "to": to.0,
        "toString": to.1,
    })
}
