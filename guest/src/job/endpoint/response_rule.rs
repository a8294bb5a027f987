//! The rules of an endpoint for responses of some statuses or contents.

use serde_json::Value;

use crate::fault::Result;
use crate::job::parse::{JobObject, Keys, element};

/// A rule for some responses (dlt's `response_actions`): those with this status and this content.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct ResponseRule {
    /// The status. `None` matches any.
    pub(crate) status: Option<u16>,
    /// A text that the body contains. `None` matches any body.
    pub(crate) content: Option<String>,
    /// The action.
    pub(crate) action: ResponseAction,
}

/// The action for a response.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ResponseAction {
    /// End the pages, without a failure.
    Ignore,
    /// Fail the load.
    Raise,
    /// Retry the request after a delay, as after a transient failure.
    Retry,
}

impl ResponseRule {
    /// Returns `true` if the rule matches the response.
    pub(crate) fn matches(&self, status: u16, body: &str) -> bool {
        self.status.is_none_or(|expected| expected == status)
            && self.content.as_ref().is_none_or(|expected| body.contains(expected))
    }
}

/// Parses `response_actions`.
pub(super) fn rules(object: &JobObject<'_>) -> Result<Vec<ResponseRule>> {
    let Some(actions) = object.list("response_actions")? else { return Ok(Vec::new()) };
    let read = |(n, action): (usize, &Value)| {
        let place = element(&object.place_of("response_actions"), n);
        let given = JobObject::new(action, place, Keys::of(&["status_code", "content", "action"]))?;
        let Some(action) = given.choice("action", ACTIONS)? else {
            return Err(given.missing("action", "\"ignore\", \"retry\" or \"raise\""));
        };
        let status = given.whole("status_code", 100, 599)?;
        let content = given.text("content")?.map(str::to_owned);
        if status.is_none() && content.is_none() {
            return Err(given.fault("expected a status_code, a content or both"));
        }
        let status = status.and_then(|status| u16::try_from(status).ok());
        Ok(ResponseRule { status, content, action })
    };
    actions.iter().enumerate().map(read).collect()
}

const ACTIONS: &[(&str, ResponseAction)] = &[
    ("ignore", ResponseAction::Ignore),
    ("retry", ResponseAction::Retry),
    ("raise", ResponseAction::Raise),
];
