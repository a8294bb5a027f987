//! Files that are uploaded to a stage of Snowflake, from memory.
//!
//! ```text
//!   submit --> Queue --> thread --> amazon, azure or google --> S3, Azure, Google
//!                          |              |
//!                          |              +-- requests: sign, send, retry
//!                          +-- locations --> Locate: one PUT statement for each load
//! ```
//!
//! A PUT statement does not send a file: it returns where the stage is, and credentials for it that expire.
//! One statement is enough for all files below a folder, unless the answer is a signed URL for one file.
//! [`Locate`] runs it; this module does not know a session.

mod amazon;
mod azure;
mod cancel;
mod cipher;
mod counters;
mod crc32c;
mod file;
mod google;
mod info;
mod locations;
mod queue;
mod requests;

pub use self::counters::UploadCounts;
pub use self::info::StageInfo;
pub use self::locations::{Locate, StagePath, UploadEvent};
pub(crate) use self::queue::QueueStopper;
pub use self::queue::{Queue, QueueLimits};
