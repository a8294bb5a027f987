//! `snowcat`: the command line. All it knows is in [`cli`].

#![warn(clippy::indexing_slicing)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
