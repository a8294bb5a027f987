//! Why the walk over a record ends early.

use crate::fault::Fault;

/// The result of a part of a walk.
pub(super) type Walked<T> = Result<T, Stop>;

/// Why a walk ended early.
pub(super) enum Stop {
    /// The record is rejected.
    Fault(Fault),
    /// The record is undone, and walked again.
    Restart(Restart),
}

/// Why a record is walked again.
pub(super) enum Restart {
    /// Two keys of a row have one name that no key had before: the end of the row decides which of them has it.
    NameContested,
    /// The record brings its own row id, which its children need from the start.
    GivenId(String),
    /// A key stands twice in one object.
    RepeatedKey,
    /// Objects of the record are stored as JSON from now on.
    Collapsed,
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Restart> for Stop {
    fn from(restart: Restart) -> Self {
        Self::Restart(restart)
    }
}
