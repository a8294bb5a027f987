//! Cells and JSON with the same values result in the same statements and files.

use serde_json::{Value, json};
use snowcat_guest::protocol::{InputFile, Reply};

use super::{file, run};

/// Every kind that JSON has, and nested values.
const COLUMNS: [&str; 8] = [
    "id bigint",
    "userId text",
    "x double",
    "ok bool",
    "o json",
    "l json",
    "user_id text",
    "none text",
];
const CELLS: &str = concat!(
    "1\ta\\tb\\n\\\\\t1.5\tt\t{\"a\":{\"b\":1},\"c\":\"\\\\\"q\\\\\"\"}\t[{\"k\":1},{\"k\":2,\"m\":[1,2]}]\t\\N\t\\N\n",
    "2\t\\N\t-0.0\tf\t\\N\t[]\tu\t\\N\n",
    "3\tv\t1e+300\t\\N\t{}\t\\N\tw\t\\N\n",
);
const JSON: &str = r#"
{"id":1,"userId":"a\tb\n\\","x":1.5,"ok":true,"o":{"a":{"b":1},"c":"\"q\""},"l":[{"k":1},{"k":2,"m":[1,2]}],"user_id":null,"none":null}
{"id":2,"userId":null,"x":-0.0,"ok":false,"o":null,"l":[],"user_id":"u","none":null}
{"id":3,"userId":"v","x":1e+300,"ok":null,"o":{},"l":null,"user_id":"w","none":null}
"#;

#[track_caller]
fn check(resource: Value) {
    let cells = run(&resource, &file("a/dt=1/f.parquet", &COLUMNS, CELLS));
    let name = InputFile { name: "a/dt=1/f.parquet".to_owned(), version: String::new() };
    let json = run(&resource, &[Reply::File(name), Reply::Page(JSON.to_owned())]);
    match (cells, json) {
        (Ok(cells), Ok(json)) => {
            assert_eq!(cells.sql, json.sql, "{resource}");
            assert_eq!(cells.report, json.report, "{resource}");
            assert!(cells.files == json.files, "{resource}");
            assert!(cells.report.tables.iter().any(|table| table.rows > 0), "{resource}");
        }
        (cells, json) => panic!("{resource}: {:?} {:?}", cells.err(), json.err()),
    }
}

#[test]
fn cells_and_json_make_the_same_tables() {
    check(json!({}));
    check(json!({"max_table_nesting": 0}));
    check(json!({"max_table_nesting": 1}));
    check(json!({"unnest": ["l"]}));
    check(json!({"on_type_conflict": "widen"}));
    check(json!({"primary_key": "id", "write_disposition": "merge"}));
    let upsert = json!({"disposition": "merge", "strategy": "upsert"});
    check(json!({"primary_key": "id", "write_disposition": upsert}));
    check(json!({"write_disposition": {"disposition": "merge", "strategy": "scd2"}}));
    check(json!({"write_disposition": "replace"}));
    check(json!({"include_file": ["path", "dt"]}));
    check(json!({"incremental": {"cursor_path": "id", "initial_value": 2}}));
    check(json!({"incremental": {"cursor_path": "o.a.b", "on_cursor_value_missing": "include"}}));
    check(json!({"processing_steps": [{"filter": {"path": "id", "above": 1}}]}));
    check(json!({"schema_contract": {"columns": "discard_value"}}));
    check(json!({"nested_hints": {"l": {"primary_key": "k", "write_disposition": "merge"}}}));
    check(
        json!({"columns": {"id": {"data_type": "text"}, "x": {"data_type": "decimal", "precision": 38, "scale": 2},
        "ok": {"data_type": "text"}, "o": {"data_type": "json"}, "l": {"data_type": "json"}}}),
    );
}

/// A row with its own id, and one with a key repeated within a cell.
#[test]
fn restarted_rows_are_those_of_json() {
    let columns = ["_dlt_id text", "o json", "_dlt_load_id text"];
    let cells = "mine\t{\"a\":1,\"a\":2}\tx\nyours\t{\"a\":3}\t\\N\n";
    let objects = r#"{"_dlt_id":"mine","o":{"a":1,"a":2},"_dlt_load_id":"x"}
        {"_dlt_id":"yours","o":{"a":3},"_dlt_load_id":null}"#;
    let cells = run(&json!({}), &file("f", &columns, cells)).unwrap();
    let name = InputFile { name: "f".to_owned(), version: String::new() };
    let json = run(&json!({}), &[Reply::File(name), Reply::Page(objects.to_owned())]).unwrap();
    assert_eq!((cells.sql, cells.report), (json.sql, json.report));
    assert!(cells.files == json.files);
}
