//! One run: perform the step, resume with the answer, until the load is over.

use std::time::{Duration, Instant};

use wasmtime::component::ResourceAny;
use wasmtime::{Store, Trap};

use crate::engine::Engine;
use crate::error::{Error, Limit};
use crate::host::{Host, Pulled, SqlReply};
use crate::interface::{
    Examination, Fault, Listings, Loader, Pause, Reply, Report, Request, Response, Script, Step,
    Upload,
};
use crate::limits::{Limits, Memory, Watchdog};
use crate::{Failure, Outcome};

/// Runs loads on an [`Engine`].
///
/// ```
/// use snowcat_host::{DryRun, Engine, Error, FaultKind, Runner, Settings};
///
/// # fn main() -> Result<(), Error> {
/// let engine = Engine::new(&Settings::default())?;
/// let run = Runner::new(&engine).run(r#"{"pipelin": "p"}"#, "2026-01-01T00:00:00Z", &mut DryRun::new());
/// let Err(Error::Fault(fault)) = run else { return Ok(()) };
/// assert_eq!(fault.kind, FaultKind::Config);
/// assert_eq!(fault.message, "unknown key \"pipelin\", did you mean \"pipeline\"?");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Runner {
    engine: Engine,
    limits: Limits,
    policy: Option<String>,
}

impl Runner {
    /// A runner with the default [`Limits`].
    #[must_use]
    pub fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), limits: Limits::default(), policy: None }
    }

    /// Sets the policy for jobs of others: `policy` (JSON, `start-within` in `wit/loads.wit`) lists
    /// the schemas, stages, hosts and credentials that they may use. A job that uses another is an
    /// [`Error::Fault`].
    #[must_use]
    pub fn policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Sets the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs this job (JSON) to its end. `now` is the current instant (RFC 3339 with an offset),
    /// which is recorded in the dataset because the component has no clock.
    ///
    /// # Errors
    /// See [`Error`]. After a [`Error::Fault`] the transaction that failed is not committed; parts
    /// before it are, if the job has checkpoints. A limit, a trap or an error of an observer can also
    /// end a run after its COMMIT: the rows of `_dlt_loads` show whether the load is there.
    pub fn run(&self, job: &str, now: &str, host: &mut dyn Host) -> Result<Report, Error> {
        self.run_observed(job, now, host, &mut [])
    }

    /// As [`run`](Self::run), with observers such as a
    /// [`Transcript`](crate::transcript::Transcript) or a progress bar.
    ///
    /// # Errors
    /// As [`run`](Self::run), and the errors of observers.
    pub fn run_observed(
        &self,
        job: &str,
        now: &str,
        host: &mut dyn Host,
        observers: &mut [&mut dyn Observer],
    ) -> Result<Report, Error> {
        match self.start(job, now) {
            Ok(mut run) => drive(&mut run, host, observers),
            Err(error) => Err(reported(error, observers)?),
        }
    }

    /// Examines an account. `options` are those of `start-doctor` in `wit/loads.wit` (JSON). A
    /// failure of the host is a finding rather than an error.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn examine(
        &self,
        options: &str,
        now: &str,
        host: &mut dyn Host,
    ) -> Result<Examination, Error> {
        let mut run = self.begin(Begin::Examination, options, now)?;
        match drive_to_end(&mut run, host, &mut [])? {
            End::Examined(examination) => Ok(examination),
            end => Err(Error::Defect(format!("an examination ended as {}", end.name()))),
        }
    }

    /// Finds an approved job by its name in a table `DATABASE.SCHEMA.TABLE` with the columns NAME
    /// and JOB. Returns its text.
    ///
    /// # Errors
    /// [`Error::Fault`] if there is no such job, or more than one.
    pub fn find(&self, table: &str, name: &str, host: &mut dyn Host) -> Result<String, Error> {
        let mut run = self.begin(Begin::Search, table, name)?;
        match drive_to_end(&mut run, host, &mut [])? {
            End::Found(job) => Ok(job),
            end => Err(Error::Defect(format!("a search ended as {}", end.name()))),
        }
    }

    /// Reads what is stored of the job's pipeline, or of `every` pipeline in its dataset, as
    /// `start-status` in `wit/loads.wit` says.
    ///
    /// # Errors
    /// [`Error::Fault`] for an invalid job, or a statement that fails.
    pub fn status(
        &self,
        job: &str,
        every: bool,
        now: &str,
        host: &mut dyn Host,
    ) -> Result<Listings, Error> {
        self.listed(Begin::Status { every }, job, now, host)
    }

    /// Reads the log of a job service, or the list of job services. `options` are those of
    /// `start-logs` in `wit/loads.wit` (JSON).
    ///
    /// # Errors
    /// [`Error::Fault`] for invalid options, or a statement that fails.
    pub fn logs(&self, options: &str, host: &mut dyn Host) -> Result<Listings, Error> {
        self.listed(Begin::Logs, options, "", host)
    }

    fn listed(
        &self,
        what: Begin,
        given: &str,
        more: &str,
        host: &mut dyn Host,
    ) -> Result<Listings, Error> {
        let mut run = self.begin(what, given, more)?;
        match drive_to_end(&mut run, host, &mut [])? {
            End::Listed(listings) => Ok(listings),
            end => Err(Error::Defect(format!("a reading ended as {}", end.name()))),
        }
    }

    /// Creates an instance of the component with this job, before its first step.
    ///
    /// # Errors
    /// [`Error::Fault`] for an invalid job.
    pub fn start(&self, job: &str, now: &str) -> Result<Run, Error> {
        self.begin(Begin::Load, job, now)
    }

    fn begin(&self, what: Begin, given: &str, more: &str) -> Result<Run, Error> {
        if self.limits.fuel.is_some() && !self.engine.settings().fuel {
            return Err(Error::Misuse(
                "a limit of fuel needs an engine whose settings count fuel".to_owned(),
            ));
        }
        let _watch = self.engine.watchdog().watch();
        let limits = self.limits;
        let (mut store, loader) =
            self.engine.instantiate(&limits).map_err(|e| stopped(e, &limits))?;
        let load = loader.snowcat_loader_loads().load();
        let load = match what {
            Begin::Load => match &self.policy {
                None => load.call_start(&mut store, given, more),
                Some(policy) => load.call_start_within(&mut store, given, policy, more),
            },
            Begin::Examination => load.call_start_doctor(&mut store, given, more),
            Begin::Search => load.call_start_approved(&mut store, given, more),
            Begin::Status { every } => load.call_start_status(&mut store, given, every, more),
            Begin::Logs => load.call_start_logs(&mut store, given),
        };
        let load = load.map_err(|e| stopped(e, &limits))?.map_err(Error::Fault)?;
        Ok(Run { engine: self.engine.clone(), limits, store, loader, load })
    }
}

