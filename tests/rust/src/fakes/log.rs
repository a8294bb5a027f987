//! Which requests arrived: what tests assert about retries, paging and credentials.

use serde_json::{Map, Value, json};

/// What a request proved about who sent it. The secret itself is not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Credential {
    /// It carried none.
    None,
    /// It carried the right one.
    Right,
    /// It carried another.
    Wrong,
}

/// One request, as it was answered.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The parameters, decoded, in their order.
    pub query: Vec<(String, String)>,
    /// The body, where there was one.
    pub body: String,
    /// Who asked.
    pub credential: Credential,
    /// The status it was answered with; none when the connection was dropped.
    pub status: Option<u16>,
    /// The fault that befell it, as it was specified.
    pub fault: Option<String>,
    /// When it arrived, in milliseconds since the fake was started.
    pub millis: u64,
    /// How many requests were being answered when it arrived, itself included.
    pub in_flight: usize,
}

impl Entry {
    /// As the control address gives it.
    pub fn to_json(&self) -> Value {
        let query = self.query.iter().map(|(name, value)| (name.clone(), value.as_str().into()));
        json!({
            "method": self.method,
            "path": self.path,
            "query": query.collect::<Map<_, _>>(),
            "body": self.body,
            "credential": match self.credential {
                Credential::None => "none",
                Credential::Right => "right",
                Credential::Wrong => "wrong",
            },
            "status": self.status,
            "fault": self.fault,
            "millis": self.millis,
            "in_flight": self.in_flight,
        })
    }
}
