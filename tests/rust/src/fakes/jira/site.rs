//! The current issues of the site.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value, json};

use super::jql::Query;
use crate::generators::jira::{
    FIRST_ID, Outline, TODAY, issue, outline, plain_document, summary_change, user,
};
use crate::generators::{jira_time, random::Random};

/// The issues.
#[derive(Debug)]
pub struct Site {
    seed: u64,
    issues: BTreeMap<u64, Arc<Issue>>,
    next_index: u64,
    edits: u64,
}

/// The identity of an issue, for expectations of tests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Brief {
    /// Its number.
    pub id: String,
    /// Its key.
    pub key: String,
    /// The time of its last update in Jira's format.
    pub updated: String,
}

impl Brief {
    /// The issue in the form of the control addresses.
    pub fn to_json(&self) -> Value {
        json!({ "id": self.id, "key": self.key, "updated": self.updated })
    }
}

/// A page of the results of a query.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) issues: Vec<Arc<Issue>>,
    /// The start of the next page. `None` if this is the last.
    pub(super) next: Option<Vec<i64>>,
}

/// One version of an issue. Its texts are generated when first needed.
#[derive(Debug)]
pub(super) struct Issue {
    seed: u64,
    outline: Outline,
    /// The document, if it differs from the generated one.
    changed: Option<Value>,
    texts: OnceLock<Texts>,
}

/// The maximum number of changelog entries in a search: the newest.
const SEARCH_HISTORIES: usize = 40;
/// The maximum number of work logs in a search.
const SEARCH_WORKLOGS: usize = 20;

/// The parts of an issue in a search as JSON text, from which every answer is composed.
#[derive(Debug)]
pub(super) struct Texts {
    /// An object without its closing brace.
    pub(super) head: String,
    pub(super) changelog: String,
    pub(super) fields: String,
}

impl Site {
    /// A site with `issues` issues.
    pub(super) fn new(seed: u64, issues: u64) -> Self {
        let issues = (0..issues).map(|index| {
            let outline = outline(seed, index);
            (outline.id, Arc::new(Issue { seed, outline, changed: None, texts: OnceLock::new() }))
        });
        let issues = issues.collect::<BTreeMap<_, _>>();
        Self { seed, next_index: issues.len() as u64, issues, edits: 0 }
    }

    /// All issues by number.
    pub fn briefs(&self) -> Vec<Brief> {
        self.issues.values().map(|issue| brief(&issue.outline)).collect()
    }

    /// The current version of an issue with all fields. `name` is a number or a key.
    pub fn document(&self, name: &str) -> Option<Value> {
        self.find(name).map(|issue| issue.document())
    }

    /// Edits issues at an instant (by default some minutes after the last edit, starting at the
    /// fixed "today"): the summary changes with an entry in the changelog, the first comment
    /// changes, a comment is added, the last work log is removed, and `updated` advances. If one of
    /// them does not exist, nothing is edited.
    ///
    /// # Errors
    ///
    /// Names the missing issue.
    pub fn edit(&mut self, names: &[&str], at: Option<i64>) -> Result<Vec<Brief>, String> {
        let found = self.find_all(names)?;
        let mut edited = Vec::new();
        for issue in found {
            self.edits += 1;
            let at = at.unwrap_or(TODAY + self.edits as i64 * 60_000 + 7);
            let mut document = issue.document();
            edit_document(&mut document, issue.outline.id, self.edits, at);
            let outline = Outline { updated: at, ..issue.outline.clone() };
            edited.push(brief(&outline));
            self.put(outline, document);
        }
        Ok(edited)
    }

    /// Creates issues at an instant.
    pub fn create(&mut self, count: u64, at: Option<i64>) -> Vec<Brief> {
        let mut created = Vec::new();
        for _ in 0..count {
            self.edits += 1;
            let at = at.unwrap_or(TODAY + self.edits as i64 * 60_000 + 7);
            let outline =
                Outline { created: at, updated: at, ..outline(self.seed, self.next_index) };
            let mut document = issue(self.seed, self.next_index);
            document["fields"]["created"] = jira_time(at).into();
            document["fields"]["updated"] = jira_time(at).into();
            self.next_index += 1;
            created.push(brief(&outline));
            self.put(outline, document);
        }
        created
    }

    /// Deletes issues, so that no search finds them. If one does not exist, nothing is deleted.
    ///
    /// # Errors
    ///
    /// Names the missing issue.
    pub fn delete(&mut self, names: &[&str]) -> Result<Vec<Brief>, String> {
        let found = self.find_all(names)?;
        for issue in &found {
            self.issues.remove(&issue.outline.id);
        }
        Ok(found.iter().map(|issue| brief(&issue.outline)).collect())
    }

