//! Runs a stand-in: `standin jira|github|pagerduty|graph --port 0 --seed S [--faults SPEC]`.
//! Its first line is `listening on http://127.0.0.1:PORT`; it ends when it is killed.

use std::io::{self, Write};
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use snowcat_tests::standin::{Faults, Setup, github, graph, jira, pagerduty};

#[derive(Parser)]
#[command(about = "A stand-in for a service that is loaded from")]
struct Cli {
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand)]
enum Service {
    /// Jira Cloud
    Jira(Jira),
    /// GitHub: a repository
    Github(GitHub),
    /// PagerDuty: incidents and what belongs to them
    Pagerduty(PagerDuty),
    /// Microsoft Graph, and what gives out its tokens
    Graph(Graph),
}

#[derive(Args)]
struct Common {
    /// The port of the loopback address; 0 for any that is free
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Another seed gives other data
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// What goes wrong, as PATH@WHICH=ACTION; e.g. `search/jql@2=throttle:1; search/jql@4-5=status:503`
    #[arg(long, default_value = "", hide_default_value = true)]
    faults: Faults,
    /// Compress answers for clients that accept it
    #[arg(long)]
    gzip: bool,
}

#[derive(Args)]
struct Jira {
    #[command(flatten)]
    common: Common,
    /// How many issues there are
    #[arg(long, default_value_t = jira::Options::default().issues)]
    issues: u64,
    /// Who may ask
    #[arg(long, default_value_t = jira::Options::default().user)]
    user: String,
    /// The secret that proves it
    #[arg(long, default_value_t = jira::Options::default().token)]
    token: String,
}

#[derive(Args)]
struct GitHub {
    #[command(flatten)]
    common: Common,
    /// The repository
    #[arg(long, default_value_t = github::Options::default().repository)]
    repository: String,
    /// How many issues there are, pull requests among them
    #[arg(long, default_value_t = github::Options::default().issues)]
    issues: u64,
    /// The token that may ask
    #[arg(long, default_value_t = github::Options::default().token)]
    token: String,
}

#[derive(Args)]
struct PagerDuty {
    #[command(flatten)]
    common: Common,
    /// How many incidents there are
    #[arg(long, default_value_t = pagerduty::Options::default().incidents)]
    incidents: u64,
    /// The key that may ask
    #[arg(long, default_value_t = pagerduty::Options::default().token)]
    token: String,
}

#[derive(Args)]
struct Graph {
    #[command(flatten)]
    common: Common,
    /// The tenant
    #[arg(long, default_value_t = graph::Options::default().tenant)]
    tenant: String,
    /// How many users there are
    #[arg(long, default_value_t = graph::Options::default().users)]
    users: u64,
    /// The id of the application that may ask
    #[arg(long, default_value_t = graph::Options::default().client)]
    client: String,
    /// The secret that proves it
    #[arg(long, default_value_t = graph::Options::default().secret)]
    secret: String,
}

impl Common {
    fn setup(self) -> Setup {
        Setup { port: self.port, faults: self.faults, gzip: self.gzip }
    }
}

fn main() -> io::Result<()> {
    let standin = match Cli::parse().service {
        Service::Jira(Jira { common, issues, user, token }) => {
            let options = jira::Options { issues, seed: common.seed, user, token };
            Arc::new(jira::Jira::new(&options)).start(common.setup())?
        }
        Service::Github(GitHub { common, repository, issues, token }) => {
            let options = github::Options { repository, issues, seed: common.seed, token };
            github::start(common.setup(), &options)?
        }
        Service::Pagerduty(PagerDuty { common, incidents, token }) => {
            let options = pagerduty::Options { incidents, seed: common.seed, token };
            pagerduty::start(common.setup(), &options)?
        }
        Service::Graph(Graph { common, tenant, users, client, secret }) => {
            let options = graph::Options { tenant, users, seed: common.seed, client, secret };
            graph::start(common.setup(), &options)?
        }
    };
    let mut out = io::stdout();
    writeln!(out, "listening on {}", standin.url())?;
    out.flush()?;
    standin.wait();
    Ok(())
}
