//! What the site has few of: projects, statuses, types, priorities, sprints, versions.

use serde_json::{Value, json};

use super::people;
use crate::generators::random::Random;
use crate::generators::text::{WORDS, sentence, words};
use crate::generators::time::{day, utc_millis};

/// Where the site's addresses begin.
pub const SITE: &str = "https://example-team.atlassian.net";
/// Where its API's addresses begin.
pub(super) const API: &str = "https://example-team.atlassian.net/rest/api/3";

/// A project of the site.
#[derive(Clone, Copy, Debug)]
pub struct Project {
    /// Its key, with which its issues' keys begin.
    pub key: &'static str,
    /// Its name.
    pub name: &'static str,
}

/// The site's projects. Issues are in the first five.
pub const PROJECTS: [Project; 12] = [
    Project { key: "PLAT", name: "Platform" },
    Project { key: "DATA", name: "Data & Analytics" },
    Project { key: "SHOP", name: "Web Shop" },
    Project { key: "OPS", name: "Operations" },
    Project { key: "MOB", name: "Mobile" },
    Project { key: "HR", name: "Personalbüro" },
    Project { key: "LEGAL", name: "Legal \"& Compliance\"" },
    Project { key: "SEC", name: "Security" },
    Project { key: "DOC", name: "Documentation" },
    Project { key: "LAB", name: "Labor/Forschung" },
    Project { key: "OLD", name: "Archive" },
    Project { key: "NEW", name: "Next" },
];

const USED_PROJECTS: u64 = 5;

/// A status of the workflow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Status {
    pub(super) name: &'static str,
    pub(super) id: &'static str,
    category: (u64, &'static str, &'static str, &'static str),
}

const STARTED: (u64, &str, &str, &str) = (4, "indeterminate", "yellow", "In Progress");

/// The statuses of the workflow; the last one ends it.
pub(super) const STATUSES: [Status; 5] = [
    Status { name: "To Do", id: "10000", category: (2, "new", "blue-gray", "To Do") },
    Status { name: "In Progress", id: "3", category: STARTED },
    Status { name: "In Review", id: "10002", category: STARTED },
    Status { name: "Blocked", id: "10003", category: STARTED },
    Status { name: "Done", id: "10001", category: (3, "done", "green", "Done") },
];

/// A type of issue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub(super) name: &'static str,
    id: &'static str,
    avatar: u64,
    level: i64,
    description: &'static str,
}

impl Type {
    /// Whether its issues are parts of others.
    pub(super) const fn is_subtask(self) -> bool {
        self.level < 0
    }
}

const TYPES: [(Type, u64); 5] = [
    (
        Type {
            name: "Task",
            id: "10002",
            avatar: 10318,
            level: 0,
            description: "A small, distinct piece of work that somebody can do.",
        },
        40,
    ),
    (
        Type {
            name: "Bug",
            id: "10004",
            avatar: 10303,
            level: 0,
            description: "A problem or an error that somebody has found.",
        },
        25,
    ),
    (
        Type {
            name: "Story",
            id: "10001",
            avatar: 10315,
            level: 0,
            description: "Something that users want to be able to do.",
        },
        20,
    ),
    (
        Type {
            name: "Sub-task",
            id: "10003",
            avatar: 10316,
            level: -1,
            description: "A part of a larger piece of work, tracked alone.",
        },
        12,
    ),
    (
        Type {
            name: "Epic",
            id: "10000",
            avatar: 10307,
            level: 1,
            description: "A large piece of work, with stories, tasks and bugs in it.",
        },
        3,
    ),
];

const PRIORITIES: [((&str, &str), u64); 5] = [
    (("Medium", "3"), 55),
    (("High", "2"), 20),
    (("Low", "4"), 15),
    (("Highest", "1"), 5),
    (("Lowest", "5"), 5),
];

/// The labels in use.
pub(super) const LABELS: [&str; 10] = [
    "a11y",
    "api",
    "backend",
    "customer-7",
    "flaky",
    "frontend",
    "infra",
    "performance",
    "security",
    "tech-debt",
];

