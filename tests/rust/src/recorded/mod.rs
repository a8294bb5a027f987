//! A replayer of recorded HTTP conversations: files with mappings from requests to answers.
//!
//! The format is that of WireMock, of which it has the part that drivers of databases use. A file holds one
//! mapping or a list of them; files can have placeholders that are filled before they are parsed. What is
//! not supported is an error that names it.

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
