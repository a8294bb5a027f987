//! Names of keys, cursors and parameters, and of keys that describe pages. Their meaning is a
//! guess, which the job marks as such.

/// Usual keys of lists of records, which are no names for a resource.
pub(super) const RECORD_KEYS: &[&str] = &[
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content",
    "objects", "values", "value", "list", "elements", "hits", "nodes",
];

/// A name in plain form: `nextPageToken` and `next_page_token` are equal.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The rank of a name as that of a primary key of this resource: lower is better.
pub(super) fn key_rank(name: &str, resource: &str) -> Option<usize> {
    let name = plain(name);
    let one = plain(resource);
    let one = one.strip_suffix('s').unwrap_or(&one);
    let exact = ["id", "uuid", "guid", "key", "uid", "gid", "sid", "nodeid"];
    if let Some(rank) = exact.iter().position(|known| *known == name) {
        return Some(rank);
    }
    ["id", "key", "uuid", "sid", "number", "code"]
        .iter()
        .position(|end| name.strip_suffix(end) == Some(one))
        .map(|rank| exact.len() + rank)
}

/// The rank of a name as that of the time of the last change. Times of creation are last.
pub(super) fn cursor_rank(path: &str) -> Option<usize> {
    let name = plain(path.rsplit('.').next().unwrap_or(path));
    let signs = ["updat", "modif", "chang", "lastedit", "creat", "publish", "timestamp"];
    signs.iter().position(|sign| name.contains(sign))
}

/// From this rank on a cursor finds new records only.
pub(super) const MADE: usize = 4;

/// The first of these names that is one of the known names, in any spelling.
pub(super) fn first<'n>(
    names: impl IntoIterator<Item = &'n str> + Clone,
    known: &[&str],
) -> Option<&'n str> {
    known
        .iter()
        .find_map(|known| names.clone().into_iter().find(|name| plain(name) == plain(known)))
}

/// Parameters and keys with the number of the first record.
pub(super) const OFFSETS: &[&str] = &["offset", "startAt", "start", "skip", "startIndex", "from"];
/// Parameters and keys with the size of a page.
pub(super) const LIMITS: &[&str] = &[
    "limit",
    "maxResults",
    "per_page",
    "page_size",
    "pageSize",
    "page_limit",
    "count",
    "size",
    "take",
    "top",
    "results_per_page",
    "max_results",
    "first",
];
/// Parameters and keys with the number of a page.
pub(super) const PAGES: &[&str] =
    &["page", "page_number", "pageNumber", "currentPage", "p", "pageno"];
/// Keys with the number of a page in a response with the number of pages.
pub(super) const PAGE_NUMBERS: &[&str] = &["number"];
/// Keys with the number of records.
pub(super) const TOTALS: &[&str] =
    &["total", "total_count", "totalCount", "totalResults", "totalItems", "count", "total_results"];
/// Keys with the number of pages.
pub(super) const PAGE_TOTALS: &[&str] =
    &["total_pages", "totalPages", "pages", "page_count", "pageCount", "last_page", "lastPage"];
/// Keys with the token of the next page.
pub(super) const TOKENS: &[&str] = &[
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
    "next_token",
    "nextToken",
    "end_cursor",
    "next_marker",
    "nextMarker",
    "continuation",
    "continuation_token",
    "next_page",
    "next",
    "after",
    "cursor",
    "marker",
    "scroll_id",
];
/// Parameters for that token.
pub(super) const TOKEN_PARAMS: &[&str] = &[
    "cursor",
    "page_token",
    "pageToken",
    "next_token",
    "nextToken",
    "nextPageToken",
    "after",
    "starting_after",
    "continuation_token",
    "continuation",
    "next_cursor",
    "marker",
    "scroll_id",
    "token",
];
/// Parameters for the key of the last record of a page.
pub(super) const LAST_KEY_PARAMS: &[&str] =
    &["starting_after", "after_id", "since_id", "last_id", "after"];
/// Keys that report whether there are more pages.
pub(super) const MORE: &[&str] =
    &["has_more", "hasMore", "has_next", "hasNext", "hasNextPage", "more"];
/// Parameters for the time of the last load.
pub(super) const SINCE: &[&str] = &[
    "since",
    "updated_since",
    "updatedSince",
    "modified_since",
    "modifiedSince",
    "updated_after",
    "updatedAfter",
    "updated_at_min",
    "modified_after",
    "lastModifiedAfter",
    "if_modified_since",
    "updated_gte",
    "start_time",
    "start_date",
    "startDate",
    "from_date",
    "created_after",
    "created_gte",
];

