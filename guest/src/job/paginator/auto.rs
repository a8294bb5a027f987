//! `auto`: the paginator is detected in the first response.

use serde_json::{Value, json};

use super::page::{NextPage, PageFacts, Pages};
use crate::fault::{Fault, Result};
use crate::job::parse::Keys;

pub(super) const KEYS: Keys = Keys::of(&["type"]);

/// The paginator is not detected yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AutoPages;

impl Pages for AutoPages {
    fn describe(&self) -> Value {
        json!("auto")
    }

    fn after(&self, _: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        Err(Fault::internal("a page was passed before its paginator was detected"))
    }

    fn ends_by_response(&self) -> bool {
        false
    }
}
