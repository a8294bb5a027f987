//! How a source splits its answers into pages: dlt's paginators, as configuration. What they do is
//! in `crate::sources::rest::paginate`.

use serde_json::Value;

use super::parse::{Keys, Object, choice};
use crate::fault::Result;
use crate::json::Path;

/// A way to get from one page to the next.
#[derive(Clone, Debug, PartialEq)]
pub enum Paginator {
    /// Found out from the first answer.
    Auto,
    /// A token in the body, given back in the next request.
    Cursor(CursorPages),
    /// A token in a header, given back in the next request's query.
    HeaderCursor {
        /// The header, in lower case.
        header: String,
        /// The parameter.
        param: String,
    },
    /// A URL in the `link` header.
    HeaderLink {
        /// The relation of the link that is followed.
        rel: String,
    },
    /// A URL in the body.
    JsonLink(LinkPages),
    /// A number that grows: an offset or a page's number.
    Range(RangePages),
    /// There is one page.
    SinglePage,
}

/// Pages named by a URL.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPages {
    /// Where the URL is; or a list of links, of which that with the relation `next` is followed.
    pub next_url: Path,
    /// A page without records is the last.
    pub stop_after_empty_page: bool,
    /// Where the source says whether there are more pages, if it does.
    pub more: Option<More>,
}

/// Where a source says whether there are more pages.
#[derive(Clone, Debug, PartialEq)]
pub struct More {
    /// The path of a value that is true or false.
    pub path: Path,
    /// What it is if there are no more pages.
    pub at_end: bool,
    /// Every page has to say it.
    pub required: bool,
}

/// Pages named by a token.
#[derive(Clone, Debug, PartialEq)]
pub struct CursorPages {
    /// Where the token is.
    pub token: Path,
    /// Where it goes.
    pub place: Place,
    /// A page without records is the last.
    pub stop_after_empty_page: bool,
    /// Where the source says whether there are more pages, if it does.
    pub more: Option<More>,
}

/// Pages named by a number.
#[derive(Clone, Debug, PartialEq)]
pub struct RangePages {
    /// What is counted, for a person: items or pages.
    pub unit: &'static str,
    /// The number of the first page.
    pub first: i64,
    /// How much it grows from page to page; at least 1.
    pub step: i64,
    /// The number the source begins to count with.
    pub base: i64,
    /// Where the number goes.
    pub place: Place,
    /// Where the size of a page goes, for offsets.
    pub limit: Option<Place>,
    /// Where the source says how many there are, if it does.
    pub total: Option<Path>,
    /// The number at which to stop.
    pub maximum: Option<i64>,
    /// A page with fewer records than this is the last.
    pub full_page: Option<u64>,
    /// An answer with one of these statuses to a page behind the first ends the pages.
    pub end_statuses: Vec<u16>,
    /// A page without records is the last.
    pub stop_after_empty_page: bool,
    /// Where the source says whether there are more pages, if it does.
    pub more: Option<More>,
}

/// Where a value goes in a request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Place {
    /// Into the JSON body, under these keys.
    Body(Vec<String>),
    /// Into the query, as this parameter.
    Query(String),
}

impl Paginator {
    /// Reads a paginator: a word, or an object with a type.
    pub(super) fn parse(value: &Value, place: &str) -> Result<Self> {
        let empty = Value::Object(serde_json::Map::new());
        if value.is_string() {
            let kind = choice(value, place, TYPES)?;
            return kind.read(&Object::new(&empty, place, kind.keys())?);
        }
        let words = TYPES.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(", ");
        let Value::Object(map) = value else {
            return Err(super::parse::wrong_type(
                &format!("an object or one of {words}"),
                value,
                place,
            ));
        };
        let kind = match map.get("type").filter(|t| !t.is_null()) {
            Some(name) => choice(name, &super::parse::member(place, "type"), TYPES)?,
            None => {
                return Err(super::parse::at(
                    place,
                    format_args!("expected a \"type\", one of {words}"),
                ));
            }
        };
        kind.read(&Object::new(value, place, kind.keys())?)
    }
}

