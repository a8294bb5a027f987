//! The stop of a load: a thread that ends what the load waits for, step by step, and closes the session at last.
//!
//! | seconds since the stop | what happens |
//! |---|---|
//! | 0 | uploads are cancelled; the running statement is aborted, unless it is a COMMIT or one that cleans up |
//! | 1.5 | requests of uploads end |
//! | 2.5 | the request of the running statement ends, so that the load can roll back |
//! | 3.8 | the session is closed, which rolls back at the server |

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::session::Aborter;
use crate::stage::QueueStopper;
use crate::stop::{Stop, StopHook};

/// The time for the abort of a statement.
const ABORT: Duration = Duration::from_millis(1000);
const UPLOADS: Duration = Duration::from_millis(1500);
const ANSWER: Duration = Duration::from_millis(2500);
const CLOSE: Duration = Duration::from_millis(3800);
/// The time for the log-out.
const PARTING: Duration = Duration::from_millis(600);
/// The wait before the next look at the running statement.
const LOOK: Duration = Duration::from_millis(20);

/// Ends a load when a stop is requested, until this is dropped.
pub(super) fn stopped_by(stop: &Stop, aborter: Aborter, uploads: Option<QueueStopper>) -> StopHook {
    let ending = Arc::new(Ending { stop: stop.clone(), aborter, uploads });
    stop.on_stop(move || {
        if let Some(uploads) = &ending.uploads {
            uploads.cancel();
        }
        let run = {
            let ending = Arc::clone(&ending);
            move || ending.run()
        };
        // Without a thread the load ends at its next step.
        _ = thread::Builder::new().name("snowcat-stop".to_owned()).spawn(run);
    })
}

struct Ending {
    stop: Stop,
    aborter: Aborter,
    /// `None` for a session that has none.
    uploads: Option<QueueStopper>,
}

impl Ending {
    fn run(&self) {
        let mut aborted = None;
        while self.runs_until(ANSWER) {
            let running = self.aborter.abortable();
            if running.is_some() && running != aborted {
                // If it is not aborted, its request ends in time, and the session after it.
                _ = running.as_ref().map(|id| self.aborter.abort_id(id, ABORT));
                aborted = running;
            }
            if let Some(uploads) = &self.uploads
                && !self.runs_until(UPLOADS)
            {
                uploads.shut_down();
            }
            thread::sleep(LOOK);
        }
        if !self.aborter.is_closed() {
            self.aborter.interrupt();
        }
        while self.runs_until(CLOSE) {
            thread::sleep(LOOK);
        }
        // If the load has closed it, this does nothing.
        _ = self.aborter.close(PARTING);
    }

    /// Returns `false` after this time, or if the session is closed.
    fn runs_until(&self, time: Duration) -> bool {
        !self.aborter.is_closed() && self.stop.since().is_some_and(|since| since < time)
    }
}
