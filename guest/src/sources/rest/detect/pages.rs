//! Detection of the paginator in the first response if the job names none: as dlt does
//! (`sources/helpers/rest_client/detector.py`), and in addition where dlt silently assumes a single
//! page.

use super::names::{Topic, is_about, plain};
use super::signs::signs;
use crate::job::paginator::{Detection, Evidence, Signs, detect};
use crate::json::Path;
use crate::sources::rest::outline::ResponseOutline;

/// The first request, and the known parts of its response.
pub(in crate::sources::rest) struct FirstPage<'a> {
    /// The headers of the response, with names in lower case.
    pub(in crate::sources::rest) headers: &'a [(String, String)],
    /// The query of the request.
    pub(in crate::sources::rest) params: &'a [(String, String)],
    /// Whether the request has a JSON body.
    pub(in crate::sources::rest) has_body: bool,
    /// The location of the records; `None` on a page without records.
    pub(in crate::sources::rest) selector: Option<&'a Path>,
}

/// Detects the paginator of a source.
pub(in crate::sources::rest) fn paginator(
    outline: &ResponseOutline,
    first: &FirstPage<'_>,
) -> Detection {
    let requested: Vec<&str> = first.params.iter().map(|(_, value)| value.as_str()).collect();
    let records = first.selector.and_then(|selector| match outline.at(selector) {
        Some(ResponseOutline::List(list)) => Some(list.length),
        _ => None,
    });
    let is_record = records.is_none() && first.selector.is_some();
    let signs = signs(outline, &requested, is_record);
    detect(&Evidence {
        headers: first.headers,
        params: first.params,
        has_body: first.has_body,
        selector: first.selector,
        records,
        is_record,
        page_param: page_param(first.params, &signs),
        signs,
    })
}

/// The parameter for the number of a page: one of the request, or else the key of the number in the
/// response, if it is a usual name of a parameter.
fn page_param(params: &[(String, String)], signs: &Signs<'_>) -> String {
    let requested = params
        .iter()
        .find(|(name, _)| name != "number" && is_about(&plain(name), Topic::Page))
        .map(|(name, _)| name.as_str());
    let key = signs.page.as_ref().and_then(|(keys, _)| keys.last()).copied();
    let usual = |key: &&str| !matches!(plain(key).as_str(), "currentpage" | "number");
    requested.or_else(|| key.filter(usual)).unwrap_or("page").to_owned()
}

#[cfg(test)]
#[path = "tests/pages.rs"]
mod tests;
