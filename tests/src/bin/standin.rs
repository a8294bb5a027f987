//! Runs the stand-in for Jira Cloud: `standin jira --port 0 --issues N --seed S [--faults SPEC]`.
//! Its first line is `listening on http://127.0.0.1:PORT`; it ends when it is killed.

use std::io::{self, Write};

use clap::{Args, Parser, Subcommand};
use snowcat_tests::standin::{Faults, Options, Standin};

#[derive(Parser)]
#[command(about = "A stand-in for a service that is loaded from")]
struct Cli {
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand)]
enum Service {
    /// Jira Cloud: issues and projects
    Jira(Jira),
}

#[derive(Args)]
struct Jira {
    /// The port of the loopback address; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many issues there are
    #[arg(long, default_value_t = Options::default().issues)]
    issues: u64,
    /// Another seed gives other issues
    #[arg(long, default_value_t = Options::default().seed)]
    seed: u64,
    /// Who may ask
    #[arg(long, default_value_t = Options::default().user)]
    user: String,
    /// The secret that proves it
    #[arg(long, default_value_t = Options::default().token)]
    token: String,
    /// What goes wrong, as PATH@WHICH=ACTION; e.g. `search/jql@2=throttle:1; search/jql@4-5=status:503`
    #[arg(long, default_value = "", hide_default_value = true)]
    faults: Faults,
    /// Compress answers for clients that accept it
    #[arg(long)]
    gzip: bool,
}

fn main() -> io::Result<()> {
    let Service::Jira(jira) = Cli::parse().service;
    let standin = Standin::start(Options {
        port: jira.port,
        issues: jira.issues,
        seed: jira.seed,
        user: jira.user,
        token: jira.token,
        faults: jira.faults,
        gzip: jira.gzip,
    })?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", standin.url())?;
    out.flush()?;
    standin.wait();
    Ok(())
}
