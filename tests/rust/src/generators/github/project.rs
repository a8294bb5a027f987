//! One repository as GitHub's REST API gives it: issues and pull requests, comments, events of
//! issues, stargazers and commits, and what a day of work changes in them.

use serde_json::{Value, json};

use super::objects::{API, WEB, append, comment, issue, login, pull, sha, user};
use crate::generators::random::Random;
use crate::generators::text::{name, prose, sentence};
use crate::generators::time::utc;

const PURPOSE: u64 = 8;
const HOUR: i64 = 3_600_000;
/// When the repository's last day before the first load ended.
const LAST: i64 = 1_762_000_000_000;

/// A repository.
#[derive(Clone, Debug)]
pub struct Repository {
    /// `owner/name`.
    pub full_name: String,
    /// Issues, pull requests among them, by number.
    pub issues: Vec<Value>,
    /// Pull requests, by number.
    pub pulls: Vec<Value>,
    /// Comments on issues and pull requests, the oldest first.
    pub comments: Vec<Value>,
    /// What happened to issues, the oldest first.
    pub events: Vec<Value>,
    /// Who gave it a star and when, the oldest first.
    pub stargazers: Vec<Value>,
    /// Commits of the main branch, the oldest first.
    pub commits: Vec<Value>,
    seed: u64,
    days: u64,
}

impl Repository {
    /// A repository with so many issues.
    pub fn new(seed: u64, full_name: &str, issues: u64) -> Self {
        let mut repository = Self {
            full_name: full_name.to_owned(),
            issues: Vec::new(),
            pulls: Vec::new(),
            comments: Vec::new(),
            events: Vec::new(),
            stargazers: Vec::new(),
            commits: Vec::new(),
            seed,
            days: 0,
        };
        for index in 0..issues {
            repository.open(index, LAST - (issues - index) as i64 * HOUR);
        }
        for index in 0..issues * 2 {
            repository.commit(index, LAST - (issues * 2 - index) as i64 * HOUR / 2);
            repository.star(index, LAST - (issues * 2 - index) as i64 * HOUR / 3);
        }
        repository
    }

    /// A day of work: the first open issue and the first open pull request are closed, the first
    /// comment is edited, an issue is opened, something is committed, the oldest star goes and a new
    /// one comes. Says what was done.
    pub fn advance(&mut self) -> Value {
        self.days += 1;
        let at = LAST + self.days as i64 * 24 * HOUR;
        let next = self.issues.len() as u64;
        let open = |pull: bool| {
            move |issue: &&Value| {
                issue["state"] == "open" && issue["pull_request"].is_object() == pull
            }
        };
        let closing = [false, true]
            .into_iter()
            .filter_map(|pull| self.issues.iter().find(open(pull)))
            .filter_map(|issue| issue["number"].as_i64())
            .collect::<Vec<_>>();
        for number in &closing {
            self.close(*number, at);
        }
        let edited = self.comments.first_mut().map(|comment| {
            comment["body"] = format!("Edited on day {}.", self.days).into();
            comment["updated_at"] = utc(at + 60_000).into();
            comment["id"].clone()
        });
        self.open(next, at + 2 * 60_000);
        let commits = self.commits.len() as u64;
        self.commit(commits, at + 3 * 60_000);
        let gone = (!self.stargazers.is_empty()).then(|| self.stargazers.remove(0));
        self.star(1_000_000 + self.days, at + 4 * 60_000);
        json!({
            "closed": closing,
            "edited_comment": edited,
            "opened": next + 1,
            "unstarred": gone.map(|star| star["user"]["id"].clone()),
        })
    }

    fn random(&self, what: u64, index: u64) -> Random {
        Random::new(self.seed, PURPOSE + what, index)
    }

