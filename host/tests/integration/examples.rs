//! The programs in `host/examples` run and print the expected output.

use std::path::Path;

#[path = "../../examples/custom_store.rs"]
#[expect(dead_code, reason = "the program's own main is not run")]
mod custom_store;
#[path = "../../examples/embed.rs"]
#[expect(dead_code, reason = "the program's own main is not run")]
mod embed;
#[path = "../../examples/replay.rs"]
#[expect(dead_code, reason = "the program's own main is not run")]
mod replay;

#[test]
fn embed_runs_a_job() {
    let mut out = Vec::new();
    embed::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("orders: 2 rows\norders__items: 2 rows\n"), "{text}");
}

#[test]
fn custom_store_loads_its_files() {
    let mut out = Vec::new();
    custom_store::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("orders: 3 rows\n") && text.contains("\"PRICE\":\"9.5\""), "{text}");
}

#[test]
fn replay_repeats_a_transcript() {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/transcripts");
    let mut out = Vec::new();
    replay::run(&runs.join("second_load"), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(": steps as recorded, "), "{text}");
}
