//! What a host does for a load. The trait states obligations; how they are met is the host's affair.

use crate::interface::{Column, Failure, File, Outcome, Pull, Request, Response, Script, Upload};

/// The answer to a script.
#[derive(Clone, Debug)]
pub enum SqlReply {
    /// Nothing was run: this is a rehearsal. The load goes on as if the dataset were empty and every
    /// statement had succeeded. A warehouse says this of every script of a run, or of none.
    Assumed,
    /// One outcome for each statement, in the order of the script.
    Outcomes(Vec<Outcome>),
}

/// The answer to a pull.
#[derive(Clone, Debug, PartialEq)]
pub enum Pulled {
    /// A page.
    Page(String),
    /// The pages from here on are of this file.
    File(File),
    /// The pages from here on are cells of these columns.
    Columns(Vec<Column>),
    /// There is no more.
    End,
}

/// One session with a database and its stages, and a way to the sources: everything a load asks for.
///
/// A load calls it from one thread, and waits for the answer. A [`Failure`] is for what went wrong in
/// the world: the load decides whether to retry or to give up, and it must say enough for a person to
/// act on, and hold no secret. A warehouse that breaks an obligation which the runner can see ends the
/// run with [`Error::Misuse`](crate::Error::Misuse).
///
/// If a run ends with an error that is not a fault of the load (a limit, a trap), the load could not roll
/// back: whoever owns the session must, before using it again.
pub trait Warehouse {
    /// Runs a script.
    ///
    /// - Each statement is sent as it is, in a statement of its own, and never sent twice.
    /// - [`Order::Serial`](crate::Order::Serial): in the order given, on the one session that all serial
    ///   scripts of the run share, for a transaction may span several scripts. The first that fails
    ///   ends the script; those after it are not run.
    /// - [`Order::Any`](crate::Order::Any): in any order or at once, on any session of the same role.
    ///   All have ended, well or not, when this returns.
    /// - Every upload before it has arrived.
    /// - NULL is `None`, and the empty text is `Some("")`. Values are as the session prints them.
    /// - `affected` is the number of rows inserted, updated and deleted by a DML statement, and `None`
    ///   where the session does not tell.
    ///
    /// Legal for `["BEGIN", "INSERT ..", "COMMIT"]`: three outcomes, or a failure. Illegal: two outcomes
    /// and silence; a failure after the COMMIT has succeeded.
    ///
    /// # Errors
    /// The failure of the first statement that failed; `code` is the server's error number, and
    /// `transient` is true only when the statement surely had no effect.
    fn sql(&mut self, script: &Script) -> Result<SqlReply, Failure>;

    /// Creates a file on a stage. `payload` has `upload.size` bytes.
    ///
    /// - The same path twice overwrites.
    /// - It may return before the file has arrived; then a later failure is the failure of the next
    ///   [`sql`](Self::sql).
    ///
    /// # Errors
    /// When the file cannot be created.
    fn upload(&mut self, upload: &Upload, payload: Vec<u8>) -> Result<(), Failure>;

    /// Sends requests that do not depend on one another; one answer each, in their order.
    ///
    /// - A response is a response whatever its status. A redirect is not followed: it is a response.
    /// - TLS, with its certificates checked, unless the URL's host is the local machine.
    /// - The credential named by `auth` goes only to the hosts it is for; for any other it is a failure,
    ///   and the request is not sent.
    /// - Header names are in lower case, and `set-cookie` is left out.
    ///
    /// [`Http`](crate::http::Http) meets all of this.
    fn fetch(&mut self, requests: &[Request]) -> Vec<Result<Response, Failure>>;

    /// The next page of the input that the host holds for a resource, or that is where the job says
    /// ([`Pull::files`]); made as [`Pull::content`] says. Files come in the order of their names, and
    /// [`Pulled::File`] before the first page of each; of Parquet and Arrow, and of whatever else has types,
    /// then [`Pulled::Columns`]. After [`Pulled::End`] comes the end again and
    /// again. [`files`](crate::input::files) does all of it.
    ///
    /// # Errors
    /// When there is no input for the resource, or it cannot be read.
    fn pull(&mut self, pull: &Pull) -> Result<Pulled, Failure>;

    /// Does nothing for so long; `seconds` is finite and not negative. `reason` is for a person.
    fn wait(&mut self, seconds: f64, reason: &str);
}
