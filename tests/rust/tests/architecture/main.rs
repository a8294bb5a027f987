//! What ARCHITECTURE.md says of the sources: who may use whom.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod imports;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use imports::Crate;

/// A folder whose rooms use each other one way only.
struct Floors {
    /// The crate's folder of sources.
    sources: &'static str,
    /// The folder in it. Empty for the sources themselves.
    folder: &'static str,
    /// Its rooms, from the top floor down: a room uses only rooms that stand after it.
    rooms: &'static [&'static str],
    /// How many rooms use how many others at most.
    arrows: usize,
}

const FLOORS: &[Floors] = &[
    Floors {
        sources: "guest/src",
        folder: "",
        rooms: &[
            "component",
            "doctor",
            "load",
            "sources",
            "shred",
            "columnar",
            "job",
            "sql",
            "dlt",
            "json",
            "protocol",
            "fault",
        ],
        arrows: 40,
    },
    Floors {
        sources: "guest/src",
        folder: "load",
        rooms: &[
            "publish", "extract", "restore", "records", "context", "plan", "target", "session",
            "approved",
        ],
        arrows: 15,
    },
];

/// Files that still use each other in a circle. The list only gets shorter.
const IN_CIRCLES: &[&str] = &[
    "doctor/examiner.rs",
    "doctor/scratch.rs",
    "shred/ident.rs",
    "shred/root_key.rs",
    "buckets.rs",
    "buckets/amazon.rs",
    "buckets/azure.rs",
    "buckets/google.rs",
    "buckets/token.rs",
    "cli/grid.rs",
    "cli/init.rs",
    "cli/init/openapi.rs",
    "cli/init/openapi/pages.rs",
    "cli/init/sample.rs",
    "cli/init/sample/pages.rs",
    "cli/init/sampled.rs",
    "cli/init/tabular.rs",
    "cli/progress.rs",
    "cli/show.rs",
    "columns/parquet.rs",
    "columns/parquet/leaf.rs",
    "columns/parquet/meaning.rs",
    "http.rs",
    "http/echo.rs",
    "http/echo/escapes.rs",
    "http/token.rs",
];

/// What no room may use, although it stands above it.
const NEVER: &[(&str, &str)] = &[
    ("shred", "sql"),
    ("shred", "job"),
    ("shred", "protocol"),
    ("columnar", "json"),
    ("columnar", "sql"),
    ("sql", "json"),
    ("dlt", "sql"),
    ("sources", "shred"),
    ("sources", "sql"),
    ("json", "dlt"),
];

#[test]
fn rooms_use_what_is_below() {
    for Floors { sources, folder, rooms, arrows } in FLOORS {
        let found = Crate::read(&root().join(sources)).rooms(folder);
        let names: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, rooms.iter().copied().collect(), "the rooms of {sources}/{folder}");
        let floor = |room: &str| rooms.iter().position(|it| *it == room).unwrap();
        for (room, uses) in &found {
            for used in uses {
                assert!(
                    floor(used) > floor(room),
                    "{sources}/{folder}: {room} uses {used}, which is above it"
                );
                assert!(!NEVER.contains(&(room, used)), "{sources}/{folder}: {room} uses {used}");
            }
        }
        let count: usize = found.values().map(BTreeSet::len).sum();
        println!("{sources}/{folder}: {} rooms, {count} arrows", found.len());
        assert!(count <= *arrows, "{sources}/{folder}: {count} arrows, expected at most {arrows}");
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    for sources in ["guest/src", "host/src"] {
        let read = Crate::read(&root().join(sources));
        let circles: BTreeSet<&str> = read.circles().into_iter().flatten().collect();
        println!("{sources}: {} files use each other in a circle", circles.len());
        let new: Vec<_> = circles.iter().filter(|name| !IN_CIRCLES.contains(name)).collect();
        assert!(new.is_empty(), "{sources}: in a circle, {new:#?}; all: {:#?}", read.circles());
    }
}

#[test]
fn the_host_knows_only_the_interface() {
    let manifest = std::fs::read_to_string(root().join("host/Cargo.toml")).unwrap();
    let (dependencies, _) = manifest.split_once("[build-dependencies]").unwrap_or((&manifest, ""));
    assert!(!dependencies.contains("snowcat-guest"), "{dependencies}");
    for (name, file) in Crate::read(&root().join("host/src")).files {
        assert!(!file.code.contains("snowcat_guest"), "{name}");
    }
}

#[test]
fn statements_are_written_in_one_place() {
    let words = [
        "\"SELECT ",
        "\"INSERT INTO",
        "\"DELETE FROM",
        "\"MERGE INTO",
        "\"CREATE ",
        "\"ALTER ",
        "\"COPY INTO",
    ];
    let mut found = 0;
    for (name, file) in Crate::read(&root().join("guest/src")).files {
        // What the doctor says of statements to a person is no statement.
        let prose =
            |line: &&str| ["assumed: \"", "remedy: \""].iter().all(|field| !line.contains(field));
        let text: String = file.code.lines().filter(prose).collect::<Vec<_>>().join("\n");
        let says = words.iter().filter(|word| text.contains(**word)).count();
        found += says;
        assert!(says == 0 || name.starts_with("sql/"), "{name}: a statement outside sql");
    }
    assert!(found > 3, "the words of statements are not those that are looked for");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