#[derive(Clone, Copy)]
enum Type {
    Auto,
    Cursor,
    HeaderCursor,
    HeaderLink,
    JsonLink,
    Offset,
    PageNumber,
    SinglePage,
}

const TYPES: &[(&str, Type)] = &[
    ("auto", Type::Auto),
    ("single_page", Type::SinglePage),
    ("cursor", Type::Cursor),
    ("offset", Type::Offset),
    ("page_number", Type::PageNumber),
    ("json_link", Type::JsonLink),
    ("json_response", Type::JsonLink),
    ("header_link", Type::HeaderLink),
    ("header_cursor", Type::HeaderCursor),
];

impl Type {
    const fn keys(self) -> Keys {
        Keys::of(match self {
            Self::Auto | Self::SinglePage => &["type"],
            Self::Cursor => &[
                "type",
                "cursor_path",
                "cursor_param",
                "cursor_body_path",
                "stop_after_empty_page",
                "has_more_path",
                "end_path",
            ],
            Self::HeaderCursor => &["type", "cursor_key", "cursor_param"],
            Self::HeaderLink => &["type", "links_next_key"],
            Self::JsonLink => {
                &["type", "next_url_path", "stop_after_empty_page", "has_more_path", "end_path"]
            }
            Self::Offset => &[
                "type",
                "limit",
                "offset",
                "offset_param",
                "offset_body_path",
                "limit_param",
                "limit_body_path",
                "total_path",
                "maximum_offset",
                "stop_after_empty_page",
                "stop_at_short_page",
                "has_more_path",
                "end_path",
                "end_status_codes",
            ],
            Self::PageNumber => &[
                "type",
                "base_page",
                "page",
                "page_param",
                "page_body_path",
                "total_path",
                "maximum_page",
                "page_size",
                "stop_after_empty_page",
                "stop_at_short_page",
                "has_more_path",
                "end_path",
                "end_status_codes",
            ],
        })
    }

    fn read(self, object: &Object<'_>) -> Result<Paginator> {
        Ok(match self {
            Self::Auto => Paginator::Auto,
            Self::Cursor => Paginator::Cursor(CursorPages {
                token: match path(object, "cursor_path")? {
                    Some(path) => path,
                    None => Path::parse("cursors.next")?,
                },
                place: place(object, "cursor_param", "cursor_body_path", "cursor")?,
                stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(false),
                more: more(object)?,
            }),
            Self::HeaderCursor => Paginator::HeaderCursor {
                header: object.text("cursor_key")?.unwrap_or("next").to_ascii_lowercase(),
                param: object.text("cursor_param")?.unwrap_or("cursor").to_owned(),
            },
            Self::HeaderLink => Paginator::HeaderLink {
                rel: object.text("links_next_key")?.unwrap_or("next").to_owned(),
            },
            Self::JsonLink => Paginator::JsonLink(LinkPages {
                next_url: match path(object, "next_url_path")? {
                    Some(path) => path,
                    None => Path::parse("next")?,
                },
                stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(false),
                more: more(object)?,
            }),
            Self::Offset => {
                let Some(limit) = object.whole("limit", 1, i64::from(u32::MAX))? else {
                    return Err(object.missing("limit", "a whole number"));
                };
                Paginator::Range(range(
                    object,
                    RangePages {
                        unit: "items",
                        first: object.whole("offset", 0, MAXIMUM)?.unwrap_or(0),
                        step: limit,
                        base: 0,
                        place: place(object, "offset_param", "offset_body_path", "offset")?,
                        limit: Some(place(object, "limit_param", "limit_body_path", "limit")?),
                        total: None,
                        maximum: object.whole("maximum_offset", 0, MAXIMUM)?,
                        full_page: u64::try_from(limit).ok(),
                        end_statuses: Vec::new(),
                        stop_after_empty_page: true,
                        more: None,
                    },
                )?)
            }
            Self::PageNumber => {
                let base = object.whole("base_page", 0, MAXIMUM)?.unwrap_or(0);
                Paginator::Range(range(
                    object,
                    RangePages {
                        unit: "pages",
                        first: object.whole("page", 0, MAXIMUM)?.unwrap_or(base),
                        step: 1,
                        base,
                        place: place(object, "page_param", "page_body_path", "page")?,
                        limit: None,
                        total: None,
                        maximum: object.whole("maximum_page", 0, MAXIMUM)?,
                        full_page: object
                            .whole("page_size", 1, i64::from(u32::MAX))?
                            .and_then(|size| u64::try_from(size).ok()),
                        end_statuses: Vec::new(),
                        stop_after_empty_page: true,
                        more: None,
                    },
                )?)
            }
            Self::SinglePage => Paginator::SinglePage,
        })
    }
}

