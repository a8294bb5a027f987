//! Every kind of statement, on tables that are ugly on purpose, in one file for people to read:
//! `tests/sql/statements.sql`. `UPDATE_EXPECT=1` writes it anew.

use super::copy::{Json, copy_into};
use super::merge::{Links, Staged};
use super::state::{Bookkeeping, Value};
use super::{Column, Name, ddl, literal, merge, quote, state, type_of};
use crate::kind::{DataType, Kind};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sql/statements.sql");

#[test]
fn quotes() {
    for (name, expect) in
        [("A", "\"A\""), ("a\"b", "\"a\"\"b\""), ("", "\"\""), ("$1; --", "\"$1; --\"")]
    {
        assert_eq!(quote(name), expect);
    }
    for (text, expect) in
        [("a", "'a'"), ("it's", "'it''s'"), ("\\", "'\\\\'"), ("\\'", "'\\\\'''"), ("\n", "'\n'")]
    {
        assert_eq!(literal(text), expect);
    }
}

#[test]
fn types_are_those_of_dlt() {
    let sized = |data_type, precision, scale| Kind { precision, scale, ..Kind::of(data_type) };
    for (kind, expect) in [
        (Kind::of(DataType::Text), "VARCHAR"),
        (sized(DataType::Text, Some(64), None), "VARCHAR(64)"),
        (Kind::of(DataType::Bigint), "NUMBER(19,0)"),
        (Kind::of(DataType::Decimal), "NUMBER(38,9)"),
        (sized(DataType::Decimal, Some(10), Some(2)), "NUMBER(10,2)"),
        (Kind::of(DataType::Wei), "NUMBER(38,0)"),
        (Kind::of(DataType::Timestamp), "TIMESTAMP_LTZ"),
        (sized(DataType::Timestamp, Some(3), None), "TIMESTAMP_LTZ(3)"),
        (Kind { timezone: false, ..Kind::of(DataType::Timestamp) }, "TIMESTAMP_NTZ"),
        (sized(DataType::Time, Some(3), None), "TIME(3)"),
        (Kind::of(DataType::Json), "VARIANT"),
        (Kind::of(DataType::Binary), "BINARY"),
        (Kind::of(DataType::Double), "FLOAT"),
        (Kind::of(DataType::Bool), "BOOLEAN"),
        (Kind::of(DataType::Date), "DATE"),
    ] {
        assert_eq!(type_of(&kind), expect);
    }
}

#[test]
fn statements_are_as_they_were() {
    let text = statements();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(SNAPSHOT, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(SNAPSHOT).unwrap());
}

#[test]
fn statements_fit_an_owners_rights_procedure() {
    // What SNOWFLAKE refuses there, and what would depend on the session.
    let text = statements().to_uppercase();
    let code: String =
        text.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
    for word in [
        " TEMPORARY ",
        " TEMP ",
        "@~",
        "@%",
        "PUT ",
        "REMOVE ",
        "USE ",
        "ALTER SESSION",
        " ?",
        "NOT IN (",
        ";;",
    ] {
        assert!(!code.contains(word), "{word}");
    }
}

