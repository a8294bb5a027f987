//! The objects that events carry: users, repositories, issues, pull requests, comments.

use serde_json::{Map, Value, json};

use crate::generators::random::Random;
use crate::generators::text::{WORDS, ascii, name, prose, sentence, words};
use crate::generators::time::utc;

/// Where the API's own addresses begin.
pub(super) const API: &str = "https://api.github.com";
/// Where a person's addresses begin.
pub(super) const WEB: &str = "https://github.com";

const DAY: i64 = 86_400_000;

const LABELS: &[(&str, &str)] = &[
    ("bug", "d73a4a"),
    ("dependencies", "0366d6"),
    ("documentation", "0075ca"),
    ("enhancement", "a2eeef"),
    ("good first issue", "7057ff"),
    ("help wanted", "008672"),
    ("wontfix", "ffffff"),
];

const LANGUAGES: &[Option<&str>] =
    &[Some("Go"), Some("Java"), Some("Python"), Some("Rust"), Some("TypeScript"), None];

/// The addresses that every user has: key without `_url`, and what follows the user's own.
const USER_LINKS: &[(&str, &str)] = &[
    ("followers", "/followers"),
    ("following", "/following{/other_user}"),
    ("gists", "/gists{/gist_id}"),
    ("starred", "/starred{/owner}{/repo}"),
    ("subscriptions", "/subscriptions"),
    ("organizations", "/orgs"),
    ("repos", "/repos"),
    ("events", "/events{/privacy}"),
    ("received_events", "/received_events"),
];

/// The addresses that every repository has.
const REPOSITORY_LINKS: &[(&str, &str)] = &[
    ("forks", "/forks"),
    ("keys", "/keys{/key_id}"),
    ("collaborators", "/collaborators{/collaborator}"),
    ("teams", "/teams"),
    ("hooks", "/hooks"),
    ("issue_events", "/issues/events{/number}"),
    ("events", "/events"),
    ("assignees", "/assignees{/user}"),
    ("branches", "/branches{/branch}"),
    ("tags", "/tags"),
    ("blobs", "/git/blobs{/sha}"),
    ("git_tags", "/git/tags{/sha}"),
    ("git_refs", "/git/refs{/sha}"),
    ("trees", "/git/trees{/sha}"),
    ("statuses", "/statuses/{sha}"),
    ("languages", "/languages"),
    ("stargazers", "/stargazers"),
    ("contributors", "/contributors"),
    ("subscribers", "/subscribers"),
    ("subscription", "/subscription"),
    ("commits", "/commits{/sha}"),
    ("git_commits", "/git/commits{/sha}"),
    ("comments", "/comments{/number}"),
    ("issue_comment", "/issues/comments{/number}"),
    ("contents", "/contents/{+path}"),
    ("compare", "/compare/{base}...{head}"),
    ("merges", "/merges"),
    ("archive", "/{archive_format}{/ref}"),
    ("downloads", "/downloads"),
    ("issues", "/issues{/number}"),
    ("pulls", "/pulls{/number}"),
    ("milestones", "/milestones{/number}"),
    ("notifications", "/notifications{?since,all,participating}"),
    ("labels", "/labels{/name}"),
    ("releases", "/releases{/id}"),
    ("deployments", "/deployments"),
];

/// A number from 1 to `high`.
pub(super) fn count(r: &mut Random, high: i64) -> i64 {
    r.between(1, high)
}

/// A commit's hash.
pub(super) fn sha(r: &mut Random) -> String {
    r.hex(40)
}

/// A user's name.
pub(super) fn login(r: &mut Random) -> String {
    format!("{}{}{}", ascii(name(r).0), r.pick(WORDS), r.below(10_000))
}

/// A user, as every object embeds it.
pub(super) fn user(r: &mut Random) -> Value {
    let (login, id) = (login(r), count(r, 200_000_000));
    let url = format!("{API}/users/{login}");
    let mut user = json!({
        "login": login,
        "id": id,
        "node_id": format!("MDQ6VXNlcg{}", r.hex(12)),
        "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
        "gravatar_id": "",
        "url": url,
        "html_url": format!("{WEB}/{login}"),
    });
    add_links(&mut user, &url, USER_LINKS);
    user["type"] = "User".into();
    user["site_admin"] = false.into();
    user
}

