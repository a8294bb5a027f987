//! What a load does, for machines: events as they happen, numbers, and health.
//!
//! ```text
//!   steps and replies --> LoadWatch::steps --+
//!   statements, uploads --> LoadWatch ----------+--> EventSink: JSON lines, Numbers, yours
//! ```

mod event;
mod health;
mod json;
mod metrics;
mod numbers;
mod otlp;
mod prometheus;
mod push;
mod trace;

pub use self::event::{EventSink, LoadEvent, LoadWatch, WatchedSteps};
pub use self::health::HealthServer;
pub use self::json::event_object;
pub use self::numbers::{Histogram, Numbers, Snapshot};
pub use self::prometheus::prometheus_text;
pub use self::push::{Collector, Push};
