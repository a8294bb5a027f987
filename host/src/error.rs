//! The reasons why a run ended without a report.

use std::time::Duration;

use crate::interface::{Fault, FaultKind};

/// The reason why a run ended without a report. After a [`Fault`](Self::Fault) the failed transaction is
/// rolled back. After any other error a transaction may be open in the host's session, or the load may be
/// committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not a component that this crate can run.
    #[error("the component cannot be run: {message}")]
    Component {
        /// What was expected and found.
        message: String,
        /// The engine's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The component violated its interface. This is a defect of the component: please report it.
    #[error("the component broke its interface: {0} (a defect in Snowcat: please report it)")]
    Defect(String),
    /// The load failed with this fault.
    #[error("{}", sentence(.0))]
    Fault(Fault),
    /// The load reached a limit.
    #[error(transparent)]
    Limit(#[from] Limit),
    /// The [`Host`](crate::Host) violated its obligations.
    #[error("the host broke the interface: {0}")]
    Misuse(String),
    /// The transcript could not be written or read.
    #[error("the transcript: {0}")]
    Transcript(String),
    /// The component panicked, or an instruction trapped. A defect of the component: please report it.
    #[error("the component trapped: {message} (a defect in Snowcat: please report it)")]
    Trap {
        /// The trap.
        message: String,
        /// The engine's own error, with the stack of the component.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The limit that a run reached. See [`Limits`](crate::Limits).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// The maximum number of instructions of a step.
    #[error("a step needed more than {limit} units of fuel")]
    Fuel {
        /// The fuel that a step may use.
        limit: u64,
    },
    /// The maximum memory of the component.
    #[error("the load needed {wanted} bytes of memory, {limit} are allowed")]
    Memory {
        /// Bytes allowed.
        limit: usize,
        /// The number of bytes that the load requested.
        wanted: usize,
    },
    /// The maximum time of a step. Only the component's own work counts.
    #[error("a step took longer than {limit:?}")]
    Time {
        /// The time that a step may take.
        limit: Duration,
    },
}

impl Error {
    /// Returns the fault, if the load itself ended the run.
    ///
    /// ```
    /// use snowcat_host::{Error, Fault, FaultKind};
    ///
    /// let fault = Fault {
    ///     kind: FaultKind::Data,
    ///     message: "expected JSON, found <".to_owned(),
    ///     context: vec!["resource orders".to_owned(), "page 1".to_owned()],
    /// };
    /// let error = Error::Fault(fault.clone());
    /// assert_eq!(error.to_string(), "data: resource orders: page 1: expected JSON, found <");
    /// assert_eq!(error.as_fault(), Some(&fault));
    /// assert_eq!(Error::Misuse("no reply".to_owned()).as_fault(), None);
    /// ```
    #[must_use]
    pub const fn as_fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    #[cold]
    pub(crate) fn component(message: impl ToString, source: wasmtime::Error) -> Self {
        let message = format!("{}: {source:#}", message.to_string());
        Self::Component { message, source: Some(source.into_boxed_dyn_error()) }
    }
}

/// The name of the kind in the interface.
pub(crate) const fn kind_name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::Config => "config",
        FaultKind::Contract => "contract",
        FaultKind::Data => "data",
        FaultKind::Destination => "destination",
        FaultKind::Internal => "internal",
        FaultKind::Protocol => "protocol",
        FaultKind::Source => "source",
    }
}

fn sentence(fault: &Fault) -> String {
    let mut text = format!("{}: ", kind_name(fault.kind));
    for place in &fault.context {
        text.push_str(place);
        text.push_str(": ");
    }
    text.push_str(&fault.message);
    text
}
