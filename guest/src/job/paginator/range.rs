//! Pages named by a number that grows: what `offset` and `page_number` have in common.

use serde_json::{Value, json};

use super::options::{MorePages, ParamLocation, is_more, path, reads, with_more, written_path};
use super::page::{NextPage, PageFacts, Pages, Repetition, captured};
use crate::fault::{Fault, Result, excerpt};
use crate::job::parse::{JobObject, element, wrong_type};
use crate::json::Path;

/// Pages named by a number.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RangePages {
    /// What is counted, for a person: items or pages.
    pub(crate) unit: &'static str,
    /// The number of the first page.
    pub(crate) first: i64,
    /// The difference between the numbers of two pages; at least 1.
    pub(crate) step: i64,
    /// The number that the source begins to count with.
    pub(crate) base: i64,
    /// Where the number goes.
    pub(crate) location: ParamLocation,
    /// Where the size of a page goes, for offsets.
    pub(crate) limit: Option<ParamLocation>,
    /// The path of the total number of items or pages, if the source gives it.
    pub(crate) total: Option<Path>,
    /// The number at which to stop.
    pub(crate) maximum: Option<i64>,
    /// The number of records below which a page is the last.
    pub(crate) full_page: Option<u64>,
    /// The statuses of a response that end the pages, after the first one.
    pub(crate) end_statuses: Vec<u16>,
    /// Whether a page without records is the last.
    pub(crate) stop_after_empty_page: bool,
    /// The flag for more pages.
    pub(crate) more: Option<MorePages>,
    /// The greatest number of pages that are requested at once.
    pub(crate) parallel: usize,
}

impl RangePages {
    /// Pages that end with an empty one.
    pub(super) const fn new(unit: &'static str, step: i64, location: ParamLocation) -> Self {
        Self {
            unit,
            first: 0,
            step,
            base: 0,
            location,
            limit: None,
            total: None,
            maximum: None,
            full_page: None,
            end_statuses: Vec::new(),
            stop_after_empty_page: true,
            more: None,
            parallel: 1,
        }
    }

    /// Reads the options that end the pages.
    pub(super) fn ended(self, object: &JobObject<'_>) -> Result<Self> {
        let short = object.boolean("stop_at_short_page")?.unwrap_or(false);
        if short && self.full_page.is_none() {
            return Err(
                object.missing("page_size", "the records of a full page, for stop_at_short_page")
            );
        }
        if !short && object.get("page_size").is_some() {
            let message = "page_size has an effect only with \"stop_at_short_page\": true";
            return Err(object.fault_at("page_size", message));
        }
        let pages = Self {
            // The default is "total", unless something else ends the pages. Null: the source gives no total.
            total: match (path(object, "total_path")?, object.has("total_path")) {
                (None, false) if !short => Some(Path::parse("total")?),
                (path, _) => path,
            },
            full_page: self.full_page.filter(|_| short),
            end_statuses: end_statuses(object)?,
            stop_after_empty_page: object.boolean("stop_after_empty_page")?.unwrap_or(true),
            more: MorePages::parse(object)?,
            parallel: object
                .whole("parallel", 1, MAX_PARALLEL)?
                .and_then(|pages| usize::try_from(pages).ok())
                .unwrap_or(1),
            ..self
        };
        if pages.never_ends() {
            return Err(object.fault(
                "expected a way to know the last page: total_path, a maximum, has_more_path, end_path, \
                 stop_after_empty_page, stop_at_short_page or end_status_codes",
            ));
        }
        Ok(pages)
    }

    fn never_ends(&self) -> bool {
        self.total.is_none()
            && self.maximum.is_none()
            && self.more.is_none()
            && self.full_page.is_none()
            && self.end_statuses.is_empty()
            && !self.stop_after_empty_page
    }
}

impl Pages for RangePages {
    fn describe(&self) -> Value {
        let total = self.total.as_ref().map(written_path);
        let range = match &self.limit {
            Some(limit) => json!({
                "type": "offset", "limit": self.step, "offset_param": self.location.written(),
                "limit_param": limit.written(), "total_path": total,
            }),
            None => json!({
                "type": "page_number", "base_page": self.base, "page_param": self.location.written(),
                "total_path": total,
            }),
        };
        with_more(range, self.more.as_ref())
    }

