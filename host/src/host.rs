//! [`Host`]: the interface of a load to the outside.

use crate::interface::{Column, Failure, File, Outcome, Pull, Request, Response, Script, Upload};

/// The answer to a script.
#[derive(Clone, Debug)]
pub enum SqlReply {
    /// Nothing was run: this is a dry run. The load continues as if the dataset were empty and
    /// every statement had succeeded. A host returns this for every script of a run, or for none.
    DryRun,
    /// One outcome for each statement, in the order of the script.
    Outcomes(Vec<Outcome>),
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq)]
pub enum Pulled {
    /// A page.
    Page(String),
    /// The following pages are of this file.
    File(File),
    /// The following pages are cells of these columns.
    Columns(Vec<Column>),
    /// There are no more pages.
    End,
}

/// One session with a database and its stages, and access to the sources.
///
/// The obligations are those of `wit/loads.wit`, which is normative. They are in the documentation of the
/// types that the methods take, with the sequences of answers that are legal and illegal: [`Script`],
/// [`Upload`], [`Request`], [`Pull`], [`Pause`](crate::Pause).
///
/// A load calls the methods from one thread and waits for each answer. A [`Failure`] reports an
/// error outside of the program: the load decides whether to retry or to fail. Its message must be
/// sufficient for a user to act on, and must not contain a secret. If a host violates an obligation
/// that the runner can check, the run ends with [`Error::Misuse`](crate::Error::Misuse).
///
/// If a run ends with an error that is not a fault of the load (a limit, a trap), the load could not roll
/// back: the owner of the session must, before the session is used again.
///
/// # Example
/// A host for tests: it has no database and no network.
///
/// ```
/// use snowcat_host::{
///     Engine, Failure, Host, Pull, Pulled, Request, Response, Runner, Script, Settings, SqlReply, Upload,
/// };
///
/// struct OnePage(Option<String>);
///
/// impl Host for OnePage {
///     fn sql(&mut self, _: &Script) -> Result<SqlReply, Failure> {
///         Ok(SqlReply::DryRun)
///     }
///     fn upload(&mut self, _: &Upload, _: Vec<u8>) -> Result<(), Failure> {
///         Ok(())
///     }
///     fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>> {
///         let message = "this host has no network".to_owned();
///         let failure = Failure { code: String::new(), message, transient: false };
///         requests.iter().map(|_| Err(failure.clone())).collect()
///     }
///     fn pull(&mut self, _: &Pull) -> Result<Pulled, Failure> {
///         Ok(self.0.take().map_or(Pulled::End, Pulled::Page))
///     }
///     fn wait(&mut self, _: f64, _: &str) {}
/// }
///
/// # fn main() -> Result<(), snowcat_host::Error> {
/// let job = r#"{
///     "pipeline": "shop", "database": "RAW", "dataset": "shop",
///     "resources": [{"name": "orders", "source": "pull"}]
/// }"#;
/// let mut host = OnePage(Some(r#"{"id": 1}{"id": 2}"#.to_owned()));
/// let engine = Engine::new(&Settings::default())?;
/// let report = Runner::new(&engine).run(job, "2026-01-01T00:00:00Z", &mut host)?;
/// let orders = report.tables.iter().find(|table| table.name == "orders");
/// assert_eq!(orders.map(|table| table.rows), Some(2));
/// # Ok(())
/// # }
/// ```
pub trait Host {
    /// Runs a script, as [`Script`] says.
    ///
    /// # Errors
    /// The failure of the first statement that failed; `code` is the server's error number, and
    /// `transient` is `true` only if the statement had no effect.
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure>;

    /// Sends requests that do not depend on one another, as [`Request`] says. Returns one answer for each
    /// request, in their order. [`Http`](crate::http::Http) does this.
    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>>;

    /// Returns the next page of the input of a resource, as [`Pull`] says. After [`Pulled::End`] every
    /// further answer is [`Pulled::End`]. [`Input`](crate::input::files::Input) does this.
    ///
    /// # Errors
    /// If there is no input for the resource, or it cannot be read.
    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure>;

    /// Creates a file on a stage, as [`Upload`] says. `payload` has `upload.size` bytes. It may return before
    /// the file has arrived; a failure after that is the failure of the next `upload` or [`sql`](Self::sql).
    ///
    /// # Errors
    /// If the file cannot be created.
    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure>;

    /// Waits for this many seconds, which are finite and not negative. `reason` is for messages.
    fn wait(&mut self, seconds: f64, reason: &str);
}