/// How long a sprint is.
pub(super) const SPRINT_DAYS: i64 = 14;
/// When the sprint before the first began.
pub(super) const FIRST_SPRINT: i64 = super::TODAY - 111 * SPRINT_DAYS * super::DAY;

/// The project that an issue is in.
pub(super) fn any_project(r: &mut Random) -> usize {
    r.below(USED_PROJECTS) as usize
}

/// A status that an issue may have.
pub(super) fn any_status(r: &mut Random) -> Status {
    let [new, started, review, blocked, done] = STATUSES;
    r.weighted(&[(new, 20), (started, 12), (review, 8), (blocked, 5), (done, 55)])
}

/// A type that an issue may have.
pub(super) fn any_type(r: &mut Random) -> Type {
    r.weighted(&TYPES)
}

/// A status, written out.
pub(super) fn status(status: Status) -> Value {
    let (id, key, color, name) = status.category;
    json!({
        "self": format!("{API}/status/{}", status.id),
        "description": "",
        "iconUrl": format!("{SITE}/images/icons/statuses/generic.png"),
        "name": status.name,
        "id": status.id,
        "statusCategory": {
            "self": format!("{API}/statuscategory/{id}"),
            "id": id,
            "key": key,
            "colorName": color,
            "name": name,
        },
    })
}

/// A type, written out.
pub(super) fn issue_type(kind: Type) -> Value {
    json!({
        "self": format!("{API}/issuetype/{}", kind.id),
        "id": kind.id,
        "description": kind.description,
        "iconUrl": format!(
            "{API}/universal_avatar/view/type/issuetype/avatar/{}?size=medium",
            kind.avatar
        ),
        "name": kind.name,
        "subtask": kind.is_subtask(),
        "avatarId": kind.avatar,
        "hierarchyLevel": kind.level,
    })
}

/// Some priority, written out.
pub(super) fn priority(r: &mut Random) -> Value {
    let (name, id) = r.weighted(&PRIORITIES);
    json!({
        "self": format!("{API}/priority/{id}"),
        "iconUrl": format!("{SITE}/images/icons/priorities/{}_new.svg", name.to_ascii_lowercase()),
        "name": name,
        "id": id,
    })
}

/// A project as issues embed it.
pub(super) fn project(index: usize) -> Value {
    let (project, id) = (PROJECTS[index], 10_000 + index);
    json!({
        "self": format!("{API}/project/{id}"),
        "id": id.to_string(),
        "key": project.key,
        "name": project.name,
        "projectTypeKey": "software",
        "simplified": false,
        "avatarUrls": avatars(index),
        "projectCategory": {
            "self": format!("{API}/projectCategory/1000{}", index % 2),
            "id": format!("1000{}", index % 2),
            "description": "",
            "name": if index.is_multiple_of(2) { "Product" } else { "Internal" },
        },
    })
}

/// A project as the project search gives it, with only those parts of `expand` that are asked for.
/// None when there is no such project.
pub fn project_detail(index: usize, expand: &[&str]) -> Option<Value> {
    let found = PROJECTS.get(index)?;
    let id = 10_000 + index;
    let mut project = json!({
        "expand": "description,lead,issueTypes,url,projectKeys,permissions,insight",
        "self": format!("{API}/project/{id}"),
        "id": id.to_string(),
        "key": found.key,
    });
    let more = |name: &str| expand.contains(&name);
    if more("description") {
        let about = format!("Everything about {}.", found.name);
        project["description"] = if index.is_multiple_of(3) { String::new() } else { about }.into();
    }
    if more("lead") {
        project["lead"] = people::user(index as u64 * 7);
    }
    if more("issueTypes") {
        project["issueTypes"] = TYPES.iter().map(|&(kind, _)| issue_type(kind)).collect();
    }
    project["name"] = found.name.into();
    project["avatarUrls"] = avatars(index);
    if more("url") && index.is_multiple_of(2) {
        project["url"] = format!("https://wiki.example.org/{}", found.key).into();
    }
    if more("projectKeys") {
        project["projectKeys"] = json!([found.key]);
    }
    project["projectTypeKey"] = "software".into();
    project["simplified"] = (index % 4 == 3).into();
    project["style"] = if index % 4 == 3 { "next-gen" } else { "classic" }.into();
    project["isPrivate"] = false.into();
    project["properties"] = json!({});
    if index % 4 == 3 {
        project["entityId"] = Random::new(0, 6, index as u64).uuid().into();
    }
    if more("permissions") {
        project["permissions"] = json!({ "canEdit": index < 3 });
    }
    if more("insight") {
        project["insight"] = json!({
            "totalIssueCount": 1000 * index,
            "lastIssueUpdateTime": crate::generators::jira_time(super::TODAY - index as i64 * 777_777),
        });
    }
    Some(project)
}

