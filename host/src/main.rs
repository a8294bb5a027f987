//! `snowcat`: the command line. All it knows is in [`cli`].

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
