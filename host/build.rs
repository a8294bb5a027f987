//! Builds the component that the library embeds.
//!
//! This is a build script rather than a step of the Makefile, so that `cargo install --path host`
//! in a fresh checkout makes one self-contained program, and the embedded component is never older
//! than its source. The nested cargo has a separate target directory: with the outer one it would
//! wait for its lock forever. It uses the lock file of the workspace.
//!
//! `SNOWCAT_COMPONENT` names a built component to embed instead.

use std::env;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "component";

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SNOWCAT_COMPONENT");
    match embed() {
        Ok(path) => {
            println!("cargo::rustc-env=SNOWCAT_COMPONENT_PATH={}", path.display());
            ExitCode::SUCCESS
        }
        Err(message) => {
            for line in message.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Finds or builds the component. Returns the path of a copy that nothing else writes to.
fn embed() -> Result<PathBuf, String> {
    let ours = PathBuf::from(variable("OUT_DIR")?).join("snowcat.wasm");
    if let Some(ready) = env::var_os("SNOWCAT_COMPONENT").filter(|p| !p.is_empty()) {
        println!("cargo::rerun-if-changed={}", Path::new(&ready).display());
        let bytes = fs::read(&ready).map_err(|e| failed("read", Path::new(&ready), &e))?;
        write_if_changed(&ours, &bytes)?;
        return Ok(ours);
    }
    let manifest = PathBuf::from(variable("CARGO_MANIFEST_DIR")?);
    let workspace =
        manifest.parent().ok_or_else(|| format!("{} is not in a workspace", manifest.display()))?;
    for source in ["guest/src", "guest/Cargo.toml", "wit", "Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(source).display());
    }
    println!("cargo::rerun-if-changed={}", workspace.join(".cargo/config.toml").display());

    let target = env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| workspace.join("target"), |dir| workspace.join(dir));
    let module = compile(&find_toolchain()?, workspace, &target.join("wasm"))?;
    let module = fs::read(&module).map_err(|e| failed("read", &module, &e))?;
    let component = wit_component::ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|e| format!("the module cannot be made a component: {e:#}"))?;
    write_if_changed(&ours, &component)?;
    // A copy for the other hosts, at a path without a hash.
    let shared = target.join("component/snowcat.wasm");
    write_if_changed(&shared, &component)?;
    Ok(ours)
}

/// A compiler for WebAssembly modules.
struct Toolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Whether the standard library must be compiled, too: the toolchain only has its source.
    build_std: bool,
    /// The linker, if the toolchain has none.
    linker: Option<PathBuf>,
}

/// Returns cargo's own toolchain if it is suitable, or else that of the distribution. A compiled
/// standard library is preferred to its source.
fn find_toolchain() -> Result<Toolchain, String> {
    let current = (PathBuf::from(variable("CARGO")?), PathBuf::from(variable("RUSTC")?));
    let debian = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
    let mut why = String::new();
    for (cargo, rustc) in [current, debian] {
        if !cargo.is_file() || !(rustc.is_file() || rustc.components().count() == 1) {
            continue;
        }
        let ask = |what: &str| print(&rustc, &["--print", what, "--target", TARGET]);
        let (Ok(libraries), Ok(sysroot)) = (ask("target-libdir"), ask("sysroot")) else {
            _ = writeln!(why, "{} does not know {TARGET}.", rustc.display());
            continue;
        };
        let ready = fs::read_dir(libraries.trim()).is_ok_and(|entries| {
            entries.flatten().any(|e| e.file_name().to_string_lossy().starts_with("libstd-"))
        });
        let sysroot = Path::new(sysroot.trim()).join("lib/rustlib");
        let source = sysroot.join("src/rust/library/std/Cargo.toml").is_file();
        if !ready && !source {
            _ = writeln!(why, "{} has no standard library for {TARGET}.", rustc.display());
            continue;
        }
        let own = sysroot.join(variable("HOST")?).join("bin/rust-lld").is_file();
        let linker = if own { None } else { find_linker() };
        if !own && linker.is_none() {
            _ = writeln!(why, "{} has no linker for {TARGET}.", rustc.display());
            continue;
        }
        return Ok(Toolchain { cargo, rustc, build_std: !ready, linker });
    }
    Err(format!(
        "Snowcat's component needs a compiler for {TARGET}. {}\n\
         With rustup:    rustup target add {TARGET}\n\
         On Debian:      apt-get install rustc-web cargo-web rust-web-src rust-web-llvm lld-19\n\
         Or set SNOWCAT_COMPONENT to a component that was built elsewhere.",
        why.trim().replace('\n', " "),
    ))
}