/// Far beyond any source, and far from where sums of such numbers wrap.
const MAXIMUM: i64 = 1 << 53;

fn range(object: &Object<'_>, pages: RangePages) -> Result<RangePages> {
    let short = object.boolean("stop_at_short_page")?.unwrap_or(false);
    if short && pages.full_page.is_none() {
        return Err(
            object.missing("page_size", "the records of a full page, for stop_at_short_page")
        );
    }
    if !short && object.get("page_size").is_some() {
        let message = "expected stop_at_short_page: true beside it, for which it is";
        return Err(object.fault_at("page_size", message));
    }
    let pages = RangePages {
        // The default is "total", unless something else ends the pages. Null: the source gives no total.
        total: match (path(object, "total_path")?, object.has("total_path")) {
            (None, false) if !short => Some(Path::parse("total")?),
            (path, _) => path,
        },
        full_page: pages.full_page.filter(|_| short),
        end_statuses: end_statuses(object)?,
        stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(true),
        more: more(object)?,
        ..pages
    };
    if pages.total.is_none()
        && pages.maximum.is_none()
        && pages.more.is_none()
        && pages.full_page.is_none()
        && pages.end_statuses.is_empty()
        && !pages.stop_after_empty_page
    {
        return Err(object.fault(
            "expected a way to know the last page: total_path, a maximum, has_more_path, end_path, \
             stop_after_empty_page, stop_at_short_page or end_status_codes",
        ));
    }
    Ok(pages)
}

/// Where the source says whether there are more pages: at `has_more_path` true if so, at `end_path` false.
fn more(object: &Object<'_>) -> Result<Option<More>> {
    match (path(object, "has_more_path")?, path(object, "end_path")?) {
        (Some(_), Some(_)) => {
            Err(object.fault("expected \"has_more_path\" or \"end_path\", found both"))
        }
        (Some(path), None) => Ok(Some(More { path, at_end: false, required: true })),
        (None, Some(path)) => Ok(Some(More { path, at_end: true, required: true })),
        (None, None) => Ok(None),
    }
}

fn end_statuses(object: &Object<'_>) -> Result<Vec<u16>> {
    let codes = object.list("end_status_codes")?.map_or(&[][..], Vec::as_slice);
    let read = |(n, code): (usize, &Value)| {
        let status = code.as_u64().and_then(|code| u16::try_from(code).ok());
        status.filter(|status| (400..500).contains(status)).ok_or_else(|| {
            let place = super::parse::element(&object.place_of("end_status_codes"), n);
            super::parse::wrong_type("a status from 400 to 499", code, &place)
        })
    };
    codes.iter().enumerate().map(read).collect()
}

fn path(object: &Object<'_>, key: &str) -> Result<Option<Path>> {
    let Some(text) = object.text(key)? else { return Ok(None) };
    Path::parse(text).map(Some).map_err(|fault| fault.at(object.place_of(key)))
}

fn place(object: &Object<'_>, param: &str, body: &str, default: &str) -> Result<Place> {
    match (object.text(param)?, object.text(body)?) {
        (Some(_), Some(_)) => {
            Err(object.fault(format_args!("expected {param:?} or {body:?}, found both")))
        }
        (_, Some(path)) if path.split('.').any(str::is_empty) => Err(object
            .fault_at(body, format_args!("expected keys with dots between them, found {path:?}"))),
        (_, Some(path)) => Ok(Place::Body(path.split('.').map(str::to_owned).collect())),
        (param, None) => Ok(Place::Query(param.unwrap_or(default).to_owned())),
    }
}

#[cfg(test)]
mod tests;
