//! Detects the paginator in one page and the URL of its request.

use serde_json::{Map, Value, json};

use super::super::names::{
    LAST_KEY_PARAMS, LIMITS, MORE, OFFSETS, PAGE_NUMBERS, PAGE_TOTALS, PAGES, TOKEN_PARAMS, TOKENS,
    TOTALS, first, is_next, is_next_link, is_token, param_of_page, param_of_token, plain,
};
use super::path::path_of;

/// A page, and what is known about it.
pub(super) struct SamplePage<'p> {
    /// The response, or null if it is a list or a sequence of records.
    pub(super) value: &'p Value,
    /// The keys to the records.
    pub(super) list: &'p [String],
    pub(super) records: usize,
    /// The primary key of the records.
    pub(super) key: Option<&'p str>,
    /// The parameters of the URL.
    pub(super) asked: &'p Map<String, Value>,
}

/// A scalar outside of the records, and its path.
type PlainValue<'p> = (Vec<String>, &'p Value);
/// A paginator, and a comment.
type FoundPaginator = Option<(Value, &'static str)>;

impl<'p> SamplePage<'p> {
    /// The paginator, if there is a sign of one.
    pub(super) fn paginator(&self) -> FoundPaginator {
        let mut beside = Vec::new();
        scalars(self.value, &mut Vec::new(), self.list, &mut beside);
        let more = find(&beside, MORE, Value::is_boolean).map(|(path, _)| path_of(path));
        link(&beside)
            .or_else(|| self.token(&beside, more.as_deref()))
            .or_else(|| self.offset(&beside, more.as_deref()))
            .or_else(|| self.number(&beside, more.as_deref()))
            .or_else(|| self.last_key(more.as_deref()))
            .or_else(|| self.asked())
    }

    /// The token of the next page. A null or empty one is recognized by its key only.
    fn token(&self, beside: &[PlainValue<'p>], more: Option<&str>) -> FoundPaginator {
        let given =
            |value: &Value| value.as_str().is_some_and(|it| !it.is_empty()) || value.is_u64();
        let last = |(path, value): &&PlainValue<'_>| {
            is_nothing(value) && path.last().is_some_and(|key| is_token(key))
        };
        let (path, _) = find(beside, TOKENS, |value| given(value) && !is_url(value))
            .or_else(|| beside.iter().find(last))?;
        let token = path_of(path);
        let param = first(self.asked.keys().map(String::as_str), TOKEN_PARAMS);
        let param = param.map_or_else(|| param_of_token(&token), str::to_owned);
        let mut paginator = json!({"type": "cursor", "cursor_path": token, "cursor_param": param});
        put_more(&mut paginator, more);
        Some((paginator, "The next page's token is in the answer; cursor_param is a guess."))
    }

    fn offset(&self, beside: &[PlainValue<'p>], more: Option<&str>) -> FoundPaginator {
        let (offset, _) = find(beside, OFFSETS, Value::is_u64)?;
        let limit = find(beside, LIMITS, Value::is_u64);
        let total = find(beside, TOTALS, Value::is_u64).map(|(path, _)| path_of(path));
        if total.is_none() && more.is_none() && limit.is_none() {
            return None;
        }
        let size =
            limit.and_then(|(_, value)| value.as_u64()).unwrap_or(self.records as u64).max(1);
        let limit = limit.and_then(|(path, _)| path.last());
        let mut paginator = json!({
            "type": "offset", "limit": size, "offset_param": offset.last(),
            "limit_param": limit.map_or("limit", String::as_str),
            "total_path": total,
        });
        put_more(&mut paginator, more);
        Some((
            paginator,
            "The answer has an offset; that the parameters have the same names is a guess.",
        ))
    }

    fn number(&self, beside: &[PlainValue<'p>], more: Option<&str>) -> FoundPaginator {
        let pages = find(beside, PAGE_TOTALS, Value::is_u64).map(|(path, _)| path_of(path));
        let known = || find(beside, PAGES, Value::is_u64);
        let (path, value) = known()
            .or_else(|| find(beside, PAGE_NUMBERS, Value::is_u64).filter(|_| pages.is_some()))?;
        let counted = find(beside, TOTALS, Value::is_u64).or(find(beside, LIMITS, Value::is_u64));
        if pages.is_none() && more.is_none() && counted.is_none() {
            return None;
        }
        let asked = first(self.asked.keys().map(String::as_str), PAGES);
        let param = asked
            .map_or_else(|| path.last().map(|key| param_of_page(key)), |it| Some(it.to_owned()));
        let mut paginator = json!({
            "type": "page_number", "base_page": value.as_u64().unwrap_or(1).min(1),
            "page_param": param, "total_path": pages,
        });
        put_more(&mut paginator, more);
        let note = match (&pages, more) {
            (Some(_), _) => {
                "The answer has the number of the page and of all pages; the name of the parameter is a guess."
            }
            (None, Some(_)) => {
                "The answer has the number of the page, and whether there are more; the name of the parameter is a guess."
            }
            (None, None) => {
                "The answer has the number of the page, but not of all pages: the first empty page is the last. The \
                 name of the parameter is a guess."
            }
        };
        Some((paginator, note))
    }

    /// A cursor with the key of the last record, if the response only reports that there are more
    /// pages.
    fn last_key(&self, more: Option<&str>) -> FoundPaginator {
        let (more, key) = more.zip(self.key)?;
        let asked = first(self.asked.keys().map(String::as_str), LAST_KEY_PARAMS);
        let paginator = json!({
            "type": "cursor", "cursor_path": last_record(self.list, key),
            "cursor_param": asked.unwrap_or("starting_after"), "has_more_path": more,
        });
        Some((
            paginator,
            "The answer says only whether there are more pages. That the key of the last record asks for the next \
             page, and the name of the parameter, are guesses.",
        ))
    }

    /// The paginator that the parameters of the URL suggest.
    fn asked(&self) -> FoundPaginator {
        let names = || self.asked.keys().map(String::as_str);
        let number = |name: &str| self.asked.get(name)?.as_str()?.parse::<u64>().ok();
        if let (Some(offset), Some(limit)) = (first(names(), OFFSETS), first(names(), LIMITS)) {
            let paginator = json!({
                "type": "offset", "limit": number(limit)?.max(1), "offset_param": offset,
                "limit_param": limit, "total_path": null,
            });
            return Some((
                paginator,
                "From the parameters of the URL: the first empty page is the last.",
            ));
        }
        let page = first(names(), PAGES)?;
        let paginator = json!({
            "type": "page_number", "base_page": number(page)?.min(1), "page_param": page,
            "total_path": null,
        });
        Some((paginator, "From a parameter of the URL: the first empty page is the last."))
    }
}

/// The path to the key of the last record in a list.
pub(in super::super) fn last_record(list: &[String], key: &str) -> String {
    let key = path_of(&[key.to_owned()]);
    // A key in brackets begins with the root, `$`.
    let member = key.strip_prefix('$').map_or_else(|| format!(".{key}"), str::to_owned);
    format!("{}[-1]{member}", path_of(list))
}

/// The URL of the next page. A null or empty one is recognized by its key only.
fn link(beside: &[PlainValue<'_>]) -> FoundPaginator {
    let known = |(path, value): &&PlainValue<'_>| {
        let last = path.last().is_some_and(|key| plain(key).starts_with("next"));
        (is_url(value) && is_next(path) && (last || is_link_word(path)))
            || (is_nothing(value) && is_next_link(path))
    };
    let (path, _) = beside.iter().find(known)?;
    let paginator = json!({"type": "json_link", "next_url_path": path_of(path)});
    Some((paginator, "The next page's URL is in the answer."))
}

/// Returns `true` if the last key indicates a link.
fn is_link_word(path: &[String]) -> bool {
    let words = ["url", "uri", "link", "href", "nextlink"];
    path.last().is_some_and(|key| words.iter().any(|word| plain(key).ends_with(word)))
}

fn put_more(paginator: &mut Value, more: Option<&str>) {
    if let (Some(paginator), Some(more)) = (paginator.as_object_mut(), more) {
        paginator.insert("has_more_path".to_owned(), more.into());
    }
}

fn is_url(value: &Value) -> bool {
    let begins = ["http://", "https://", "/", "?"];
    value.as_str().is_some_and(|text| begins.iter().any(|begin| text.starts_with(begin)))
}

fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// The first value with one of these names that passes the test.
fn find<'b, 'p>(
    beside: &'b [PlainValue<'p>],
    names: &[&str],
    fits: impl Fn(&Value) -> bool,
) -> Option<&'b PlainValue<'p>> {
    names.iter().find_map(|name| {
        beside.iter().find(|(path, value)| {
            path.last().map(|key| plain(key)) == Some(plain(name)) && fits(value)
        })
    })
}

/// Collects the scalars outside of the records, outer ones first.
fn scalars<'v>(
    value: &'v Value,
    path: &mut Vec<String>,
    list: &[String],
    found: &mut Vec<PlainValue<'v>>,
) {
    let Value::Object(members) = value else { return };
    for (key, value) in members.iter().filter(|(_, value)| !value.is_object() && !value.is_array())
    {
        found.push((path.iter().chain([key]).cloned().collect(), value));
    }
    for (key, value) in members {
        path.push(key.clone());
        // Without a list the page is the record.
        if path.as_slice() != list && path.len() < 4 && !list.is_empty() {
            scalars(value, path, list, found);
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &Value, asked: &Value) -> Value {
        let asked = asked.as_object().cloned().unwrap_or_default();
        let found = super::super::look(std::slice::from_ref(page), &[], &asked, |key| {
            key.unwrap_or("items").to_owned()
        });
        found.paginator.map_or(Value::Null, |(paginator, _)| paginator)
    }

    /// Checks the paginator of a page with these keys outside of its list.
    #[track_caller]
    fn check(beside: Value, expected: Value) {
        let mut page = json!({"items": [{"id": 1}, {"id": 2}]});
        if let (Some(page), Some(beside)) = (page.as_object_mut(), beside.as_object()) {
            page.extend(beside.clone());
        }
        assert_eq!(found(&page, &Value::Null), expected, "{beside}");
    }

    #[test]
    fn links_are_found() {
        let check = |beside: Value, path: &str| {
            check(beside, json!({"type": "json_link", "next_url_path": path}));
        };
        check(json!({"links": {"next": "https://x.net/2"}}), "links.next");
        check(json!({"@odata.nextLink": "https://x.net/2"}), "$['@odata.nextLink']");
        check(json!({"next_page": "https://x.net/2?page=2", "count": 9}), "next_page");
        check(
            json!({"next_page_uri": "/v1/a.json?Page=1", "page": 0, "page_size": 50}),
            "next_page_uri",
        );
        check(json!({"nextRecordsUrl": "/data/query/01g-2000", "totalSize": 9}), "nextRecordsUrl");
        check(
            json!({"next_page_url": "?page=2", "current_page": 1, "last_page": 2}),
            "next_page_url",
        );
        check(
            json!({"paging": {"next": {"after": "x", "link": "https://x.net/?after=x"}}}),
            "paging.next.link",
        );
        check(json!({"_links": {"next": {"href": "/2"}}}), "_links.next.href");
        // The last page.
        check(json!({"next_page_uri": null, "page": 1}), "next_page_uri");
    }

    #[test]
    fn tokens_are_found() {
        let check = |beside: Value, path: &str, param: &str, more: Option<&str>| {
            let mut expected =
                json!({"type": "cursor", "cursor_path": path, "cursor_param": param});
            put_more(&mut expected, more);
            check(beside, expected);
        };
        let more = json!({"meta": {"next_cursor": "abc", "has_more": true}});
        check(more, "meta.next_cursor", "cursor", Some("meta.has_more"));
        check(json!({"next_marker": "abc", "limit": 100}), "next_marker", "marker", None);
        check(
            json!({"response_metadata": {"next_cursor": ""}}),
            "response_metadata.next_cursor",
            "cursor",
            None,
        );
        check(json!({"paging": {"next": {"after": "NTI1"}}}), "paging.next.after", "after", None);
        check(json!({"next_page": 2}), "next_page", "page", None);
        check(json!({"nextPageToken": null}), "nextPageToken", "nextPageToken", None);
    }

    #[test]
    fn counts_are_found() {
        check(
            json!({"startAt": 0, "maxResults": 50, "total": 120}),
            json!({"type": "offset", "limit": 50, "offset_param": "startAt",
                "limit_param": "maxResults", "total_path": "total"}),
        );
        check(
            json!({"limit": 25, "offset": 0, "total": null, "more": true}),
            json!({"type": "offset", "limit": 25, "offset_param": "offset", "limit_param": "limit",
                "total_path": null, "has_more_path": "more"}),
        );
        let number = |param: &str, base: u8, total: Option<&str>| json!({"type": "page_number", "base_page": base, "page_param": param, "total_path": total});
        check(json!({"page": 1, "total_pages": 3}), number("page", 1, Some("total_pages")));
        check(
            json!({"number": 0, "size": 20, "totalPages": 3}),
            number("page", 0, Some("totalPages")),
        );
        check(json!({"page": 1, "per_page": 50, "total": 120}), number("page", 1, None));
        // After the last record.
        check(
            json!({"object": "list", "has_more": true, "url": "/v1/items"}),
            json!({"type": "cursor", "cursor_path": "items[-1].id", "cursor_param": "starting_after",
                "has_more_path": "has_more"}),
        );
        check(json!({"next": null}), Value::Null);
        check(json!({"total": 7}), Value::Null);
    }

    #[test]
    fn paginator_is_detected_in_the_url() {
        let page = json!([{"id": 1}]);
        assert_eq!(
            found(&page, &json!({"page": "2", "per_page": "50"})),
            json!({"type": "page_number", "base_page": 1, "page_param": "page", "total_path": null})
        );
        assert_eq!(
            found(&page, &json!({"offset": "0", "limit": "50"})),
            json!({"type": "offset", "limit": 50, "offset_param": "offset", "limit_param": "limit", "total_path": null})
        );
        assert_eq!(found(&page, &json!({"page": "first"})), Value::Null);
        let page = json!({"items": [{"id": 1}], "next_cursor": "x", "has_more": true});
        assert_eq!(found(&page, &json!({"page_token": ""}))["cursor_param"], "page_token");
    }
}
