//! The recordings of a folder: which files are run together, and how their placeholders are filled.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;
use snowcat_tests::recorded::{Filling, filled};

/// Files that are run together: more than one where one file alone means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recording {
    pub(crate) files: Vec<File>,
}

/// A file of mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// Below the folder.
    name: String,
    path: PathBuf,
    text: String,
}

/// What recordings of other drivers write in another way than our client does, and how our client writes it.
const ALIASES: &[(&str, &str)] =
    &[("\"request_id\"", "\"requestId\""), ("PUT file://", "PUT 'file://")];

/// Files that are parts of one conversation, by the ends of their names, in the order in which they are tried.
const GROUPS: &[&[&str]] = &[
    &[
        "auth/login_for_session_renewal.json",
        "session/query_401_then_refresh_then_success.json",
        "session/token_refresh_success.json",
        "session/query_success_after_refresh.json",
    ],
    &["node/query_returns_chunks.json.template", "query_chunk_download_fail.json.template"],
    &["node/query_returns_get_result_url.json", "request_retries/query_result_fail.json.template"],
    &[
        "query_request_put_presigned_url_refresh_retry.json.template",
        "node/query_put_gcs_presigned_ok.json.template",
    ],
    &[
        "queries/select_large_request_successful.json",
        "queries/chunk_1.json",
        "queries/chunk_2.json",
    ],
];

/// A file that is run after another one that it needs.
const NEEDS: &[(&str, &[&str])] = &[
    ("session/refresh_also_fails.json", &["session/query_401_always.json"]),
    ("session/token_request_gs_390111.json", &["session/query_401_always.json"]),
    ("session/token_request_gs_390114.json", &["session/query_401_always.json"]),
];

/// The recordings below a folder, in the order of their names.
pub(crate) fn recordings(root: &Path) -> Vec<Recording> {
    let mut names: Vec<String> = paths(root)
        .iter()
        .filter_map(|it| Some(it.strip_prefix(root).ok()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    let ending = |end: &str| names.iter().find(|name| is_end(name, end)).cloned();
    let mut grouped = BTreeSet::new();
    let mut all: Vec<Vec<String>> = Vec::new();
    for group in GROUPS {
        let found: Vec<String> = group.iter().filter_map(|end| ending(end)).collect();
        if found.len() == group.len() {
            grouped.extend(found.clone());
            all.push(found);
        }
    }
    for name in names.iter().filter(|name| !grouped.contains(*name)) {
        let needs = NEEDS.iter().find(|(end, _)| is_end(name, end));
        let needed =
            needs.into_iter().flat_map(|(_, needs)| needs.iter().filter_map(|end| ending(end)));
        all.push([name.clone()].into_iter().chain(needed).collect());
    }
    all.sort();
    let file = |name: String| {
        let path = root.join(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        File { name, path, text }
    };
    all.into_iter()
        .map(|names| Recording { files: names.into_iter().map(file).collect() })
        .collect()
}

fn is_end(name: &str, end: &str) -> bool {
    name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('/')) || name == end
}

fn paths(root: &Path) -> Vec<PathBuf> {
    let mut open = vec![root.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                open.push(path);
            } else if name.ends_with(".json") || name.ends_with(".json.template") {
                found.push(path);
            }
        }
    }
    found
}

impl Recording {
    /// The names of the files.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.files.iter().map(|file| file.name.as_str()).collect()
    }

    /// The folder that the files are in, which is the driver's.
    pub(crate) fn driver(&self) -> &str {
        let name = self.files.first().map(|file| file.name.as_str()).unwrap_or_default();
        name.split_once('/').map_or(".", |(driver, _)| driver)
    }

    /// How many files count: those that are only needed do not.
    pub(crate) fn count(&self) -> usize {
        let first = self.files.first().map(|file| file.name.as_str()).unwrap_or_default();
        if NEEDS.iter().any(|(end, _)| is_end(first, end)) { 1 } else { self.files.len() }
    }
}

impl File {
    /// Returns `true` if a failure is to be filled in.
    pub(crate) fn has_failure(&self) -> bool {
        let mark = "\u{1}";
        filled(&self.text, Filling { url: "", file: "", failure: mark }).contains(mark)
    }

    /// The mappings as JSON, with bodies that are files of their own in them.
    pub(crate) fn document(&self, filling: Filling<'_>) -> Result<Value, String> {
        let mut text = filled(&self.text, filling);
        for (theirs, ours) in ALIASES {
            text = text.replace(theirs, ours);
        }
        let mut document: Value =
            serde_json::from_str(&text).map_err(|error| format!("expected JSON: {error}"))?;
        self.read_bodies(&mut document)?;
        Ok(document)
    }

    /// Replaces each `bodyFileName` by the content of the file.
    fn read_bodies(&self, json: &mut Value) -> Result<(), String> {
        match json {
            Value::Array(items) => {
                for item in items {
                    self.read_bodies(item)?;
                }
            }
            Value::Object(members) => {
                if let Some(name) = members.remove("bodyFileName") {
                    let bytes = self.read_body(name.as_str().unwrap_or_default())?;
                    members.insert("base64Body".to_owned(), BASE64.encode(bytes).into());
                }
                for name in ["mappings", "response"] {
                    if let Some(member) = members.get_mut(name) {
                        self.read_bodies(member)?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The content of a file beside this one, or in the folder `__files` of a folder above.
    fn read_body(&self, name: &str) -> Result<Vec<u8>, String> {
        let folders = self.path.ancestors().skip(1);
        let mut paths =
            folders.flat_map(|folder| [folder.join("__files").join(name), folder.join(name)]);
        paths
            .find_map(|path| std::fs::read(path).ok())
            .ok_or_else(|| format!("bodyFileName: expected the file {name}, found none"))
    }
}
