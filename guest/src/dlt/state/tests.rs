//! Comparison with states that dlt stored: `tests/data/conformance/state`, made by
//! `../schemas/record.py`.

use super::*;
use crate::dlt::schema::{LOADS_TABLE, STATE_TABLE, Schema, VERSION_TABLE};

fn recorded() -> Vec<Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/conformance/state");
    let text = std::fs::read_to_string(format!("{folder}/cursors.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn reads_and_writes_what_dlt_stored() {
    for row in recorded() {
        let mut state = State::parse(row["state"].as_str().unwrap()).unwrap();
        assert_eq!(value(&state.to_json()), row["decoded"]);
        assert!(!state.bump().unwrap());
        assert_eq!(state.version_hash(), row["version_hash"]);
        assert_eq!(state.version(), row["version"]);
        assert_eq!(State::parse(&state.to_text()).unwrap(), state);
        assert_eq!(State::parse(&state.to_json()).unwrap(), state);
    }
}

/// The hashes of our first state and of the following ones are dlt's.
#[test]
fn changes_as_dlt() {
    let rows = recorded();
    let stored = State::parse(rows[1]["state"].as_str().unwrap()).unwrap();
    let mut state = State::parse(rows[0]["state"].as_str().unwrap()).unwrap();
    for resource in "aware pendulum naive date decimal float text none other".split(' ') {
        let cursor = if resource == "other" { "a.b[0].c" } else { "at" };
        let before = state.incremental("cursors", resource, cursor).unwrap().unwrap();
        let after = stored.incremental("cursors", resource, cursor).unwrap().unwrap();
        assert_eq!(after.initial_value, before.initial_value, "{resource}");
        // A run starts where the last one ended.
        let start_value = before.last_value.clone();
        let last_value = Tag::like(&before.last_value, Tag::strip(&after.last_value));
        state.set_incremental(
            "cursors",
            resource,
            cursor,
            IncrementalState { start_value, last_value, ..after },
        );
    }
    assert!(state.bump().unwrap());
    assert!(!state.bump().unwrap());
    assert_eq!(state, stored);
    assert_eq!(state.incremental("cursors", "bounded", "at").unwrap(), None);
    assert_eq!(state.incremental("nobody", "text", "at").unwrap(), None);
    assert!(state.forget_resource("cursors", "text"));
    assert!(!state.forget_resource("cursors", "text"));
    assert_eq!(state.incremental("cursors", "text", "at").unwrap(), None);
    state.reset_source("cursors");
    let left: Value = serde_json::from_str(&state.to_json()).unwrap();
    assert_eq!(left["sources"]["cursors"], json!({"resources": {}}));
    state.reset_source("nobody");
    assert!(state.bump().unwrap());
    let version = state.version();
    state.continue_from(version + 1);
    assert_eq!(state.version(), version + 1);
    assert!(!state.bump().unwrap());
}

#[test]
fn first_state_is_that_of_dlt() {
    let mut state = State::new("oraclesf");
    state.set_target("d", "src");
    assert!(state.bump().unwrap());
    // dlt's hash for a pipeline without cursors, with this dataset and schema.
    assert_eq!(state.version_hash(), "jzRCctXbQeAzHulCx/b1X256D1t9G2LbeIK0ce2VVjI=");
    assert_eq!(state.version(), 1);
    state.set_target("d", "also");
    assert_eq!(state.schema_names(), ["also", "src"]);
    assert!(state.bump().unwrap());
    assert_eq!(state.version(), 2);
}

/// The stored form: loads of other versions read it.
#[test]
fn a_load_that_drops_tables_is_stored() {
    let mut state = State::new("p");
    let stored = |state: &State| value(&state.to_json()).get("snowcat_refreshing").cloned();
    let load_id =
        LoadId::new(Instant::parse("2026-11-21T00:04:00.318528Z").unwrap(), None).unwrap();
    state.set_refreshing(&load_id);
    assert_eq!(stored(&state), Some(json!("1795219440.318528")));
    assert_eq!(state.take_refreshing().as_deref(), Some("1795219440.318528"));
    assert_eq!(stored(&state), None);
    assert_eq!(state.take_refreshing(), None);
}

#[test]
fn old_states_are_migrated_and_invalid_ones_reported() {
    let check = |text: &str, expect: &str| {
        let found = State::parse(text).map_or_else(|f| f.to_string(), |state| state.to_json());
        assert_eq!(found, expect);
    };
    check(
        r#"{"_state_engine_version":2,"_state_version":3,"pipeline_name":"p","destination":"a.b","_local":{}}"#,
        r#"{"_state_engine_version":4,"_state_version":3,"pipeline_name":"p","destination_type":"a.b","destination_name":null}"#,
    );
    check(
        r#"{"_state_engine_version":4,"_state_version":3,"pipeline_name":"p","staging_type":"a.b","staging_name":"b"}"#,
        r#"{"_state_engine_version":4,"_state_version":3,"pipeline_name":"p","staging_type":"a.b","staging_name":null}"#,
    );
    check(
        r#"{"_state_engine_version":5}"#,
        "stored pipeline state: expected an engine version from 1 to 4, found 5: the state was stored by \
         a newer dlt than 1.31",
    );
    check(
        r#"{"_state_engine_version":4,"_state_version":"1"}"#,
        "stored pipeline state: expected _state_version, found \"1\"",
    );
    let text = r#"{"_state_engine_version":4,"_state_version":1,"pipeline_name":"p",
        "sources":{"s":{"resources":{"r":{"incremental":{"a":{"unique_hashes":[1]},"b":7,"c":{}}}}}}}"#;
    let state = State::parse(text).unwrap();
    let check = |cursor: &str, expect: Result<Option<IncrementalState>, &str>| {
        let found = state.incremental("s", "r", cursor).map_err(|fault| fault.to_string());
        assert_eq!(found, expect.map_err(str::to_owned));
    };
    let place = "stored pipeline state: sources.s.resources.r.incremental";
    check("a", Err(&format!("{place}.a: expected a string, found 1")));
    check("b", Err(&format!("{place}.b: expected an object, found 7")));
    check("c", Ok(None));
}

