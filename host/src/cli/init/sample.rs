//! What a sample answer tells: where the records are, what they are known by, when they changed, and how
//! pages follow.

use serde_json::{Map, Value, json};

use super::names::{
    LIMITS, LINKS, MADE, MORE, OFFSETS, PAGE_TOTALS, PAGES, RECORD_KEYS, TOKENS, TOTALS,
    cursor_rank, first, key_rank, param_of_token,
};

/// What was found in a sample.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Found {
    /// Where the records are; none where the sample is records, one after the other.
    pub(super) selector: Option<String>,
    /// Candidates for a primary key, the best first.
    pub(super) keys: Vec<String>,
    /// Candidates for a cursor, the best first: path and first value.
    pub(super) cursors: Vec<(String, Value)>,
    /// How pages follow, and what is to be said about it.
    pub(super) paginator: Option<(Value, &'static str)>,
    /// How many records there were.
    pub(super) records: usize,
}

/// Looks through the values of a sample: one page, or records one after the other.
pub(super) fn look(values: &[Value], resource: impl Fn(Option<&str>) -> String) -> Found {
    let (selector, records): (Option<Vec<String>>, Vec<&Value>) = match values {
        [Value::Array(records)] => (Some(Vec::new()), records.iter().collect()),
        [page @ Value::Object(_)] => match list(page) {
            Some((path, records)) => (Some(path), records.iter().collect()),
            None => (Some(Vec::new()), vec![page]),
        },
        values => (None, values.iter().collect()),
    };
    let name = resource(selector.as_deref().and_then(|path| path.last()).map(String::as_str));
    let objects: Vec<&Map<String, Value>> =
        records.iter().filter_map(|it| it.as_object()).collect();
    Found {
        keys: keys(&objects, &name),
        cursors: cursors(&objects),
        paginator: match values {
            [page @ Value::Object(_)] => paginator(page, selector.as_deref(), records.len()),
            _ => None,
        },
        selector: selector.map(|path| path_of(&path)),
        records: records.len(),
    }
}

