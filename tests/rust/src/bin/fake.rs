//! Runs a fake: `fake NAME --port 0 --size 60 --seed 42 --secret TOKEN [--faults SPEC]`.
//! It prints `listening on http://127.0.0.1:PORT` and runs until it is killed. `fake list` prints the
//! settings and trials of every fake as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use snowcat_tests::fakes::{FAKES, Fake, FakeServer, Faults, Setup};

fn main() -> io::Result<()> {
    let matches = command().get_matches();
    let mut out = io::stdout();
    let Some((name, given)) = matches.subcommand() else { return Ok(()) };
    if name == "list" {
        let fakes: Result<BTreeMap<_, _>, String> =
            FAKES.iter().map(|fake| Ok((fake.name, fake.to_json()?))).collect();
        return writeln!(out, "{}", serde_json::to_string(&fakes.map_err(io::Error::other)?)?);
    }
    let server = start(Fake::find(name).map_err(io::Error::other)?, given)?;
    writeln!(out, "listening on {}", server.url())?;
    out.flush()?;
    server.wait();
    Ok(())
}

fn command() -> Command {
    let text = |name: &'static str, about: &'static str| Arg::new(name).long(name).help(about);
    let arguments = [
        text("port", "The port on the loopback address; 0 chooses a free one")
            .value_parser(value_parser!(u16)),
        text("size", "The number of objects").value_parser(value_parser!(u64)),
        text("seed", "The seed of the generated data").value_parser(value_parser!(u64)),
        text("secret", "The secret that a client must prove: a token, or user:password"),
        text("faults", "Requests that fail, as PATH@WHICH=ACTION; e.g. `search/jql@2=throttle:1; search/jql@4-5=status:503`")
            .value_parser(value_parser!(Faults)),
        text("gzip", "Compress answers for clients that accept it").action(ArgAction::SetTrue),
    ];
    let fakes = FAKES.iter().map(|fake| Command::new(fake.name).about(fake.about).args(&arguments));
    Command::new("fake")
        .about("A fake of a service that is loaded from")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("Prints the settings and trials of every fake"))
        .subcommands(fakes)
}

fn start(fake: &Fake, given: &ArgMatches) -> io::Result<FakeServer> {
    let mut options = fake.options();
    if let Some(size) = given.get_one("size") {
        options.size = *size;
    }
    if let Some(seed) = given.get_one("seed") {
        options.seed = *seed;
    }
    if let Some(secret) = given.get_one::<String>("secret") {
        options.secret.clone_from(secret);
    }
    let setup = Setup {
        port: given.get_one("port").copied().unwrap_or_default(),
        faults: given.get_one::<Faults>("faults").cloned().unwrap_or_default(),
        gzip: given.get_flag("gzip"),
    };
    fake.start(setup, &options)
}
