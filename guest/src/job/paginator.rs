//! How a source splits its answers into pages: dlt's paginators, as configuration. What they do is
//! in `crate::source::paginate`.

use serde_json::Value;

use super::path::Path;
use super::read::{Keys, Object, choice};
use crate::fault::Result;

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
    JsonLink {
        /// Where it is.
        next_url: Path,
    },
    /// A number that grows: an offset or a page's number.
    Range(RangePages),
    /// There is one page.
    SinglePage,
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
    /// Where the source says that there is more, if it does.
    pub has_more: Option<Path>,
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
    /// A page without records is the last.
    pub stop_after_empty_page: bool,
    /// Where the source says that there is more, if it does.
    pub has_more: Option<Path>,
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
            return Err(super::read::wrong_type(
                &format!("an object or one of {words}"),
                value,
                place,
            ));
        };
        let kind = match map.get("type").filter(|t| !t.is_null()) {
            Some(name) => choice(name, &super::read::member(place, "type"), TYPES)?,
            None => {
                return Err(super::read::at(
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
            ],
            Self::HeaderCursor => &["type", "cursor_key", "cursor_param"],
            Self::HeaderLink => &["type", "links_next_key"],
            Self::JsonLink => &["type", "next_url_path"],
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
                "has_more_path",
            ],
            Self::PageNumber => &[
                "type",
                "base_page",
                "page",
                "page_param",
                "page_body_path",
                "total_path",
                "maximum_page",
                "stop_after_empty_page",
                "has_more_path",
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
                has_more: path(object, "has_more_path")?,
            }),
            Self::HeaderCursor => Paginator::HeaderCursor {
                header: object.text("cursor_key")?.unwrap_or("next").to_ascii_lowercase(),
                param: object.text("cursor_param")?.unwrap_or("cursor").to_owned(),
            },
            Self::HeaderLink => Paginator::HeaderLink {
                rel: object.text("links_next_key")?.unwrap_or("next").to_owned(),
            },
            Self::JsonLink => Paginator::JsonLink {
                next_url: match path(object, "next_url_path")? {
                    Some(path) => path,
                    None => Path::parse("next")?,
                },
            },
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
                        stop_after_empty_page: true,
                        has_more: None,
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
                        stop_after_empty_page: true,
                        has_more: None,
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
    let pages = RangePages {
        // Left out it is "total"; null means that the source does not say.
        total: match (path(object, "total_path")?, object.has("total_path")) {
            (None, false) => Some(Path::parse("total")?),
            (path, _) => path,
        },
        stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(true),
        has_more: path(object, "has_more_path")?,
        ..pages
    };
    if pages.total.is_none()
        && pages.maximum.is_none()
        && pages.has_more.is_none()
        && !pages.stop_after_empty_page
    {
        return Err(object.fault(
            "expected a way to know the last page: total_path, a maximum, has_more_path or \
             stop_after_empty_page",
        ));
    }
    Ok(pages)
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
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_the_defaults_of_dlt() {
        let read = |value: Value| Paginator::parse(&value, "paginator").unwrap();
        assert_eq!(read(json!("auto")), Paginator::Auto);
        assert_eq!(read(json!({"type": "single_page"})), Paginator::SinglePage);
        assert_eq!(
            read(json!("json_response")),
            read(json!({"type": "json_link", "next_url_path": "next"}))
        );
        assert_eq!(read(json!("header_link")), Paginator::HeaderLink { rel: "next".to_owned() });
        assert_eq!(
            read(json!({"type": "header_cursor", "cursor_key": "X-Next"})),
            Paginator::HeaderCursor { header: "x-next".to_owned(), param: "cursor".to_owned() }
        );
        let Paginator::Cursor(cursor) = read(json!("cursor")) else { panic!() };
        assert_eq!(cursor.token.as_str(), "cursors.next");
        assert_eq!(cursor.place, Place::Query("cursor".to_owned()));
        assert!(!cursor.stop_after_empty_page);
        let Paginator::Range(offset) =
            read(json!({"type": "offset", "limit": 50, "limit_body_path": "page.size"}))
        else {
            panic!()
        };
        assert_eq!((offset.first, offset.step, offset.stop_after_empty_page), (0, 50, true));
        assert_eq!(offset.place, Place::Query("offset".to_owned()));
        assert_eq!(offset.limit, Some(Place::Body(vec!["page".to_owned(), "size".to_owned()])));
        assert_eq!(offset.total.unwrap().as_str(), "total");
        let Paginator::Range(pages) =
            read(json!({"type": "page_number", "base_page": 1, "total_path": null}))
        else {
            panic!()
        };
        assert_eq!((pages.first, pages.base, pages.step), (1, 1, 1));
        assert_eq!(pages.total, None);
    }

    #[test]
    fn names_mistakes() {
        let check = |value: Value, message: &str| {
            let fault = Paginator::parse(&value, "paginator").unwrap_err();
            assert_eq!(fault.to_string(), format!("paginator{message}"));
        };
        check(json!("ofset"), ": unknown \"ofset\", did you mean \"offset\"?");
        check(json!("offset"), ".limit: expected a whole number, found nothing");
        check(
            json!(1),
            ": expected an object or one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor, found 1",
        );
        check(
            json!({}),
            ": expected a \"type\", one of auto, single_page, cursor, offset, page_number, json_link, json_response, header_link, header_cursor",
        );
        check(
            json!({"type": "cursor", "cursor_parm": "x"}),
            ": unknown key \"cursor_parm\", did you mean \"cursor_param\"?",
        );
        check(
            json!({"type": "cursor", "cursor_param": "a", "cursor_body_path": "b"}),
            ": expected \"cursor_param\" or \"cursor_body_path\", found both",
        );
        check(
            json!({"type": "cursor", "cursor_body_path": "b..c"}),
            ".cursor_body_path: expected keys with dots between them, found \"b..c\"",
        );
        check(
            json!({"type": "offset", "limit": 0}),
            ".limit: expected a whole number from 1 to 4294967295, found 0",
        );
        check(
            json!({"type": "offset", "limit": 1, "total_path": null, "stop_after_empty_page": false}),
            ": expected a way to know the last page: total_path, a maximum, has_more_path or stop_after_empty_page",
        );
        check(
            json!({"type": "json_link", "next_url_path": "a..b"}),
            ".next_url_path: expected a path such as a.b, $['a b'] or items[*].id, found \"a..b\": \"..\" is not supported: name the keys between",
        );
    }
}
