//! What ARCHITECTURE.md says of the dependencies: they point one way.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Which modules of the guest each module may use. What is not here uses nothing.
const ARROWS: &[(&str, &[&str])] = &[
    ("component", &["doctor", "fault", "load", "protocol"]),
    ("doctor", &["columnar", "dlt", "fault", "load", "protocol", "sql"]),
    ("load", &["columnar", "dlt", "fault", "job", "json", "protocol", "shred", "sources", "sql"]),
    ("sources", &["dlt", "fault", "job", "json", "protocol"]),
    ("shred", &["columnar", "dlt", "fault", "json"]),
    ("columnar", &["dlt", "fault"]),
    ("job", &["dlt", "fault", "json", "sql"]),
    ("sql", &["dlt", "fault"]),
    ("dlt", &["fault"]),
    ("json", &["fault"]),
    ("protocol", &["fault"]),
];

#[test]
fn the_guest_uses_what_is_below() {
    for (path, module, text) in sources(&root().join("guest/src")) {
        let allowed =
            ARROWS.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, may)| *may);
        for used in used(&text) {
            let fine = used == module || allowed.contains(&used.as_str());
            assert!(fine, "{}: {module} uses {used}, expected only {allowed:?}", path.display());
        }
    }
}

#[test]
fn nothing_is_used_in_a_circle() {
    let mut below: BTreeSet<&str> = BTreeSet::new();
    let mut left: Vec<_> = ARROWS.to_vec();
    while !left.is_empty() {
        let unknown = |name: &&str| left.iter().any(|(other, _)| other == name);
        let free = left.iter().position(|(_, uses)| !uses.iter().any(unknown));
        let Some(free) = free else { panic!("a circle among {left:?}") };
        below.insert(left.remove(free).0);
    }
    assert_eq!(below.len(), ARROWS.len());
}

#[test]
fn the_host_knows_only_the_interface() {
    let manifest = std::fs::read_to_string(root().join("host/Cargo.toml")).unwrap();
    let (dependencies, _) = manifest.split_once("[build-dependencies]").unwrap_or((&manifest, ""));
    assert!(!dependencies.contains("snowcat-guest"), "{dependencies}");
    for (path, _, text) in sources(&root().join("host/src")) {
        assert!(!text.contains("snowcat_guest"), "{}", path.display());
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
    for (path, module, text) in sources(&root().join("guest/src")) {
        // What the doctor says of statements to a person is no statement.
        let prose =
            |line: &&str| ["assumed: \"", "remedy: \""].iter().all(|field| !line.contains(field));
        let text: String = text.lines().filter(prose).collect::<Vec<_>>().join("\n");
        let says = words.iter().filter(|word| text.contains(**word)).count();
        found += says;
        assert!(says == 0 || module == "sql", "{}: a statement outside sql", path.display());
    }
    assert!(found > 3, "the words of statements are not those that are looked for");
}

/// The files of the sources: path, module at the top, and text without tests and comments.
fn sources(folder: &Path) -> Vec<(PathBuf, String, String)> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let stem = path.file_stem().unwrap().to_str().unwrap();
            if stem == "tests" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let (code, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
            let code: Vec<&str> =
                code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let below = path.strip_prefix(folder).unwrap();
            let module = below.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
            files.push((path.clone(), module.to_owned(), code.join("\n")));
        }
    }
    assert!(files.len() > 10, "no sources in {}", folder.display());
    files
}

/// The modules of the crate that a text names.
fn used(text: &str) -> BTreeSet<String> {
    let name = |rest: &str| {
        rest.trim().chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect()
    };
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => found.extend(list.split(',').map(name)),
            None => found.extend([name(rest)]),
        }
    }
    found.remove("");
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
