//! Descriptions in several files: the files are combined in one document, and references are
//! rewritten accordingly. Only files in the folder of the description are read.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::asked::decoded;

/// The key of the files in the document.
const PLACE: &str = "x-snowcat-files";
/// Limits of one description.
const LIMITS: BundleLimits = BundleLimits { files: 5000, bytes: 64 << 20 };
/// Operations that are not read.
const OTHERS: &[&str] = &["post", "put", "patch", "delete", "options", "head", "trace"];

#[derive(Clone, Copy)]
struct BundleLimits {
    files: usize,
    bytes: u64,
}

/// Combines a description with the files that it refers to. `file` is the file of the description,
/// unless it was read from the standard input. Returns the document, and the URLs that were not
/// followed.
pub(super) fn bundle(document: Value, file: Option<&Path>) -> Result<(Value, Vec<String>), String> {
    bundle_within(document, file, LIMITS)
}

fn bundle_within(
    mut document: Value,
    file: Option<&Path>,
    limits: BundleLimits,
) -> Result<(Value, Vec<String>), String> {
    if let Some(paths) = document.get_mut("paths").and_then(Value::as_object_mut) {
        for item in paths.values_mut().filter_map(Value::as_object_mut) {
            item.retain(|key, _| !OTHERS.contains(&key.as_str()));
        }
    }
    let mut bundle = Bundle { file, limits, ..Bundle::default() };
    let root = ReferencedFile::default();
    bundle.walk(&mut document, &root, false)?;
    let mut files = Vec::new();
    while let Some(origin) = bundle.open.get(files.len()).cloned() {
        let mut value = bundle.read(&origin)?;
        bundle.walk(&mut value, &origin, false)?;
        files.push(value);
    }
    if let Some(document) = document.as_object_mut().filter(|_| !files.is_empty()) {
        document.insert(PLACE.to_owned(), files.into());
    }
    Ok((document, bundle.urls))
}

#[derive(Default)]
struct Bundle<'f> {
    file: Option<&'f Path>,
    limits: BundleLimits,
    /// The canonical folder of the description, set when needed.
    folder: Option<PathBuf>,
    /// Numbers of files by their canonical paths; the description itself has none.
    known: HashMap<PathBuf, Option<usize>>,
    /// The files by their numbers.
    open: Vec<ReferencedFile>,
    bytes: u64,
    urls: Vec<String>,
}

impl Default for BundleLimits {
    fn default() -> Self {
        LIMITS
    }
}

/// The file that has a reference.
#[derive(Clone, Debug, Default)]
struct ReferencedFile {
    /// The path in the folder of the description, as references write it; empty for the description.
    path: PathBuf,
    /// The canonical path.
    real: PathBuf,
    number: Option<usize>,
}

impl ReferencedFile {
    /// The pointer to the file in the document.
    fn pointer(&self) -> String {
        self.number.map_or_else(String::new, |number| format!("/{PLACE}/{number}"))
    }
}

