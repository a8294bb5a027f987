//! Progress for a user at a terminal: one line on stderr that is removed at the end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use snowcat_host::watch::Numbers;
use snowcat_host::{Error, Fault, Observer, Reply, Script, Step};

use super::quantity::bytes;

/// Counts steps and the time of each side.
pub(super) struct ProgressDisplay {
    bar: ProgressBar,
    began: Instant,
    /// Of the uploads, if there are some.
    numbers: Option<Arc<Numbers>>,
    pages: u64,
    bytes_read: u64,
    files: u64,
    /// The time of each side so far.
    pub(super) timings: Timings,
    last: Side,
}

/// The time of a run by side.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Timings {
    /// The component's own work.
    pub(super) load: Duration,
    /// Pages of files and sources, and waits that the load requested.
    pub(super) source: Duration,
    /// Writing of files.
    pub(super) files: Duration,
}

#[derive(Clone, Copy)]
enum Side {
    Files,
    None,
    Source,
}

impl ProgressDisplay {
    /// Creates a line that is shown only if stderr is a terminal.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        // The template is a constant; if it did not parse, the default would be used.
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        Self {
            bar,
            began: Instant::now(),
            numbers: None,
            pages: 0,
            bytes_read: 0,
            files: 0,
            timings: Timings::default(),
            last: Side::None,
        }
    }

    /// The same, with the bytes that were uploaded.
    pub(super) fn of_uploads(numbers: &Arc<Numbers>) -> Self {
        Self { numbers: Some(Arc::clone(numbers)), ..Self::new() }
    }

    /// Shows no line.
    pub(super) fn hide(&self) {
        self.bar.set_draw_target(ProgressDrawTarget::hidden());
    }

    /// Removes the line.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn tell(&self, what: &str) {
        let seconds = self.began.elapsed().as_secs().max(1);
        let uploaded = self.numbers.as_ref().map_or_else(String::new, |numbers| {
            format!(", {} uploaded", bytes(numbers.snapshot().upload_bytes))
        });
        self.bar.set_message(format!(
            "{} pages, {} read ({}/s), {} files{uploaded}; {what}",
            self.pages,
            bytes(self.bytes_read),
            bytes(self.bytes_read / seconds),
            self.files
        ));
    }

    fn read(&mut self, page: &str) {
        self.pages += 1;
        self.bytes_read += page.len() as u64;
    }
}

impl Observer for ProgressDisplay {
    fn reply(&mut self, reply: &Reply, spent: Duration) -> Result<(), Error> {
        match self.last {
            Side::Files => self.timings.files += spent,
            Side::None => {}
            Side::Source => self.timings.source += spent,
        }
        match reply {
            Reply::Page(page) => self.read(page),
            Reply::Responses(responses) => {
                responses.iter().flatten().for_each(|response| self.read(&response.body));
            }
            _ => {}
        }
        self.tell("shredding");
        Ok(())
    }

    fn step(&mut self, step: &Step, _payload: &[u8], spent: Duration) -> Result<(), Error> {
        self.timings.load += spent;
        self.last = Side::Source;
        match step {
            Step::Fetch(fetches) => match fetches.requests.as_slice() {
                [one] => self.tell(&format!("asking {}", one.url.split('?').next().unwrap_or(""))),
                many => self.tell(&format!("{} requests", many.len())),
            },
            Step::Examined(_) | Step::Finished(_) | Step::Found(_) | Step::Listed(_) => {
                self.last = Side::None
            }
            Step::Sql(script) => {
                self.last = Side::None;
                self.tell(&running(script));
            }
            Step::Pull(pull) => self.tell(&format!("reading {}", pull.resource)),
            Step::Upload(upload) => {
                self.files += 1;
                self.last = Side::Files;
                self.tell(&format!("writing {}", upload.path));
            }
            Step::Wait(pause) => {
                self.tell(&format!("waiting {:.0} s: {}", pause.seconds, pause.reason));
            }
        }
        Ok(())
    }

    fn fault(&mut self, _fault: &Fault) -> Result<(), Error> {
        self.finish();
        Ok(())
    }
}

/// The kind of a single statement, or the number of several.
fn running(script: &Script) -> String {
    match script.statements.as_slice() {
        [one] => format!("running {}", one.split_whitespace().next().unwrap_or_default()),
        many => format!("running {} statements", many.len()),
    }
}
