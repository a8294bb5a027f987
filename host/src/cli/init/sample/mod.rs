//! Detects the records of a sample response, their keys and cursors, and the paginator.

use serde_json::{Map, Value};

use super::names::{MADE, RECORD_KEYS, cursor_rank, key_rank, plain};

mod pages;
mod path;

pub(super) use self::pages::last_record;
pub(super) use self::path::path_of;

/// The result of the detection.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SampleFindings {
    /// The path to the records, or `None` if the sample is a sequence of records.
    pub(super) selector: Option<String>,
    /// Candidates for a primary key, the best first.
    pub(super) keys: Vec<String>,
    /// Candidates for a cursor, the best first: path and first value.
    pub(super) cursors: Vec<(String, Value)>,
    /// The paginator, and a comment.
    pub(super) paginator: Option<(Value, &'static str)>,
    /// The paths of other lists of records.
    pub(super) others: Vec<String>,
    /// The number of records.
    pub(super) records: usize,
}

/// Keys of lists that are not records.
const BESIDE: &[&str] =
    &["errors", "error", "warnings", "warning", "messages", "notices", "links", "link"];

/// Inspects the values of a sample: one page, or a sequence of records. `names` are possible names
/// of the resource, `asked` are the parameters of the request.
pub(super) fn look(
    values: &[Value],
    names: &[&str],
    asked: &Map<String, Value>,
    resource: impl Fn(Option<&str>) -> String,
) -> SampleFindings {
    let mut others = Vec::new();
    let (selector, records): (Option<Vec<String>>, Vec<&Value>) = match values {
        [Value::Array(records)] => (Some(Vec::new()), records.iter().collect()),
        [page @ Value::Object(_)] => match list(page, names) {
            Some((path, records, rest)) => {
                others = rest.iter().map(|path| path_of(path)).collect();
                (Some(path), records.iter().collect())
            }
            None => (Some(Vec::new()), vec![page]),
        },
        values => (None, values.iter().collect()),
    };
    let name = resource(selector.as_deref().and_then(|path| path.last()).map(String::as_str));
    let objects: Vec<&Map<String, Value>> =
        records.iter().filter_map(|it| it.as_object()).collect();
    let keys = keys(&objects, &name);
    let page = pages::SamplePage {
        value: match values {
            [page @ Value::Object(_)] => page,
            _ => &Value::Null,
        },
        list: selector.as_deref().unwrap_or_default(),
        records: records.len(),
        key: keys.first().map(String::as_str),
        asked,
    };
    SampleFindings {
        paginator: page.paginator(),
        cursors: cursors(&objects),
        keys,
        others,
        selector: selector.map(|path| path_of(&path)),
        records: records.len(),
    }
}

/// The list of records on a page, and the paths to the other lists of objects. As in a load, it is
/// the list of objects named like the resource, or else one with a usual key, or else the first.
#[expect(clippy::type_complexity, reason = "a list, and paths")]
fn list<'p>(
    page: &'p Value,
    names: &[&str],
) -> Option<(Vec<String>, &'p Vec<Value>, Vec<Vec<String>>)> {
    let mut lists = Vec::new();
    find_lists(page, &mut Vec::new(), &mut lists);
    let is_name = |key: &String| names.iter().any(|name| plain(name) == plain(key));
    let called = |(path, _): &&(Vec<String>, _)| path.last().is_some_and(is_name);
    lists.retain(|(path, _)| {
        path.last().is_some_and(|key| is_name(key) || !BESIDE.contains(&plain(key).as_str()))
    });
    let named = |(path, _): &&(Vec<String>, _)| {
        path.last().is_some_and(|key| RECORD_KEYS.contains(&key.as_str()))
    };
    let objects = |(_, items): &&(Vec<String>, &Vec<Value>)| items.iter().any(Value::is_object);
    let all = || lists.iter().filter(objects);
    let found = all().find(called).or_else(|| all().find(named)).or_else(|| all().next());
    // In an object with an id, a list of plain values is a part of it.
    let single = page.get("id").is_some();
    let empty = || lists.iter().find(|(_, items)| items.is_empty());
    let other = || lists.iter().find(called).or_else(|| lists.iter().find(named)).or_else(empty);
    let (path, items) = found.or_else(|| other().filter(|_| !single))?;
    let others = lists.iter().filter(objects).map(|(other, _)| other).filter(|it| *it != path);
    Some((path.clone(), items, others.cloned().collect()))
}

fn find_lists<'v>(
    value: &'v Value,
    path: &mut Vec<String>,
    lists: &mut Vec<(Vec<String>, &'v Vec<Value>)>,
) {
    let Value::Object(members) = value else { return };
    if path.len() > 2 {
        return;
    }
    for (key, value) in members {
        path.push(key.clone());
        match value {
            Value::Array(items) => lists.push((path.clone(), items)),
            other => find_lists(other, path, lists),
        }
        path.pop();
    }
}

/// Keys that every record has with a distinct value, and that have the name of a key.
fn keys(records: &[&Map<String, Value>], resource: &str) -> Vec<String> {
    let Some((one, _)) = records.split_first() else { return Vec::new() };
    let mut ranked: Vec<(usize, &String)> = one
        .keys()
        .filter(|key| {
            let mut seen = std::collections::HashSet::new();
            records.iter().all(|record| match record.get(*key) {
                Some(value @ Value::String(_)) => seen.insert(value.to_string()),
                Some(Value::Number(number)) if !number.is_f64() => seen.insert(number.to_string()),
                _ => false,
            })
        })
        .filter_map(|key| Some((key_rank(key, resource)?, key)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, key)| key.clone()).collect()
}