/// The rows have the columns of the schema, in its order.
#[test]
fn rows_have_the_columns_of_the_schema() {
    let now = Instant::parse("2026-11-21T00:04:00.318528Z").unwrap();
    let load_id = LoadId::new(now, None).unwrap();
    let mut schema = Schema::new("s", "snake_case");
    schema.bump().unwrap();
    let mut state = State::new("p");
    state.bump().unwrap();
    let loads = LoadRow::new(&load_id, &schema, now).cells();
    let versions = VersionRow::new(&schema, now, usize::MAX).cells();
    let states = StateRow::new(&load_id, &state, now).cells();
    let check = |table: &str, cells: &[(&str, Cell)]| {
        let columns = schema.table(table).unwrap().columns();
        assert_eq!(
            cells.iter().map(|(n, _)| *n).collect::<Vec<_>>(),
            columns.keys().collect::<Vec<_>>()
        );
        for ((_, cell), column) in cells.iter().zip(columns.values()) {
            let data_type = match cell {
                Cell::Int(_) => "bigint",
                Cell::Instant(_) => "timestamp",
                Cell::Text(_) => "text",
            };
            assert_eq!(column.hint("data_type").unwrap(), data_type, "{}", column.name());
        }
    };
    check(LOADS_TABLE, &loads);
    check(VERSION_TABLE, &versions);
    check(STATE_TABLE, &states);
    assert_eq!(loads[0].1, Cell::Text("1795219440.318528".into()));
    assert_eq!(versions[5].1, Cell::Text(schema.to_json()));
    // base64(shake_128(b"p_1795219440.318528").digest(10)) without padding
    assert_eq!(states[7].1, Cell::Text("qNJx0CVl0e/miQ".into()));
}