    /// Opens an issue, which in one of four is a pull request, with its comments and events.
    fn open(&mut self, index: u64, at: i64) {
        let r = &mut self.random(0, index);
        let full = self.full_name.clone();
        let number = index + 1;
        let is_pull = index % 4 == 3;
        let closed = index % 3 == 1;
        let mut item = issue(r, &full, at);
        let web = format!("{WEB}/{full}/{}/{number}", if is_pull { "pull" } else { "issues" });
        let url = format!("{API}/repos/{full}/issues/{number}");
        let comments = r.count(0, 3) as u64;
        let changed = json!({
            "url": url,
            "labels_url": format!("{url}/labels{{/name}}"),
            "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"),
            "timeline_url": format!("{url}/timeline"),
            "html_url": web,
            "id": 1_000_000 + number,
            "number": number,
            "state": if closed { "closed" } else { "open" },
            "state_reason": closed.then_some("completed"),
            "closed_at": closed.then(|| utc(at)),
            "created_at": utc(at - HOUR),
            "updated_at": utc(at),
            "comments": comments,
        });
        append(&mut item, changed);
        item["reactions"]["url"] = format!("{url}/reactions").into();
        if is_pull {
            let mut whole = pull(r, &full, at);
            let address = format!("{API}/repos/{full}/pulls/{number}");
            let changed = json!({
                "url": address,
                "id": 2_000_000 + number,
                "number": number,
                "html_url": web,
                "issue_url": url,
                "state": item["state"],
                "title": item["title"],
                "created_at": item["created_at"],
                "updated_at": item["updated_at"],
                "closed_at": item["closed_at"],
                "merged_at": item["closed_at"],
            });
            append(&mut whole, changed);
            // A list of pull requests has fewer fields than a single one.
            if let Some(whole) = whole.as_object_mut() {
                whole.retain(|key, _| !SINGLE_ONLY.contains(&key.as_str()));
            }
            item["pull_request"] = json!({
                "url": address,
                "html_url": web,
                "diff_url": format!("{web}.diff"),
                "patch_url": format!("{web}.patch"),
                "merged_at": item["closed_at"],
            });
            item["draft"] = whole["draft"].clone();
            self.pulls.push(whole);
        }
        for place in 0..comments {
            let mut note =
                comment(r, &full, &item["number"], at - (comments - place) as i64 * 1000);
            let id = 3_000_000 + self.comments.len() as u64;
            note["id"] = id.into();
            note["url"] = format!("{API}/repos/{full}/issues/comments/{id}").into();
            note["html_url"] = format!("{web}#issuecomment-{id}").into();
            self.comments.push(note);
        }
        self.issues.push(item);
        self.event("labeled", number as i64, at - 1000);
        if closed {
            self.event("closed", number as i64, at);
        }
    }

    fn close(&mut self, number: i64, at: i64) {
        let same = |item: &&mut Value| item["number"] == number;
        if let Some(item) = self.issues.iter_mut().find(same) {
            append(
                item,
                json!({
                    "state": "closed",
                    "state_reason": "completed",
                    "closed_at": utc(at),
                    "updated_at": utc(at),
                }),
            );
            if item["pull_request"].is_object() {
                item["pull_request"]["merged_at"] = utc(at).into();
            }
        }
        if let Some(item) = self.pulls.iter_mut().find(same) {
            append(
                item,
                json!({
                    "state": "closed",
                    "closed_at": utc(at),
                    "merged_at": utc(at),
                    "updated_at": utc(at),
                }),
            );
        }
        self.event("closed", number, at);
    }

    fn event(&mut self, what: &str, number: i64, at: i64) {
        let id = 4_000_000 + self.events.len() as u64;
        let r = &mut self.random(1, id);
        let actor = user(r);
        let issue = self.issues.iter().find(|issue| issue["number"] == number).cloned();
        let mut event = json!({
            "id": id,
            "node_id": format!("E_kwDO{}", r.hex(12)),
            "url": format!("{API}/repos/{}/issues/events/{id}", self.full_name),
            "actor": actor,
            "event": what,
            "commit_id": null,
            "commit_url": null,
            "created_at": utc(at),
            "performed_via_github_app": null,
            "issue": issue,
        });
        if what == "labeled" {
            event["label"] = json!({ "name": "bug", "color": "d73a4a" });
        }
        self.events.push(event);
    }

    fn star(&mut self, index: u64, at: i64) {
        let r = &mut self.random(2, index);
        let mut who = user(r);
        who["id"] = (5_000_000 + index).into();
        self.stargazers.push(json!({ "starred_at": utc(at), "user": who }));
    }

    fn commit(&mut self, index: u64, at: i64) {
        let r = &mut self.random(3, index);
        let parent = self.commits.last().map(|commit| commit["sha"].clone());
        let (given, family) = name(r);
        let (full, hash, tree) = (&self.full_name, sha(r), sha(r));
        let address = |kind: &str, hash: &str| format!("{API}/repos/{full}/{kind}/{hash}");
        let signature = |when: i64, login: String| {
            json!({
                "name": format!("{given} {family}"),
                "email": format!("{login}@example.org"),
                "date": utc(when),
            })
        };
        let login = login(r);
        let parents = parent.iter().filter_map(Value::as_str).map(|parent| {
            json!({
                "sha": parent,
                "url": address("commits", parent),
                "html_url": format!("{WEB}/{full}/commit/{parent}"),
            })
        });
        let commit = json!({
            "sha": hash,
            "node_id": format!("C_kwDO{}", r.hex(20)),
            "commit": {
                "author": signature(at - 60_000, login.clone()),
                "committer": signature(at, login),
                "message": format!("{}\n\n{}", sentence(r, 3, 8), prose(r, 1, 3)),
                "tree": { "sha": tree, "url": address("git/trees", &tree) },
                "url": address("git/commits", &hash),
                "comment_count": 0,
                "verification": {
                    "verified": false,
                    "reason": "unsigned",
                    "signature": null,
                    "payload": null,
                    "verified_at": null,
                },
            },
            "url": address("commits", &hash),
            "html_url": format!("{WEB}/{full}/commit/{hash}"),
            "comments_url": format!("{}/comments", address("commits", &hash)),
            "author": r.chance(0.8).then(|| user(r)),
            "committer": user(r),
            "parents": parents.collect::<Vec<_>>(),
        });
        self.commits.push(commit);
    }
}

/// What only `GET /repos/{owner}/{repo}/pulls/{number}` says.
const SINGLE_ONLY: &[&str] = &[
    "merged",
    "mergeable",
    "rebaseable",
    "mergeable_state",
    "merged_by",
    "comments",
    "review_comments",
    "maintainer_can_modify",
    "commits",
    "additions",
    "deletions",
    "changed_files",
];
