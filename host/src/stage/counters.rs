//! Counts of uploads, for reports and metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// The uploads of a queue so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct UploadCounts {
    /// Files that arrived.
    pub files: u64,
    /// Bytes of the files that arrived.
    pub bytes: u64,
    /// PUT statements.
    pub statements: u64,
    /// Those of them that renewed credentials.
    pub renewals: u64,
    /// Requests that were sent again.
    pub retries: u64,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    files: AtomicU64,
    bytes: AtomicU64,
    statements: AtomicU64,
    renewals: AtomicU64,
    retries: AtomicU64,
}

impl Counters {
    pub(super) fn file(&self, bytes: u64) {
        self.files.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn locate(&self, renewed: bool) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.renewals.fetch_add(u64::from(renewed), Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> UploadCounts {
        UploadCounts {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
            renewals: self.renewals.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
        }
    }
}
