"""The versions that the handler states. A test compares each with the file that decides it."""

# `version` in `Cargo.toml`.
RELEASE = "0.1.0"
# The interface of the component: the package of `wit/loads.wit`.
INTERFACE = "snowcat:loader/loads@0.1.0"
# The package that the procedures run with: `procedures/install/release.toml`.
WASMTIME = "48.0.0"