/// Another issue, as links and lists of parts show it.
pub(super) fn brief(r: &mut Random) -> Value {
    let (id, project) = (r.between(10_000, 60_000), PROJECTS[any_project(r)]);
    json!({
        "id": id.to_string(),
        "key": format!("{}-{}", project.key, r.between(1, 9000)),
        "self": format!("{API}/issue/{id}"),
        "fields": {
            "summary": words(r, 4, 12),
            "status": status(any_status(r)),
            "priority": priority(r),
            "issuetype": issue_type(any_type(r)),
        },
    })
}

/// A version of a product.
pub(super) fn version(r: &mut Random) -> Value {
    let id = r.between(10_000, 10_060);
    json!({
        "self": format!("{API}/version/{id}"),
        "id": id.to_string(),
        "description": "",
        "name": format!("2026.{}", id % 40),
        "archived": false,
        "released": r.chance(0.5),
        "releaseDate": any_day(r),
    })
}

/// A part of a product.
pub(super) fn component(r: &mut Random) -> Value {
    let id = r.between(10_000, 10_020);
    json!({
        "self": format!("{API}/component/{id}"),
        "id": id.to_string(),
        "name": WORDS[id as usize % 60],
        "description": "",
    })
}

/// One of the options of a custom field, which are numbered from `first`.
pub(super) fn option(r: &mut Random, first: u64, count: u64) -> Value {
    let id = first + r.below(count);
    json!({
        "self": format!("{API}/customFieldOption/{id}"),
        "value": WORDS[id as usize % WORDS.len()],
        "id": id.to_string(),
    })
}

/// A sprint; the last ones have not begun and have no dates.
pub(super) fn sprint(r: &mut Random) -> Value {
    let id = r.between(1, 120);
    let begin = FIRST_SPRINT + id * SPRINT_DAYS * super::DAY;
    let mut sprint = json!({
        "id": id,
        "name": format!("PLAT Sprint {id}"),
        "state": if id < 110 { "closed" } else if id < 112 { "active" } else { "future" },
        "boardId": 1 + id % 5,
        "goal": if id % 3 == 0 { String::new() } else { sentence(r, 3, 10) },
    });
    if id < 112 {
        sprint["startDate"] = utc_millis(begin + 411).into();
        sprint["endDate"] = utc_millis(begin + SPRINT_DAYS * super::DAY).into();
    }
    if id < 110 {
        sprint["completeDate"] = utc_millis(begin + SPRINT_DAYS * super::DAY + 100_123).into();
    }
    sprint
}

/// A day of the year.
pub(super) fn any_day(r: &mut Random) -> String {
    day(super::TODAY - r.between(0, 365) * super::DAY)
}

fn avatars(index: usize) -> Value {
    let avatar = format!("{API}/universal_avatar/view/type/project/avatar/{}", 10_405 + index);
    json!({
        "48x48": avatar,
        "24x24": format!("{avatar}?size=small"),
        "16x16": format!("{avatar}?size=xsmall"),
        "32x32": format!("{avatar}?size=medium"),
    })
}
