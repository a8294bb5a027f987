//! A replayer of recorded HTTP conversations: files with mappings of requests to responses.
//!
//! The format is a subset of WireMock's, which the tests of database drivers use. A file contains
//! one mapping or a list of them. It may have placeholders that are filled before it is parsed. An
//! unsupported part is an error with its name.

mod json_equal;
mod json_path;
mod mapping;
mod mappings;
mod placeholders;
mod replayer;
mod request_pattern;
mod template;
mod value_pattern;

pub use self::mapping::{FaultKind, Mapping, NO_MAPPING, Prepared, ScenarioPart};
pub use self::placeholders::{Filling, filled};
pub use self::replayer::{Arrival, Pace, Replayer};
pub use self::request_pattern::{AddressPattern, RequestPattern, example};
pub use self::value_pattern::{JsonPattern, PathPattern, ValuePattern, Whole};
