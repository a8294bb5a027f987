//! The fields of an issue: the system's own and forty custom ones, most of them null most of the time.

use serde_json::{Value, json};

use super::catalogue::{
    API, LABELS, PROJECTS, SITE, any_day, any_status, any_type, brief, component, issue_type,
    option, priority, project, sprint, status, version,
};
use super::people::anybody;
use super::{HOUR, Outline, adf};
use crate::generators::random::Random;
use crate::generators::text::{capital, prose, words};
use crate::generators::time::jira_time;

/// What Jira says an issue could be expanded with.
pub(super) const EXPAND: &str = "operations,versionedRepresentations,editmeta,changelog,\
     customfield_10010.requestTypePractice,renderedFields";

/// What the development panel keeps: text that looks like JSON and is not.
const MERGED: &str = "{pullrequest={dataType=pullrequest, state=MERGED, stateCount=1}, \
     json={\"cachedValue\":{\"errors\":[],\"summary\":{\"pullrequest\":{\"overall\":{\"count\":1,\
     \"lastUpdated\":\"2026-03-01T10:00:00.000+0100\",\"stateCount\":1,\"state\":\"MERGED\"}}}},\
     \"isStale\":true}}";

/// Between a comment, or a work log, and the next.
const PACE: i64 = 9_000_000;

/// All fields.
pub(super) fn fields(r: &mut Random, issue: &Outline) -> Value {
    let mut fields = json!({});
    let (kind, state) = (any_type(r), any_status(r));
    let estimate = r.pick(&[None, None, None, Some(3600), Some(14_400), Some(28_800)]);
    let resolved = state.id == "10001";
    let updated = jira_time(issue.updated);
    let mut set = |name: &str, value: Value| fields[name] = value;

    set("statuscategorychangedate", jira_time(issue.updated - 359).into());
    set("issuetype", issue_type(kind));
    set("timespent", estimate.into());
    set("project", project(issue.project));
    set("fixVersions", some(r, &[0, 0, 1, 1, 2], version).into());
    set("aggregatetimespent", estimate.into());
    set("resolution", if resolved { resolution() } else { Value::Null });
    set("resolutiondate", resolved.then(|| updated.clone()).into());
    set("workratio", estimate.map_or(-1, |_| r.between(0, 300)).into());
    set("lastViewed", Value::Null);
    set(
        "watches",
        json!({
            "self": format!("{API}/issue/{}/watchers", issue.key),
            "watchCount": r.below(7),
            "isWatching": false,
        }),
    );
    set("created", jira_time(issue.created).into());
    set("priority", priority(r));
    let labels = r.pick(&[0, 0, 1, 2, 3]);
    set("labels", r.sample(&LABELS, labels).into());
    set("timeestimate", estimate.into());
    set("aggregatetimeoriginalestimate", estimate.into());
    set("versions", some(r, &[0, 0, 0, 1], version).into());
    set("issuelinks", some(r, &[0, 0, 0, 0, 1, 1, 2], link).into());
    set("assignee", maybe(r, 0.85, |r| anybody(r).clone()));
    set("updated", updated.into());
    set("status", status(state));
    set("components", some(r, &[0, 0, 1, 1, 2], component).into());
    set("timeoriginalestimate", estimate.into());
    set("description", maybe(r, 0.85, |r| adf::any(r, 1, 8)));
    set("timetracking", tracking(estimate));
    set("security", Value::Null);
    let created = jira_time(issue.updated - 5);
    set("attachment", some(r, &[0, 0, 0, 0, 0, 0, 1, 1, 2, 4], |r| attachment(r, &created)).into());
    set("aggregatetimeestimate", estimate.into());
    set("summary", capital(&words(r, 4, 14)).into());
    set("creator", anybody(r).clone());
    set("subtasks", some(r, &[0, 0, 0, 0, 0, 0, 0, 1, 2, 4], brief).into());
    set("reporter", anybody(r).clone());
    set("aggregateprogress", progress(estimate));
    set("environment", Value::Null);
    set("duedate", maybe(r, 0.25, |r| any_day(r).into()));
    set("progress", progress(estimate));
    set(
        "votes",
        json!({
            "self": format!("{API}/issue/{}/votes", issue.key),
            "votes": r.pick(&[0, 0, 0, 1, 4]),
            "hasVoted": false,
        }),
    );
    set("comment", comments(r, issue));
    set("worklog", worklogs(r, issue));
    custom_fields(r, issue, kind.name == "Epic", &mut set);
    if kind.is_subtask() {
        set("parent", brief(r));
    }
    fields
}