fn find_linker() -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    ["rust-lld", "wasm-ld", "wasm-ld-21", "wasm-ld-20", "wasm-ld-19"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |dir| dir.join(name)))
        .find(|linker| linker.is_file())
}

/// Compiles the guest. Returns the path of the module.
fn compile(toolchain: &Toolchain, workspace: &Path, target: &Path) -> Result<PathBuf, String> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo
        .current_dir(workspace)
        .args(["build", "--package", "snowcat-guest", "--lib", "--target", TARGET])
        .args(["--profile", PROFILE, "--locked", "--target-dir"])
        .arg(target)
        .arg("--config")
        .arg(format!("target.{TARGET}.rustflags = {}", nameless(workspace)?));
    // Settings of the outer cargo for the host do not apply to the guest, wrappers such as clippy's
    // are not wanted here, and flags in the environment would replace those of
    // `.cargo/config.toml`.
    for (name, _) in env::vars_os() {
        if is_of_outer_build(&name) {
            cargo.env_remove(name);
        }
    }
    cargo.env("RUSTC", &toolchain.rustc);
    if toolchain.build_std {
        // `-Z` on a stable compiler is safe here: the standard library's source is the compiler's
        // own.
        cargo.env("RUSTC_BOOTSTRAP", "1").arg("-Zbuild-std=std,panic_abort");
    }
    if let Some(linker) = &toolchain.linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    let output = cargo.output().map_err(|e| failed("run", &toolchain.cargo, &e))?;
    if !output.status.success() {
        return Err(format!(
            "the component does not compile:\n{}",
            String::from_utf8_lossy(&output.stderr)
        ));
    }
    Ok(target.join(TARGET).join(PROFILE).join("snowcat_guest.wasm"))
}

fn is_of_outer_build(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    // `CARGO_HOME`, `CARGO_NET_*` and the like are the user's. `CARGO_MAKEFLAGS` shares the job
    // server, so that the two cargos together do not start more jobs than there are processors.
    ["CARGO_CFG_", "CARGO_FEATURE_", "CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_PROFILE_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || matches!(
            &*name,
            "CARGO_BUILD_RUSTFLAGS"
                | "CARGO_BUILD_TARGET"
                | "CARGO_ENCODED_RUSTFLAGS"
                | "CARGO_TARGET_DIR"
                | "HOST"
                | "OUT_DIR"
                | "PROFILE"
                | "RUSTC_WORKSPACE_WRAPPER"
                | "RUSTDOC"
                | "RUSTFLAGS"
                | "TARGET"
        )
}

/// Compiler flags (in TOML) that remove this machine's paths from the component (panics name their
/// source file), so that the same source makes the same bytes everywhere.
fn nameless(workspace: &Path) -> Result<String, String> {
    let mut flags = vec![format!("--remap-path-prefix={}=", with_slash(workspace))];
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")));
    for index in home.iter().filter_map(|home| fs::read_dir(home.join("registry/src")).ok()) {
        for directory in index.flatten() {
            flags.push(format!("--remap-path-prefix={}=", with_slash(&directory.path())));
        }
    }
    for flag in &flags {
        if flag.contains(['\'', '\n']) {
            return Err(format!("a path with a quote or a line break cannot be used: {flag}"));
        }
    }
    Ok(format!("['{}']", flags.join("', '")))
}

fn with_slash(path: &Path) -> String {
    format!("{}/", path.display())
}

fn print(rustc: &Path, arguments: &[&str]) -> Result<String, String> {
    let output =
        Command::new(rustc).args(arguments).output().map_err(|e| failed("run", rustc, &e))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    String::from_utf8(output.stdout).map_err(|e| e.to_string())
}

/// Leaves a file with the right content unchanged, so that its dependents are not rebuilt.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<(), String> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory).map_err(|e| failed("create", directory, &e))?;
    }
    fs::write(path, bytes).map_err(|e| failed("write", path, &e))
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|e| format!("{name}, which cargo sets, cannot be read: {e}"))
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}
