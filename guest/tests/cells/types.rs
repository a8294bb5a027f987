//! The types of columns, and values that do not fit them.

use serde_json::{Value, json};
use snowcat_guest::protocol::Reply;

use super::{Run, file, run};

#[track_caller]
fn one(kind: &str, cell: &str, expect: &str) {
    let done = run(&json!({}), &file("f", &[&format!("c {kind}")], &format!("{cell}\n"))).unwrap();
    assert_eq!(done.columns("R").join(", "), expect, "{kind} {cell:?}");
}

#[test]
fn columns_have_the_types_of_the_file() {
    one("decimal(38,2)", "12345678901234567890.12", "C NUMBER(38,2)");
    one("decimal(5,5)", "-0.00001", "C NUMBER(5,5)");
    one("decimal(20,0)", "18446744073709551615", "C NUMBER(20,0)");
    one("bigint", "-9223372036854775808", "C NUMBER(19,0)");
    one("double", "1", "C FLOAT");
    one("double", "NaN", "C FLOAT");
    one("double", "-Infinity", "C FLOAT");
    one("bool", "t", "C BOOLEAN");
    one("date", "2024-01-31", "C DATE");
    one("time", "10:00:01.000001", "C TIME");
    one("timestamp", "2024-01-31T10:00:01+00:00", "C TIMESTAMP_LTZ");
    one("timestamp_ntz", "0001-01-01T00:00:00.000001", "C TIMESTAMP_NTZ");
    one("timestamp_ntz(9)", "0001-01-01T00:00:00.000000001", "C TIMESTAMP_NTZ(9)");
    one("timestamp(9)", "2024-01-31T10:00:01+00:00", "C TIMESTAMP_LTZ(9)");
    one("time(9)", "10:00:01.000000001", "C TIME(9)");
    one("timestamp(6)", "2024-01-31T10:00:01.000001+00:00", "C TIMESTAMP_LTZ(6)");
    one("binary", "00ff", "C BINARY");
    one("binary", "", "C BINARY");
    // A string that resembles a timestamp stays text if the file declares text; without a declared
    // type it becomes a timestamp.
    one("text", "2024-01-31T10:00:01Z", "C VARCHAR");
    one("", "2024-01-31T10:00:01Z", "C TIMESTAMP_LTZ");
    one("", "12", "C VARCHAR");
    one("json", "{\"a\":1.5}", "C__A FLOAT");
    one("json", "2024", "C NUMBER(19,0)");
    // A value that contradicts its type is stored unchanged, as text.
    one("decimal(5,2)", "123456.789", "C VARCHAR");
    one("bigint", "1.5", "C VARCHAR");
    one("date", "31.01.2024", "C VARCHAR");
    one("bool", "yes", "C VARCHAR");
    one("binary", "0", "C VARCHAR");
    // A column without a value is not created.
    one("date", "\\N", "");
}

#[track_caller]
fn disagree(first: (&str, &str), second: (&str, &str), expect: &str) {
    let file = |name, (kind, cell): (&str, &str)| {
        file(name, &[&format!("c {kind}")], &format!("{cell}\n"))
    };
    let replies = [file("a.parquet", first), file("b.parquet", second)].concat();
    let done = run(&json!({}), &replies).unwrap();
    assert_eq!(done.columns("R").join(", "), expect, "{first:?} {second:?}");
}

