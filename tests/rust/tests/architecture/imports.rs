//! The import graph of a crate, read from its sources: which file uses names of which other file.
//!
//! A path (`crate::json::Path`, `super::Table`) is resolved through modules and re-exports to the
//! file that defines the name. Declaring a module and re-exporting from it does not count as use.
//! Tests are not read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The files of a crate, and which file uses which.
pub(crate) struct Crate {
    /// By path below the folder of sources, such as `json/reader.rs`.
    pub(crate) files: BTreeMap<String, File>,
}

/// A file of sources.
pub(crate) struct File {
    /// The path of its module: `["json", "reader"]`.
    module: Vec<String>,
    /// Its text without comments and tests.
    pub(crate) code: String,
    /// The comment at its start.
    pub(crate) doc: String,
    /// Its re-exports, with their paths.
    exports: BTreeMap<String, Vec<String>>,
}

impl Crate {
    /// Reads all files below a folder.
    pub(crate) fn read(folder: &Path) -> Self {
        let mut files = BTreeMap::new();
        for path in below(folder) {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            let mut module: Vec<String> =
                name.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if module.iter().any(|part| part == "tests" || part == "bin") {
                continue;
            }
            if matches!(module.last().map(String::as_str), Some("mod" | "lib")) {
                module.pop();
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let lines = |comment: bool| {
                let chosen = |line: &&str| line.trim_start().starts_with("//") == comment;
                text.lines().filter(chosen).collect::<Vec<_>>().join("\n")
            };
            let code = lines(false);
            let tests = ["", "pub(super) ", "pub(crate) "]
                .map(|visibility| format!("#[cfg(test)]\n{visibility}mod tests {{"));
            let before = |tests: &String| code.split_once(tests.as_str()).map(|(before, _)| before);
            let code = tests.iter().find_map(before).unwrap_or(&code);
            let head = text.lines().take_while(|line| line.starts_with("//!"));
            let doc = head
                .map(|line| line.trim_start_matches("//!").trim())
                .collect::<Vec<_>>()
                .join("\n");
            let mut file = File { module, code: code.to_owned(), doc, exports: BTreeMap::new() };
            file.exports = exports(&file);
            files.insert(name, file);
        }
        assert!(files.len() > 10, "expected sources below {}", folder.display());
        Self { files }
    }

    /// For each file the files whose names it uses.
    pub(crate) fn arrows(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let of = |name: &String, file: &File| {
            let used = paths(file).into_iter().filter_map(|path| self.definition(path));
            used.filter(|other| other != name).collect::<BTreeSet<_>>()
        };
        self.files.iter().map(|(name, file)| (name.as_str(), of(name, file))).collect()
    }

    /// Cycles of files that use each other, each cycle once. A module's own file may use the files
    /// of its folder, and these may use the types that it defines: that is not a cycle.
    pub(crate) fn circles(&self) -> Vec<BTreeSet<&str>> {
        let mut arrows = self.arrows();
        for (from, uses) in &mut arrows {
            let folder = from.strip_suffix("mod.rs").or_else(|| from.strip_suffix("lib.rs"));
            uses.retain(|to| folder.is_none_or(|folder| !to.starts_with(folder)));
        }
        let reached: BTreeMap<&str, BTreeSet<&str>> =
            arrows.keys().map(|from| (*from, reach(&arrows, from))).collect();
        let mut circles: Vec<BTreeSet<&str>> = Vec::new();
        for (from, all) in &reached {
            let circle: BTreeSet<&str> =
                all.iter().copied().filter(|to| reached[to].contains(from)).collect();
            if !circle.is_empty() && !circles.contains(&circle) {
                circles.push(circle);
            }
        }
        circles
    }

    /// The uses between the rooms of a folder: a room is a file or a folder in it. Rooms that use
    /// no other are included.
    pub(crate) fn rooms(&self, folder: &str) -> BTreeMap<String, BTreeSet<String>> {
        let room = |name: &str| {
            let inside = name.strip_prefix(folder)?.trim_start_matches('/');
            let first = inside.split('/').next()?.trim_end_matches(".rs");
            (!matches!(first, "lib" | "mod" | "main")).then(|| first.to_owned())
        };
        let mut rooms: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (from, uses) in self.arrows() {
            let Some(from) = room(from) else { continue };
            let others =
                uses.into_iter().filter_map(room).filter(|to| *to != from).collect::<Vec<_>>();
            rooms.entry(from).or_default().extend(others);
        }
        rooms
    }

    /// The file that defines the name at the end of a path. `None` for a path to another crate.
    fn definition(&self, path: Vec<String>) -> Option<&str> {
        let mut path = path;
        for _ in 0..8 {
            let (name, file, rest) = (0..=path.len()).rev().find_map(|cut| {
                let found = self.files.iter().find(|(_, file)| file.module == path[..cut]);
                found.map(|(name, file)| (name, file, &path[cut..]))
            })?;
            let onward = rest.first().and_then(|first| file.exports.get(first));
            let Some(onward) = onward else {
                // A bare module of the root is the module's file; a name of another crate has no
                // file.
                return (!file.module.is_empty() || name == "lib.rs").then_some(name.as_str());
            };
            path = onward.iter().chain(rest.iter().skip(1)).cloned().collect();
        }
        None
    }
}

/// All files that can be reached from a file in one step or more.
fn reach<'a>(arrows: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &str) -> BTreeSet<&'a str> {
    let mut open: Vec<&str> = arrows[from].iter().copied().collect();
    let mut all = BTreeSet::new();
    while let Some(next) = open.pop() {
        if all.insert(next) {
            open.extend(&arrows[next]);
        }
    }
    all
}

/// The names that `pub use` and `pub(..) use` re-export from other modules.
fn exports(file: &File) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for (public, tree) in uses(&file.code) {
        for (path, name) in expand(&tree) {
            if let Some(path) = absolute(&file.module, &path).filter(|_| public) {
                found.insert(name, path);
            }
        }
    }
    found
}

