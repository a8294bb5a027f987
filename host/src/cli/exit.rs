//! Exit codes of a load.

use snowcat_host::{Error, FaultKind};

/// Why a load ended, for a program that started it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Exit {
    /// The job or the connection is not valid.
    Job,
    /// The source failed.
    Source,
    /// Snowflake failed, or rejected the login. The failed transaction is not committed.
    Destination,
    /// The data is not what was expected, or a contract forbids it.
    Data,
    /// Another load committed first.
    Overtaken,
    /// No answer arrived to a statement that may have been executed.
    OutcomeUnknown,
    /// A limit was reached, or there is a defect.
    Limit,
    /// A signal stopped the load.
    Stopped(Signal),
}

/// A signal that stops a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Signal {
    Interrupt,
    Terminate,
}

impl Signal {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        }
    }
}

impl Exit {
    /// The reason in a word, for programs.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Data => "data",
            Self::Overtaken => "overtaken",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Limit => "limit",
            Self::Stopped(_) => "stopped",
        }
    }

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Job => 1,
            Self::Source => 3,
            Self::Destination => 4,
            Self::Data => 5,
            Self::Overtaken => 6,
            Self::OutcomeUnknown => 7,
            Self::Limit => 8,
            // As of a shell: 128 and the number of the signal.
            Self::Stopped(Signal::Interrupt) => 130,
            Self::Stopped(Signal::Terminate) => 143,
        }
    }
}

/// Returns why a run failed.
pub(super) fn of_error(error: &Error) -> Exit {
    let Some(fault) = error.as_fault() else { return Exit::Limit };
    match fault.kind {
        FaultKind::Config => Exit::Job,
        FaultKind::Contract | FaultKind::Data => Exit::Data,
        FaultKind::Source => Exit::Source,
        // The interface has no kind for this. The text is that of the guest, in `load/publish/lock.rs`.
        FaultKind::Destination if fault.message.starts_with("another load") => Exit::Overtaken,
        FaultKind::Destination => Exit::Destination,
        FaultKind::Internal | FaultKind::Protocol => Exit::Limit,
    }
}

#[cfg(test)]
mod tests {
    use snowcat_host::{Fault, Limit};

    use super::*;

    #[test]
    fn a_fault_has_the_code_of_its_kind() {
        let check = |kind, message: &str, expected| {
            let fault = Fault { kind, message: message.to_owned(), context: Vec::new() };
            assert_eq!(of_error(&Error::Fault(fault)).code(), expected, "{kind:?}");
        };
        check(FaultKind::Config, "", 1);
        check(FaultKind::Source, "", 3);
        check(FaultKind::Destination, "SQL failed", 4);
        check(FaultKind::Data, "", 5);
        check(FaultKind::Contract, "", 5);
        check(FaultKind::Destination, "another load of the pipeline p committed", 6);
        check(FaultKind::Internal, "", 8);
        assert_eq!(of_error(&Error::Limit(Limit::Fuel { limit: 1 })).code(), 8);
    }
}