/// Required parameters that are secrets.
const SECRETS: &[&str] = &[
    "token",
    "access_token",
    "auth_token",
    "api_token",
    "key",
    "api_key",
    "access_key",
    "app_key",
    "x_api_key",
    "client_secret",
    "secret",
    "password",
    "authorization",
    "signature",
];

/// Returns `true` if a parameter of this name is a credential.
pub(super) fn is_credential(name: &str) -> bool {
    first([name], SECRETS).is_some()
}

/// Returns `true` if a parameter of a URL may be a secret.
pub(super) fn is_secret(name: &str) -> bool {
    let name = plain(name);
    let signs = ["key", "token", "secret", "password", "auth", "signature"];
    // The token of a page is not a secret.
    let page = ["page", "next", "continuation", "sync", "scroll"];
    signs.iter().any(|sign| name.ends_with(sign))
        && !page.iter().any(|kind| name.ends_with(&format!("{kind}token")))
}

/// Returns `true` if a path is that of the next page's URL: one key has `next` in it, and the last
/// has a word for a link.
pub(super) fn is_next_link(path: &[String]) -> bool {
    let Some(last) = path.last().map(|key| plain(key)) else { return false };
    let link = ["url", "uri", "link", "href"].iter().any(|word| last.contains(word));
    link && is_next(path)
}

/// Returns `true` if one of these keys has `next` in it.
pub(super) fn is_next(path: &[String]) -> bool {
    path.iter().any(|key| plain(key).contains("next"))
}

/// Returns `true` if a key has the token of the next page and nothing else.
pub(super) fn is_token(name: &str) -> bool {
    let name = plain(name);
    let token = ["cursor", "token", "marker"].iter().any(|end| name.ends_with(end));
    token && (name.starts_with("next") || name.starts_with("end"))
}

/// The parameter for the number of a page, if a response has the number under this key.
pub(super) fn param_of_page(key: &str) -> String {
    match plain(key).as_str() {
        "currentpage" | "number" => "page".to_owned(),
        _ => key.to_owned(),
    }
}

/// The usual parameter for a token that a response has under this key.
pub(super) fn param_of_token(token: &str) -> String {
    let last = token.rsplit(['.', '\'']).find(|it| !it.is_empty() && *it != "]").unwrap_or(token);
    match last.strip_prefix("next_").or_else(|| last.strip_prefix("end_")) {
        Some(rest) if !rest.is_empty() => return rest.to_owned(),
        _ => {}
    }
    match last {
        "nextCursor" | "endCursor" | "next" => "cursor".to_owned(),
        "nextMarker" => "marker".to_owned(),
        "nextPage" => "page".to_owned(),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        let key = |name: &str, resource: &str| key_rank(name, resource);
        assert!(key("id", "users") < key("uuid", "users"));
        assert!(key("uuid", "users") < key("user_id", "users"));
        assert!(key("userId", "users").is_some() && key("parent_id", "users").is_none());
        assert!(cursor_rank("fields.updated") < cursor_rank("created_at"));
        assert_eq!(cursor_rank("name"), None);
        assert_eq!(first(["a", "nextpageToken"], TOKENS), Some("nextpageToken"));
        for (token, param) in [
            ("meta.next_cursor", "cursor"),
            ("nextPageToken", "nextPageToken"),
            ("next", "cursor"),
            ("next_marker", "marker"),
            ("paging.next.after", "after"),
            ("$['a b']['next_cursor']", "cursor"),
        ] {
            assert_eq!(param_of_token(token), param);
        }
        for (name, secret, credential) in [
            ("token", true, true),
            ("api-key", true, true),
            ("project_key", true, false),
            ("page_token", false, false),
            ("nextPageToken", false, false),
            ("limit", false, false),
        ] {
            assert_eq!((is_secret(name), is_credential(name)), (secret, credential), "{name}");
        }
        for (path, link) in [
            (&["next_page_uri"][..], true),
            (&["nextRecordsUrl"], true),
            (&["@odata.nextLink"], true),
            (&["paging", "next", "link"], true),
            (&["links", "next"], false),
            (&["previous_page_uri"], false),
        ] {
            let path: Vec<String> = path.iter().map(|&key| key.to_owned()).collect();
            assert_eq!(is_next_link(&path), link, "{path:?}");
        }
    }
}