/// The first value sets the type. A value of another file that the column cannot store without loss
/// goes to a variant column of its own type.
#[test]
fn values_of_other_types_go_to_variant_columns() {
    disagree(("bigint", "1"), ("decimal(9,2)", "2.00"), "C NUMBER(19,0)");
    disagree(("bigint", "1"), ("decimal(9,2)", "2.50"), "C NUMBER(19,0), C__V_DECIMAL NUMBER(9,2)");
    disagree(("decimal(9,2)", "1.00"), ("bigint", "2"), "C NUMBER(9,2)");
    disagree(
        ("decimal(9,2)", "1.00"),
        ("decimal(12,4)", "1.0001"),
        "C NUMBER(9,2), C__V_DECIMAL NUMBER(12,4)",
    );
    disagree(("bigint", "1"), ("double", "1.5"), "C NUMBER(19,0), C__V_DOUBLE FLOAT");
    disagree(("double", "1.5"), ("decimal(9,2)", "0.10"), "C FLOAT");
    disagree(
        ("double", "1.5"),
        ("decimal(38,2)", "12345678901234567890.12"),
        "C FLOAT, C__V_DECIMAL NUMBER(38,2)",
    );
    disagree(("date", "2024-01-31"), ("timestamp_ntz", "2024-01-31T00:00:00"), "C DATE");
    disagree(
        ("date", "2024-01-31"),
        ("timestamp_ntz", "2024-01-31T00:00:01"),
        "C DATE, C__V_TIMESTAMP TIMESTAMP_NTZ",
    );
    disagree(
        ("timestamp", "2024-01-31T00:00:00+00:00"),
        ("timestamp(9)", "2024-01-31T00:00:00.000000001+00:00"),
        "C TIMESTAMP_LTZ, C__V_TIMESTAMP TIMESTAMP_LTZ(9)",
    );
    disagree(
        ("timestamp(9)", "2024-01-31T00:00:00.000000001+00:00"),
        ("timestamp", "9999-12-31T23:59:59.999999+00:00"),
        "C TIMESTAMP_LTZ(9)",
    );
    disagree(("timestamp", "2024-01-31T00:00:00+00:00"), ("date", "2024-01-31"), "C TIMESTAMP_LTZ");
    disagree(("text", "x"), ("decimal(9,2)", "1.00"), "C VARCHAR");
    disagree(("text", "x"), ("binary", "00ff"), "C VARCHAR");
    disagree(("bigint", "1"), ("text", "x"), "C NUMBER(19,0), C__V_TEXT VARCHAR");
    disagree(("bigint", "1"), ("date", "2024-01-31"), "C NUMBER(19,0), C__V_DATE DATE");
    disagree(("binary", "00"), ("bigint", "1"), "C BINARY");
    disagree(("time", "10:00:00"), ("date", "2024-01-31"), "C TIME, C__V_DATE DATE");
    disagree(("date", "2024-01-31"), ("json", "{\"a\":1}"), "C DATE, C__A NUMBER(19,0)");
}

#[test]
fn columns_of_numbers_are_widened_where_the_job_says_so() {
    let a = file("a", &["c bigint"], "1\n");
    let b = file("b", &["c double"], "1.5\n");
    let done = run(&json!({"on_type_conflict": "widen"}), &[a, b].concat()).unwrap();
    assert_eq!(done.columns("R"), ["C FLOAT"]);
}

#[track_caller]
fn declared(columns: Value, (kind, cell): (&str, &str), expect: &str) {
    let resource = json!({"columns": {"c": columns}});
    let replies = file("f", &[&format!("c {kind}")], &format!("{cell}\n"));
    let done = run(&resource, &replies).unwrap();
    assert_eq!(done.columns("R").join(", "), expect, "{kind} {cell:?}");
}

#[test]
fn types_of_the_job_take_precedence() {
    declared(json!({"data_type": "text"}), ("decimal(9,2)", "1.50"), "C VARCHAR");
    declared(json!({"data_type": "double"}), ("decimal(9,2)", "1.50"), "C FLOAT");
    declared(json!({"data_type": "date"}), ("timestamp", "2024-01-31T10:00:01+00:00"), "C DATE");
    declared(
        json!({"data_type": "timestamp"}),
        ("text", "2024-01-31T10:00:01Z"),
        "C TIMESTAMP_LTZ",
    );
    declared(
        json!({"data_type": "timestamp", "precision": 9}),
        ("timestamp(9)", "2024-01-31T10:00:01.000000001+00:00"),
        "C TIMESTAMP_LTZ(9)",
    );
    declared(json!({"data_type": "binary"}), ("binary", "00ff"), "C BINARY");
    declared(json!({"data_type": "text"}), ("binary", "00ff"), "C VARCHAR");
    declared(json!({"data_type": "json"}), ("json", "{\"a\":1}"), "C VARIANT");
    declared(
        json!({"data_type": "decimal", "precision": 9, "scale": 1}),
        ("bigint", "7"),
        "C NUMBER(9,1)",
    );
    // A hint without a type leaves the type to the file.
    declared(json!({"description": "x"}), ("date", "2024-01-31"), "C DATE COMMENT 'x'");
}

#[test]
fn columns_that_share_a_name_keep_their_types() {
    let check = |columns: Value, expect: &str| {
        let resource = json!({"columns": columns});
        let columns = ["userId decimal(38,2)", "user_id date"];
        let replies = file("f", &columns, "12345678901234567890.25\t2024-01-31\n");
        let done = run(&resource, &replies).unwrap();
        assert_eq!(done.columns("R").join(", "), expect);
    };
    check(json!({}), "USER_ID DATE, USER_ID__X_BLR0JG NUMBER(38,2)");
    let text = json!({"user_id": {"data_type": "text"}});
    check(text, "USER_ID VARCHAR, USER_ID__X_BLR0JG NUMBER(38,2)");
}

#[track_caller]
fn fails(columns: &[&str], page: &str, expect: &str) {
    let fault = run(&json!({}), &file("f.parquet", columns, page)).err();
    assert_eq!(fault.map(|fault| fault.to_string()).unwrap_or_default(), expect, "{page:?}");
}

