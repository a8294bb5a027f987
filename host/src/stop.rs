//! A request to stop a load, from another thread.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// A request to stop a load. All clones are one request, which another thread makes with [`stop`](Self::stop).
///
/// A load whose [`Connection`](crate::snowflake::Connection::stopped_by) has it ends within five seconds, even if
/// the service does not answer: the running statement is aborted, the open transaction is rolled back, the stage is
/// dropped, and no other statement begins. The run returns an error, or the report if its COMMIT was executed before.
/// A COMMIT is not aborted; if its answer does not arrive in time,
/// [`commit_unknown`](crate::snowflake::Snowflake::commit_unknown) is `true`.
///
/// Requests to sources end at once if [`Http`](crate::http::Http::stopped_by) and
/// [`Buckets`](crate::input::buckets::Buckets::stopped_by) have it. Without that, and while the component computes or
/// a file is read, the run returns later, but its session is closed in time, which rolls back its transaction.
///
/// ```
/// use std::thread;
/// use std::time::Duration;
///
/// use snowcat_host::snowflake::{Connection, Session};
/// use snowcat_host::Stop;
///
/// let stop = Stop::new();
/// let user = [("account", "acme"), ("user", "loader"), ("password", "hunter2")];
/// // Nothing listens on this port: the login is tried again and again.
/// let address = [("host", "127.0.0.1"), ("port", "1"), ("protocol", "http")];
/// let connection = Connection::of([&user[..], &address].concat())?.stopped_by(&stop);
/// let login = thread::spawn(move || Session::open(&connection));
///
/// stop.stop();
/// let session = login.join().map_err(|_| "a panic")?;
/// assert!(session.is_err());
/// // A wait ends early, too.
/// assert!(!stop.wait(Duration::from_secs(900)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct Stop(Arc<StopShared>);

#[derive(Default)]
struct StopShared {
    state: Mutex<StopState>,
    changed: Condvar,
}

#[derive(Default)]
struct StopState {
    /// The instant of the request.
    at: Option<Instant>,
    hooks: Vec<Weak<Hook>>,
}

type Hook = dyn Fn() + Send + Sync;

/// A function that a stop calls until this and its clones are dropped.
#[derive(Clone)]
pub(crate) struct StopHook {
    _hook: Arc<Hook>,
}

impl Stop {
    /// Returns a request that is not made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the request. It does not block, and repeats nothing if it is called again. A handler of signals must
    /// not call it, because it locks: let a thread receive the signals.
    pub fn stop(&self) {
        let hooks = {
            let mut state = self.state();
            if state.at.is_some() {
                return;
            }
            state.at = Some(Instant::now());
            std::mem::take(&mut state.hooks)
        };
        self.0.changed.notify_all();
        for hook in hooks.iter().filter_map(Weak::upgrade) {
            hook();
        }
    }

    /// Returns `true` if the request was made.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.state().at.is_some()
    }

    /// Returns the time since the request, if it was made.
    #[must_use]
    pub fn since(&self) -> Option<Duration> {
        self.state().at.map(|at| at.elapsed())
    }

    /// Waits for this time. Returns `false` if the request was made before its end.
    #[must_use]
    pub fn wait(&self, time: Duration) -> bool {
        let until = Instant::now().checked_add(time);
        let mut state = self.state();
        while state.at.is_none() {
            // Without an end it waits an hour, again and again.
            let rest = until.map_or(Duration::from_secs(3600), |until| {
                until.saturating_duration_since(Instant::now())
            });
            if rest.is_zero() {
                return true;
            }
            let waited = self.0.changed.wait_timeout(state, rest);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
        false
    }

    /// Calls this function when the request is made, or now if it was. The function must not block.
    pub(crate) fn on_stop(&self, hook: impl Fn() + Send + Sync + 'static) -> StopHook {
        let hook: Arc<Hook> = Arc::new(hook);
        let mut state = self.state();
        let stopped = state.at.is_some();
        if !stopped {
            state.hooks.retain(|known| known.strong_count() > 0);
            state.hooks.push(Arc::downgrade(&hook));
        }
        drop(state);
        if stopped {
            hook();
        }
        StopHook { _hook: hook }
    }

    fn state(&self) -> MutexGuard<'_, StopState> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.is_stopped()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_stop_ends_waits_and_calls_each_hook_once() {
        let (stop, called) = (Stop::new(), Arc::new(AtomicU32::new(0)));
        let count = |more: u32| {
            let called = Arc::clone(&called);
            move || _ = called.fetch_add(more, Ordering::Relaxed)
        };
        let kept = stop.on_stop(count(1));
        drop(stop.on_stop(count(10)));
        assert!(stop.wait(Duration::from_millis(1)));
        assert_eq!((stop.is_stopped(), stop.since()), (false, None));

        let other = stop.clone();
        let waiting = thread::spawn(move || other.wait(Duration::MAX));
        stop.stop();
        stop.stop();
        assert!(!waiting.join().unwrap());
        assert!(!stop.wait(Duration::from_secs(900)) && stop.since().is_some());
        assert_eq!(called.load(Ordering::Relaxed), 1);
        let late = stop.on_stop(count(100));
        assert_eq!(called.load(Ordering::Relaxed), 101);
        drop((kept, late));
    }
}