/// The absolute paths that a file uses: private imports, and paths in its code.
fn paths(file: &File) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (public, tree) in uses(&file.code) {
        if !public {
            found.extend(expand(&tree).iter().filter_map(|(path, _)| absolute(&file.module, path)));
        }
    }
    let children = file.code.split("mod ").skip(1).filter_map(|rest| rest.split_once(';'));
    let children: BTreeSet<&str> = children.map(|(name, _)| name).collect();
    let names = |c: char| !(c.is_alphanumeric() || c == '_' || c == ':');
    for word in without_uses(&file.code).split(names) {
        let path: Vec<String> = word.split("::").map(str::to_owned).collect();
        let first = path.first().map_or("", String::as_str);
        let child = path.len() > 1 && children.contains(first);
        if child {
            let inside = file.module.iter().chain(&path).cloned();
            found.push(inside.collect());
        } else if matches!(first, "crate" | "super" | "self") && path.len() > 1 {
            found.extend(absolute(&file.module, &path));
        }
    }
    found
}

/// The statements `use ..;` of a text, each with its tree and whether it is a re-export.
fn uses(code: &str) -> Vec<(bool, String)> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find("use ") {
        let line_start = rest[..at].rfind('\n').map_or(0, |it| it + 1);
        let before = rest[line_start..at].trim().to_owned();
        rest = &rest[at + 4..];
        if before.is_empty() || before.starts_with("pub") {
            let Some((tree, after)) = rest.split_once(';') else { break };
            let tree = tree.split_whitespace().collect::<Vec<_>>().join(" ");
            found.push((!before.is_empty(), tree));
            rest = after;
        }
    }
    found
}

fn without_uses(code: &str) -> String {
    let mut inside = false;
    let outside = |line: &&str| {
        let begins = {
            let line = line.trim_start();
            line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ")
        };
        let was = inside || begins;
        inside = was && !line.contains(';');
        !was
    };
    code.lines().filter(outside).collect::<Vec<_>>().join("\n")
}

/// Each path of a tree of imports, with its local name.
fn expand(tree: &str) -> Vec<(Vec<String>, String)> {
    let Some((head, list)) = tree.split_once('{') else {
        let (path, alias) =
            tree.split_once(" as ").map_or((tree, None), |(path, it)| (path, Some(it)));
        let path: Vec<String> = path.split("::").map(|part| part.trim().to_owned()).collect();
        let name = alias.map_or_else(|| path.last().cloned().unwrap_or_default(), str::to_owned);
        return vec![(path, name)];
    };
    let list = list.trim_end().strip_suffix('}').unwrap_or(list);
    let (mut depth, mut parts) = (0, vec![String::new()]);
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().unwrap().push(c);
    }
    let whole = |part: &String| match part.trim() {
        "self" => head.trim_end_matches("::").to_owned(),
        part => format!("{head}{part}"),
    };
    parts
        .iter()
        .filter(|part| !part.trim().is_empty())
        .flat_map(|part| expand(&whole(part)))
        .collect()
}

/// A path from the root of the crate. `None` for a path to another crate.
fn absolute(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some(module.iter().chain(rest).cloned().collect()),
        "super" => {
            let (_, parent) = module.split_last()?;
            let onward: Vec<String> = rest.to_vec();
            match onward.first().map(String::as_str) {
                Some("super") => absolute(parent, &onward),
                _ => Some(parent.iter().chain(&onward).cloned().collect()),
            }
        }
        // Paths to other crates, and to modules declared next to the import.
        _ => None,
    }
}

/// The files with sources below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    let mut files = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|it| it == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