impl Bundle<'_> {
    /// Rewrites the references in a value. In a map of names (`properties`) all members are
    /// visited, elsewhere only those that can lead to schemas.
    fn walk(
        &mut self,
        value: &mut Value,
        origin: &ReferencedFile,
        named: bool,
    ) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter_mut().try_for_each(|it| self.walk(it, origin, false)),
            Value::Object(members) => {
                if !named && let Some(Value::String(reference)) = members.get("$ref") {
                    let reference = self.changed(reference, origin)?;
                    members.insert("$ref".to_owned(), reference.into());
                }
                members.iter_mut().filter(|(key, _)| named || is_of_use(key)).try_for_each(
                    |(key, value)| self.walk(value, origin, !named && is_of_names(key)),
                )
            }
            _ => Ok(()),
        }
    }

    /// The reference within the combined document.
    fn changed(&mut self, reference: &str, origin: &ReferencedFile) -> Result<String, String> {
        let (path, pointer) = reference.split_once('#').unwrap_or((reference, ""));
        if path.is_empty() {
            return Ok(format!("#{}{pointer}", origin.pointer()));
        }
        if path.contains("://") || path.starts_with("//") {
            self.urls.push(reference.to_owned());
            return Ok(reference.to_owned());
        }
        let target = self.find(&decoded(path), origin).map_err(|why| {
            let inside = origin.path.display().to_string();
            let inside = if inside.is_empty() { inside } else { format!(" in {inside}") };
            format!("the reference {reference:?}{inside}: {why}")
        })?;
        let place = target.map_or_else(String::new, |number| format!("/{PLACE}/{number}"));
        Ok(format!("#{place}{pointer}"))
    }

    /// The number of a file; none for the description itself.
    fn find(&mut self, path: &str, origin: &ReferencedFile) -> Result<Option<usize>, String> {
        let path = Path::new(path);
        let Some(file) = self.file else {
            return Err("other files are followed only where the description is a file".to_owned());
        };
        let folder = match &self.folder {
            Some(folder) => folder.clone(),
            None => {
                let parent = file.parent().filter(|it| !it.as_os_str().is_empty());
                let folder = fs::canonicalize(parent.unwrap_or_else(|| Path::new(".")));
                let folder = folder.map_err(|e| e.to_string())?;
                if let Some(name) = file.file_name() {
                    self.known.insert(folder.join(name), None);
                }
                self.folder.insert(folder).clone()
            }
        };
        let inside = below(origin.path.parent().unwrap_or(Path::new("")), path).ok_or(
            "expected a file in the folder of the description, found a place outside of it",
        )?;
        let real = fs::canonicalize(folder.join(&inside)).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => format!("the file {} is missing", inside.display()),
            _ => format!("{}: {e}", inside.display()),
        })?;
        if !real.starts_with(&folder) {
            return Err("expected a file in the folder of the description, found a link out of it"
                .to_owned());
        }
        if let Some(known) = self.known.get(&real) {
            return Ok(*known);
        }
        let number = self.open.len();
        if number >= self.limits.files {
            return Err(format!("the description has more than {} files", self.limits.files));
        }
        self.known.insert(real.clone(), Some(number));
        self.open.push(ReferencedFile { path: inside, real, number: Some(number) });
        Ok(Some(number))
    }

    /// The content of a file, JSON or YAML.
    fn read(&mut self, origin: &ReferencedFile) -> Result<Value, String> {
        let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", origin.path.display());
        let metadata = fs::metadata(&origin.real).map_err(|e| wrong(&e))?;
        if !metadata.is_file() {
            return Err(wrong(&"expected a file"));
        }
        let left = self.limits.bytes.saturating_sub(self.bytes);
        let mut text = String::new();
        let file = File::open(&origin.real).map_err(|e| wrong(&e))?;
        let read = file.take(left.saturating_add(1)).read_to_string(&mut text);
        self.bytes += read.map_err(|e| wrong(&e))? as u64;
        if self.bytes > self.limits.bytes {
            let most = super::super::quantity::bytes(self.limits.bytes);
            return Err(wrong(&format_args!("the files of the description have more than {most}")));
        }
        match serde_json::from_str(&text) {
            Ok(value) => Ok(value),
            Err(json) => super::yaml(&text)
                .map_err(|yaml| wrong(&format_args!("expected JSON or YAML: {json}; {yaml}"))),
        }
    }
}

/// A path relative to a folder, both inside the folder of the description. `None` if it leaves that
/// folder.
fn below(folder: &Path, path: &Path) -> Option<PathBuf> {
    // A backslash separates folders on Windows.
    if path.to_string_lossy().contains('\\') {
        return None;
    }
    let mut place = folder.to_path_buf();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => place.push(name),
            Component::ParentDir => {
                if !place.pop() {
                    return None;
                }
            }
            Component::Prefix(_) | Component::RootDir => return None,
        }
    }
    Some(place)
}

/// Returns `true` if a member of an object can lead to a list and its properties.
fn is_of_use(key: &str) -> bool {
    !matches!(
        key,
        "example" | "examples" | "description" | "requestBody" | "requestBodies" | "callbacks"
    ) && !key.starts_with("x-")
}