    /// The first issues in the query's order after a position. Positions are values rather than
    /// indices: an issue that is edited meanwhile moves to its new position, and no other moves.
    pub(super) fn search(&self, query: &Query, after: Option<&[i64]>, count: usize) -> Page {
        let mut found = self
            .issues
            .values()
            .filter(|issue| query.matches(&issue.outline))
            .map(|issue| (query.sort_key(&issue.outline), issue))
            .filter(|(key, _)| after.is_none_or(|after| key.as_slice() > after))
            .collect::<Vec<_>>();
        let more = found.len() > count;
        if more {
            found.select_nth_unstable_by(count, |a, b| a.0.cmp(&b.0));
            found.truncate(count);
        }
        found.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let next = if more { found.last().map(|(key, _)| key.clone()) } else { None };
        Page { issues: found.into_iter().map(|(_, issue)| Arc::clone(issue)).collect(), next }
    }

    fn put(&mut self, outline: Outline, document: Value) {
        let issue =
            Issue { seed: self.seed, outline, changed: Some(document), texts: OnceLock::new() };
        self.issues.insert(issue.outline.id, Arc::new(issue));
    }

    fn find(&self, name: &str) -> Option<&Arc<Issue>> {
        match name.parse() {
            Ok(id) => self.issues.get(&id),
            Err(_) => self.issues.values().find(|issue| issue.outline.key == name),
        }
    }

    fn find_all(&self, names: &[&str]) -> Result<Vec<Arc<Issue>>, String> {
        names
            .iter()
            .map(|name| self.find(name).cloned().ok_or_else(|| format!("there is no issue {name}")))
            .collect()
    }
}

impl Issue {
    pub(super) const fn id(&self) -> u64 {
        self.outline.id
    }

    pub(super) fn document(&self) -> Value {
        self.changed.clone().unwrap_or_else(|| issue(self.seed, self.outline.id - FIRST_ID))
    }

    /// Its parts as text.
    pub(super) fn texts(&self) -> &Texts {
        self.texts.get_or_init(|| {
            let mut document = self.document();
            shorten(&mut document["changelog"], "histories", SEARCH_HISTORIES);
            shorten(&mut document["fields"]["worklog"], "worklogs", SEARCH_WORKLOGS);
            let mut part = |name: &str| document[name].take().to_string();
            let (changelog, fields) = (part("changelog"), part("fields"));
            let mut head = Map::new();
            for name in ["expand", "id", "self", "key"] {
                head.insert(name.to_owned(), document[name].take());
            }
            let mut head = Value::Object(head).to_string();
            head.pop();
            Texts { head, changelog, fields }
        })
    }
}

/// Truncates a list that has a `total` beside it.
fn shorten(part: &mut Value, list: &str, most: usize) {
    let Some(items) = part[list].as_array_mut().filter(|items| items.len() > most) else { return };
    items.truncate(most);
    part["maxResults"] = most.into();
}

fn edit_document(document: &mut Value, id: u64, edit: u64, at: i64) {
    let fields = &mut document["fields"];
    let before = fields["summary"].as_str().unwrap_or_default().to_owned();
    let plain = before.split(" (edit ").next().unwrap_or_default();
    let after = format!("{plain} (edit {edit})");
    fields["summary"] = after.as_str().into();
    fields["updated"] = jira_time(at).into();

    let author = user(Random::new(edit, 7, id).bits());
    let comment = 1_000_000 + edit;
    let comment = json!({
        "self": format!("{}/{comment}", fields["comment"]["self"].as_str().unwrap_or_default()),
        "id": comment.to_string(),
        "author": author,
        "body": plain_document(&format!("Edit {edit}.")),
        "updateAuthor": author,
        "created": jira_time(at),
        "updated": jira_time(at),
        "jsdPublic": true,
    });
    let comments = &mut fields["comment"];
    if let Some(list) = comments["comments"].as_array_mut() {
        if let Some(first) = list.first_mut() {
            first["body"] = plain_document(&format!("Changed by edit {edit}."));
            first["updated"] = jira_time(at).into();
        }
        list.push(comment);
        let count = list.len();
        comments["total"] = count.into();
        comments["maxResults"] = count.into();
    }
    let worklog = &mut fields["worklog"];
    if let Some(list) = worklog["worklogs"].as_array_mut() {
        list.pop();
        let count = list.len();
        worklog["total"] = count.into();
    }
    let log = &mut document["changelog"];
    if let Some(list) = log["histories"].as_array_mut() {
        list.insert(0, summary_change(10_000_000 + edit, at, &before, &after));
        let count = list.len();
        log["total"] = count.into();
        log["maxResults"] = count.into();
    }
}

