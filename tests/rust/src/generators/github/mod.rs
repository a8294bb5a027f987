//! Events in the shapes of GitHub's public Events API, with whole payloads, in about the mix that
//! public archives of them show.

mod objects;
mod project;

use serde_json::{Value, json};

use self::objects::{API, WEB, comment, count, issue, login, pull, repository, sha, user};
use super::random::Random;
use super::text::{WORDS, name, prose, sentence, words};
use super::time::utc;

pub use self::project::Repository;

const PURPOSE: u64 = 2;
const FIRST_EVENT: i64 = 1_750_000_000_000;

#[derive(Clone, Copy)]
enum Event {
    Comment,
    Create,
    Delete,
    Fork,
    Issues,
    Pull,
    Push,
    Release,
    Review,
    Watch,
}

const MIX: &[(Event, u64)] = &[
    (Event::Push, 52),
    (Event::Create, 13),
    (Event::Pull, 9),
    (Event::Watch, 8),
    (Event::Comment, 7),
    (Event::Issues, 4),
    (Event::Delete, 3),
    (Event::Fork, 2),
    (Event::Release, 1),
    (Event::Review, 1),
];

/// The event at this index.
pub fn event(seed: u64, index: u64) -> Value {
    let r = &mut Random::new(seed, PURPOSE, index);
    let at = FIRST_EVENT + (index / 25) as i64 * 1000;
    let kind = r.weighted(MIX);
    let (actor, actor_id) = (login(r), count(r, 200_000_000));
    let full = format!("{}/{}-{}", login(r), r.pick(WORDS), r.pick(WORDS));
    let (name, payload) = payload(r, kind, &full, at);
    let mut event = json!({
        "id": (41_000_000_000 + index * 3).to_string(),
        "type": name,
        "actor": {
            "id": actor_id,
            "login": actor,
            "display_login": actor,
            "gravatar_id": "",
            "url": format!("{API}/users/{actor}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{actor_id}?"),
        },
        "repo": { "id": count(r, 900_000_000), "name": full, "url": format!("{API}/repos/{full}") },
        "payload": payload,
        "public": true,
        "created_at": utc(at),
    });
    if r.chance(0.3) {
        let (org, id) = (login(r), count(r, 100_000_000));
        event["org"] = json!({
            "id": id,
            "login": org,
            "gravatar_id": "",
            "url": format!("{API}/orgs/{org}"),
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?"),
        });
    }
    event
}

fn payload(r: &mut Random, event: Event, full: &str, at: i64) -> (&'static str, Value) {
    match event {
        Event::Push => ("PushEvent", push(r, full)),
        Event::Create => (
            "CreateEvent",
            json!({
                "ref": r.pick(WORDS),
                "ref_type": r.pick(&["branch", "tag", "repository"]),
                "master_branch": "main",
                "description": r.chance(0.5).then(|| sentence(r, 5, 18)),
                "pusher_type": "user",
            }),
        ),
        Event::Delete => (
            "DeleteEvent",
            json!({ "ref": r.pick(WORDS), "ref_type": "branch", "pusher_type": "user" }),
        ),
        Event::Watch => ("WatchEvent", json!({ "action": "started" })),
        Event::Fork => ("ForkEvent", json!({ "forkee": repository(r, at) })),
        Event::Issues => (
            "IssuesEvent",
            json!({
                "action": r.pick(&["opened", "closed", "reopened"]),
                "issue": issue(r, full, at),
            }),
        ),
        Event::Comment => {
            let issue = issue(r, full, at);
            let comment = comment(r, full, &issue["number"], at);
            (
                "IssueCommentEvent",
                json!({ "action": "created", "issue": issue, "comment": comment }),
            )
        }
        Event::Pull => {
            let pull = pull(r, full, at);
            (
                "PullRequestEvent",
                json!({
                    "action": r.pick(&["opened", "closed"]),
                    "number": pull["number"],
                    "pull_request": pull,
                }),
            )
        }
        Event::Review => {
            let pull = pull(r, full, at);
            let mut comment = comment(r, full, &pull["number"], at);
            comment["diff_hunk"] = prose(r, 3, 8).into();
            comment["path"] = format!("src/{}.rs", r.pick(WORDS)).into();
            comment["position"] = count(r, 90).into();
            comment["commit_id"] = sha(r).into();
            comment["line"] = count(r, 900).into();
            comment["side"] = "RIGHT".into();
            (
                "PullRequestReviewCommentEvent",
                json!({ "action": "created", "comment": comment, "pull_request": pull }),
            )
        }
        Event::Release => {
            ("ReleaseEvent", json!({ "action": "published", "release": release(r, full, at) }))
        }
    }
}

fn push(r: &mut Random, full: &str) -> Value {
    let size = (1 + r.exponential(1.43)).min(20);
    let commits = (0..size).map(|_| commit(r, full)).collect::<Vec<_>>();
    json!({
        "repository_id": count(r, 900_000_000),
        "push_id": r.between(20_000_000_000, 29_999_999_999),
        "size": size,
        "distinct_size": size,
        "ref": format!("refs/heads/{}", r.pick(&["main", "master", "develop"])),
        "head": sha(r),
        "before": sha(r),
        "commits": commits,
    })
}

fn commit(r: &mut Random, full: &str) -> Value {
    let (sha, (given, family)) = (sha(r), name(r));
    json!({
        "sha": sha,
        "author": {
            "email": format!("{}@example.org", login(r)),
            "name": format!("{given} {family}"),
        },
        "message": prose(r, 1, 2),
        "distinct": true,
        "url": format!("{API}/repos/{full}/commits/{sha}"),
    })
}

fn release(r: &mut Random, full: &str, at: i64) -> Value {
    let id = count(r, 100_000_000);
    let url = format!("{API}/repos/{full}/releases/{id}");
    let tag = format!("v{}.{}.0", r.below(10), r.below(31));
    let assets = (0..r.count(0, 6)).map(|n| asset(r, full, &url, n, at)).collect::<Vec<_>>();
    json!({
        "url": url,
        "assets_url": format!("{url}/assets"),
        "upload_url": format!("{url}/assets{{?name,label}}"),
        "html_url": format!("{WEB}/{full}/releases/tag/{tag}"),
        "id": id,
        "author": user(r),
        "node_id": format!("RE_kwDO{}", r.hex(10)),
        "tag_name": tag,
        "target_commitish": "main",
        "name": words(r, 1, 4),
        "draft": false,
        "prerelease": r.chance(0.2),
        "created_at": utc(at),
        "published_at": utc(at),
        "assets": assets,
        "tarball_url": format!("{url}/tarball"),
        "zipball_url": format!("{url}/zipball"),
        "body": prose(r, 3, 30),
        "short_description_html": null,
        "is_short_description_html_truncated": false,
    })
}

fn asset(r: &mut Random, full: &str, url: &str, n: usize, at: i64) -> Value {
    json!({
        "url": format!("{url}/assets/{n}"),
        "id": count(r, 100_000_000),
        "node_id": format!("RA_kwDO{}", r.hex(10)),
        "name": format!("{}-{n}.tar.gz", r.pick(WORDS)),
        "label": null,
        "uploader": user(r),
        "content_type": "application/gzip",
        "state": "uploaded",
        "size": r.between(1000, 100_000_000),
        "download_count": 0,
        "created_at": utc(at),
        "updated_at": utc(at),
        "browser_download_url": format!("{WEB}/{full}/releases/download/{n}"),
    })
}
