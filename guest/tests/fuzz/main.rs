//! Random bytes, truncations and mutations of pages and jobs: a load always ends with a report or a
//! fault, never with a panic.
//!
//! Each target runs for a second or two; SNOWCAT_FUZZ_SECONDS sets another time, and
//! SNOWCAT_FUZZ_SEED the first seed. A failure names its seed.

#![expect(clippy::unwrap_used, reason = "these are tests")]
#![allow(clippy::panic, reason = "these are tests")]

#[path = "../files/account.rs"]
#[allow(dead_code, reason = "the tests of files use the rest of it")]
mod account;
#[path = "../rest/world.rs"]
#[allow(dead_code, reason = "the tests of REST sources use the rest of it")]
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use snowcat_guest::protocol::Request;

use account::{Account, Input, nobody};

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        (self.next() % most.max(1) as u64) as usize
    }

    /// The text with a few changes. It is always UTF-8, which the host guarantees.
    fn mutated(&mut self, text: &str) -> String {
        const SPICE: &[&str] = &[
            "\"",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "\n",
            "\r",
            "\0",
            "\u{feff}",
            "é",
            "😀",
            "null",
            "1e999",
            "-0",
            "1e-400",
            "99999999999999999999999",
            "\\u0000",
            "\\ud800",
            "\"\"",
            ";",
            "'",
            "2024-02-30T25:61:61Z",
            "0001-01-01",
            "_dlt_id",
            "\t",
            "true",
            "//",
            "$",
            "[*]",
            "{}",
        ];
        let mut bytes = text.as_bytes().to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 => bytes.truncate(at),
                1 => {
                    let byte = self.next() as u8;
                    bytes.insert(at, byte);
                }
                2 => {
                    let end = (at + self.below(20)).min(bytes.len());
                    bytes.drain(at..end);
                }
                3 => {
                    let end = (at + self.below(60)).min(bytes.len());
                    let part = bytes[at..end].to_vec();
                    let to = self.below(bytes.len() + 1);
                    bytes.splice(to..to, part);
                }
                4 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                5 => {
                    let deep = [b"[".as_slice(), b"{\"a\":"][self.below(2)].repeat(self.below(400));
                    bytes.splice(at..at, deep);
                }
                _ => {
                    let spice = SPICE[self.below(SPICE.len())];
                    bytes.splice(at..at, spice.bytes());
                }
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Runs a target with consecutive seeds until its time is up.
fn fuzz(mut target: impl FnMut(&mut Random)) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let time = Duration::from_secs(number("SNOWCAT_FUZZ_SECONDS").unwrap_or(1));
    let began = Instant::now();
    let mut runs = 0;
    for seed in number("SNOWCAT_FUZZ_SEED").unwrap_or(1).. {
        let run = catch_unwind(AssertUnwindSafe(|| target(&mut Random(seed))));
        assert!(run.is_ok(), "found with SNOWCAT_FUZZ_SEED={seed}");
        runs += 1;
        // Fewer runs test nothing, however slow the machine is.
        if began.elapsed() > time && runs >= 10 {
            break;
        }
    }
}

const JSON: &str = r#"[{"id":1,"a":"x","at":"2024-01-01T00:00:00.5+01:00","big":123456789012345678901,
"n":{"f":1.5,"l":[{"k":1},{"k":null,"m":[1,"2",true]}]},"a_":[],"é":"\u00e9\ud83d\ude00"},{"id":2,"n":"s"}]"#;
const CSV: &str = "id,text,\"a,b\"\r\n1,\"x \"\"y\"\"\nz\",\r\n2,é,NA\r\n# c\n3,\\N,\"\"\n";

/// Input with records, and resources that read it.
fn inputs() -> Vec<(Value, String)> {
    let lines = "{\"id\":1,\"a\":[1,{\"b\":2}]}\n{\"id\":2,\"a\":\"2024-01-01\"}\n\n{\"id\":3}\n"
        .to_owned();
    let dialect = json!({"type": "csv", "escape": "\\", "comment": "#", "null": ["NA", "\\N"]});
    vec![
        (json!({}), JSON.to_owned()),
        (json!({"format": "json"}), JSON.to_owned()),
        (json!({"format": "jsonl"}), lines.clone()),
        (json!({"format": "csv"}), CSV.to_owned()),
        (json!({"format": dialect}), CSV.to_owned()),
        (json!({"format": {"type": "csv", "quote": null, "short_rows": true}}), CSV.to_owned()),
        (
            json!({"format": "jsonl", "write_disposition": {"disposition": "merge", "strategy": "upsert"},
            "primary_key": "id", "incremental": {"cursor_path": "id"}}),
            lines,
        ),
    ]
}

fn account(resource: &Value, text: String, random: &mut Random) -> Option<Account> {
    let mut job = world::job(json!([{"name": "r", "checkpoint": {"pages": 2}}]));
    job["resources"][0].as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
    let files = [("f", text)];
    let input = Input { files: &files, page: 1 + random.below(40), server: &nobody };
    let mut account = Account::default();
    account.run(&job, &input, 100_000).unwrap().ok().map(|_| account)
}

