//! The commands: arguments, files and output. Loads are in the library.

mod account;
mod check;
mod columns;
mod delivery;
mod deploy;
mod doctor;
mod document;
mod events;
mod exit;
mod grid;
mod image;
mod init;
mod job;
mod load;
mod log;
mod logs;
mod placeholders;
mod plan;
mod precompile;
mod private;
mod progress;
mod quantity;
mod run;
mod scripts;
mod show;
mod signals;
mod slice;
mod statement;
mod status;
mod terminal;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use snowcat_host::{COMPONENT, Engine, Settings};

/// Loads REST APIs and files into Snowflake.
#[derive(Parser)]
#[command(name = "snowcat", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Check(check::Check),
    Deploy(Box<deploy::Deploy>),
    Doctor(Box<doctor::Doctor>),
    Image(image::WriteImage),
    Init(init::Init),
    Logs(Box<logs::Logs>),
    Plan(plan::Plan),
    Precompile(precompile::Precompile),
    Run(Box<run::RunJob>),
    Status(Box<status::Status>),
    Component(Component),
}

/// Write out the component that this program embeds, for other hosts
#[derive(Args)]
struct Component {
    /// The file to write
    file: PathBuf,
}

/// The reason why a command failed.
enum Failed {
    /// Invalid arguments: exit code 2.
    Usage(String),
    /// A failure of the work itself: exit code 1.
    Work(String),
    /// A load failed, for this reason.
    Exit(exit::Exit, String),
}

impl Failed {
    fn into_message(self) -> String {
        match self {
            Self::Usage(message) | Self::Work(message) | Self::Exit(_, message) => message,
        }
    }
}

impl Failed {
    fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Work(_) => 1,
            Self::Exit(exit, _) => exit.code(),
        }
    }

    /// The reason in a word, for programs.
    fn kind(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Work(_) => "work",
            Self::Exit(exit, _) => exit.name(),
        }
    }

    fn message(&self) -> &str {
        match self {
            Self::Usage(message) | Self::Work(message) | Self::Exit(_, message) => message,
        }
    }
}

/// Reads a file, without the byte order mark of an editor: positions do not count it.
fn read_text(file: &Path) -> Result<String, Failed> {
    let text =
        fs::read_to_string(file).map_err(|e| Failed::Usage(format!("{}: {e}", file.display())))?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Component(component) => component.run(),
        Command::Deploy(deploy) => deploy.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Image(image) => image.run(),
        Command::Init(init) => init.run(),
        Command::Logs(logs) => logs.run(),
        Command::Plan(plan) => plan.run(),
        Command::Precompile(precompile) => precompile.run(),
        Command::Run(run) => run.run(),
        Command::Status(status) => status.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            log::say("error", format_args!("{}", failed.message()));
            ExitCode::from(failed.code())
        }
    }
}

impl Component {
    fn run(&self) -> Result<(), Failed> {
        let work = |e: &dyn std::fmt::Display| Failed::Work(e.to_string());
        let engine = Engine::new(&Settings::default()).map_err(|e| work(&e))?;
        if let Some(directory) = self.file.parent() {
            fs::create_dir_all(directory)
                .map_err(|e| work(&format_args!("{}: {e}", directory.display())))?;
        }
        fs::write(&self.file, COMPONENT)
            .map_err(|e| work(&format_args!("{}: {e}", self.file.display())))?;
        let imports = match engine.imports() {
            [] => "none".to_owned(),
            some => some.join(", "),
        };
        let size = quantity::bytes(COMPONENT.len() as u64);
        writeln!(io::stdout(), "{}: {size}, imports: {imports}", self.file.display())
            .map_err(|e| work(&e))
    }
}
