//! The limits of a run. Time is the component's own: the clock runs from `resume` to its return, so
//! that a COPY of a minute, or a slow source, does not count.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use wasmtime::ResourceLimiter;

use crate::error::Limit;

/// The limits of a run. A run that exceeds one ends with [`Error::Limit`](crate::Error::Limit).
///
/// ```
/// use snowcat_host::{DryRun, Engine, Error, Limit, Limits, Runner, Settings};
///
/// # fn main() -> Result<(), Error> {
/// let engine = Engine::new(&Settings::default())?;
/// let limits = Limits { memory: 64 << 10, ..Limits::default() };
/// let run = Runner::new(&engine).limits(limits).run("{}", "2026-01-01T00:00:00Z", &mut DryRun::new());
/// assert!(matches!(run, Err(Error::Limit(Limit::Memory { limit: 65_536, .. }))));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of linear memory. 1 GiB by default.
    pub memory: usize,
    /// The maximum time of one step, of the component's own work. 120 s by default. It is checked
    /// about every 50 ms, by an engine whose [`Settings`](crate::Settings) enable it.
    pub time: Duration,
    /// The maximum fuel of one step, about one unit per instruction: a limit that does not depend
    /// on the speed of the machine. It requires an engine whose [`Settings`](crate::Settings) count
    /// fuel. None by default.
    pub fuel: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 1 << 30, time: Duration::from_secs(120), fuel: None }
    }
}

/// Rejects memory above the limit, and records the largest size.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    pub(crate) peak: usize,
}

impl Memory {
    pub(crate) const fn new(limit: usize) -> Self {
        Self { limit, peak: 0 }
    }
}

impl ResourceLimiter for Memory {
    /// Returns an error rather than `Ok(false)`, which would appear as an allocation failure inside
    /// the component, and look like a defect.
    fn memory_growing(
        &mut self,
        _current: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        if wanted > self.limit {
            return Err(wasmtime::Error::new(Limit::Memory { limit: self.limit, wanted }));
        }
        self.peak = self.peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        wanted: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A component of this size has tables of some thousand entries, and does not grow them.
        Ok(wanted <= 1 << 20)
    }
}

/// Advances the engine's epoch while a component works, and sleeps otherwise.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A component is working as long as this value lives.
pub(crate) struct Watch<'a>(&'a Shared);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<WatchState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct WatchState {
    at_work: usize,
    stop: bool,
}

impl Watchdog {
    const TICK: Duration = Duration::from_millis(50);

    /// Starts a thread that advances this engine's epoch. It ends when the value is dropped.
    pub(crate) fn new(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let thread = {
            let shared = Arc::clone(&shared);
            Builder::new().name("snowcat-watchdog".into()).spawn(move || shared.tick(&engine))?
        };
        Ok(Self { shared, thread: Some(thread) })
    }

    /// The number of ticks after which this time has certainly passed.
    pub(crate) fn ticks(time: Duration) -> u64 {
        // The first tick may happen at once.
        u64::try_from(time.as_nanos().div_ceil(Self::TICK.as_nanos())).unwrap_or(u64::MAX / 2) + 1
    }

    /// Ticks until the guard is dropped.
    pub(crate) fn watch(&self) -> Watch<'_> {
        self.shared.lock().at_work += 1;
        self.shared.changed.notify_one();
        Watch(&self.shared)
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // It can only have panicked if the engine did; a destructor cannot report that.
            _ = thread.join();
        }
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.lock().at_work -= 1;
    }
}

impl Shared {
    fn tick(&self, engine: &wasmtime::Engine) {
        let mut state = self.lock();
        while !state.stop {
            state = if state.at_work == 0 {
                self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
            } else {
                let (state, timeout) = self
                    .changed
                    .wait_timeout(state, Watchdog::TICK)
                    .unwrap_or_else(PoisonError::into_inner);
                if timeout.timed_out() && state.at_work > 0 {
                    engine.increment_epoch();
                }
                state
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, WatchState> {
        // No operation under the lock can leave an inconsistent state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
