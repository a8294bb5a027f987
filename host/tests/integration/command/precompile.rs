//! `snowcat component` and `snowcat precompile`, run as programs.

use std::fs;

use serde_json::json;

use super::{errors, home, snowcat};

#[test]
fn component_is_written_to_a_file() {
    let home = home();
    let output = snowcat(home.path(), &["component", "to/snowcat.wasm"], "");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("to/snowcat.wasm: ") && text.ends_with(", imports: none\n"), "{text}");
    assert_eq!(fs::read(home.path().join("to/snowcat.wasm")).unwrap(), snowcat_host::COMPONENT);
}

#[test]
fn a_component_is_compiled_for_other_machines() {
    let home = home();
    fs::write(home.path().join("small.wasm"), wat::parse_str("(component)").unwrap()).unwrap();
    let engines = json!({
        "x86_64.default": {"target": "x86_64-unknown-linux-gnu", "concurrency_support": false},
        "aarch64.limited": {
            "target": "aarch64-unknown-linux-gnu", "memory_reservation": 0, "memory_guard_size": 0,
            "memory_reservation_for_growth": 1 << 20, "signals_based_traps": false, "memory_init_cow": false,
        },
        "pulley64": {"target": "pulley64", "signals_based_traps": false, "memory_guard_size": 0},
    });
    let arguments = ["precompile", "small.wasm", "--engines", "-", "--out", "to"];
    let output = snowcat(home.path(), &arguments, &engines.to_string());
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
    // ELF's numbers of the machines; wasmtime uses that of RISC-V for its interpreter.
    for (key, machine) in [("x86_64.default", 62), ("aarch64.limited", 183), ("pulley64", 243)] {
        let file = fs::read(home.path().join(format!("to/small.{key}.cwasm"))).unwrap();
        assert_eq!(&file[..4], b"\x7fELF", "{key}");
        assert_eq!(u16::from_le_bytes([file[18], file[19]]), machine, "{key}");
    }
}

#[test]
fn invalid_engines_are_rejected() {
    let home = home();
    fs::write(home.path().join("small.wasm"), wat::parse_str("(component)").unwrap()).unwrap();
    let check = |component: &str, engines: &str, code: i32, words: &str| {
        let arguments = ["precompile", component, "--engines", "-", "--out", "to"];
        let output = snowcat(home.path(), &arguments, engines);
        assert_eq!(output.status.code(), Some(code), "{engines}");
        assert!(errors(&output).contains(words), "{}", errors(&output));
    };
    check("small.wasm", r#"{"a": {"memory": 1}}"#, 2, "unknown field `memory`");
    check("small.wasm", r#"{"../a": {}}"#, 2, r#"found "../a""#);
    check("small.wasm", "[", 2, "-: ");
    check("none.wasm", "{}", 2, "none.wasm: ");
    check("small.wasm", r#"{"a": {"target": "s390x-unknown-linux-gnu"}}"#, 1, "small.wasm: a: ");
    check("small.wasm", r#"{"a": {"concurrency_support": true}}"#, 1, "concurrency support");
    check("items.ndjson", r#"{"a": {}}"#, 1, "items.ndjson: a: ");
}
