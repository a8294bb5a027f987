//! What names tell: keys, cursors, and the parts of a page that are about pages. Guesses, which the job
//! that is written says are such.

/// Keys that lists of records often have: of no use as the name of a resource.
pub(super) const RECORD_KEYS: &[&str] = &[
    "data", "items", "results", "entries", "records", "rows", "entities", "payload", "content",
    "objects", "values", "value", "list", "elements", "hits", "nodes",
];

/// A name without what writers vary: `nextPageToken` and `next_page_token` are one.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// How much a name looks like that of a primary key of this resource: the lower, the more.
pub(super) fn key_rank(name: &str, resource: &str) -> Option<usize> {
    let name = plain(name);
    let one = plain(resource);
    let one = one.strip_suffix('s').unwrap_or(&one);
    let exact = ["id", "uuid", "guid", "key", "uid", "gid", "nodeid"];
    if let Some(rank) = exact.iter().position(|known| *known == name) {
        return Some(rank);
    }
    ["id", "key", "uuid", "number", "code"]
        .iter()
        .position(|end| name.strip_suffix(end) == Some(one))
        .map(|rank| exact.len() + rank)
}

/// How much a name looks like that of the time of the last change; those of making come last.
pub(super) fn cursor_rank(path: &str) -> Option<usize> {
    let name = plain(path.rsplit('.').next().unwrap_or(path));
    let signs = ["updat", "modif", "chang", "lastedit", "creat", "publish", "timestamp"];
    signs.iter().position(|sign| name.contains(sign))
}

/// From this rank on a cursor tells of new records only.
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

/// Parameters that take the number of the first record, and keys that tell it.
pub(super) const OFFSETS: &[&str] = &["offset", "startAt", "start", "skip", "startIndex", "from"];
/// Parameters that take the size of a page, and keys that tell it.
pub(super) const LIMITS: &[&str] = &[
    "limit",
    "maxResults",
    "per_page",
    "page_size",
    "pageSize",
    "count",
    "size",
    "take",
    "top",
    "results_per_page",
    "max_results",
    "first",
];
/// Parameters that take the number of a page, and keys that tell it.
pub(super) const PAGES: &[&str] =
    &["page", "page_number", "pageNumber", "currentPage", "p", "pageno"];
/// Keys that tell how many records there are.
pub(super) const TOTALS: &[&str] =
    &["total", "total_count", "totalCount", "totalResults", "totalItems", "count", "total_results"];
/// Keys that tell how many pages there are.
pub(super) const PAGE_TOTALS: &[&str] =
    &["total_pages", "totalPages", "pages", "page_count", "pageCount", "last_page", "lastPage"];
/// Keys that hold the token of the next page.
pub(super) const TOKENS: &[&str] = &[
    "next_cursor",
    "nextCursor",
    "next_page_token",
    "nextPageToken",
    "next_token",
    "nextToken",
    "end_cursor",
    "continuation",
    "continuation_token",
    "next_page",
    "next",
    "after",
    "cursor",
    "scroll_id",
];
/// Parameters that take it.
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
    "scroll_id",
    "token",
];
/// Keys that hold the URL of the next page.
pub(super) const LINKS: &[&str] = &[
    "next",
    "next_url",
    "nextUrl",
    "next_page_url",
    "next_link",
    "nextLink",
    "@odata.nextLink",
    "href",
];
/// Keys that say whether there are more pages.
pub(super) const MORE: &[&str] =
    &["has_more", "hasMore", "has_next", "hasNext", "hasNextPage", "more"];
/// Parameters that take the time of the last load.
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

/// The parameter that a token of this name is given back as, in most APIs.
pub(super) fn param_of_token(token: &str) -> String {
    let last = token.rsplit('.').next().unwrap_or(token);
    match last.strip_prefix("next_").or_else(|| last.strip_prefix("end_")) {
        Some(rest) if !rest.is_empty() => return rest.to_owned(),
        _ => {}
    }
    match last {
        "nextCursor" | "endCursor" | "next" => "cursor".to_owned(),
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
        for (token, param) in
            [("meta.next_cursor", "cursor"), ("nextPageToken", "nextPageToken"), ("next", "cursor")]
        {
            assert_eq!(param_of_token(token), param);
        }
    }
}
