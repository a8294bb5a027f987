//! What the first response shows of other pages, where the job names no paginator. Each paginator recognizes
//! itself in it.

use serde_json::Value;

use super::options::{MorePages, with_more, written};
use crate::fault::excerpt;
use crate::json::Path;

/// The keys from the root of a response to a value.
pub(crate) type KeyPath<'s> = Vec<&'s str>;

/// The first request and its response.
pub(crate) struct Evidence<'a> {
    /// The headers of the response; names in lower case.
    pub(crate) headers: &'a [(String, String)],
    /// The query of the request.
    pub(crate) params: &'a [(String, String)],
    /// Whether the request has a JSON body, which is where a token may belong.
    pub(crate) has_body: bool,
    /// Where the records are; `None` on a page without records.
    pub(crate) selector: Option<&'a Path>,
    /// The number of records, where they are a list.
    pub(crate) records: Option<u64>,
    /// Whether the response is a record itself.
    pub(crate) is_record: bool,
    /// The parameter of the query that the number of a page likely goes to.
    pub(crate) page_param: String,
    /// The values of the response that describe pages.
    pub(crate) signs: Signs<'a>,
}

/// The values of a response that describe pages; of several of one kind the first.
#[derive(Debug, Default)]
pub(crate) struct Signs<'s> {
    /// The URL of the next page.
    pub(crate) link: Option<KeyPath<'s>>,
    /// A list of links, one of which leads to the next page.
    pub(crate) links: Option<KeyPath<'s>>,
    /// A token, and the parameter that it likely goes to.
    pub(crate) token: Option<(KeyPath<'s>, String)>,
    /// A token that is not enough to request the next page.
    pub(crate) opaque: Option<KeyPath<'s>>,
    /// A key for the next page, without a value.
    pub(crate) none_next: Option<KeyPath<'s>>,
    /// The flag for more pages, and its value on the last page.
    pub(crate) more: Option<(KeyPath<'s>, bool)>,
    /// Whether the flag says that there are more pages.
    pub(crate) is_more: bool,
    pub(crate) page: Option<(KeyPath<'s>, i64)>,
    pub(crate) pages: Option<(KeyPath<'s>, i64)>,
    pub(crate) total: Option<(KeyPath<'s>, i64)>,
    pub(crate) offset: Option<(KeyPath<'s>, i64)>,
    pub(crate) limit: Option<(KeyPath<'s>, i64)>,
}

/// What a paginator finds in the evidence. The texts are for a person.
#[derive(Debug)]
pub(crate) enum Finding<P> {
    /// The pages follow one another in this way, shown by the text.
    Pages(P, String),
    /// There is one page, for this reason.
    Single(String),
    /// The sign of more pages, which cannot be requested without the job, and an example of what to write.
    Unknown(String, Value),
}

impl<P> Finding<P> {
    pub(super) fn map<Q>(self, to: impl FnOnce(P) -> Q) -> Finding<Q> {
        match self {
            Self::Pages(pages, sign) => Finding::Pages(to(pages), sign),
            Self::Single(reason) => Finding::Single(reason),
            Self::Unknown(sign, example) => Finding::Unknown(sign, example),
        }
    }
}

impl Evidence<'_> {
    /// The flag for more pages. It need not be on every page.
    pub(super) fn more(&self) -> Option<MorePages> {
        let (keys, at_end) = self.signs.more.as_ref()?;
        Some(MorePages { path: Path::of_keys(keys), at_end: *at_end, required: false })
    }

    /// The example of a paginator, with the flag for more pages.
    pub(super) fn example_with_more(&self, example: Value) -> Value {
        with_more(example, self.more().as_ref())
    }

    /// The flag for more pages, and its value.
    pub(super) fn shown_more(&self) -> String {
        match &self.signs.more {
            Some((keys, at_end)) => format!("{} is {}", shown(keys), self.signs.is_more != *at_end),
            None => String::new(),
        }
    }

    /// The value of a parameter of the request.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The path of a value, for a person.
pub(super) fn shown(keys: &[&str]) -> String {
    format!("{:?}", excerpt(&written(keys)))
}
