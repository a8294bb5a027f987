//! The embedded component.

use snowcat_host::{COMPONENT, DryRun, Engine, Error, Runner, Settings};

#[test]
fn it_imports_nothing() {
    let engine = Engine::new(&Settings::default()).unwrap();
    assert_eq!(engine.imports(), [""; 0]);
}

#[test]
fn it_is_small() {
    assert!(COMPONENT.len() < 2_700_000, "{} bytes", COMPONENT.len());
}

/// The same source makes the same bytes on every machine.
#[test]
fn it_contains_no_path_of_the_build_machine() {
    for name in ["CARGO_MANIFEST_DIR", "HOME", "CARGO_HOME"] {
        let Ok(place) = std::env::var(name) else { continue };
        let place = format!("{}/", place.trim_end_matches("/host").trim_end_matches('/'));
        // The root of a container is a common substring.
        if place.len() > 5 {
            let found = COMPONENT.windows(place.len()).any(|bytes| bytes == place.as_bytes());
            assert!(!found, "{name}");
        }
    }
}

#[test]
fn invalid_job_is_a_fault() {
    let engine = Engine::new(&Settings::default()).unwrap();
    let run = Runner::new(&engine).run("", "2026-01-01T00:00:00Z", &mut DryRun::new());
    let error = run.unwrap_err();
    assert!(error.as_fault().is_some(), "{error}");
}

#[test]
fn other_components_are_rejected() {
    let check = |component: &str, expected: &str| {
        let component = wat::parse_str(component).unwrap();
        let settings = Settings { cache: false, ..Settings::default() };
        let error = Engine::with_component(&settings, &component).unwrap_err();
        assert!(matches!(error, Error::Component { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    };
    check("(module)", "expected a WebAssembly component");
    check("(component)", "expected the interface snowcat:loader/loads");
    check(
        "(component (import \"wasi:cli/environment@0.2.0\" (instance)))",
        "imports wasi:cli/environment@0.2.0",
    );
}