/// The kind of a run.
#[derive(Clone, Copy, Debug)]
enum Begin {
    Load,
    Examination,
    Search,
    Status { every: bool },
    Logs,
}

/// A load that is driven from outside: an instance of the component, or in tests the library.
pub trait Guest {
    /// Passes the answer to the last step. Returns the next step.
    ///
    /// # Errors
    /// [`Error::Fault`] if the load fails. After any error it is over.
    fn resume(&mut self, reply: &Reply) -> Result<Step, Error>;

    /// Returns the bytes of the pending [`Step::Upload`].
    ///
    /// # Errors
    /// [`Error::Fault`] if no upload is pending.
    fn payload(&mut self) -> Result<Vec<u8>, Error>;
}

/// An instance of the component with a running load.
pub struct Run {
    engine: Engine,
    limits: Limits,
    store: Store<Memory>,
    loader: Loader,
    load: ResourceAny,
}

impl Run {
    /// The peak of linear memory, in bytes.
    #[must_use]
    pub fn peak_memory(&self) -> usize {
        self.store.data().peak
    }

    /// Resets the limits of time and fuel, which apply to one call.
    fn refill(&mut self) -> Result<(), Error> {
        self.store.set_epoch_deadline(Watchdog::ticks(self.limits.time));
        if let Some(fuel) = self.limits.fuel {
            self.store.set_fuel(fuel).map_err(|e| stopped(e, &self.limits))?;
        }
        Ok(())
    }
}

impl Guest for Run {
    fn resume(&mut self, reply: &Reply) -> Result<Step, Error> {
        self.refill()?;
        let _watch = self.engine.watchdog().watch();
        self.loader
            .snowcat_loader_loads()
            .load()
            .call_resume(&mut self.store, self.load, reply)
            .map_err(|e| stopped(e, &self.limits))?
            .map_err(Error::Fault)
    }

    fn payload(&mut self) -> Result<Vec<u8>, Error> {
        self.refill()?;
        let _watch = self.engine.watchdog().watch();
        self.loader
            .snowcat_loader_loads()
            .load()
            .call_payload(&mut self.store, self.load)
            .map_err(|e| stopped(e, &self.limits))?
            .map_err(Error::Fault)
    }
}

