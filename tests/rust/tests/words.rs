//! Words that this project does not use in comments, names and documents, because the field has
//! other terms.
//!
//! CONTRIBUTING.md has the glossary. `WORDS=1 cargo test -p snowcat-tests --test words --
//! --nocapture` prints each occurrence.

#![expect(clippy::unwrap_used, reason = "this is a test")]

use std::path::{Path, PathBuf};

/// An old word or phrase, and its replacement.
const GLOSSARY: &[(&str, &str)] = &[
    ("told", "reported, declared, printed"),
    ("tells apart", "distinguishes"),
    ("told apart", "distinguished"),
    ("heed", "apply"),
    ("heeds", "applies"),
    ("heeded", "applied"),
    ("left out", "discarded, omitted, skipped"),
    ("leave out", "discard, omit, skip"),
    ("leaves out", "discards, omits, skips"),
    ("gives way", "is deleted, is replaced"),
    ("give way", "are deleted, are replaced"),
    ("its say", "say what is decided"),
    ("came", "was staged, was read, returned"),
    ("set aside", "stored in `_rejected`"),
    ("rehearsal", "dry run"),
    ("intake", "record sink"),
    ("aside", "side output"),
    ("standin", "fake"),
    ("stand in", "fake"),
    ("stand ins", "fakes"),
];
/// The folders with sources and documents, below the root.
const FOLDERS: &[&str] = &["guest", "host", "wit", "procedures", "tests"];
const ENDINGS: &[&str] = &["rs", "py", "md", "sql", "wit", "toml"];
/// Files that quote the old words, or are not ours.
const QUOTING: &[&str] =
    &["tests/data", "tests/rust/tests/words.rs", "CONTRIBUTING.md", "CHANGELOG.md"];

#[test]
fn old_words_are_not_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Vec::new();
    let mut read = 0;
    for path in files(&root) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        if QUOTING.iter().any(|quoting| name.starts_with(quoting)) {
            continue;
        }
        read += 1;
        let text = std::fs::read_to_string(&path).unwrap();
        for (line, old, new) in old_words(&text) {
            found.push(format!("{name}:{line}: {old:?}, expected {new}"));
        }
    }
    assert!(read > 100, "expected sources below {}, found {read}", root.display());
    if std::env::var_os("WORDS").is_some() {
        println!("{}", found.join("\n"));
    }
    let first = found.iter().take(20).cloned().collect::<Vec<_>>().join("\n");
    assert!(found.is_empty(), "{} old words:\n{first}", found.len());
}

#[test]
fn words_are_found_in_prose_and_in_names() {
    let check = |text: &str, expect: &[(usize, &str)]| {
        let found: Vec<_> = old_words(text).into_iter().map(|(line, old, _)| (line, old)).collect();
        assert_eq!(found, expect, "{text}");
    };
    check("/// Rows that are left\n/// out.\nfn told() {}", &[(1, "left out"), (3, "told")]);
    check("let left_out = 1;", &[(1, "left out")]);
    check("what is left, out of all; became; toldo", &[]);
    check("a left-hand side, and out of it", &[]);
}

/// The old words of a text: line, word, and the replacement.
fn old_words(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    for (line, text) in text.lines().enumerate() {
        // Punctuation ends a phrase: it is stored as an empty word.
        for clause in text.split_inclusive([',', ';', ':', '.', '(', ')', '?', '!']) {
            let parts = clause.split(|c: char| !c.is_alphanumeric()).filter(|it| !it.is_empty());
            words.extend(parts.map(|part| (line + 1, part.to_lowercase())));
            if clause.ends_with(|c: char| !c.is_alphanumeric() && c != ' ' && c != '_') {
                words.push((line + 1, String::new()));
            }
        }
    }
    let mut found = Vec::new();
    for (at, (line, _)) in words.iter().enumerate() {
        for (old, new) in GLOSSARY {
            let here = words.iter().skip(at).map(|(_, word)| word.as_str());
            if old.split(' ').eq(here.take(old.split(' ').count())) {
                found.push((*line, *old, *new));
            }
        }
    }
    found
}

fn files(root: &Path) -> Vec<PathBuf> {
    let mut open: Vec<PathBuf> = FOLDERS.iter().map(|folder| root.join(folder)).collect();
    open.extend(
        std::fs::read_dir(root)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file()),
    );
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
        {
            files.push(path);
        }
    }
    files.sort();
    files
}