#[test]
fn faults_name_the_file_the_row_and_the_column() {
    let head = "pipeline p: resource r: file f.parquet: ";
    fails(
        &["a text", "b text"],
        "1\t2\n3\n",
        &format!("{head}row 2: expected 2 cells, one for each column, found 1"),
    );
    fails(
        &["a text"],
        "a\\x\n",
        &format!(
            "{head}row 1: expected \\N alone in a cell, or one of \\\\, \\b, \\f, \\n, \\r, \\t and \\v, \
             found \"\\\\x\""
        ),
    );
    fails(
        &["a money"],
        "",
        &format!("{head}column a: expected the kind of a column, found \"money\""),
    );
    fails(
        &["a decimal(39,2)"],
        "",
        &format!(
            "{head}column a: expected a decimal of 1 to 38 digits, found 39 digits, 2 of them behind the point"
        ),
    );
    fails(
        &["a text", "a text"],
        "",
        &format!("{head}column a: expected columns of different names, found two of this one"),
    );
    fails(
        &["a json"],
        "{} 1\n",
        &format!("{head}row 1: column a: expected one JSON value in a cell, found more"),
    );
    fails(
        &["a json"],
        "\n",
        &format!(
            "{head}row 1: column a: not JSON: expected a value, found the end of the text at line 1 column 1 (byte 0)"
        ),
    );
}

/// Every character that a cell may have is stored, whatever its neighbours are.
#[test]
fn rows_are_cells_between_tabs() {
    let count = |columns: &[&str], page: &str| {
        let done: Run = run(&json!({}), &file("f", columns, page)).unwrap();
        done.report.tables.iter().find(|table| table.name == "r").map_or(0, |table| table.rows)
    };
    assert_eq!(count(&["a text"], "\n\n\\N\nx"), 4);
    assert_eq!(count(&["a text", "b text"], "\t\n\\N\t\\N\n\\\\N\tx\r\n"), 3);
    assert_eq!(count(&[], "\n\n"), 2);
    assert_eq!(count(&["a text"], ""), 0);
}

/// Rows that are converted to JSON for processing steps keep their types and all digits.
#[test]
fn rows_processed_as_json_keep_their_types() {
    let columns = [
        "id bigint",
        "amount decimal(38,2)",
        "x double",
        "ok bool",
        "day date",
        "at time(9)",
        "wall timestamp_ntz(9)",
        "instant timestamp",
        "blob binary",
        "text text",
        "plain ",
        "items json",
        "userId decimal(9,2)",
        "user_id date",
    ];
    let page = concat!(
        "1\t12345678901234567890.12\tNaN\tt\t2024-01-31\t10:00:01.000000001\t2024-01-31T10:00:01.123456789\t",
        "2024-01-31T10:00:01+00:00\t00ff\t2024-01-31T10:00:01Z\t2024-01-31T10:00:01Z\t[{\"n\":1}]\t1.50\t2024-01-31\n",
        "2\t\\N\t-Infinity\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\ta\\tb\\\\\t\\N\t\\N\t\\N\t\\N\n",
    );
    let plain = run(&json!({}), &file("f", &columns, page)).unwrap();
    let mut found = plain.columns("R");
    let own = found.iter().position(|column| column.starts_with("USER_ID__X_")).unwrap();
    assert!(found.remove(own).ends_with(" NUMBER(9,2)"));
    assert_eq!(
        found,
        [
            "ID NUMBER(19,0)",
            "AMOUNT NUMBER(38,2)",
            "X FLOAT",
            "OK BOOLEAN",
            "DAY DATE",
            "AT TIME(9)",
            "WALL TIMESTAMP_NTZ(9)",
            "INSTANT TIMESTAMP_LTZ",
            "BLOB BINARY",
            "TEXT VARCHAR",
            "PLAIN TIMESTAMP_LTZ",
            "USER_ID DATE",
        ]
    );
    let check = |resource: Value| {
        let looked = run(&resource, &file("f", &columns, page)).unwrap();
        assert_eq!(looked.sql, plain.sql, "{resource}");
        assert!(looked.files == plain.files, "{resource}");
    };
    check(json!({"processing_steps": [{"filter": {"path": "id", "above": 0}}]}));
    check(json!({"endpoint": {"data_selector": "none"}}));
}

#[test]
fn every_part_of_a_long_load_has_the_types() {
    let mut replies = file("f", &["id bigint", "amount decimal(38,2)"], "1\t1.50\n").to_vec();
    replies.push(Reply::Page("2\t12345678901234567890.12\n".to_owned()));
    let done = run(&json!({"checkpoint": {"pages": 1}}), &replies).unwrap();
    assert_eq!(done.columns("R"), ["ID NUMBER(19,0)", "AMOUNT NUMBER(38,2)"]);
    let rows: Vec<u64> =
        done.report.files.iter().filter(|file| file.table == "r").map(|file| file.rows).collect();
    assert_eq!(rows, [1, 1]);
}