fn brief(outline: &Outline) -> Brief {
    Brief {
        id: outline.id.to_string(),
        key: outline.key.clone(),
        updated: jira_time(outline.updated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(site: &Site, jql: &str) -> Vec<u64> {
        let query = Query::parse(jql).unwrap();
        let mut after = None;
        let mut ids = Vec::new();
        loop {
            let page = site.search(&query, after.as_deref(), 7);
            ids.extend(page.issues.iter().map(|issue| issue.id()));
            match page.next {
                Some(next) => after = Some(next),
                None => return ids,
            }
        }
    }

    #[test]
    fn pages_have_every_issue_once() {
        let site = Site::new(1, 60);
        for jql in ["id > 0", "id > 0 ORDER BY updated", "id > 0 ORDER BY updated DESC"] {
            let mut found = ids(&site, jql);
            assert_eq!(found.len(), 60, "{jql}");
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), 60, "{jql}");
        }
    }

    #[test]
    fn issue_edited_between_pages_appears_again() {
        let mut site = Site::new(1, 20);
        let query = Query::parse("id > 0 ORDER BY updated").unwrap();
        let first = site.search(&query, None, 10);
        let again = first.issues[3].id();
        let gone = first.issues[4].id();
        site.edit(&[&again.to_string()], None).unwrap();
        site.delete(&[&gone.to_string()]).unwrap();
        let second = site.search(&query, first.next.as_deref(), 100);
        assert!(second.next.is_none());
        assert_eq!(second.issues.len(), 11);
        assert_eq!(second.issues.last().map(|issue| issue.id()), Some(again));
    }

    #[test]
    fn edits_change_the_documented_parts() {
        let mut site = Site::new(1, 40);
        let ids = site.briefs().into_iter().map(|brief| brief.id).collect::<Vec<_>>();
        let with_worklog = ids
            .iter()
            .find(|id| site.document(id).unwrap()["fields"]["worklog"]["total"] != 0)
            .unwrap()
            .clone();
        let before = site.document(&with_worklog).unwrap();
        let edited = site.edit(&[&with_worklog], Some(TODAY + 1)).unwrap();
        let after = site.document(&with_worklog).unwrap();
        assert_eq!(edited[0].updated, "2026-11-20T01:00:00.001+0100");
        assert_eq!(after["fields"]["updated"], edited[0].updated);
        let count = |document: &Value, part: &str, list: &str| {
            document.pointer(&format!("{part}/{list}")).unwrap().as_array().unwrap().len()
        };
        for (part, list, change) in [
            ("/fields/comment", "comments", 1),
            ("/fields/worklog", "worklogs", -1),
            ("/changelog", "histories", 1),
        ] {
            let expected = count(&before, part, list).checked_add_signed(change).unwrap();
            assert_eq!(count(&after, part, list), expected, "{part}");
            assert_eq!(after.pointer(part).unwrap()["total"], expected, "{part}");
        }
        let item = &after["changelog"]["histories"][0]["items"][0];
        assert_eq!(item["fromString"], before["fields"]["summary"]);
        assert_eq!(item["toString"], after["fields"]["summary"]);
        assert!(site.edit(&["10000", "999999"], None).is_err());
        assert_eq!(site.edits, 1, "nothing is edited when one is not there");
    }

    #[test]
    fn texts_are_the_document_except_for_long_lists() {
        let site = Site::new(1, 300);
        let mut cut = 0;
        for issue in site.issues.values() {
            let texts = issue.texts();
            let whole = format!(
                "{},\"changelog\":{},\"fields\":{}}}",
                texts.head, texts.changelog, texts.fields
            );
            let mut document = issue.document();
            let total = document["changelog"]["total"].as_u64().unwrap();
            if total > SEARCH_HISTORIES as u64 {
                cut += 1;
                document["changelog"]["maxResults"] = SEARCH_HISTORIES.into();
                document["changelog"]["histories"]
                    .as_array_mut()
                    .unwrap()
                    .truncate(SEARCH_HISTORIES);
            }
            assert_eq!(whole, document.to_string());
        }
        assert!(cut > 0, "no changelog is longer than what a search gives");
    }
}
