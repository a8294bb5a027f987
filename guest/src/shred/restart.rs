//! The reasons why the walk over a record ends early.

use crate::fault::Fault;

/// The result of a part of a walk.
pub(super) type WalkResult<T> = Result<T, WalkStop>;

/// The reason why a walk ended early.
pub(super) enum WalkStop {
    /// The record is rejected.
    Fault(Fault),
    /// The record is undone, and its walk restarts.
    Restart(Restart),
}

/// The reason why the walk over a record restarts.
pub(super) enum Restart {
    /// Two keys of a row share a name that no key had before: the end of the row decides which of
    /// them owns it.
    NameContested,
    /// The record contains its own row id, which its nested rows need from the start.
    GivenId(String),
    /// A key is repeated in one object.
    RepeatedKey,
    /// Objects of the record are stored as JSON from now on.
    Collapsed,
}

impl From<Fault> for WalkStop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Restart> for WalkStop {
    fn from(restart: Restart) -> Self {
        Self::Restart(restart)
    }
}
