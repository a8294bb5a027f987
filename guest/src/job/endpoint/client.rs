//! The client: what the requests of all resources have in common.

use serde_json::Value;

use super::options::{auth, headers, paginator};
use crate::fault::Result;
use crate::job::paginator::Paginator;
use crate::job::parse::{JobObject, Keys};
use crate::job::url;

/// What the requests of all resources have in common.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Client {
    /// The URL that paths are joined to.
    pub(crate) base_url: String,
    /// Headers; names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The name of a credential.
    pub(crate) auth: Option<String>,
    /// The paginator of endpoints that have none.
    pub(crate) paginator: Option<Paginator>,
}

impl Client {
    pub(in crate::job) fn parse(value: &Value) -> Result<Self> {
        let object = JobObject::new(value, "client", KEYS)?;
        let base_url = object.required_text("base_url")?;
        url::check_base(base_url).map_err(|fault| fault.at(object.place_of("base_url")))?;
        let headers = headers(&object, |text, _| Ok(text.to_owned()))?;
        Ok(Self {
            base_url: base_url.to_owned(),
            headers,
            auth: auth(&object)?,
            paginator: paginator(&object)?,
        })
    }
}

const KEYS: Keys = Keys {
    known: &["base_url", "headers", "auth", "paginator"],
    refused: &[("session", "it is code: how requests are sent is the host's business")],
};