    fn after(&self, page: &PageFacts<'_>, number: &mut i64) -> Result<NextPage> {
        if self.stop_after_empty_page && page.records == 0 {
            return Ok(NextPage::End);
        }
        let end = self.end(page)?;
        *number = number.saturating_add(self.step);
        let beyond = end.is_some_and(|end| *number >= end);
        // Read in any case, so that a wrong path does not go unnoticed until there are more pages.
        let more = is_more(self.more.as_ref(), page, usize::from(self.total.is_some()))?;
        let short = self.full_page.is_some_and(|full| page.records < full);
        if beyond || short || !more {
            return Ok(NextPage::End);
        }
        Ok(NextPage::Set(self.location.clone(), Value::from(*number)))
    }

    fn end(&self, page: &PageFacts<'_>) -> Result<Option<i64>> {
        let total = self.total.as_ref().map(|path| total(path, self.unit, page)).transpose()?;
        let ends = total.map(|total| total.saturating_add(self.base));
        Ok(ends.into_iter().chain(self.maximum).min())
    }

    fn parallel(&self) -> usize {
        self.parallel
    }

    fn later(&self, number: i64, pages: usize) -> Option<(ParamLocation, Value, i64)> {
        let pages = i64::try_from(pages).unwrap_or(i64::MAX);
        let number = number.saturating_add(self.step.saturating_mul(pages));
        Some((self.location.clone(), Value::from(number), number))
    }

    fn reads(&self) -> Vec<Path> {
        reads(self.total.as_ref(), self.more.as_ref())
    }

    fn first(&self) -> Vec<(ParamLocation, Value)> {
        let mut first = vec![(self.location.clone(), Value::from(self.first))];
        first.extend(self.limit.clone().map(|limit| (limit, Value::from(self.step))));
        first
    }

    fn first_number(&self) -> i64 {
        self.first
    }

    fn parameter(&self) -> Option<&str> {
        self.location.name()
    }

    fn page_size(&self) -> Option<u64> {
        self.limit.as_ref().and_then(|_| u64::try_from(self.step).ok())
    }

    fn end_statuses(&self) -> &[u16] {
        &self.end_statuses
    }

    fn writes_body(&self) -> bool {
        self.location.is_body() || self.limit.as_ref().is_some_and(ParamLocation::is_body)
    }

    fn ends_by_response(&self) -> bool {
        self.maximum.is_none()
    }

    fn repetition(&self) -> Repetition {
        // A number does not repeat.
        Repetition::Allowed
    }
}

/// The greatest number of pages that are requested at once.
pub(super) const MAX_PARALLEL: i64 = 32;

/// Beyond the pages of any source, and so small that sums of two such numbers do not overflow.
pub(super) const MAXIMUM: i64 = 1 << 53;

/// The total number, which is a number or a string of one.
fn total(path: &Path, unit: &str, page: &PageFacts<'_>) -> Result<i64> {
    let found = captured(page, 0)?;
    let number = match &found {
        Some(Value::Number(number)) => {
            // A number beyond i64 is as good as endless.
            number.as_i64().or_else(|| number.as_f64().map(|real| real.trunc() as i64))
        }
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| {
        let found = found.map_or_else(|| "nothing".to_owned(), |found| excerpt(&found.to_string()));
        Fault::source(format_args!(
            "expected the number of {unit} at {:?}, found {found}: name its path in total_path, or \
             say null where the source does not tell",
            path.as_str()
        ))
    })
}

fn end_statuses(object: &JobObject<'_>) -> Result<Vec<u16>> {
    let codes = object.list("end_status_codes")?.map_or(&[][..], Vec::as_slice);
    let read = |(n, code): (usize, &Value)| {
        let status = code.as_u64().and_then(|code| u16::try_from(code).ok());
        status.filter(|status| (400..500).contains(status)).ok_or_else(|| {
            let place = element(&object.place_of("end_status_codes"), n);
            wrong_type("a status from 400 to 499", code, &place)
        })
    };
    codes.iter().enumerate().map(read).collect()
}
