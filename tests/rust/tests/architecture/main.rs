//! What ARCHITECTURE.md says of the sources: who may use whom, and the map that is printed from the imports.
//!
//! `UPDATE_EXPECT=1` writes the map anew.

#![expect(clippy::unwrap_used, reason = "this is a test")]

mod imports;
mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
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
            "slices", "publish", "extract", "restore", "plan", "logs", "status", "target",
            "session", "approved",
        ],
        arrows: 25,
    },
    Floors {
        sources: "host/src",
        folder: "",
        rooms: &[
            "cli",
            "watch",
            "snowflake",
            "stage",
            "dry_run",
            "input",
            "cloud",
            "http",
            "replay",
            "transcript",
            "runner",
            "host",
            "engine",
            "limits",
            "credentials",
            "gzip",
            "encoding",
            "error",
            "interface",
            "stop",
        ],
        arrows: 60,
    },
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
        let circles = read.circles();
        assert!(circles.is_empty(), "{sources}: files use each other in a circle, {circles:#?}");
    }
}

#[test]
fn the_map_is_printed_from_the_imports() {
    let path = root().join("ARCHITECTURE.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("<!-- modules -->\n").unwrap();
    let (_, after) = rest.split_once("<!-- /modules -->").unwrap();
    let printed = format!("{before}<!-- modules -->\n{}<!-- /modules -->{after}", map());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, printed).unwrap();
    } else {
        assert_eq!(text, printed, "UPDATE_EXPECT=1 prints the map anew");
    }
}

/// The map: each room, the first sentence of its documentation, and the rooms it uses.
fn map() -> String {
    let mut out = String::new();
    for Floors { sources, folder, rooms, .. } in FLOORS {
        let read = Crate::read(&root().join(sources));
        let uses = read.rooms(folder);
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        writeln!(
            out,
            "\n| `{}` | what it is | uses |\n|---|---|---|",
            format!("{sources}/{prefix}").trim_end_matches('/')
        )
        .unwrap();
        for room in *rooms {
            let file = [format!("{prefix}{room}/mod.rs"), format!("{prefix}{room}.rs")];
            let doc = file
                .iter()
                .find_map(|name| read.files.get(name))
                .map_or("", |file| file.doc.as_str());
            let used: Vec<String> = uses[*room].iter().map(|name| format!("`{name}`")).collect();
            writeln!(out, "| `{room}` | {} | {} |", sentence(doc), used.join(", ")).unwrap();
        }
    }
    out.push('\n');
    out
}

/// A text whose links into the crate are their names alone.
fn without_links(text: &str) -> String {
    let Some((before, rest)) = text.split_once("](crate::") else {
        return text.replace("[`", "`").replace("`]", "`");
    };
    let after = rest.split_once(')').map_or("", |(_, after)| after);
    without_links(&format!("{}{after}", before.replace("[`", "`")))
}

/// The first sentence.
fn sentence(doc: &str) -> String {
    let paragraph = doc.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let sentence = paragraph.split(". ").next().unwrap_or_default().trim_end_matches('.');
    without_links(sentence)
}

#[test]
fn imports_are_followed_to_the_file_that_defines_a_name() {
    let folder = std::env::temp_dir().join(format!("snowcat-imports-{}", std::process::id()));
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod a;\npub mod b;\npub mod c;");
    write("a/mod.rs", "//! A.\nmod inner;\npub use self::inner::{Inner, other as Other};");
    write("a/inner.rs", "use super::leaf;\npub struct Inner;\npub fn other() {}");
    write("a/leaf.rs", "// use crate::b::B;\n#[cfg(test)]\nmod tests {\n    use crate::b::B;\n}");
    write("b.rs", "use crate::a::{\n    Inner,\n    leaf::{self},\n};\npub struct B;");
    write("c.rs", "use std::fmt;\nfn c() { crate::a::Other(); d::f() }\nmod d;");
    write("c/d.rs", "use crate::b::B;\npub fn f() { crate::c::c() }");
    for filler in 0..6 {
        write(&format!("filler{filler}.rs"), "");
    }
    let read = Crate::read(&folder);
    let check = |file: &str, expect: &[&str]| {
        let found: Vec<&str> = read.arrows()[file].iter().copied().collect();
        assert_eq!(found, expect, "{file}");
    };
    check("a/mod.rs", &[]);
    check("a/inner.rs", &["a/leaf.rs"]);
    check("a/leaf.rs", &[]);
    check("b.rs", &["a/inner.rs", "a/leaf.rs"]);
    check("c.rs", &["a/inner.rs", "c/d.rs"]);
    check("c/d.rs", &["b.rs", "c.rs"]);
    assert_eq!(read.circles(), [BTreeSet::from(["c.rs", "c/d.rs"])]);
    assert_eq!(read.rooms("")["c"], BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    std::fs::remove_dir_all(folder).unwrap();
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

#[test]
fn no_two_types_of_a_crate_have_one_name() {
    for sources in ["guest/src", "host/src", "tests/rust/src"] {
        let read = Crate::read(&root().join(sources));
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, file) in &read.files {
            for declared in names::declared(&file.code) {
                places.entry(declared).or_default().push(name);
            }
        }
        assert!(places.len() > 50, "{sources}: {} types, expected more", places.len());
        places.retain(|_, files| files.len() > 1);
        assert!(places.is_empty(), "{sources}: types of one name, {places:#?}");
    }
}

/// What stores a value or makes a digest of it: calls, and functions that return what is stored.
const STORES: &[&str] = &[
    "digest(",
    "sha3_256(",
    "shake128(",
    "canonical_sorted(",
    "set_checkpoint(",
    "set_incremental(",
    "fn position(",
    "fn progress(",
    "fn to_json(",
    "fn cells(",
];

#[test]
fn nothing_stored_is_made_by_debug() {
    // A derived `Debug` changes with the name of a field or variant, so earlier documents would not be recognized.
    let mut found = 0;
    for (name, file) in Crate::read(&root().join("guest/src")).files {
        for function in functions(&file.code) {
            if STORES.iter().any(|word| function.contains(word)) {
                found += 1;
                let debug = [":?}", ":#?}", "Debug"].iter().find(|word| function.contains(**word));
                assert_eq!(debug, None, "{name}: a function that stores something\n{function}");
            }
        }
    }
    assert!(found > 15, "{found} functions store something, expected more: STORES is out of date");
}

/// The functions of a text, each from its first line to its last.
fn functions(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut end: Option<String> = None;
    for line in code.lines() {
        let head = line.trim_start();
        if end.is_none() && head.split_whitespace().take(4).any(|word| word == "fn") {
            let indent = &line[..line.len() - head.len()];
            end = (!line.ends_with(['}', ';'])).then(|| format!("{indent}}}"));
            found.push(line.to_owned());
        } else if let Some(last) = &end
            && let Some(function) = found.last_mut()
        {
            function.push('\n');
            function.push_str(line);
            // A declaration in a trait has no body.
            let declared = line.ends_with(';') && line.len() - head.len() < last.len();
            if line == last || declared {
                end = None;
            }
        }
    }
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
