//! The driver between straight-line code and single steps.
//!
//! A load is an ordinary `async` function: [`Io::ask`] parks a step and pends, [`Load::resume`]
//! stores the reply and polls the future once. There is no runtime and no hand-written state machine.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::types::{Examination, Listings, Pause, Reply, Report, Step, Upload};
use crate::fault::{Fault, Result};

/// The connection between a load and its host, as the load sees it.
///
/// ```
/// use snowcat_guest::protocol::{Io, Load, Report, Reply, Step};
///
/// # fn main() -> snowcat_guest::fault::Result<()> {
/// let io = Io::default();
/// let load = Load::new(io.clone(), async move {
///     io.wait(2.0, "429".to_owned()).await?;
///     Ok(Report::default())
/// });
/// assert!(matches!(load.resume(Reply::Start)?, Step::Wait(pause) if pause.seconds == 2.0));
/// assert_eq!(load.resume(Reply::Done)?, Step::Finished(Report::default()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Io(Rc<RefCell<Slot>>);

#[derive(Default)]
struct Slot {
    step: Option<Step>,
    reply: Option<Reply>,
    payload: Rc<Vec<u8>>,
}

impl Io {
    /// Hands a step to the host and waits for the reply.
    pub async fn ask(&self, step: Step) -> Reply {
        self.0.borrow_mut().step = Some(step);
        poll_fn(|_| match self.0.borrow_mut().reply.take() {
            Some(reply) => Poll::Ready(reply),
            None => Poll::Pending,
        })
        .await
    }

    /// Uploads a file.
    pub async fn upload(&self, stage: String, path: String, bytes: Vec<u8>) -> Result<()> {
        let size = bytes.len() as u64;
        let place = format!("file {path}");
        match self.ask_upload(Upload { stage, path, size }, bytes).await {
            Reply::Done => Ok(()),
            Reply::Failed(f) => {
                Err(Fault::destination(format_args!("the upload failed: {}", f.message)).at(place))
            }
            other => Err(unexpected("done or failed", &other).at(place)),
        }
    }

    /// Uploads a file and returns the reply.
    pub async fn ask_upload(&self, upload: Upload, bytes: Vec<u8>) -> Reply {
        self.0.borrow_mut().payload = Rc::new(bytes);
        let reply = self.ask(Step::Upload(upload)).await;
        self.0.borrow_mut().payload = Rc::default();
        reply
    }

    /// Waits.
    pub async fn wait(&self, seconds: f64, reason: String) -> Result<()> {
        match self.ask(Step::Wait(Pause { seconds, reason })).await {
            Reply::Done => Ok(()),
            other => Err(unexpected("done, to wait,", &other)),
        }
    }
}

/// The fault of a host that replied to one step with the reply to another.
#[cold]
pub fn unexpected(expected: &str, found: &Reply) -> Fault {
    Fault::protocol(format_args!("expected {expected} from the host, found {}", found.name()))
}

/// One run, driven from outside.
pub struct Load {
    io: Io,
    run: RefCell<Option<Run>>,
}

/// The code of a run, suspended at its last step.
struct Run(Pin<Box<dyn Future<Output = Result<Step>>>>);

impl Load {
    /// A run of this future, whose steps go through a clone of `io`.
    pub fn new(io: Io, run: impl Future<Output = Result<Report>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Finished) })
    }

    /// An examination of this future, driven like a load.
    pub fn examining(io: Io, run: impl Future<Output = Result<Examination>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Examined) })
    }

    /// A search for a job, driven like a load.
    pub fn finding(io: Io, run: impl Future<Output = Result<String>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Found) })
    }

    /// A reading of the account, driven like a load.
    pub fn listing(io: Io, run: impl Future<Output = Result<Listings>> + 'static) -> Self {
        Self::ending(io, async { run.await.map(Step::Listed) })
    }

    fn ending(io: Io, run: impl Future<Output = Result<Step>> + 'static) -> Self {
        Self { io, run: RefCell::new(Some(Run(Box::pin(run)))) }
    }

    /// Takes the reply to the last step and returns the next step.
    ///
    /// ```
    /// use snowcat_guest::load;
    /// use snowcat_guest::protocol::{Reply, Step};
    ///
    /// # fn main() -> snowcat_guest::fault::Result<()> {
    /// let job = r#"{
    ///     "pipeline": "p", "database": "D", "dataset": "d",
    ///     "resources": [{"name": "t", "source": "pull"}]
    /// }"#;
    /// let load = load::start(job, "2026-01-01T00:00:00Z")?;
    /// // The first step restores what is known of the dataset.
    /// assert!(matches!(load.resume(Reply::Start)?, Step::Sql(_)));
    /// // A reply that answers another step ends the load.
    /// assert!(load.resume(Reply::End).is_err());
    /// assert!(load.resume(Reply::DryRun).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resume(&self, reply: Reply) -> Result<Step> {
        let Ok(mut slot) = self.run.try_borrow_mut() else {
            return Err(Fault::protocol("resume was called while it was running"));
        };
        let Some(Run(run)) = slot.as_mut() else {
            return Err(Fault::protocol("resume was called after the load had ended"));
        };
        {
            let mut slot = self.io.0.borrow_mut();
            // The first poll runs up to the first step; every later one answers a step.
            let started = slot.step.is_some();
            match (&reply, started) {
                (Reply::Start, false) => {}
                (Reply::Start, true) => {
                    return Err(unexpected("an answer to the last step", &reply));
                }
                (_, false) => return Err(unexpected("start", &reply)),
                (_, true) => slot.reply = Some(reply),
            }
        }
        let mut context = Context::from_waker(Waker::noop());
        match run.as_mut().poll(&mut context) {
            Poll::Ready(last) => {
                *slot = None;
                last
            }
            Poll::Pending => {
                let step = self.io.0.borrow().step.clone();
                step.ok_or_else(|| Fault::internal("the load waits for nothing"))
            }
        }
    }

    /// Returns the bytes of the file that the pending upload names.
    ///
    /// ```
    /// use snowcat_guest::load;
    /// use snowcat_guest::protocol::{Reply, Step};
    ///
    /// # fn main() -> snowcat_guest::fault::Result<()> {
    /// let job = r#"{
    ///     "pipeline": "p", "database": "D", "dataset": "d",
    ///     "resources": [{"name": "t", "source": "pull"}]
    /// }"#;
    /// let load = load::start(job, "2026-01-01T00:00:00Z")?;
    /// assert!(load.payload().is_err());
    ///
    /// let mut pages = vec![r#"{"id": 1}"#.to_owned()];
    /// let mut step = load.resume(Reply::Start)?;
    /// while !matches!(step, Step::Upload(_)) {
    ///     step = load.resume(match step {
    ///         Step::Pull(_) => pages.pop().map_or(Reply::End, Reply::Page),
    ///         _ => Reply::DryRun,
    ///     })?;
    /// }
    /// assert!(load.payload()?.starts_with(b"PAR1"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn payload(&self) -> Result<Rc<Vec<u8>>> {
        let slot = self.io.0.borrow();
        match slot.step {
            Some(Step::Upload(_)) => Ok(Rc::clone(&slot.payload)),
            _ => Err(Fault::protocol("payload was called while no upload is pending")),
        }
    }
}