/// The custom fields: every kind that Jira has, numbered as sites number them. The lists of objects
/// are those which users keep whole as JSON columns.
fn custom_fields(
    r: &mut Random,
    issue: &Outline,
    is_epic: bool,
    set: &mut impl FnMut(&str, Value),
) {
    let mut custom = |number: u32, value: Value| set(&format!("customfield_{number}"), value);
    for unused in [1, 3, 5, 6, 7, 8, 9, 10, 22, 23, 24, 25, 30, 32].map(|offset| 10_000 + offset) {
        custom(unused, Value::Null);
    }
    custom(10_000, if r.chance(0.8) { "{}" } else { MERGED }.into());
    custom(10_002, json!([]));
    custom(10_004, maybe(r, 0.4, |r| option(r, 10_500, 4)));
    custom(
        10_014,
        maybe(r, 0.4, |r| format!("{}-{}", PROJECTS[issue.project].key, r.between(1, 500)).into()),
    );
    custom(10_015, maybe(r, 0.2, |r| any_day(r).into()));
    custom(10_016, maybe(r, 0.5, |r| r.pick(&[1.0, 2.0, 3.0, 5.0, 8.0, 13.0]).into()));
    custom(10_017, if is_epic { "dark_yellow".into() } else { Value::Null });
    custom(
        10_018,
        json!({
            "hasEpicLinkFieldDependency": false,
            "showField": false,
            "nonEditableReason": {
                "reason": "PLUGIN_LICENSE_ERROR",
                "message": "The Parent Link is only available to Jira Premium users.",
            },
        }),
    );
    custom(10_019, format!("0|i{:05}:{}", issue.id % 99_999, r.pick(&["", "i", "r", "v"])).into());
    custom(10_020, filled(some(r, &[0, 1, 1, 2, 3], sprint)));
    custom(10_021, maybe(r, 0.05, |r| vec![option(r, 10_010, 1)].into()));
    custom(10_029, json!([]));
    custom(10_031, maybe(r, 0.7, |r| option(r, 10_100, 12)));
    custom(10_033, maybe(r, 0.3, |r| (r.below(1000) as f64 / 10.0).into()));
    custom(10_034, maybe(r, 0.3, |r| anybody(r).clone()));
    custom(10_036, maybe(r, 0.25, |r| adf::any(r, 1, 3)));
    custom(10_037, maybe(r, 0.5, |r| option(r, 10_200, 12)));
    custom(10_039, maybe(r, 0.2, |r| prose(r, 1, 4).into()));
    custom(10_040, maybe(r, 0.2, |r| format!("https://board.example.org/{}", r.hex(12)).into()));
    custom(10_041, maybe(r, 0.3, cascade));
    custom(10_044, maybe(r, 0.3, |_| jira_time(issue.updated - 879).into()));
    custom(10_045, maybe(r, 0.1, |_| json!({ "errorMessage": "metadata.unavailable" })));
    custom(10_108, filled(some(r, &[0, 0, 1, 3], |r| anybody(r).clone())));
    custom(10_109, filled(some(r, &[0, 1, 2], |r| option(r, 10_300, 12))));
    custom(10_112, maybe(r, 0.2, |r| r.sample(&LABELS, 2).into()));
    custom(10_118, maybe(r, 0.3, |r| service_level(r, issue.id)));
}

fn comments(r: &mut Random, issue: &Outline) -> Value {
    let parent = format!("{API}/issue/{}/comment", issue.id);
    let count = r.exponential(3.0).min(50);
    let comments = (0..count).map(|n| {
        let (id, at) =
            (r.between(10_000, 999_999), jira_time(issue.created + n as i64 * PACE + 11));
        let mut comment = json!({ "self": format!("{parent}/{id}"), "id": id.to_string() });
        comment["author"] = anybody(r).clone();
        comment["body"] = adf::any(r, 1, 4);
        comment["updateAuthor"] = anybody(r).clone();
        comment["created"] = at.clone().into();
        comment["updated"] = at.into();
        comment["jsdPublic"] = true.into();
        comment
    });
    let comments = comments.collect::<Vec<_>>();
    let mut part = json!({});
    part["comments"] = comments.into();
    part["self"] = parent.into();
    part["maxResults"] = count.into();
    part["total"] = count.into();
    part["startAt"] = 0.into();
    part
}

