//! The log of requests, for assertions about retries, paging and credentials.

use serde_json::{Map, Value, json};

/// The credential that a request proved. The secret itself is not stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Credential {
    /// No credential.
    None,
    /// The right credential.
    Right,
    /// Another credential.
    Wrong,
}

/// One request with its outcome.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `GET`, `POST`, ...
    pub method: String,
    /// Without the query.
    pub path: String,
    /// The parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The body, or empty.
    pub body: String,
    /// The credential of the request.
    pub credential: Credential,
    /// The status of the answer. `None` if the connection was dropped.
    pub status: Option<u16>,
    /// The fault that applied, as specified.
    pub fault: Option<String>,
    /// The time of arrival in milliseconds since the fake was started.
    pub millis: u64,
    /// The number of requests that were being answered at its arrival, including itself.
    pub in_flight: usize,
}

impl Entry {
    /// The entry in the form of the control address.
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
