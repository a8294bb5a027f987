//! Runs a fake: `standin NAME --port 0 --size 60 --seed 42 --secret TOKEN [--faults SPEC]`.
//! Its first line is `listening on http://127.0.0.1:PORT`; it ends when it is killed. `standin list` prints
//! what tests have to know of every fake, as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use snowcat_tests::standin::{FAKES, Fake, Faults, Setup, Standin};

fn main() -> io::Result<()> {
    let matches = command().get_matches();
    let mut out = io::stdout();
    let Some((name, given)) = matches.subcommand() else { return Ok(()) };
    if name == "list" {
        let fakes: Result<BTreeMap<_, _>, String> =
            FAKES.iter().map(|fake| Ok((fake.name, fake.to_json()?))).collect();
        return writeln!(out, "{}", serde_json::to_string(&fakes.map_err(io::Error::other)?)?);
    }
    let standin = start(Fake::find(name).map_err(io::Error::other)?, given)?;
    writeln!(out, "listening on {}", standin.url())?;
    out.flush()?;
    standin.wait();
    Ok(())
}

fn command() -> Command {
    let text = |name: &'static str, about: &'static str| Arg::new(name).long(name).help(about);
    let arguments = [
        text("port", "The port of the loopback address; 0 for any that is free")
            .value_parser(value_parser!(u16)),
        text("size", "How much data there is").value_parser(value_parser!(u64)),
        text("seed", "Another seed gives other data").value_parser(value_parser!(u64)),
        text("secret", "What a client has to prove: a token, or user:password"),
        text("faults", "What goes wrong, as PATH@WHICH=ACTION; e.g. `search/jql@2=throttle:1; search/jql@4-5=status:503`")
            .value_parser(value_parser!(Faults)),
        text("gzip", "Compress answers for clients that accept it").action(ArgAction::SetTrue),
    ];
    let fakes = FAKES.iter().map(|fake| Command::new(fake.name).about(fake.about).args(&arguments));
    Command::new("standin")
        .about("A fake of a service that is loaded from")
        .subcommand_required(true)
        .subcommand(Command::new("list").about("Prints what tests have to know of every fake"))
        .subcommands(fakes)
}

fn start(fake: &Fake, given: &ArgMatches) -> io::Result<Standin> {
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