/// Instants that every record has, nested ones included, and that have the name of a time of
/// change.
fn cursors(records: &[&Map<String, Value>]) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if let Some((one, rest)) = records.split_first() {
        instants(one, &mut Vec::new(), &mut found);
        found.retain(|(path, _): &(Vec<String>, Value)| {
            rest.iter().all(|record| {
                let mut at = path.iter();
                let first = at.next().and_then(|key| record.get(key));
                at.fold(first, |value, key| value?.get(key)).is_some_and(is_instant)
            })
        });
    }
    let mut ranked: Vec<_> = found
        .into_iter()
        .filter_map(|(path, value)| {
            let rank = cursor_rank(path.last()?)?;
            Some(((rank >= MADE, path.len(), rank), path_of(&path), value))
        })
        .collect();
    ranked.sort_by_key(|(rank, ..)| *rank);
    ranked.into_iter().map(|(_, path, value)| (path, value)).collect()
}

/// Objects that describe the record itself rather than something in it.
const WRAPPERS: &[&str] = &["fields", "attributes", "properties", "metadata", "meta"];

fn instants(
    map: &Map<String, Value>,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Value)>,
) {
    for (key, value) in map {
        path.push(key.clone());
        match value {
            Value::Object(inner) if WRAPPERS.contains(&key.as_str()) => {
                instants(inner, path, found)
            }
            value if is_instant(value) => found.push((path.clone(), value.clone())),
            _ => {}
        }
        path.pop();
    }
}

/// A date with a time, or seconds or milliseconds since 1970 in this century.
fn is_instant(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let mut bytes = text.bytes();
            let shape = b"dddd-dd-dd".iter().all(|shape| {
                bytes
                    .next()
                    .is_some_and(|b| if *shape == b'd' { b.is_ascii_digit() } else { b == *shape })
            });
            shape && bytes.next().is_none_or(|b| b == b'T' || b == b' ')
        }
        Value::Number(number) => number.as_i64().is_some_and(|n| {
            (946_684_800..4_102_444_800).contains(&n)
                || (946_684_800_000..4_102_444_800_000).contains(&n)
        }),
        _ => false,
    }
}

/// Returns `true` if a cursor finds changes, and not only new records.
pub(super) fn tells_changes(path: &str) -> bool {
    cursor_rank(path).is_some_and(|rank| rank < MADE)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(values: &[Value]) -> SampleFindings {
        look(values, &["orders"], &Map::new(), |key| key.unwrap_or("items").to_owned())
    }

    #[test]
    fn records_are_found() {
        let check = |values: &[Value], selector: Option<&str>, records: usize| {
            let found = found(values);
            assert_eq!(
                (found.selector.as_deref(), found.records),
                (selector, records),
                "{values:?}"
            );
        };
        check(&[json!([{"a": 1}])], Some("$"), 1);
        check(&[json!({"a": 1}), json!({"a": 2})], None, 2);
        check(&[json!({"tags": ["x"], "users": [{"id": 1}, {"id": 2}]})], Some("users"), 2);
        check(
            &[json!({"meta": {"x": [{"a": 1}]}, "data": {"items": [{}]}})],
            Some("data.items"),
            1,
        );
        check(&[json!({"data": []})], Some("data"), 0);
        check(&[json!({"id": 7, "tags": ["a"]})], Some("$"), 1);
        check(&[json!({"a b": [{}]})], Some("$['a b']"), 1);
        check(&[json!({"users": [], "page": 1})], Some("users"), 0);
        check(&[json!([])], Some("$"), 0);
    }

    #[test]
    fn other_lists_are_reported() {
        let check = |page: Value, selector: &str, others: &[&str]| {
            let found = found(&[page]);
            assert_eq!(
                (found.selector.as_deref(), found.others),
                (Some(selector), others.iter().map(|&it| it.to_owned()).collect())
            );
        };
        check(json!({"a": [{"x": 1}], "b": {"c": [{"y": 2}]}, "tags": ["t"]}), "a", &["b.c"]);
        check(json!({"included": [{"x": 1}], "data": [{"y": 2}]}), "data", &["included"]);
        check(json!({"data": [{"y": [{"z": 1}]}]}), "data", &[]);
        check(json!({"data": [{"x": 1}], "Orders": [{"y": 2}]}), "Orders", &["data"]);
        check(json!({"errors": [{"x": 1}], "b": [{"y": 2}]}), "b", &[]);
    }

    #[test]
    fn keys_and_cursors_are_found() {
        let found = found(&[json!({"users": [
            {"user_id": 1, "id": "a", "key": "x", "name": "n", "fields": {"updated": "2026-01-01T00:00:00Z"}, "created_at": 1760000000},
            {"user_id": 2, "id": "b", "key": "x", "name": "m", "fields": {"updated": "2026-01-02 00:00:00"}, "created_at": 1760000001},
        ]})]);
        assert_eq!(found.keys, ["id", "user_id"]);
        let cursors: Vec<&str> = found.cursors.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(cursors, ["fields.updated", "created_at"]);
        assert!(tells_changes("fields.updated") && !tells_changes("created_at"));
    }
}