/// A whole repository.
pub(super) fn repository(r: &mut Random, at: i64) -> Value {
    let owner = user(r);
    let name = format!("{}-{}", r.pick(WORDS), r.pick(WORDS));
    let full = format!("{}/{name}", owner["login"].as_str().unwrap_or_default());
    let url = format!("{API}/repos/{full}");
    let mut repository = json!({
        "id": count(r, 900_000_000),
        "node_id": format!("R_kgDO{}", r.hex(10)),
        "name": name,
        "full_name": full,
        "private": false,
        "owner": owner,
        "html_url": format!("{WEB}/{full}"),
        "description": r.chance(0.7).then(|| sentence(r, 5, 18)),
        "fork": r.chance(0.3),
        "url": url,
    });
    add_links(&mut repository, &url, REPOSITORY_LINKS);
    let license = (!r.chance(0.4)).then(|| {
        json!({
            "key": "mit",
            "name": "MIT License",
            "spdx_id": "MIT",
            "url": format!("{API}/licenses/mit"),
            "node_id": "MDc6TGljZW5zZTEz",
        })
    });
    let topics = r.pick(&[0, 0, 0, 2, 4, 7]);
    let rest = json!({
        "created_at": utc(at - r.between(12 * DAY, 1200 * DAY)),
        "updated_at": utc(at - r.between(0, 11 * DAY)),
        "pushed_at": utc(at - r.between(0, DAY)),
        "git_url": format!("git://github.com/{full}.git"),
        "ssh_url": format!("git@github.com:{full}.git"),
        "clone_url": format!("{WEB}/{full}.git"),
        "svn_url": format!("{WEB}/{full}"),
        "homepage": r.chance(0.4).then(|| format!("https://{name}.example.org")),
        "size": count(r, 1_000_000),
        "stargazers_count": r.below(50_000),
        "watchers_count": r.below(50_000),
        "language": r.pick(LANGUAGES),
        "has_issues": true,
        "has_projects": true,
        "has_downloads": true,
        "has_wiki": r.chance(0.8),
        "has_pages": r.chance(0.1),
        "has_discussions": false,
        "forks_count": r.below(900),
        "mirror_url": null,
        "archived": false,
        "disabled": false,
        "open_issues_count": r.below(900),
        "license": license,
        "allow_forking": true,
        "is_template": false,
        "web_commit_signoff_required": false,
        "topics": r.sample(&WORDS[..60], topics),
        "visibility": "public",
        "forks": r.below(900),
        "open_issues": r.below(900),
        "watchers": r.below(50_000),
        "default_branch": r.pick(&["main", "master"]),
    });
    append(&mut repository, rest);
    repository
}

/// An issue of the repository of this full name.
pub(super) fn issue(r: &mut Random, full: &str, at: i64) -> Value {
    let number = count(r, 30_000);
    let url = format!("{API}/repos/{full}/issues/{number}");
    let assignees = users(r, &[0, 0, 0, 1, 1, 2]);
    json!({
        "url": url,
        "repository_url": format!("{API}/repos/{full}"),
        "labels_url": format!("{url}/labels{{/name}}"),
        "comments_url": format!("{url}/comments"),
        "events_url": format!("{url}/events"),
        "html_url": format!("{WEB}/{full}/issues/{number}"),
        "id": count(r, 2_000_000_000),
        "node_id": format!("I_kwDO{}", r.hex(12)),
        "number": number,
        "title": words(r, 4, 12),
        "user": user(r),
        "labels": labels(r, full),
        "state": r.pick(&["open", "closed"]),
        "locked": false,
        "assignee": assignees.first(),
        "assignees": assignees,
        "milestone": milestone(r, full, at),
        "comments": r.below(61),
        "created_at": utc(at - r.between(0, 115 * DAY)),
        "updated_at": utc(at),
        "closed_at": r.chance(0.4).then(|| utc(at)),
        "author_association": r.pick(&["CONTRIBUTOR", "MEMBER", "NONE"]),
        "active_lock_reason": null,
        "body": prose(r, 2, 25),
        "reactions": reactions(r, &url),
        "timeline_url": format!("{url}/timeline"),
        "performed_via_github_app": null,
        "state_reason": null,
    })
}

/// A pull request of the repository of this full name.
pub(super) fn pull(r: &mut Random, full: &str, at: i64) -> Value {
    let number = count(r, 30_000);
    let url = format!("{API}/repos/{full}/pulls/{number}");
    let issue = format!("{API}/repos/{full}/issues/{number}");
    let statuses = format!("{API}/repos/{full}/statuses/{}", sha(r));
    let assignees = users(r, &[0, 0, 1, 2]);
    let merged = r.chance(0.4);
    let mut pull = json!({
        "url": url,
        "id": count(r, 2_000_000_000),
        "node_id": format!("PR_kwDO{}", r.hex(12)),
        "html_url": format!("{WEB}/{full}/pull/{number}"),
        "diff_url": format!("{WEB}/{full}/pull/{number}.diff"),
        "patch_url": format!("{WEB}/{full}/pull/{number}.patch"),
        "issue_url": issue,
        "number": number,
        "state": r.pick(&["open", "closed"]),
        "locked": false,
        "title": words(r, 4, 12),
        "user": user(r),
        "body": r.chance(0.85).then(|| prose(r, 1, 20)),
        "created_at": utc(at - r.between(0, 11 * DAY)),
        "updated_at": utc(at),
        "closed_at": merged.then(|| utc(at)),
        "merged_at": merged.then(|| utc(at)),
        "merge_commit_sha": sha(r),
        "assignee": assignees.first(),
        "assignees": assignees,
        "requested_reviewers": users(r, &[0, 0, 1, 2]),
        "requested_teams": [],
        "labels": labels(r, full),
        "milestone": milestone(r, full, at),
        "draft": r.chance(0.1),
        "commits_url": format!("{url}/commits"),
        "review_comments_url": format!("{url}/comments"),
        "review_comment_url": format!("{API}/repos/{full}/pulls/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"),
        "statuses_url": statuses,
    });
    let rest = json!({
        "head": side(r, any_branch, at),
        "base": side(r, |_| "main", at),
        "_links": {
            "self": { "href": url },
            "html": { "href": format!("{WEB}/{full}/pull/{number}") },
            "issue": { "href": issue },
            "comments": { "href": format!("{issue}/comments") },
            "review_comments": { "href": format!("{url}/comments") },
            "review_comment": { "href": format!("{API}/repos/{full}/pulls/comments{{/number}}") },
            "commits": { "href": format!("{url}/commits") },
            "statuses": { "href": statuses },
        },
        "author_association": "CONTRIBUTOR",
        "auto_merge": null,
        "active_lock_reason": null,
        "merged": merged,
        "mergeable": null,
        "rebaseable": null,
        "mergeable_state": "unknown",
        "merged_by": merged.then(|| user(r)),
        "comments": r.below(21),
        "review_comments": r.below(31),
        "maintainer_can_modify": false,
        "commits": count(r, 30),
        "additions": r.below(3001),
        "deletions": r.below(3001),
        "changed_files": count(r, 90),
    });
    append(&mut pull, rest);
    pull
}

