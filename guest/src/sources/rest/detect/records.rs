//! Detection of the records in a response if the job has no selector.

use super::names::plain;
use crate::json::Path;
use crate::sources::rest::outline::{List, ResponseOutline};

/// Usual keys of lists of records (`sources/helpers/rest_client/detector.py`).
const RECORD_KEYS: &[&str] = &[
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content",
    "objects", "values",
];
/// Keys of lists that are not records.
const BESIDE: &[&str] =
    &["errors", "error", "warnings", "warning", "messages", "notices", "links", "link"];
/// Keys that describe pages, in plain form.
const ABOUT_PAGES: &[&str] = &[
    "count",
    "currentpage",
    "etag",
    "hasmore",
    "hasnext",
    "kind",
    "limit",
    "links",
    "meta",
    "metadata",
    "more",
    "next",
    "nextcursor",
    "nextlink",
    "nextpage",
    "nextpagetoken",
    "object",
    "ok",
    "offset",
    "page",
    "pages",
    "pagination",
    "paging",
    "perpage",
    "prev",
    "previous",
    "responsemetadata",
    "self",
    "size",
    "start",
    "startat",
    "status",
    "success",
    "total",
    "totalcount",
    "totalpages",
    "url",
];

/// The result of the detection.
#[derive(Debug, PartialEq)]
pub(in crate::sources::rest) enum Records {
    /// The location of the records, and a warning if there was a choice.
    At(Path, Option<String>),
    /// The response has no records, and does not show where others will be.
    None(String),
}

/// Finds the records of a response. `names` are those of the resource and of its path.
///
/// If the response is a list, it is the list of records. In an object the records are a list of
/// objects, at most three keys deep: the one named like the resource, or else the first with a
/// usual key, or else the first. An object without such a list is a record itself, unless it has an
/// empty list and no `id`, or only keys that describe pages: then it is a page without records.
pub(in crate::sources::rest) fn records(outline: &ResponseOutline, names: &[&str]) -> Records {
    let ResponseOutline::Object(members) = outline else { return Records::At(Path::root(), None) };
    let is_name = |key: &str| names.iter().any(|name| plain(name) == plain(key));
    let mut lists = Vec::new();
    find_lists(outline, &mut Vec::new(), &mut lists);
    lists.retain(|(path, _)| {
        path.last().is_some_and(|key| is_name(key) || !BESIDE.contains(&plain(key).as_str()))
    });
    let objects: Vec<&Vec<&str>> =
        lists.iter().filter(|(_, list)| list.objects > 0).map(|(path, _)| path).collect();
    let ends_in = |is: &dyn Fn(&str) -> bool| {
        objects.iter().find(|path| path.last().is_some_and(|key| is(key)))
    };
    let chosen = ends_in(&is_name)
        .map(|path| (path, "it is named like the resource"))
        .or_else(|| {
            ends_in(&|key| RECORD_KEYS.contains(&key)).map(|path| (path, "of its usual key"))
        })
        .or_else(|| objects.first().map(|path| (path, "it is the first")));
    if let Some((path, why)) = chosen {
        let path = Path::of_keys(path);
        let said = match objects.len() {
            1 => format!("the records are taken from the list of objects at {:?}", path.as_str()),
            _ => format!(
                "of the lists of objects at {} the records are taken from {:?}, because {why}",
                shown(objects.iter().copied()),
                path.as_str()
            ),
        };
        return Records::At(path, Some(said));
    }
    let has_id = members.iter().any(|(key, _)| matches!(plain(key).as_str(), "id" | "uuid"));
    let empty = || lists.iter().filter(|(_, list)| list.length == 0).map(|(path, _)| path);
    if !has_id && empty().next().is_some() {
        return Records::None(format!(
            "a page without a list of objects, and with an empty list at {}, is taken as one without records",
            shown(empty())
        ));
    }
    let counts = |key: &str| matches!(key, "count" | "total" | "totalcount" | "size");
    let about_pages = members.iter().all(|(key, value)| {
        let key = plain(key);
        // An object that only counts something is a record of an endpoint that counts.
        ABOUT_PAGES.contains(&key.as_str()) && !(counts(&key) && value.says_something())
    });
    if about_pages {
        return Records::None(
            "a page that has no list, and nothing else that a record would have, is taken as one without \
             records"
                .to_owned(),
        );
    }
    let said = "the whole answer is taken as one record, because it has no list of objects";
    Records::At(Path::root(), Some(said.to_owned()))
}