impl std::fmt::Debug for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Run").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// An observer of a run. An error that it returns ends the run.
///
/// ```
/// use std::time::Duration;
///
/// use snowcat_host::{DryRun, Engine, Error, Fault, Observer, Runner, Settings};
///
/// #[derive(Default)]
/// struct Faults(Vec<String>);
///
/// impl Observer for Faults {
///     fn fault(&mut self, fault: &Fault) -> Result<(), Error> {
///         self.0.push(fault.message.clone());
///         Ok(())
///     }
/// }
///
/// # fn main() -> Result<(), Error> {
/// let (engine, mut faults) = (Engine::new(&Settings::default())?, Faults::default());
/// let runner = Runner::new(&engine);
/// let run = runner.run_observed("[]", "2026-01-01T00:00:00Z", &mut DryRun::new(), &mut [&mut faults]);
/// assert!(run.is_err());
/// assert_eq!(faults.0.len(), 1);
/// # Ok(())
/// # }
/// ```
pub trait Observer {
    /// Called with each answer, and the time that the host needed for it.
    ///
    /// # Errors
    /// Any error that must end the run.
    fn reply(&mut self, reply: &Reply, spent: Duration) -> Result<(), Error> {
        _ = (reply, spent);
        Ok(())
    }

    /// Called with each step, and the time that the component needed for it. `payload` is that of
    /// an upload, or empty.
    ///
    /// # Errors
    /// Any error that must end the run.
    fn step(&mut self, step: &Step, payload: &[u8], spent: Duration) -> Result<(), Error> {
        _ = (step, payload, spent);
        Ok(())
    }

    /// Called if the load fails.
    ///
    /// # Errors
    /// An error to report instead of the fault.
    fn fault(&mut self, fault: &Fault) -> Result<(), Error> {
        _ = fault;
        Ok(())
    }
}

/// Drives a load to its end, and checks that both sides follow the interface.
///
/// ```
/// use snowcat_host::{DryRun, Error, Guest, Reply, Step, drive};
///
/// /// A guest that asks for a wait without an end.
/// struct Endless;
///
/// impl Guest for Endless {
///     fn resume(&mut self, _: &Reply) -> Result<Step, Error> {
///         let reason = "forever".to_owned();
///         Ok(Step::Wait(snowcat_host::Pause { seconds: f64::INFINITY, reason }))
///     }
///     fn payload(&mut self) -> Result<Vec<u8>, Error> {
///         Ok(Vec::new())
///     }
/// }
///
/// let run = drive(&mut Endless, &mut DryRun::new(), &mut []);
/// assert!(matches!(run, Err(Error::Defect(_))));
/// ```
///
/// # Errors
/// See [`Error`].
pub fn drive(
    guest: &mut dyn Guest,
    host: &mut dyn Host,
    observers: &mut [&mut dyn Observer],
) -> Result<Report, Error> {
    match drive_to_end(guest, host, observers)? {
        End::Finished(report) => Ok(report),
        end => Err(Error::Defect(format!("a load ended as {}", end.name()))),
    }
}

/// The end of a run.
enum End {
    Finished(Report),
    Examined(Examination),
    Found(String),
    Listed(Listings),
}

impl End {
    const fn name(&self) -> &'static str {
        match self {
            Self::Finished(_) => "a load",
            Self::Examined(_) => "an examination",
            Self::Found(_) => "a search",
            Self::Listed(_) => "a reading",
        }
    }
}

fn drive_to_end(
    guest: &mut dyn Guest,
    host: &mut dyn Host,
    observers: &mut [&mut dyn Observer],
) -> Result<End, Error> {
    let mut reply = Reply::Start;
    let mut answered = Duration::ZERO;
    loop {
        for observer in observers.iter_mut() {
            observer.reply(&reply, answered)?;
        }
        let clock = Instant::now();
        let next = guest.resume(&reply);
        // A page may have megabytes; the load has its own copy.
        drop(reply);
        let step = match next {
            Ok(step) => step,
            Err(error) => return Err(reported(error, observers)?),
        };
        let payload = match &step {
            Step::Upload(upload) => match payload(guest, upload) {
                Ok(payload) => payload,
                Err(error) => return Err(reported(error, observers)?),
            },
            _ => Vec::new(),
        };
        let worked = clock.elapsed();
        for observer in observers.iter_mut() {
            observer.step(&step, &payload, worked)?;
        }
        let clock = Instant::now();
        reply = match step {
            Step::Fetch(fetches) => responses(&fetches.requests, host)?,
            Step::Finished(report) => return Ok(End::Finished(report)),
            Step::Examined(examination) => return Ok(End::Examined(examination)),
            Step::Found(found) => return Ok(End::Found(found.job)),
            Step::Listed(listings) => return Ok(End::Listed(listings)),
            Step::Pull(pull) => match host.pull(&pull) {
                Ok(Pulled::End) => Reply::End,
                Ok(Pulled::File(file)) => Reply::File(file),
                Ok(Pulled::Columns(columns)) => Reply::Columns(columns),
                Ok(Pulled::Page(page)) => Reply::Page(page),
                Err(failure) => Reply::Failed(failure),
            },
            Step::Sql(script) => outcomes(&script, host)?,
            Step::Upload(upload) => match host.upload(&upload, payload) {
                Ok(()) => Reply::Done,
                Err(failure) => Reply::Failed(failure),
            },
            Step::Wait(pause) => {
                host.wait(seconds(&pause)?, &pause.reason);
                Reply::Done
            }
        };
        answered = clock.elapsed();
    }
}

