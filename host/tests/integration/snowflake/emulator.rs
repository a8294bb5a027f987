//! The emulator (`tests/emulator`), as a process.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use snowcat_host::snowflake::{Connection, SnowflakeError};

/// An account with the database RAW on a port of this machine.
pub(crate) struct Emulator {
    process: Child,
    port: u64,
}

impl Emulator {
    pub(crate) fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let python = root.join("target/venv/bin/python");
        assert!(python.exists(), "expected {}: run make setup", python.display());
        let mut process = Command::new(python)
            .args(["-m", "emulator", "serve"])
            .current_dir(root.join("tests"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let parameters: Value = serde_json::from_str(&line).unwrap();
        Self { process, port: parameters["port"].as_u64().unwrap() }
    }

    /// Returns the connection of a user, who has a password.
    pub(crate) fn connection(&self, more: &[(&str, &str)]) -> Connection {
        self.connected_with(&[&[("user", "tester"), ("password", "tester")], more].concat())
            .unwrap()
    }

    pub(crate) fn connected_with(
        &self,
        parameters: &[(&str, &str)],
    ) -> Result<Connection, SnowflakeError> {
        let port = self.port.to_string();
        let address = [
            ("account", "emulator"),
            ("host", "127.0.0.1"),
            ("port", port.as_str()),
            ("protocol", "http"),
        ];
        Connection::of([address.as_slice(), parameters].concat())
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // The test is over, whatever these say.
        _ = self.process.kill();
        _ = self.process.wait();
    }
}
