//! `snowcat`: the command line, implemented in [`cli`].

#![warn(clippy::indexing_slicing)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