fn payload(guest: &mut dyn Guest, upload: &Upload) -> Result<Vec<u8>, Error> {
    let payload = guest.payload()?;
    if payload.len() as u64 != upload.size {
        return Err(Error::Defect(format!(
            "{} was announced with {} bytes, found {}",
            upload.path,
            upload.size,
            payload.len()
        )));
    }
    // Hosts use it as a file name.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let sound = |part: &str| !part.is_empty() && part != "." && part != "..";
    if !upload.path.chars().all(plain) || !upload.path.split('/').all(sound) {
        return Err(Error::Defect(format!("{:?} is not a path under a stage", upload.path)));
    }
    if !is_quoted(&upload.stage) {
        return Err(Error::Defect(format!("{:?} is not the name of a stage", upload.stage)));
    }
    Ok(payload)
}

/// Returns `true` for a named stage: one to three quoted names, separated by dots.
fn is_quoted(mut stage: &str) -> bool {
    for names in 1.. {
        let Some(mut rest) = stage.strip_prefix('"') else { return false };
        let mut length = 0;
        loop {
            let Some((part, behind)) = rest.split_once('"') else { return false };
            length += part.len();
            rest = behind;
            // A doubled quote stands for one.
            match rest.strip_prefix('"') {
                Some(behind) => (rest, length) = (behind, length + 1),
                None => break,
            }
        }
        if length == 0 || stage.contains('\0') {
            return false;
        }
        match rest.strip_prefix('.') {
            Some(behind) if names < 3 => stage = behind,
            _ => return rest.is_empty(),
        }
    }
    false
}

fn outcomes(script: &Script, host: &mut dyn Host) -> Result<Reply, Error> {
    let outcomes: Vec<Outcome> = match host.sql(script) {
        Ok(SqlReply::DryRun) => return Ok(Reply::DryRun),
        Ok(SqlReply::Outcomes(outcomes)) => outcomes,
        Err(failure) => return Ok(Reply::Failed(failure)),
    };
    if outcomes.len() != script.statements.len() {
        return Err(Error::Misuse(format!(
            "expected one outcome for each of {} statements, found {}",
            script.statements.len(),
            outcomes.len()
        )));
    }
    Ok(Reply::Outcomes(outcomes))
}

fn responses(requests: &[Request], host: &mut dyn Host) -> Result<Reply, Error> {
    if requests.is_empty() {
        return Err(Error::Defect("a fetch of no requests".to_owned()));
    }
    let responses: Vec<Result<Response, Failure>> = host.fetch(requests);
    if responses.len() != requests.len() {
        return Err(Error::Misuse(format!(
            "expected one answer to each of {} requests, found {}",
            requests.len(),
            responses.len()
        )));
    }
    Ok(Reply::Responses(responses))
}

/// The longest wait in seconds. The load fails if a source requests more.
const LONGEST_WAIT: f64 = 900.0;

fn seconds(pause: &Pause) -> Result<f64, Error> {
    if (0.0..=LONGEST_WAIT).contains(&pause.seconds) {
        Ok(pause.seconds)
    } else {
        Err(Error::Defect(format!("a wait of {} seconds", pause.seconds)))
    }
}

/// Passes a fault to the observers. Returns the error that ended the run.
fn reported(error: Error, observers: &mut [&mut dyn Observer]) -> Result<Error, Error> {
    if let Error::Fault(fault) = &error {
        for observer in observers.iter_mut() {
            observer.fault(fault)?;
        }
    }
    Ok(error)
}

/// The reason why the component's code stopped.
#[cold]
fn stopped(error: wasmtime::Error, limits: &Limits) -> Error {
    if let Some(limit) = error.downcast_ref::<Limit>() {
        return Error::Limit(*limit);
    }
    match (error.downcast_ref::<Trap>(), limits.fuel) {
        (Some(Trap::Interrupt), _) => Error::Limit(Limit::Time { limit: limits.time }),
        (Some(Trap::OutOfFuel), Some(limit)) => Error::Limit(Limit::Fuel { limit }),
        _ => Error::Trap {
            message: error.root_cause().to_string(),
            source: error.into_boxed_dyn_error(),
        },
    }
}