/// Returns `true` if the members of this key have names chosen by the API.
fn is_of_names(key: &str) -> bool {
    matches!(
        key,
        "properties"
            | "patternProperties"
            | "definitions"
            | "schemas"
            | "responses"
            | "headers"
            | "paths"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A folder `api` with these files, and a file beside it.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files.iter().chain(&[("../secret.yml", "a: 1")]) {
            let file = home.path().join("api").join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        home
    }

    fn bundled(
        home: &tempfile::TempDir,
        reference: &str,
        limits: BundleLimits,
    ) -> Result<Value, String> {
        let document =
            json!({"paths": {"/a": {"get": {"$ref": reference}, "post": {"$ref": "none.yml"}}}});
        let file = home.path().join("api/openapi.yaml");
        bundle_within(document, Some(&file), limits).map(|(document, _)| document)
    }

    #[test]
    fn files_are_put_into_the_document() {
        let home = folder(&[
            ("openapi.yaml", ""),
            (
                "a/list.yml",
                "r: {$ref: '../b%20c/d.json#/x'}\ns: {$ref: '#/r'}\nexample: {$ref: none.yml}",
            ),
            (
                "b c/d.json",
                r##"{"x": {"$ref": "../a/list.yml"}, "properties": {"example": {"$ref": "#/x"}, "$ref": {"$ref": "../openapi.yaml#/paths"}}}"##,
            ),
        ]);
        let document = bundled(&home, "a/list.yml", LIMITS).unwrap();
        let expected = json!({
            "paths": {"/a": {"get": {"$ref": "#/x-snowcat-files/0"}}},
            "x-snowcat-files": [
                {"r": {"$ref": "#/x-snowcat-files/1/x"}, "s": {"$ref": "#/x-snowcat-files/0/r"}, "example": {"$ref": "none.yml"}},
                {
                    "x": {"$ref": "#/x-snowcat-files/0"},
                    "properties": {"example": {"$ref": "#/x-snowcat-files/1/x"}, "$ref": {"$ref": "#/paths"}},
                },
            ],
        });
        assert_eq!(document, expected);
        // A self-contained document is unchanged, and URLs are not followed.
        let urls = ["https://x.net/y.yml", "file:///etc/passwd#/x", "//x.net/y.yml"];
        let alone = json!({"a": {"$ref": "#/b"}, "b": urls.map(|url| json!({"$ref": url}))});
        let (document, found) = bundle(alone.clone(), None).unwrap();
        assert_eq!(document, alone);
        assert_eq!(found, urls);
    }

    #[test]
    fn only_files_in_the_folder_are_followed() {
        let home = folder(&[
            ("a/b.yml", "x: {$ref: '../../secret.yml'}"),
            ("c.yml", "{"),
            ("d.yml", "x: {$ref: a/none.yml}"),
            ("e/f.yml", "x: [{$ref: ../g.yml}]"),
            ("g.yml", "{}"),
        ]);
        let check = |reference: &str, limits: BundleLimits, expected: &str| {
            let error = bundled(&home, reference, limits).unwrap_err();
            assert!(error.contains(expected), "{reference}: {error}");
        };
        let outside =
            "expected a file in the folder of the description, found a place outside of it";
        check("../secret.yml", LIMITS, outside);
        check("a/../../secret.yml", LIMITS, outside);
        check("%2e%2e/secret.yml", LIMITS, outside);
        check(
            "a/b.yml",
            LIMITS,
            "the reference \"../../secret.yml\" in a/b.yml: expected a file in the folder",
        );
        check("/etc/passwd", LIMITS, outside);
        check("C:\\x.yml", LIMITS, outside);
        check("none.yml#/x", LIMITS, "the reference \"none.yml#/x\": the file none.yml is missing");
        check(
            "d.yml",
            LIMITS,
            "the reference \"a/none.yml\" in d.yml: the file a/none.yml is missing",
        );
        check("c.yml", LIMITS, "c.yml: expected JSON or YAML");
        check("a", LIMITS, "a: expected a file");
        check("e/f.yml", BundleLimits { files: 1, ..LIMITS }, "more than 1 files");
        check(
            "e/f.yml",
            BundleLimits { bytes: 22, ..LIMITS },
            "g.yml: the files of the description have more than 22 B",
        );
        let document = json!({"a": {"$ref": "b.yml"}});
        let error = bundle(document, None).unwrap_err();
        assert!(error.contains("only where the description is a file"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_the_folder_are_not_followed() {
        let home = folder(&[("a.yml", "x: 1")]);
        let link = |from: &str, to: &str| {
            std::os::unix::fs::symlink(home.path().join(from), home.path().join(to)).unwrap();
        };
        link("secret.yml", "api/out.yml");
        link("api/a.yml", "api/in.yml");
        let error = bundled(&home, "out.yml", LIMITS).unwrap_err();
        assert!(error.contains("found a link out of it"), "{error}");
        assert_eq!(bundled(&home, "in.yml", LIMITS).unwrap()["x-snowcat-files"], json!([{"x": 1}]));
    }
}