fn find_lists<'s>(
    outline: &'s ResponseOutline,
    path: &mut Vec<&'s str>,
    lists: &mut Vec<(Vec<&'s str>, List)>,
) {
    if path.len() > 2 {
        return;
    }
    for (key, value) in outline.members() {
        path.push(key);
        match value {
            ResponseOutline::List(list) => lists.push((path.clone(), *list)),
            ResponseOutline::Object(_) => find_lists(value, path, lists),
            ResponseOutline::Scalar(_) => {}
        }
        path.pop();
    }
}

/// Up to five paths for a message.
fn shown<'p>(paths: impl Iterator<Item = &'p Vec<&'p str>>) -> String {
    paths.take(5).map(|path| format!("{:?}", path.join("."))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The detected path, or `-` if there are no records; and whether there is a message.
    fn find(body: &str) -> (String, bool) {
        match records(&ResponseOutline::read(body).unwrap(), &["users", "v1/users"]) {
            Records::At(path, said) => (path.to_string(), said.is_some()),
            Records::None(_) => ("-".to_owned(), true),
        }
    }

    #[test]
    fn finds_records() {
        let check = |body: &str, path: &str| {
            assert_eq!(find(body), (path.to_owned(), !body.starts_with('[')), "{body}");
        };
        check("[1,2]", "$");
        check("[]", "$");
        check(r#"{"id":1}"#, "$");
        check(r#"{"data":{"id":1,"name":"x"}}"#, "$");
        check(r#"{"tags":[{}],"results":[{}]}"#, "results");
        check(r#"{"a":{"b":{"items":[{}]}}}"#, "a.b.items");
        check(r#"{"a":{"b":{"c":{"items":[{}]}}}}"#, "$");
        check(r#"{"a b":[{}]}"#, "a b");
        check(r#"{"meta":{"x":[{}]},"groups":[{}]}"#, "meta.x");
        // The list of objects is chosen rather than the first list.
        check(r#"{"errors":[],"users":[{"id":1}]}"#, "users");
        check(r#"{"warnings":["x"],"users":[{"id":1}]}"#, "users");
        check(r#"{"warnings":[{"x":1}],"people":[{"id":1}]}"#, "people");
        check(r#"{"link":[{"rel":"next","url":"/2"}],"entry":[{"id":1}]}"#, "entry");
        check(r#"{"columns":["id"],"people":[{"id":1}]}"#, "people");
        // The list named like the resource is chosen.
        check(r#"{"included":[{}],"data":[{}],"Users":[{}]}"#, "Users");
        // A list of strings is never chosen instead of the object.
        check(r#"{"name":"x","tags":["a"]}"#, "$");
        check(r#"{"id":1,"tags":[],"notes":["a"]}"#, "$");
        check(r#"{"data":["a"],"total":1}"#, "$");
        check(r#"{"count":5}"#, "$");
    }

    #[test]
    fn pages_without_records_are_recognized() {
        for body in [
            "{}",
            r#"{"users":[],"has_more":false}"#,
            r#"{"errors":[],"users":[]}"#,
            r#"{"a":[],"b":[],"name":"x"}"#,
            r#"{"warnings":["x"],"users":[]}"#,
            r#"{"total":0,"next":null}"#,
        ] {
            assert_eq!(find(body).0, "-", "{body}");
        }
    }

    #[test]
    fn choices_are_reported() {
        let check = |body: &str, expect: &str| {
            let said = match records(&ResponseOutline::read(body).unwrap(), &["r"]) {
                Records::At(_, said) => said.unwrap(),
                Records::None(said) => said,
            };
            assert_eq!(said, expect, "{body}");
        };
        check(r#"{"users":[{}]}"#, "the records are taken from the list of objects at \"users\"");
        check(
            r#"{"a":[{}],"data":[{}]}"#,
            "of the lists of objects at \"a\", \"data\" the records are taken from \"data\", because of its usual key",
        );
        check(
            r#"{"a":[],"b":[]}"#,
            "a page without a list of objects, and with an empty list at \"a\", \"b\", is taken as one without records",
        );
        check(
            r#"{"name":1}"#,
            "the whole answer is taken as one record, because it has no list of objects",
        );
    }
}