#[test]
fn pages_of_files() {
    let inputs = inputs();
    fuzz(|random| {
        let (resource, text) = &inputs[random.below(inputs.len())];
        let mut resource = resource.clone();
        if random.below(2) == 0 {
            resource["on_bad_record"] = "reject".into();
        }
        let text = random.mutated(text);
        let one = account(&resource, text.clone(), random);
        // The result does not depend on the cuts between pages. (JSON values are cut at their
        // ends.)
        if resource.get("format").is_some_and(|format| format != "json") {
            let other = account(&resource, text, random);
            assert_eq!(one.is_some(), other.is_some());
            if let (Some(one), Some(other)) = (one, other) {
                assert_eq!(one.table("r"), other.table("r"));
                assert_eq!(one.table("_rejected"), other.table("_rejected"));
            }
        }
    });
}

/// The examples of each paginator in the job's JSON schema.
fn described_paginators() -> Vec<Value> {
    let schema: Value =
        serde_json::from_str(include_str!("../../../procedures/jobs/job.schema.json")).unwrap();
    let definitions = schema["definitions"].as_object().unwrap().iter();
    definitions
        .filter(|(name, _)| name.starts_with("paginator_"))
        .flat_map(|(_, definition)| definition["examples"].as_array().unwrap().clone())
        .collect()
}

#[test]
fn pages_of_a_source() {
    let page =
        r#"{"items":[{"id":1,"up":"a"},{"id":2}],"next":"abc","total":9,"more":true,"page":1}"#;
    let mut paginators = vec![
        json!(null),
        json!({"type": "cursor", "cursor_path": "next"}),
        json!({"type": "offset", "limit": 2}),
        json!({"type": "json_link", "next_url_path": "next"}),
        json!({"type": "page_number", "total_path": "total"}),
        json!("header_link"),
        json!({"type": "cursor", "cursor_path": "next", "has_more_path": "more"}),
        json!({"type": "offset", "limit": 2, "total_path": null, "has_more_path": "more"}),
        json!({"type": "page_number", "total_path": null, "stop_after_empty_page": false, "maximum_page": 9}),
    ];
    paginators.extend(described_paginators());
    // Headers of responses.
    let headers = [
        ("content-type", "application/json"),
        ("link", "<https://x.net/v1/x?p=2>; rel=\"next\", </v1/x>; rel=\"last\""),
        ("next", "abc"),
        ("date", "Sun, 06 Nov 1994 08:49:00 GMT"),
        ("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("retry-after", "7"),
        ("x-ratelimit-remaining", "0"),
        ("x-ratelimit-reset", "784111797"),
        ("location", "https://y.net/?to=x"),
    ];
    fuzz(|random| {
        let mut paginator = paginators[random.below(paginators.len())].clone();
        if matches!(paginator["type"].as_str(), Some("offset" | "page_number")) {
            paginator["parallel"] = (1 + random.below(32)).into();
        }
        let endpoint = json!({"path": "x", "paginator": paginator});
        let child = json!({"path": "x/{resources.r.id}", "paginator": paginator});
        let job = world::job(json!([
            {"name": "r", "endpoint": endpoint},
            {"name": "c", "include_from_parent": ["id"], "primary_key": "id", "endpoint": child},
        ]));
        let mut pages = 0;
        let (_, ended) = world::run(&job, |_: usize, _: &Request| {
            pages += 1;
            assert!(pages < 100_000, "it would never end");
            if pages > 20 {
                return world::answer(200, &[], "{\"items\":[],\"total\":0,\"more\":false}");
            }
            let body = if random.below(3) == 0 { page.to_owned() } else { random.mutated(page) };
            let some = headers.iter().filter(|_| random.below(4) == 0).collect::<Vec<_>>();
            let changed: Vec<(&str, String)> = some
                .into_iter()
                .map(|(name, value)| match random.below(2) {
                    0 => (*name, (*value).to_owned()),
                    _ => (*name, random.mutated(value).replace(char::is_control, " ")),
                })
                .collect();
            let changed: Vec<(&str, &str)> =
                changed.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let status = [200, 200, 200, 200, 200, 206, 204, 429, 503, 401, 302];
            world::answer(status[random.below(status.len())], &changed, &body)
        });
        drop(ended);
    });
}

#[test]
fn jobs() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../procedures/jobs");
    let mut jobs: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .filter(|text| text.len() < 30_000)
        .collect();
    jobs.sort();
    for (resource, _) in inputs() {
        let mut job = world::job(json!([{"name": "r", "files": "@d.s.t/x.csv"}]));
        job["resources"][0].as_object_mut().unwrap().extend(resource.as_object().unwrap().clone());
        jobs.push(job.to_string());
    }
    assert!(jobs.len() > 5);
    fuzz(|random| {
        let job = &jobs[random.below(jobs.len())];
        let job = random.mutated(job);
        let load = snowcat_guest::load::start(&job, "2024-05-06T07:08:09Z");
        if let Ok(load) = load {
            drop(load.resume(snowcat_guest::protocol::Reply::Start));
        }
    });
}
