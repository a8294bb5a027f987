//! What a load does, for machines: events as they happen, and numbers.
//!
//! ```text
//!   steps and replies --> LoadWatch::observer --+
//!   statements, uploads --> LoadWatch ----------+--> EventSink: JSON lines, Numbers, yours
//! ```

mod event;
mod json;
mod numbers;

pub use self::event::{EventSink, LoadEvent, LoadWatch, WatchedSteps};
pub use self::json::event_object;
pub use self::numbers::{Histogram, Numbers, Snapshot};
