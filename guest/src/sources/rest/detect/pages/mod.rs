//! How pages follow one another, found in the first answer where the job does not say: as dlt finds it
//! (`sources/helpers/rest_client/detector.py`), and where dlt takes one page for all without a word.

use serde_json::{Value, json};

use super::names::{Topic, is_about, plain, written};
use super::signs::{Keys, Signs};
use crate::job::{CursorPages, LinkPages, More, Paginator, Place, RangePages};
use crate::json::Path;
use crate::sources::rest::outline::Outline;
use crate::sources::rest::paginate::{excerpt, link, value_of};

/// What is known of the first request and its answer.
pub(in crate::sources::rest) struct First<'a> {
    pub(in crate::sources::rest) headers: &'a [(String, String)],
    /// The query.
    pub(in crate::sources::rest) params: &'a [(String, String)],
    /// The request has a JSON body, where a token may belong.
    pub(in crate::sources::rest) has_body: bool,
    /// Where the records are; none on a page without records.
    pub(in crate::sources::rest) selector: Option<&'a Path>,
}

/// What the first answer shows of the pages.
#[derive(Debug)]
pub(in crate::sources::rest) enum Pages {
    /// They follow one another so; and what a person should know of it.
    Follow(Box<Paginator>, String),
    /// There are more, and it is not known how to ask for them: the message of the fault.
    Unknown(String),
}

/// Finds out how pages follow one another.
pub(in crate::sources::rest) fn pages(outline: &Outline, first: &First<'_>) -> Pages {
    let asked: Vec<&str> = first.params.iter().map(|(_, value)| value.as_str()).collect();
    let list = first.selector.and_then(|selector| match outline.at(selector) {
        Some(Outline::List(list)) => Some(list.length),
        _ => None,
    });
    let is_record = list.is_none() && first.selector.is_some();
    let signs = Signs::of(outline, &asked, is_record);
    Detect { first, signs, list, is_record }.pages()
}

struct Detect<'d> {
    first: &'d First<'d>,
    signs: Signs<'d>,
    /// How many records the page has, where they are a list.
    list: Option<u64>,
    /// The answer is a record itself.
    is_record: bool,
}

