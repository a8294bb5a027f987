//! `single_page`: there is one page.

use serde_json::{Value, json};

use super::evidence::{Evidence, Finding};
use super::page::{NextPage, PageFacts, Pages};
use crate::fault::Result;
use crate::job::parse::Keys;

pub(super) const KEYS: Keys = Keys::of(&["type"]);

/// One page.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct SinglePage;

impl Pages for SinglePage {
    fn describe(&self) -> Value {
        json!("single_page")
    }

    fn after(&self, _: &PageFacts<'_>, _: &mut i64) -> Result<NextPage> {
        Ok(NextPage::End)
    }

    fn ends_by_response(&self) -> bool {
        false
    }
}

/// The source declares that there are no more pages.
pub(super) fn detect(evidence: &Evidence<'_>) -> Option<Finding<SinglePage>> {
    let declared = evidence.signs.more.is_some() && !evidence.signs.is_more;
    declared
        .then(|| Finding::Single(format!("{} says that there is no more", evidence.shown_more())))
}