/// A comment on the issue or pull request of this number.
pub(super) fn comment(r: &mut Random, full: &str, number: &Value, at: i64) -> Value {
    let id = count(r, 2_000_000_000);
    let url = format!("{API}/repos/{full}/issues/comments/{id}");
    json!({
        "url": url,
        "html_url": format!("{WEB}/{full}/issues/{number}#issuecomment-{id}"),
        "issue_url": format!("{API}/repos/{full}/issues/{number}"),
        "id": id,
        "node_id": format!("IC_kwDO{}", r.hex(12)),
        "user": user(r),
        "created_at": utc(at),
        "updated_at": utc(at),
        "author_association": "MEMBER",
        "body": prose(r, 1, 12),
        "reactions": reactions(r, &url),
        "performed_via_github_app": null,
    })
}

/// One of the two branches of a pull request.
fn side(r: &mut Random, branch: fn(&mut Random) -> &'static str, at: i64) -> Value {
    let repository = repository(r, at);
    let (owner, branch) = (repository["owner"].clone(), branch(r));
    json!({
        "label": format!("{}:{branch}", owner["login"].as_str().unwrap_or_default()),
        "ref": branch,
        "sha": sha(r),
        "user": owner,
        "repo": repository,
    })
}

fn any_branch(r: &mut Random) -> &'static str {
    r.pick(WORDS)
}

fn users(r: &mut Random, counts: &[usize]) -> Vec<Value> {
    (0..r.pick(counts)).map(|_| user(r)).collect()
}

fn labels(r: &mut Random, full: &str) -> Vec<Value> {
    let wanted = r.pick(&[0, 0, 1, 1, 2, 3]);
    r.sample(LABELS, wanted)
        .into_iter()
        .map(|(name, color)| {
            json!({
                "id": count(r, 6_000_000_000),
                "node_id": format!("LA_kwDO{}", r.hex(12)),
                "url": format!("{API}/repos/{full}/labels/{}", name.replace(' ', "%20")),
                "name": name,
                "color": color,
                "default": name != "dependencies",
                "description": sentence(r, 3, 8),
            })
        })
        .collect()
}

fn milestone(r: &mut Random, full: &str, at: i64) -> Option<Value> {
    r.chance(0.15).then(|| {
        let number = count(r, 40);
        let url = format!("{API}/repos/{full}/milestones/{number}");
        json!({
            "url": url,
            "html_url": format!("{WEB}/{full}/milestone/{number}"),
            "labels_url": format!("{url}/labels"),
            "id": count(r, 10_000_000),
            "node_id": format!("MI_kwDO{}", r.hex(10)),
            "number": number,
            "title": format!("v{}.{}", r.below(10), r.below(21)),
            "description": sentence(r, 5, 18),
            "creator": user(r),
            "open_issues": r.below(91),
            "closed_issues": r.below(301),
            "state": "open",
            "created_at": utc(at - 115 * DAY),
            "updated_at": utc(at - DAY),
            "due_on": null,
            "closed_at": null,
        })
    })
}

fn reactions(r: &mut Random, url: &str) -> Value {
    let (up, heart) = (r.pick(&[0, 0, 0, 0, 1, 3]), r.pick(&[0, 0, 0, 1]));
    json!({
        "url": format!("{url}/reactions"),
        "total_count": up + heart,
        "+1": up,
        "-1": 0,
        "laugh": 0,
        "hooray": 0,
        "confused": 0,
        "heart": heart,
        "rocket": 0,
        "eyes": 0,
    })
}

fn add_links(object: &mut Value, url: &str, links: &[(&str, &str)]) {
    let links =
        links.iter().map(|(key, path)| (format!("{key}_url"), format!("{url}{path}").into()));
    append(object, Value::Object(links.collect::<Map<_, _>>()));
}

/// Puts the members of the second object into the first.
pub(super) fn append(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}
