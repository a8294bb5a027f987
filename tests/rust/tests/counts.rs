//! How many files a new kind of a thing touches, as `tests/counts.sh` counts them.

use std::path::Path;
use std::process::Command;

/// A thing, and how many files may name one kind of it.
const LIMITS: &[(&str, usize)] =
    &[("a paginator", 4), ("a merge strategy", 9), ("a column type", 11), ("a credential", 7)];

#[test]
fn a_new_kind_touches_few_files() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../counts.sh");
    let output = Command::new("sh").arg(&script).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", script.display());
    let printed = String::from_utf8(output.stdout).unwrap();
    let mut counted = Vec::new();
    // A title, such as "a paginator (NAME): 4 files", and below it the files.
    for title in printed.lines().filter(|line| !line.starts_with(' ')) {
        let (thing, rest) = title.split_once(" (").unwrap();
        let (_, count) = rest.split_once("): ").unwrap();
        let count: usize = count.strip_suffix(" files").unwrap().parse().unwrap();
        counted.push((thing, count));
    }
    let things: Vec<&str> = counted.iter().map(|(thing, _)| *thing).collect();
    let expect: Vec<&str> = LIMITS.iter().map(|(thing, _)| *thing).collect();
    assert_eq!(things, expect, "{printed}");
    for ((thing, count), (_, limit)) in counted.iter().zip(LIMITS) {
        // The schema alone would be one.
        assert!(*count > 1, "expected files that name {thing}:\n{printed}");
        assert!(count <= limit, "expected {thing} in at most {limit} files:\n{printed}");
    }
}
