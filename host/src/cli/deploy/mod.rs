//! `snowcat deploy`: puts a package into an account.

mod script;

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::{DryRun, Failure, Host as _, Order, Script};

use self::script::{DeployStep, PutFile, steps};
use super::exit::Exit;
use super::run::{ConnectionArguments, not_opened, of_load};
use super::terminal::{Escaped, printable};
use super::{Failed, quantity, read_text};

/// Put a package into an account
///
/// Runs put.sql, install.sql and doctor.sql of the folder that `make package` writes, then each `--script`, and uploads
/// the files that they name. Without `--apply` it prints every statement and every file in order, and connects to
/// nothing. The scripts may be run again at any time: secrets, rules, grants and the owner's policy stay as they are.
///
/// The first statement that fails ends it; what was done before stays. Exit codes are those of `snowcat run`.
#[derive(Args)]
pub(super) struct Deploy {
    /// The folder of the package
    package: PathBuf,
    /// Another script of the package, such as task.sql or github.sql, after the others
    #[arg(long, value_name = "FILE")]
    script: Vec<PathBuf>,
    /// Do it
    #[arg(long)]
    apply: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
}

/// The scripts of every installation, in order.
const SCRIPTS: [&str; 3] = ["put.sql", "install.sql", "doctor.sql"];

/// A script of the package.
struct Worksheet {
    name: String,
    steps: Vec<DeployStep>,
}

impl Deploy {
    pub(super) fn run(&self) -> Result<(), Failed> {
        let worksheets = self.worksheets()?;
        if self.apply { self.apply(&worksheets) } else { self.show(&worksheets) }
    }

    /// Reads all scripts, and checks that their files exist.
    fn worksheets(&self) -> Result<Vec<Worksheet>, Failed> {
        let names = SCRIPTS.into_iter().map(PathBuf::from).chain(self.script.iter().cloned());
        let mut worksheets = Vec::new();
        for name in names {
            let file = self.package.join(&name);
            let wrong = |why: String| Failed::Usage(format!("{}: {why}", file.display()));
            let steps = steps(&read_text(&file)?).map_err(wrong)?;
            for step in &steps {
                if let DeployStep::Put(put) = step {
                    self.size(put)?;
                }
            }
            worksheets.push(Worksheet { name: name.display().to_string(), steps });
        }
        Ok(worksheets)
    }

    fn size(&self, put: &PutFile) -> Result<u64, Failed> {
        let file = self.package.join(&put.name);
        let found = fs::metadata(&file).map(|it| it.len());
        found.map_err(|error| Failed::Usage(format!("{}: {error}", file.display())))
    }

    /// Prints what would be done.
    fn show(&self, worksheets: &[Worksheet]) -> Result<(), Failed> {
        let mut text = String::new();
        for Worksheet { name, steps } in worksheets {
            text.push_str(&format!("-- {name}\n"));
            for step in steps {
                match step {
                    DeployStep::Statement(statement) => text.push_str(&format!("{statement};\n")),
                    DeployStep::Put(put) => {
                        let size = quantity::bytes(self.size(put)?);
                        text.push_str(&format!("-- upload {}: {size}\n", shown_put(put)));
                    }
                }
            }
        }
        text.push_str("-- Nothing was done: --apply does it.\n");
        let written = Escaped(io::stdout()).write_all(text.as_bytes());
        written.map_err(|error| Failed::Work(error.to_string()))
    }

    fn apply(&self, worksheets: &[Worksheet]) -> Result<(), Failed> {
        let connection = self.connection.find().map_err(|error| not_opened(&error))?;
        let session = Session::open(&of_load(connection)).map_err(|error| not_opened(&error))?;
        let mut host = Snowflake::new(session, DryRun::new());
        let done = self.all(worksheets, &mut host);
        // Each statement commits by itself, so nothing depends on the log-out; the service ends the session.
        _ = host.close();
        let (statements, files) = done?;
        say(&format!("{statements}, {files}"))
    }

    /// Performs every step in order. Returns what was done, in words.
    fn all(
        &self,
        worksheets: &[Worksheet],
        host: &mut Snowflake<DryRun>,
    ) -> Result<(String, String), Failed> {
        let (mut statements, mut files) = (0_u64, 0_u64);
        for Worksheet { name, steps } in worksheets {
            for (number, step) in (1_usize..).zip(steps) {
                let (shown, done) = match step {
                    DeployStep::Statement(statement) => {
                        (first_line(statement), execute(host, statement))
                    }
                    DeployStep::Put(put) => {
                        (format!("upload {}", shown_put(put)), self.upload(host, put)?)
                    }
                };
                match done {
                    Ok(note) => say(&format!("ok  {name}: {shown}{note}"))?,
                    Err(failure) => {
                        let place = format!("{name}, step {number} of {}: {shown}", steps.len());
                        let before = words(statements, files);
                        let message = format!(
                            "{place}: {} {}; done before: {}, {}",
                            failure.code, failure.message, before.0, before.1
                        );
                        return Err(Failed::Exit(Exit::Destination, message));
                    }
                }
                match step {
                    DeployStep::Statement(_) => statements += 1,
                    DeployStep::Put(_) => files += 1,
                }
            }
        }
        Ok(words(statements, files))
    }

    fn upload(
        &self,
        host: &mut Snowflake<DryRun>,
        put: &PutFile,
    ) -> Result<Result<&'static str, Failure>, Failed> {
        let file = self.package.join(&put.name);
        let bytes = fs::read(&file)
            .map_err(|error| Failed::Usage(format!("{}: {error}", file.display())))?;
        let uploaded = host.put_file(&put.stage, &put.name, bytes, put.overwrite);
        Ok(uploaded.map(|new| if new { "" } else { " (it exists, and is kept)" }))
    }
}

fn execute(host: &mut Snowflake<DryRun>, statement: &str) -> Result<&'static str, Failure> {
    let script = Script { statements: vec![statement.to_owned()], order: Order::Serial };
    host.sql(&script).map(|_| "")
}

fn words(statements: u64, files: u64) -> (String, String) {
    (quantity::counted(statements, "statement"), quantity::counted(files, "file"))
}

fn shown_put(put: &PutFile) -> String {
    let kept = if put.overwrite { "" } else { ", unless it exists" };
    format!("{} to @{}{kept}", put.name, put.stage)
}

/// Returns the first line of a statement, without control characters.
fn first_line(statement: &str) -> String {
    let line = statement.lines().next().unwrap_or_default();
    let dots = if line.len() < statement.len() { " .." } else { "" };
    format!("{}{dots}", printable(line))
}

fn say(line: &str) -> Result<(), Failed> {
    writeln!(Escaped(io::stdout()), "{line}").map_err(|error| Failed::Work(error.to_string()))
}