fn worklogs(r: &mut Random, issue: &Outline) -> Value {
    let count = r.weighted(&[(0, 8), (1, 1), (2, 1), (5, 1)]);
    let worklogs = (0..count).map(|n| {
        let (id, at) = (issue.id * 10 + n, jira_time(issue.created + n as i64 * PACE + 11));
        json!({
            "self": format!("{API}/issue/{}/worklog/{id}", issue.id),
            "author": anybody(r),
            "updateAuthor": anybody(r),
            "comment": adf::any(r, 1, 1),
            "created": at,
            "updated": at,
            "started": jira_time(issue.created + n as i64 * PACE),
            "timeSpent": "1h",
            "timeSpentSeconds": 3600,
            "id": id.to_string(),
            "issueId": issue.id.to_string(),
        })
    });
    let worklogs = worklogs.collect::<Vec<_>>();
    json!({ "startAt": 0, "maxResults": 20, "total": count, "worklogs": worklogs })
}

fn attachment(r: &mut Random, created: &str) -> Value {
    let id = r.between(10_000, 99_999);
    json!({
        "self": format!("{API}/attachment/{id}"),
        "id": id.to_string(),
        "filename": format!("image-{id}.png"),
        "author": anybody(r),
        "created": created,
        "size": r.between(1000, 4_000_000),
        "mimeType": "image/png",
        "content": format!("{API}/attachment/content/{id}"),
        "thumbnail": format!("{API}/attachment/thumbnail/{id}"),
    })
}

fn link(r: &mut Random) -> Value {
    let id = r.between(10_000, 90_000);
    let mut link = json!({
        "id": id.to_string(),
        "self": format!("{API}/issueLink/{id}"),
        "type": {
            "id": "10000",
            "name": "Blocks",
            "inward": "is blocked by",
            "outward": "blocks",
            "self": format!("{API}/issueLinkType/10000"),
        },
    });
    link[r.pick(&["inwardIssue", "outwardIssue"])] = brief(r);
    link
}

fn resolution() -> Value {
    json!({
        "self": format!("{API}/resolution/10000"),
        "id": "10000",
        "description": "Nothing is left to do.",
        "name": "Done",
    })
}

fn cascade(r: &mut Random) -> Value {
    let mut parent = option(r, 10_400, 3);
    parent["child"] = option(r, 10_410, 6);
    parent
}

fn service_level(r: &mut Random, issue: u64) -> Value {
    const GOAL: i64 = 40 * HOUR;
    let cycles = (0..r.count(0, 2)).map(|_| {
        let (start, elapsed) =
            (super::TODAY - r.between(HOUR, 365 * super::DAY), r.between(100_000, 100_000_000));
        json!({
            "startTime": {
                "iso8601": jira_time(start).replace(".000", ""),
                "jira": jira_time(start),
                "friendly": "Today 10:00 AM",
                "epochMillis": start,
            },
            "breached": r.chance(0.2),
            "goalDuration": { "millis": GOAL, "friendly": "40h" },
            "elapsedTime": { "millis": elapsed, "friendly": format!("{}h", elapsed / HOUR) },
            "remainingTime": {
                "millis": GOAL - elapsed,
                "friendly": format!("{}h", (GOAL - elapsed) / HOUR),
            },
        })
    });
    let cycles = cycles.collect::<Vec<_>>();
    json!({
        "id": issue.to_string(),
        "name": "Time to resolution",
        "_links": { "self": format!("{SITE}/rest/servicedeskapi/request/{issue}/sla/{issue}") },
        "completedCycles": cycles,
        "slaDisplayFormat": "NEW_SLA_FORMAT",
    })
}

fn tracking(estimate: Option<i64>) -> Value {
    estimate.map_or_else(
        || json!({}),
        |seconds| {
            let text = format!("{}h", seconds / 3600);
            json!({
                "originalEstimate": text,
                "remainingEstimate": "0m",
                "timeSpent": text,
                "originalEstimateSeconds": seconds,
                "remainingEstimateSeconds": 0,
                "timeSpentSeconds": seconds,
            })
        },
    )
}

fn progress(estimate: Option<i64>) -> Value {
    estimate.map_or_else(
        || json!({ "progress": 0, "total": 0 }),
        |seconds| json!({ "progress": seconds, "total": seconds, "percent": 100 }),
    )
}

/// As many as one of the counts says.
fn some(r: &mut Random, counts: &[usize], make: impl Fn(&mut Random) -> Value) -> Vec<Value> {
    (0..r.pick(counts)).map(|_| make(r)).collect()
}

/// Null unless the chance comes up.
fn maybe(r: &mut Random, probability: f64, make: impl FnOnce(&mut Random) -> Value) -> Value {
    if r.chance(probability) { make(r) } else { Value::Null }
}

/// Null where there is nothing: Jira gives an empty list for its own fields, null for custom ones.
fn filled(list: Vec<Value>) -> Value {
    if list.is_empty() { Value::Null } else { list.into() }
}
