//! The programs in `host/examples` run, and print what they say.

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
fn a_program_embeds_the_component() {
    let mut out = Vec::new();
    embed::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("orders: 2 rows\norders__items: 2 rows\n"), "{text}");
}

#[test]
fn a_program_brings_its_own_files() {
    let mut out = Vec::new();
    custom_store::run(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("orders: 3 rows\n") && text.contains("\"PRICE\":\"9.5\""), "{text}");
}

#[test]
fn a_program_replays_a_transcript() {
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/transcripts");
    let mut out = Vec::new();
    replay::run(&runs.join("second_load"), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(": as recorded, "), "{text}");
}