impl Detect<'_> {
    fn pages(&self) -> Pages {
        let signs = &self.signs;
        if link(self.first.headers, "next").is_some() {
            let paginator = Paginator::HeaderLink { rel: "next".to_owned() };
            return follow(paginator, "the link \"next\" of the header Link");
        }
        if let Some((header, param)) = self.header_token() {
            let why = format!("the header {header}");
            let paginator =
                Paginator::HeaderCursor { header: header.to_owned(), param: param.to_owned() };
            return follow(paginator, &why);
        }
        if signs.more.is_some() && !signs.is_more {
            return single(&format!("{} says that there is no more", self.shown_more()));
        }
        if let Some(keys) = signs.link.as_ref().or(signs.links.as_ref()) {
            let pages = LinkPages {
                next_url: Path::of_keys(keys),
                stop_after_empty_page: false,
                more: self.more(),
            };
            return follow(Paginator::JsonLink(pages), &format!("the URL at {}", shown(keys)));
        }
        if let (Some(_), Some(page)) = (&signs.pages, &signs.page) {
            return self.by_number(Some(page));
        }
        if let Some((keys, param)) = &signs.token {
            if self.first.has_body {
                let example = merged(self.cursor(&written(keys)), self.more_json());
                return unknown(&format!("a token at {}", shown(keys)), &example);
            }
            let pages = CursorPages {
                token: Path::of_keys(keys),
                place: Place::Query(param.clone()),
                stop_after_empty_page: false,
                more: self.more(),
            };
            return follow(Paginator::Cursor(pages), &format!("the token at {}", shown(keys)));
        }
        if signs.pages.as_ref().is_some_and(|(_, pages)| *pages > 1) {
            return self.by_number(None);
        }
        self.by_offset().or_else(|| self.by_page()).unwrap_or_else(|| self.otherwise())
    }

    /// A header with a token for the next page, and the parameter that it goes to.
    fn header_token(&self) -> Option<(&'static str, &'static str)> {
        const TOKENS: &[(&str, &str)] = &[
            ("x-next-page", "page"),
            ("x-next-cursor", "cursor"),
            ("next-cursor", "cursor"),
            ("x-ms-continuationtoken", "continuationToken"),
        ];
        let filled =
            |name: &str| value_of(self.first.headers, name).is_some_and(|it| !it.is_empty());
        TOKENS.iter().find(|(header, _)| filled(header)).copied()
    }

    /// Pages by number, of which the source says how many there are.
    fn by_number(&self, page: Option<&(Keys<'_>, i64)>) -> Pages {
        let Some((keys, pages)) = &self.signs.pages else { return self.otherwise() };
        let place = self.page_param(page);
        let asked = self.asked(&place).and_then(|value| value.parse().ok());
        // Without a word of it dlt counts from 0, and so does this; one that counts from 1 answers the
        // same page again then, and the load fails.
        let number = page.map(|(_, number)| *number).or(asked).unwrap_or(0);
        let base = i64::from(number > 0);
        if number.saturating_add(1) >= pages.saturating_add(base) {
            return single(&format!("{} is {pages}", shown(keys)));
        }
        if self.first.has_body {
            let example = json!({"type": "page_number", "base_page": base, "page_body_path": "page",
                                 "total_path": written(keys)});
            return unknown(&format!("{} of {pages}", shown(keys)), &example);
        }
        let range = RangePages {
            unit: "pages",
            first: number,
            step: 1,
            base,
            place: Place::Query(place),
            limit: None,
            total: Some(Path::of_keys(keys)),
            maximum: None,
            full_page: None,
            end_statuses: Vec::new(),
            stop_after_empty_page: true,
            more: None,
        };
        let from = match page {
            Some((told, _)) => format!(", and this one is {number} by {}", shown(told)),
            None => String::new(),
        };
        follow(Paginator::Range(range), &format!("the number of pages at {}{from}", shown(keys)))
    }

    /// Pages by offset: where the answer tells it, the size of a page and how far it goes.
    fn by_offset(&self) -> Option<Pages> {
        let signs = &self.signs;
        let ((offset, from), (limit, size)) = (signs.offset.as_ref()?, signs.limit.as_ref()?);
        let records = i64::try_from(self.list?).ok()?;
        let (base, step) = ((*from).min(1), *size);
        let total = signs.total.as_ref();
        let ends = total
            .is_some_and(|(_, total)| from.saturating_add(records) >= total.saturating_add(base));
        if *from < 0 || step < 1 || records != step || ends || self.first.has_body {
            return None;
        }
        if total.is_none() && !signs.is_more {
            return None;
        }
        let (offset_param, limit_param) = (*offset.last()?, *limit.last()?);
        let range = RangePages {
            unit: "items",
            first: *from,
            step,
            base,
            place: Place::Query(offset_param.to_owned()),
            limit: Some(Place::Query(limit_param.to_owned())),
            total: total.map(|(keys, _)| Path::of_keys(keys)),
            maximum: None,
            full_page: None,
            end_statuses: Vec::new(),
            stop_after_empty_page: true,
            more: self.more(),
        };
        Some(follow(Paginator::Range(range), &format!("{} and {}", shown(offset), shown(limit))))
    }

    /// Pages by number, where the answer tells its own and that there is more.
    fn by_page(&self) -> Option<Pages> {
        let signs = &self.signs;
        let page @ (keys, number) = signs.page.as_ref()?;
        if !signs.is_more || self.first.has_body {
            return None;
        }
        let range = RangePages {
            unit: "pages",
            first: *number,
            step: 1,
            base: i64::from(*number > 0),
            place: Place::Query(self.page_param(Some(page))),
            limit: None,
            total: None,
            maximum: None,
            full_page: None,
            end_statuses: Vec::new(),
            stop_after_empty_page: true,
            more: self.more(),
        };
        Some(follow(Paginator::Range(range), &format!("the number of the page at {}", shown(keys))))
    }

    /// Nothing that can be followed: one page, or an answer that says that it is not all.
    fn otherwise(&self) -> Pages {
        let (signs, headers) = (&self.signs, self.first.headers);
        let header = |name: &str| value_of(headers, name).and_then(|it| it.parse::<u64>().ok());
        let last = |key: &str| match self.first.selector.map(Path::as_str) {
            None | Some("$") => format!("[-1].{key}"),
            Some(path) => format!("{path}[-1].{key}"),
        };
        if signs.is_more {
            let token = signs.opaque.as_ref().map_or_else(|| last("id"), |keys| written(keys));
            let example = self.cursor(&token);
            return unknown(&self.shown_more(), &merged(example, self.more_json()));
        }
        for name in ["x-total-pages", "x-wp-totalpages", "x-pagination-page-count"] {
            if header(name).is_some_and(|pages| pages > 1) {
                let example = json!({"type": "page_number", "base_page": 1, "total_path": null});
                return unknown(&format!("the header {name}"), &example);
            }
        }
        if let Some(keys) = &signs.none_next {
            return single(&format!("{} is empty", shown(keys)));
        }
        if let Some(keys) = &signs.opaque {
            return unknown(&format!("a token at {}", shown(keys)), &self.cursor(&written(keys)));
        }
        let records = self.list.filter(|records| *records > 0);
        let beyond = |total: u64| records.is_some_and(|records| total > records);
        let by_offset = |total: Value| json!({"type": "offset", "limit": records.unwrap_or(100), "total_path": total});
        // One that began further on has pages before it.
        let begun = signs.offset.as_ref().map_or(0, |(_, from)| (*from).max(0));
        if let Some((keys, total)) = &signs.total
            && !self.is_record
            && beyond(u64::try_from(total.saturating_sub(begun)).unwrap_or(0))
        {
            let sign =
                format!("{} is {total}, and the page has {}", shown(keys), records.unwrap_or(0));
            return unknown(&sign, &by_offset(written(keys).into()));
        }
        for name in ["x-total-count", "x-total", "x-wp-total"] {
            if header(name).is_some_and(beyond) {
                return unknown(&format!("the header {name}"), &by_offset(Value::Null));
            }
        }
        single("the answer shows no sign of more pages")
    }

    /// Where the source says whether there is more; what is found need not be on every page.
    fn more(&self) -> Option<More> {
        let (keys, at_end) = self.signs.more.as_ref()?;
        Some(More { path: Path::of_keys(keys), at_end: *at_end, required: false })
    }

    fn more_json(&self) -> Value {
        match &self.signs.more {
            None => json!({}),
            Some((keys, false)) => json!({"has_more_path": written(keys)}),
            Some((keys, true)) => json!({"end_path": written(keys)}),
        }
    }

    /// A paginator by a token, of which it is not known where it goes.
    fn cursor(&self, token: &str) -> Value {
        match self.first.has_body {
            true => {
                json!({"type": "cursor", "cursor_path": token, "cursor_body_path": "variables.after"})
            }
            false => json!({"type": "cursor", "cursor_path": token, "cursor_param": ".."}),
        }
    }

    fn shown_more(&self) -> String {
        match &self.signs.more {
            Some((keys, at_end)) => format!("{} is {}", shown(keys), self.signs.is_more != *at_end),
            None => String::new(),
        }
    }

    /// The parameter that the number of a page goes to: the one that the request has, else what the
    /// answer calls it, if that is usual for a parameter.
    fn page_param(&self, page: Option<&(Keys<'_>, i64)>) -> String {
        let mut asked = self.first.params.iter();
        let asked = asked.find(|(name, _)| name != "number" && is_about(&plain(name), Topic::Page));
        let told = page.and_then(|(keys, _)| keys.last()).copied();
        let usual = |key: &&str| !matches!(plain(key).as_str(), "currentpage" | "number");
        asked
            .map(|(name, _)| name.clone())
            .or_else(|| told.filter(usual).map(str::to_owned))
            .unwrap_or_else(|| "page".to_owned())
    }

    fn asked(&self, param: &str) -> Option<&str> {
        self.first.params.iter().find(|(name, _)| name == param).map(|(_, value)| value.as_str())
    }
}

fn follow(paginator: Paginator, why: &str) -> Pages {
    let said = format!(
        "the pages are taken to follow one another by {why}: \"paginator\": {} says so",
        described(&paginator)
    );
    Pages::Follow(Box::new(paginator), said)
}

fn single(why: &str) -> Pages {
    let said = format!(
        "one page is taken for all, because {why}: \"paginator\": \"single_page\" says so, and another \
         paginator where there are more"
    );
    Pages::Follow(Box::new(Paginator::SinglePage), said)
}

fn unknown(sign: &str, example: &Value) -> Pages {
    Pages::Unknown(format!(
        "expected to know how to ask for the next page, for the answer is not the last by {sign}, found no \
         paginator: name one, such as \"paginator\": {example}, or \"single_page\" where this page is all"
    ))
}

fn shown(keys: &[&str]) -> String {
    format!("{:?}", excerpt(&written(keys)))
}

/// The paginator as a job says it.
fn described(paginator: &Paginator) -> Value {
    let path = |path: &Path| {
        let keys: Vec<&str> = path
            .segments()
            .iter()
            .filter_map(|step| match step {
                crate::json::Segment::Key(key) => Some(key.as_str()),
                _ => None,
            })
            .collect();
        written(&keys)
    };
    let more = |more: &Option<More>| match more {
        None => json!({}),
        Some(more) if more.at_end => json!({"end_path": path(&more.path)}),
        Some(more) => json!({"has_more_path": path(&more.path)}),
    };
    let param = |place: &Place| match place {
        Place::Query(name) => name.clone(),
        Place::Body(keys) => keys.join("."),
    };
    match paginator {
        Paginator::Auto | Paginator::SinglePage => json!("single_page"),
        Paginator::HeaderLink { .. } => json!("header_link"),
        Paginator::HeaderCursor { header, param } => {
            json!({"type": "header_cursor", "cursor_key": header, "cursor_param": param})
        }
        Paginator::JsonLink(pages) => merged(
            json!({"type": "json_link", "next_url_path": path(&pages.next_url)}),
            more(&pages.more),
        ),
        Paginator::Cursor(pages) => merged(
            json!({"type": "cursor", "cursor_path": path(&pages.token), "cursor_param": param(&pages.place)}),
            more(&pages.more),
        ),
        Paginator::Range(pages) => {
            let total = pages.total.as_ref().map(path);
            let said = match &pages.limit {
                Some(limit) => json!({
                    "type": "offset", "limit": pages.step, "offset_param": param(&pages.place),
                    "limit_param": param(limit), "total_path": total,
                }),
                None => json!({
                    "type": "page_number", "base_page": pages.base, "page_param": param(&pages.place),
                    "total_path": total,
                }),
            };
            merged(said, more(&pages.more))
        }
    }
}

fn merged(one: Value, other: Value) -> Value {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            one.extend(other);
            Value::Object(one)
        }
        (one, _) => one,
    }
}

#[cfg(test)]
mod tests;