/// A path as a job writes it.
pub(super) fn path_of(keys: &[String]) -> String {
    if keys.is_empty() {
        return "$".to_owned();
    }
    let plain = |key: &String| {
        let mut chars = key.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    if keys.iter().all(plain) {
        return keys.join(".");
    }
    let quoted = keys.iter().map(|key| format!("['{}']", key.replace('\'', "\\'")));
    format!("${}", quoted.collect::<String>())
}

/// The list of records on a page: under a key that says so, or the first list of objects, or the first.
fn list(page: &Value) -> Option<(Vec<String>, &Vec<Value>)> {
    let mut lists = Vec::new();
    find_lists(page, &mut Vec::new(), &mut lists);
    let named = |(path, _): &&(Vec<String>, _)| {
        path.last().is_some_and(|key| RECORD_KEYS.contains(&key.as_str()))
    };
    let objects = |(_, items): &&(Vec<String>, &Vec<Value>)| items.iter().any(Value::is_object);
    let found = lists.iter().filter(objects).find(named).or_else(|| lists.iter().find(objects));
    // A list of plain values in an object that has an id is a part of it.
    let single = page.get("id").is_some();
    found.or_else(|| lists.iter().find(named).filter(|_| !single)).cloned()
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

/// Keys that every record has, with another value each, and that look like it.
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

/// Instants that every record has, in objects too, and that look like the time of a change.
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

/// Objects that are about the record itself, and not about something in it.
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

/// Whether a cursor tells of changes, and not only of new records.
pub(super) fn tells_changes(path: &str) -> bool {
    cursor_rank(path).is_some_and(|rank| rank < MADE)
}

/// How pages follow one another, as far as one page shows.
fn paginator(
    page: &Value,
    list: Option<&[String]>,
    records: usize,
) -> Option<(Value, &'static str)> {
    let mut plain = Vec::new();
    scalars(page, &mut Vec::new(), list.unwrap_or_default(), &mut plain);
    let find = |known: &[&str], fits: &dyn Fn(&Value) -> bool| {
        let named = |name: &str| {
            plain.iter().find(|(path, value)| {
                let key = path.last().map(|key| super::names::plain(key));
                key == Some(super::names::plain(name)) && fits(value)
            })
        };
        known.iter().find_map(|name| named(name))
    };
    let is_url = |value: &Value| {
        value.as_str().is_some_and(|text| text.starts_with("http") || text.starts_with('/'))
    };
    let nextlike = |path: &[String]| path.iter().any(|key| key.to_lowercase().contains("next"));
    if let Some((path, _)) = plain.iter().find(|(path, value)| {
        is_url(value)
            && nextlike(path)
            && path.last().is_some_and(|key| first([key.as_str()], LINKS).is_some())
    }) {
        let paginator = json!({"type": "json_link", "next_url_path": path_of(path)});
        return Some((paginator, "The next page's URL is in the answer."));
    }
    let text =
        |value: &Value| value.as_str().is_some_and(|text| !text.is_empty()) || value.is_u64();
    if let Some((path, _)) = find(TOKENS, &text) {
        let token = path_of(path);
        let mut paginator = json!({
            "type": "cursor", "cursor_path": token, "cursor_param": param_of_token(&token),
        });
        if let Some((more, _)) = find(MORE, &Value::is_boolean) {
            paginator["has_more_path"] = path_of(more).into();
        }
        return Some((
            paginator,
            "The next page's token is in the answer; cursor_param is a guess.",
        ));
    }
    let key =
        |found: Option<&(Vec<String>, &Value)>| found.and_then(|(path, _)| path.last().cloned());
    let limit = find(LIMITS, &Value::is_u64);
    if let (Some(offset), Some((total, _))) =
        (key(find(OFFSETS, &Value::is_u64)), find(TOTALS, &Value::is_u64))
    {
        let size = limit.and_then(|(_, value)| value.as_u64()).unwrap_or(records as u64).max(1);
        return Some((
            json!({
                "type": "offset", "limit": size, "offset_param": offset,
                "limit_param": key(limit).unwrap_or_else(|| "limit".to_owned()),
                "total_path": path_of(total),
            }),
            "The answer tells an offset and a total; that the parameters have the same names is a guess.",
        ));
    }
    let number = find(PAGES, &Value::is_u64);
    let pages = find(PAGE_TOTALS, &Value::is_u64);
    if let Some((path, value)) = number.filter(|_| pages.is_some()) {
        return Some((
            json!({
                "type": "page_number", "base_page": value.as_u64().unwrap_or(1).min(1),
                "page_param": path.last().cloned().unwrap_or_default(),
                "total_path": pages.map(|(path, _)| path_of(path)),
            }),
            "The answer tells a page and a number of pages; that the parameter has the same name is a guess.",
        ));
    }
    None
}

/// Plain values beside the records, the keys to them, outer ones first.
fn scalars<'v>(
    value: &'v Value,
    path: &mut Vec<String>,
    list: &[String],
    found: &mut Vec<(Vec<String>, &'v Value)>,
) {
    let Value::Object(members) = value else { return };
    for (key, value) in members {
        path.push(key.clone());
        if !value.is_object() && !value.is_array() && !value.is_null() {
            found.push((path.clone(), value));
        }
        path.pop();
    }
    for (key, value) in members {
        path.push(key.clone());
        if path.as_slice() != list && path.len() < 4 {
            scalars(value, path, list, found);
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(values: &[Value]) -> Found {
        look(values, |key| key.unwrap_or("items").to_owned())
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

    #[test]
    fn paginators_are_found() {
        let check = |more: Value, expected: Value| {
            let mut page = json!({"items": [{"id": 1}]});
            if let (Some(page), Some(more)) = (page.as_object_mut(), more.as_object()) {
                page.extend(more.clone());
            }
            let found = found(&[page]).paginator.map_or(Value::Null, |(paginator, _)| paginator);
            assert_eq!(found, expected);
        };
        check(
            json!({"links": {"next": "https://x.net/2"}}),
            json!({"type": "json_link", "next_url_path": "links.next"}),
        );
        check(
            json!({"@odata.nextLink": "https://x.net/2"}),
            json!({"type": "json_link", "next_url_path": "$['@odata.nextLink']"}),
        );
        check(
            json!({"meta": {"next_cursor": "abc", "has_more": true}}),
            json!({"type": "cursor", "cursor_path": "meta.next_cursor", "cursor_param": "cursor",
                "has_more_path": "meta.has_more"}),
        );
        check(
            json!({"startAt": 0, "maxResults": 50, "total": 120}),
            json!({"type": "offset", "limit": 50, "offset_param": "startAt",
                "limit_param": "maxResults", "total_path": "total"}),
        );
        check(
            json!({"page": 1, "total_pages": 3}),
            json!({"type": "page_number", "base_page": 1, "page_param": "page",
                "total_path": "total_pages"}),
        );
        check(json!({"next": null}), Value::Null);
        check(json!({"total": 7}), Value::Null);
    }
}
