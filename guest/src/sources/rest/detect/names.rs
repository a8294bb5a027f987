//! The names by which sources describe pages. Names are compared in plain form: `next_page`,
//! `nextPage` and `Next-Page` are equal.

/// A key in plain form: lower case letters and digits.
pub(super) fn plain(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The subject of a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Topic {
    /// The next page: a URL or a token.
    Next,
    /// A token that is sent back.
    Token,
    /// A token that needs more than its value.
    Opaque,
    /// True if there is more.
    More,
    /// True if there is no more.
    End,
    /// The number of this page.
    Page,
    /// The number of pages.
    Pages,
    /// The number of records.
    Total,
    /// The number of the first record of this page.
    Offset,
    /// The maximum number of records of a page.
    Limit,
}

const TOPICS: &[(Topic, &[&str])] = &[
    (
        Topic::Token,
        &[
            "bookmark",
            "continuation",
            "continuationtoken",
            "cursor",
            "paginationtoken",
            "pagetoken",
            "resumptiontoken",
        ],
    ),
    (Topic::Opaque, &["aftercursor", "endcursor", "lastevaluatedkey", "scrollid", "searchafter"]),
    (
        Topic::More,
        &[
            "hasmore",
            "hasmoreitems",
            "hasmorepages",
            "hasmorerecords",
            "hasmoreresults",
            "hasnext",
            "hasnextpage",
            "istruncated",
            "more",
            "moreavailable",
            "moredata",
            "moreitems",
            "moreitemsavailable",
            "morepages",
            "morerecords",
            "moreresults",
            "truncated",
        ],
    ),
    (
        Topic::End,
        &[
            "done",
            "end",
            "endofstream",
            "isend",
            "isfinal",
            "islast",
            "islastpage",
            "last",
            "lastpage",
        ],
    ),
    (
        Topic::Page,
        &["currentpage", "number", "page", "pageindex", "pageno", "pagenumber", "pagenum"],
    ),
    (
        Topic::Pages,
        &[
            "lastpage",
            "nbpages",
            "numpages",
            "pagecount",
            "pages",
            "pagestotal",
            "totalpagecount",
            "totalpages",
        ],
    ),
    (
        Topic::Total,
        &[
            "nbhits",
            "recordstotal",
            "resultcount",
            "total",
            "totalcount",
            "totalelements",
            "totalhits",
            "totalitems",
            "totalrecords",
            "totalresults",
            "totalrows",
            "totalsize",
        ],
    ),
    (Topic::Offset, &["from", "offset", "skip", "start", "startat", "startindex"]),
    (
        Topic::Limit,
        &[
            "hitsperpage",
            "itemsperpage",
            "limit",
            "maxresults",
            "pagelimit",
            "pagesize",
            "perpage",
            "top",
        ],
    ),
];

/// Returns `true` if a plain key has this subject. A key may have several: `last_page` is a number
/// in one source and a boolean in another.
pub(super) fn is_about(key: &str, topic: Topic) -> bool {
    match topic {
        Topic::Next => key.starts_with("next") || key == "odatanextlink",
        topic => TOPICS.iter().any(|(about, keys)| *about == topic && keys.contains(&key)),
    }
}

/// What follows `next` in keys of tokens. Other keys with this prefix (`next_billing_date`) have
/// another subject.
const NEXT_WHAT: &[&str] = &[
    "after", "batch", "bookmark", "cursor", "from", "id", "key", "marker", "offset", "page",
    "position", "record", "result", "set", "skip", "start", "token",
];

/// Returns `true` if a plain key that starts with `next` can be that of a token.
pub(super) fn is_next_token(key: &str) -> bool {
    let Some(what) = key.strip_prefix("next") else { return false };
    let timely =
        ["at", "date", "day", "run", "time", "update"].iter().any(|end| what.ends_with(end));
    what.is_empty() || (!timely && NEXT_WHAT.iter().any(|word| what.contains(word)))
}

/// The parameter for such a token in most sources: `next_page_token` is sent as `page_token`,
/// `nextCursor` as `cursor`. For `next` alone it is dlt's `cursor`.
pub(super) fn param_of(key: &str) -> String {
    let lower = key.to_ascii_lowercase();
    let Some(rest) = lower.strip_prefix("next").and_then(|_| key.get(4..)) else {
        return key.to_owned();
    };
    let rest = rest.trim_start_matches(['_', '-', '.']);
    match rest {
        "" => "cursor".to_owned(),
        _ if rest.eq_ignore_ascii_case("token") => key.to_owned(),
        _ => {
            let mut rest = rest.chars();
            let first = rest.next().map(|c| c.to_ascii_lowercase());
            first.into_iter().chain(rest).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::paginator::written;
    use crate::json::Path;

    #[test]
    fn guesses_parameters() {
        let check = |key: &str, param: &str| assert_eq!(param_of(key), param);
        check("next", "cursor");
        check("Next", "cursor");
        check("next_page_token", "page_token");
        check("nextPageToken", "pageToken");
        check("nextToken", "nextToken");
        check("next_token", "next_token");
        check("next_cursor", "cursor");
        check("NextMarker", "marker");
        check("next_page", "page");
        check("continuationToken", "continuationToken");
    }

    #[test]
    fn knows_keys_of_tokens() {
        for key in ["next", "nextpage", "nextpagetoken", "nextmarker", "nextstart", "nextpageid"] {
            assert!(is_next_token(key), "{key}");
        }
        for key in ["nextbillingdate", "nextrunat", "nextofkin", "nextstartdate", "prev"] {
            assert!(!is_next_token(key), "{key}");
        }
    }

    #[test]
    fn writes_paths() {
        let check = |keys: &[&str], text: &str| {
            assert_eq!(written(keys), text);
            assert_eq!(
                Path::parse(text).unwrap().segments(),
                Path::of_keys(keys).segments(),
                "{text}"
            );
        };
        check(&["a", "b"], "a.b");
        check(&["@odata.nextLink"], "['@odata.nextLink']");
        check(&["a", "b c", "it's"], "a['b c']['it\\'s']");
        check(&["größe"], "größe");
    }
}
