//! A flag that ends the waits of threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A flag that can be waited on.
#[derive(Debug, Default)]
pub(super) struct Cancel {
    flag: AtomicBool,
    /// Locked while the flag changes, so that no wait misses it.
    changing: Mutex<()>,
    changed: Condvar,
}

impl Cancel {
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    pub(super) fn is_set(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, flag: bool) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.flag.store(flag, Ordering::Relaxed);
        self.changed.notify_all();
    }

    /// Waits so long. Returns `false` if the flag is set before.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let Some(until) = Instant::now().checked_add(time) else { return false };
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_set() {
            let rest = until.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            let waited = self.changed.wait_timeout(changing, rest);
            (changing, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        false
    }
}
