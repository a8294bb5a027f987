//! Issues in the shape that Jira Cloud gives them for `fields=*all&expand=changelog`: documents in
//! Atlassian's format, histories with lists of items, comments, work logs, attachments, links and
//! custom fields of every kind. Most of their rows end in nested tables, six levels deep.

mod adf;
mod agile;
mod catalogue;
mod fields;
mod history;
mod people;

use serde_json::{Map, Value, json};

use super::random::Random;
use super::time::jira_time;

pub use self::adf::plain as plain_document;
pub use self::agile::{BOARDS, board, board_sprints};
pub use self::catalogue::{PROJECTS, Project, SITE, project_detail};
pub use self::people::{COUNT as PEOPLE, user};

/// The instant before which every generated issue was last updated: 2026-11-20, midnight UTC.
pub const TODAY: i64 = 1_795_132_800_000;

/// The number (`id`) of the first issue.
pub const FIRST_ID: u64 = 10_000;

const OUTLINE: u64 = 3;
const ISSUE: u64 = 4;
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// What is known of an issue before it is written out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outline {
    /// The issue's number.
    pub id: u64,
    /// Its key, such as `PLAT-17`.
    pub key: String,
    /// Its project, as an index into [`PROJECTS`].
    pub project: usize,
    /// When it was created.
    pub created: i64,
    /// When it was last updated: within the year before [`TODAY`].
    pub updated: i64,
}

/// The outline of the issue at this index.
pub fn outline(seed: u64, index: u64) -> Outline {
    let r = &mut Random::new(seed, OUTLINE, index);
    let project = catalogue::any_project(r);
    let updated = if r.chance(0.04) {
        // Bulk edits give many issues the very same instant, which a cursor must cope with.
        TODAY - r.between(1, 12) * 29 * DAY + 345
    } else {
        TODAY - r.between(1, 365 * DAY)
    };
    Outline {
        id: FIRST_ID + index,
        key: format!("{}-{}", PROJECTS[project].key, index + 1),
        project,
        created: updated - r.between(HOUR, 90 * DAY),
        updated,
    }
}

/// The issue at this index.
pub fn issue(seed: u64, index: u64) -> Value {
    let outline = outline(seed, index);
    let r = &mut Random::new(seed, ISSUE, index);
    let mut issue = Map::new();
    issue.insert("expand".to_owned(), fields::EXPAND.into());
    issue.insert("id".to_owned(), outline.id.to_string().into());
    issue.insert("self".to_owned(), format!("{SITE}/rest/api/3/issue/{}", outline.id).into());
    issue.insert("key".to_owned(), outline.key.clone().into());
    issue.insert("changelog".to_owned(), history::changelog(r, &outline));
    issue.insert("fields".to_owned(), fields::fields(r, &outline));
    Value::Object(issue)
}

/// One more entry of a changelog, saying that the summary changed at an instant.
pub fn summary_change(id: u64, at: i64, from: &str, to: &str) -> Value {
    json!({
        "id": id.to_string(),
        "author": user(id),
        "created": jira_time(at),
        "items": [{
            "field": "summary",
            "fieldtype": "jira",
            "fieldId": "summary",
            "from": null,
            "fromString": from,
            "to": null,
            "toString": to,
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generators::parse_time;

    #[test]
    fn an_issue_agrees_with_its_outline() {
        for index in 0..50 {
            let (outline, issue) = (outline(9, index), issue(9, index));
            assert_eq!(issue["id"], outline.id.to_string());
            assert_eq!(issue["key"], outline.key);
            assert_eq!(issue["fields"]["project"]["key"], PROJECTS[outline.project].key);
            for (field, instant) in [("created", outline.created), ("updated", outline.updated)] {
                let text = issue["fields"][field].as_str().unwrap();
                assert_eq!(parse_time(text), Ok(instant), "{field}");
            }
        }
    }

    #[test]
    fn updates_lie_in_the_past_year_and_some_coincide() {
        let mut updated = (0..2000).map(|index| outline(5, index).updated).collect::<Vec<_>>();
        updated.sort_unstable();
        assert!(updated.iter().all(|at| (TODAY - 365 * DAY..TODAY).contains(at)));
        updated.dedup();
        assert!((1900..1990).contains(&updated.len()), "{} distinct instants", updated.len());
    }

    #[test]
    fn the_newest_history_comes_first_and_the_counts_are_right() {
        for index in 0..50 {
            let issue = issue(2, index);
            let log = &issue["changelog"];
            let histories = log["histories"].as_array().unwrap();
            assert_eq!(log["total"], histories.len());
            let created = histories
                .iter()
                .map(|history| parse_time(history["created"].as_str().unwrap()).unwrap())
                .collect::<Vec<_>>();
            assert!(created.is_sorted_by(|a, b| a >= b));
            for (field, list) in [("comment", "comments"), ("worklog", "worklogs")] {
                let part = &issue["fields"][field];
                assert_eq!(part["total"], part[list].as_array().unwrap().len());
            }
        }
    }
}