fn statements() -> String {
    let dataset = Name::schema("RAW", "MY \"DATA\".SET");
    let staging = Name::schema("RAW", "MY \"DATA\".SET_STAGING");
    let root = dataset.object("SELECT");
    let child = dataset.object("SELECT__κόσμε");
    let staged_root = staging.object("_SNOWCAT__SELECT");
    let staged_child = staging.object("_SNOWCAT__SELECT__κόσμε");
    let stage = dataset.object("SNOWCAT__P__1_5");
    let long = "L".repeat(255);
    let column = |name: &str, data_type| Column::new(name, Kind::of(data_type));
    let columns = vec![
        Column { nullable: false, ..column("ID", DataType::Bigint) },
        Column { comment: Some("it's a \\ comment".to_owned()), ..column("GROUP", DataType::Text) },
        column("a\"quoted\".name", DataType::Json),
        column("κόσμε", DataType::Timestamp),
        column(&long, DataType::Decimal),
        column("BIN", DataType::Binary),
    ];
    let child_columns = vec![
        column("VALUE", DataType::Json),
        Column { nullable: false, ..column("_DLT_ROOT_ID", DataType::Text) },
        Column { nullable: false, ..column("_DLT_ID", DataType::Text) },
    ];
    let seq = column("_SNOWCAT_SEQ", DataType::Bigint);
    let with_seq = |columns: &[Column]| [columns, std::slice::from_ref(&seq)].concat();
    let keys = [columns[0].clone(), columns[3].clone()];
    let order = merge::order_by(&[("κόσμε".to_owned(), true), ("_SNOWCAT_SEQ".to_owned(), true)]);
    let staged = Staged { table: &staged_root, keys: &keys, order: &order };
    let links = Links { id: "_DLT_ID", root_id: "_DLT_ROOT_ID", seq: "_SNOWCAT_SEQ" };
    let books = Bookkeeping {
        loads: dataset.object("_DLT_LOADS"),
        version: dataset.object("_DLT_VERSION"),
        state: dataset.object("_DLT_PIPELINE_STATE"),
        fold: Box::new(str::to_uppercase),
    };
    let row = [
        ("version", Value::Int(3)),
        ("pipeline_name", Value::Text("it's".to_owned())),
        ("created_at", Value::Instant(1_795_248_000_500_000)),
        ("version_hash", Value::Null),
    ];

    let mut text = String::from(
        "-- Every kind of statement Snowcat says, as a test writes them. Not to be run.\n",
    );
    let mut say = |what: &str, statement: String| {
        text.push_str(&format!("\n-- {what}\n{statement};\n"));
    };
    say(
        "restore: what is there",
        state::select_columns("RAW", &["MY \"DATA\".SET".to_owned(), "IT'S".to_owned()]),
    );
    say("restore: the state", books.select_state("it's"));
    say("restore: the schema", books.select_schema("it's"));
    say("the dataset", ddl::create_schema(&dataset));
    say("the stage of a load", ddl::create_stage(&stage));
    say("a table", ddl::create_table(&root, &columns, &["GROUP".to_owned(), "κόσμε".to_owned()]));
    let waiting = with_seq(&columns).into_iter().map(|column| match column.kind.data_type {
        DataType::Json => Column::new(column.name, Kind::of(DataType::Text)),
        _ => Column::new(column.name, column.kind),
    });
    let waiting: Vec<Column> = waiting.collect();
    say("a staging table", ddl::create_staging_table(&staged_root, &waiting));
    say("new columns", ddl::add_columns(&root, &columns[..2]));
    say("begin", merge::BEGIN.to_owned());
    say("the state, fenced", books.insert_state_fenced("it's", 3, &row));
    say("append: the files", copy_into(&root, &columns, &stage, "1.5/0.0.select", Json::Parse));
    say("replace: what was there", merge::delete_all(&root));
    say(
        "merge: the root rows wait",
        copy_into(&staged_root, &with_seq(&columns), &stage, "1.5/0.0.select", Json::Text),
    );
    say("merge: are there rows of one key?", merge::count_losers(&staged));
    say(
        "merge: the children of what is replaced",
        merge::delete_children(&child, &root, &staged, links),
    );
    say("merge, delete-insert: what is replaced", merge::delete_matched(&root, &staged));
    say(
        "merge, delete-insert: the rows that are kept",
        merge::insert_winners(&root, &columns, &staged),
    );
    say(
        "merge, delete-insert: all rows, known to be distinct",
        merge::insert_all(&root, &columns, &staged_root),
    );
    say("merge, upsert: the rows that are kept", merge::merge_winners(&root, &columns, &staged));
    say(
        "merge: the children of rows that are not kept",
        merge::delete_losers(&child, &staged, links),
    );
    say(
        "merge, upsert: the children of rows that are kept",
        merge::insert_children_of_winners(&child, &child_columns, &staged_child, &staged, links),
    );
    say("a row of dlt's tables", books.insert(&books.loads, &row));
    say("refresh: a table, gone", ddl::drop_table(&root));
    say("refresh: what was stored of the schema", books.delete_versions(&books.version, "it's"));
    say("commit", merge::COMMIT.to_owned());
    say("undo", merge::ROLLBACK.to_owned());
    say("the stage, gone", ddl::drop_stage(&stage));
    say("stages that were left", state::select_stages("RAW", "MY \"DATA\".SET", "SNOWCAT__P__"));
    text
}
