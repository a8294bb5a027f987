//! Every kind of statement on tables with difficult names, in one file for reviewers:
//! `tests/data/sql/statements.sql`. `UPDATE_EXPECT=1` writes it again.

use super::copy::{Json, copy_into};
use super::merge::children::{ChildMerge, fill_root_ids};
use super::merge::history::{Validity, insert_versions, retire_absent};
use super::merge::keyed::{self, AbsentRows};
use super::merge::{Direction, KeyStats, Links, Match, Rank, Scope, StagedRows, key_stats};
use super::slices::{Division, SliceBounds, SliceTable};
use super::state::{Bookkeeping, SqlValue};
use super::{Name, SqlColumn, ddl, literal, merge, quote, state, type_of};
use crate::dlt::types::{DataType, Kind};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/sql/statements.sql");

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
fn statements_are_those_recorded() {
    let text = statements();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(SNAPSHOT, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(SNAPSHOT).unwrap());
}

#[test]
fn statements_fit_an_owners_rights_procedure() {
    // Statements that Snowflake rejects there, and text that would depend on the session.
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
        " OR ",
        ";;",
    ] {
        assert!(!code.contains(word), "{word}");
    }
}

#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn statements() -> String {
    let dataset = Name::schema("RAW", "MY \"DATA\".SET");
    let staging = Name::schema("RAW", "MY \"DATA\".SET_STAGING");
    let root = dataset.object("SELECT");
    let child = dataset.object("SELECT__κόσμε");
    let staged_root = staging.object("_SNOWCAT__SELECT");
    let staged_child = staging.object("_SNOWCAT__SELECT__κόσμε");
    let stage = dataset.object("SNOWCAT__P__1_5");
    let long = "L".repeat(255);
    let column = |name: &str, data_type| SqlColumn::new(name, Kind::of(data_type));
    let columns = vec![
        SqlColumn { nullable: false, ..column("ID", DataType::Bigint) },
        SqlColumn {
            comment: Some("it's a \\ comment".to_owned()),
            ..column("GROUP", DataType::Text)
        },
        column("a\"quoted\".name", DataType::Json),
        column("κόσμε", DataType::Timestamp),
        column(&long, DataType::Decimal),
        column("BIN", DataType::Binary),
        column("GONE?", DataType::Bool),
        SqlColumn { nullable: false, ..column("_DLT_ID", DataType::Text) },
    ];
    let id = columns[7].clone();
    let child_columns = vec![
        column("VALUE", DataType::Json),
        SqlColumn { nullable: false, ..column("_DLT_ROOT_ID", DataType::Text) },
        SqlColumn { nullable: false, ..column("_DLT_ID", DataType::Text) },
    ];
    let seq = column("_SNOWCAT_SEQ", DataType::Bigint);
    let with_seq = |columns: &[SqlColumn]| [columns, std::slice::from_ref(&seq)].concat();
    let keys = [columns[0].clone(), columns[3].clone()];
    let newest = ["κόσμε", "_SNOWCAT_SEQ"].map(|name| (name.to_owned(), Direction::Descending));
    let order = merge::order_by(&newest);
    let all = StagedRows { table: &staged_root, rank: None, deleted: None };
    let rank = Rank { keys: &keys, order: &order };
    let ranked = StagedRows { rank: Some(rank), ..all.clone() };
    let staged = StagedRows { deleted: columns.get(6), ..ranked.clone() };
    let seen = ["3", "2", "1", "2", "3"].map(|cell| Some(cell.to_owned()));
    let KeyStats { ranges, .. } = KeyStats::read(&seen, &[&keys]).unwrap();
    let matched = Match { keys: &keys, ranges: &ranges[0] };
    let groups = [columns[1].clone()];
    let partition = Match { keys: &groups, ranges: &[] };
    let links = Links {
        id: "_DLT_ID",
        key: "_DLT_ID",
        parent_id: "_DLT_PARENT_ID",
        root_id: "_DLT_ROOT_ID",
        seq: "_SNOWCAT_SEQ",
    };
    let of = |staged, links| ChildMerge { child: &child, root: &root, staged, links };
    let valid = ["_DLT_VALID_FROM", "_DLT_VALID_TO"].map(|name| column(name, DataType::Timestamp));
    let validity = Validity {
        version: "_DLT_ID",
        from: &valid[0],
        to: &valid[1],
        active: None,
        boundary: 1_795_248_000_500_000,
    };
    let far = Validity { active: Some(253_402_214_400_000_000), ..validity.clone() };
    let books = Bookkeeping {
        loads: dataset.object("_DLT_LOADS"),
        version: dataset.object("_DLT_VERSION"),
        state: dataset.object("_DLT_PIPELINE_STATE"),
        fold: Box::new(str::to_uppercase),
    };
    let row = [
        ("version", SqlValue::Int(3)),
        ("pipeline_name", SqlValue::Text("it's".to_owned())),
        ("created_at", SqlValue::Instant(1_795_248_000_500_000)),
        ("version_hash", SqlValue::Null),
    ];

    let mut text = String::from(
        "-- Every kind of statement of Snowcat, written by a test. Not a script to run.\n",
    );
    let mut say = |what: &str, statement: String| {
        text.push_str(&format!("\n-- {what}\n{statement};\n"));
    };
    say(
        "restore: the catalogue",
        state::select_catalogue(
            "RAW",
            &["MY \"DATA\".SET".to_owned(), "IT'S".to_owned()],
            "SNOWCAT__P__",
        ),
    );
    say("restore: if the information schema fails", state::show_columns_of_schema(&dataset));
    say("restore: if that result is truncated", state::show_tables(&dataset));
    say("restore: the columns of one table", state::show_columns_of_table(&root));
    say("restore: whether the session truncates results", state::select_rows(10_001));
    say("restore: whether quoted names keep their case", state::SELECT_QUOTED_CASE.to_owned());
    say("restore: the state", books.select_state("it's"));
    say("restore: the schema", books.select_schema("it's"));
    say("the dataset", ddl::create_schema(&dataset));
    say("the stage of a load", ddl::create_stage(&stage, "SNOWFLAKE_SSE"));
    let cluster = ["GROUP".to_owned(), "κόσμε".to_owned()];
    let more = ddl::TableOptions { cluster: &cluster, comment: Some("it's"), primary_key: &[] };
    say("a table", ddl::create_table(&root, &columns, &more));
    let strict = [SqlColumn { unique: true, ..id.clone() }, columns[0].clone()];
    let more = ddl::TableOptions { primary_key: &["ID".to_owned()], ..Default::default() };
    let indexed = dataset.object("INDEXED");
    say("a table with keys", ddl::create_table(&indexed, &strict, &more));
    let waiting = with_seq(&columns);
    say("a staging table", ddl::create_staging_table(&staged_root, &waiting));
    say("new columns of a staging table", ddl::add_staging_columns(&staged_root, &waiting[2..4]));
    let large = |name: &str, data_type| SqlColumn { large: true, ..column(name, data_type) };
    let long = large("A", DataType::Json);
    say("a longer column of a staging table", ddl::widen_staging_column(&staged_root, &long));
    say("new columns", ddl::add_columns(&root, &columns[..2]));
    say("begin", merge::BEGIN.to_owned());
    say("the seed row, committed before the transaction", books.insert(&books.state, &row));
    say("the lock", books.rewrite_states("it's", 2));
    say("the lock if the schema has no row", books.rewrite_all_states());
    say("the check if the state is unchanged", books.rewrite_states("it's", 3));
    say("the state, unless another load wrote one", books.insert_state_fenced("it's", 3, &row));
    say("delete the seed row", books.delete_seeds("it's"));
    let stored = Some(1_795_248_000_500_000);
    say("the lock of the schema", books.rewrite_versions("it's", stored));
    say(
        "the schema, unless another load stored one",
        books.insert_version_fenced("it's", stored, &row),
    );
    say("the first schema", books.insert_version_fenced("it's", None, &row));
    say("replace: delete all rows", merge::delete_all(&root));
    say(
        "append: copy the files",
        copy_into(&root, &columns, &stage, "1.5/0.0.select", Json::Parse),
    );
    say(
        "merge: copy root rows to a staging table",
        copy_into(&staged_root, &with_seq(&columns), &stage, "1.5/0.0.select", Json::Text),
    );
    let offset = SqlColumn { with_offset: true, ..column("AT", DataType::Timestamp) };
    let odd = [offset, large("JSON", DataType::Json), large("TEXT", DataType::Text)];
    say(
        "append: a column of TIMESTAMP_TZ, and values beyond 16 MiB",
        copy_into(&root, &odd, &stage, "1.5/0.0.select", Json::Parse),
    );
    say(
        "merge: copy the same to a staging table",
        copy_into(&staged_root, &odd, &stage, "1.5/0.0.select", Json::Text),
    );
    say("delete-insert: a column of TIMESTAMP_TZ", keyed::insert_kept(&root, &odd, &all));
    say("upsert: a column of TIMESTAMP_TZ", keyed::merge_kept(&root, &odd, &ranked, matched, &[]));
    say("merge: statistics of the staged rows", key_stats(&staged, &[&keys]));
    say(
        "merge, source_filter: delete staged rows outside the filter",
        merge::delete_filtered(&staged_root, &columns, "\"GROUP\" <> 'zzz'", links),
    );
    say(
        "merge, newer_by: delete staged rows older than existing rows",
        merge::delete_stale(&staged_root, &root, matched, &columns[3], links),
    );
    say(
        "delete-insert: delete nested rows of replaced rows",
        of(&staged, links).delete_replaced(matched),
    );
    say("delete-insert: delete replaced rows", keyed::delete_matched(&root, &staged_root, matched));
    say(
        "delete-insert, destination_scope: delete nested rows",
        of(&staged, links).delete_scope("\"GROUP\" = 'b'"),
    );
    say(
        "delete-insert, destination_scope: delete rows in the scope",
        keyed::delete_scope(&root, "\"GROUP\" = 'b'"),
    );
    say(
        "delete-insert: insert the staged rows that are kept",
        keyed::insert_kept(&root, &columns, &ranked),
    );
    say("delete-insert: insert all staged rows", keyed::insert_kept(&root, &columns, &all));
    say(
        "delete-insert: delete nested rows of staged rows that are not kept",
        of(&staged, links).delete_dropped(),
    );
    say(
        "upsert: merge the staged rows that are kept",
        keyed::merge_kept(&root, &columns, &ranked, matched, &[]),
    );
    say(
        "upsert: merge their nested rows",
        of(&staged, links).insert_kept(&child_columns, &staged_child),
    );
    say(
        "upsert, skip_unchanged_rows: delete removed nested rows",
        of(&staged, links).delete_removed(&staged_child, matched),
    );
    say(
        "upsert, hard_delete and skip_unchanged_rows: merge the rows",
        keyed::merge_kept(&root, &columns, &staged, matched, &columns[1..5]),
    );
    say(
        "upsert, skip_unchanged_rows: merge their nested rows",
        of(&staged, links).merge_kept(&child_columns, &staged_child, &child_columns[..1]),
    );
    say("insert-only: insert new rows", keyed::merge_new(&root, &columns, &staged, matched));
    say(
        "insert-only, scd2: insert their nested rows",
        of(&staged, links).insert_new(&child_columns, &staged_child),
    );
    let condition = Scope::Condition("\"GROUP\" <> 'zzz'");
    for (what, scope) in [
        ("cdc", Scope::All),
        ("cdc, merge_key", Scope::Key(partition)),
        ("cdc, destination_scope", condition),
    ] {
        say(
            &format!("{what}: delete nested rows of absent rows"),
            of(&staged, links).delete_absent(matched, scope),
        );
        say(
            &format!("{what}: delete absent rows"),
            AbsentRows { root: &root, staging: &staged_root, matched, scope, seq: links.seq }
                .delete(links.id),
        );
    }
    let version = Rank { keys: std::slice::from_ref(&id), order: &order };
    let staged = StagedRows { rank: Some(version), ..staged.clone() };
    say(
        "scd2: retire absent versions",
        retire_absent(&root, &staged, &validity, Scope::All, links),
    );
    say("scd2: insert new versions", insert_versions(&root, &columns, &staged, &validity));
    say(
        "scd2, merge_key, active_record_timestamp: retire absent versions",
        retire_absent(&root, &staged, &far, Scope::Key(partition), links),
    );
    say(
        "scd2, destination_scope, active_record_timestamp: retire absent versions",
        retire_absent(&root, &staged, &far, condition, links),
    );
    say(
        "scd2, active_record_timestamp: insert new versions",
        insert_versions(&root, &columns, &staged, &far),
    );
    let fill = |parent, links| fill_root_ids(&child, parent, &root, links);
    say("set missing root ids", fill(None, links));
    say("set missing root ids one level down", fill(Some(&child), links));
    let links = Links { key: "GROUP", ..links };
    say("row_key: set missing root ids", fill(None, links));
    say(
        "row_key, delete-insert: delete nested rows of replaced rows",
        of(&staged, links).delete_replaced(matched),
    );
    say("a row of dlt's tables", books.insert(&books.loads, &row));
    say("refresh: drop a table", ddl::drop_table(&root));
    say(
        "refresh: delete the versions of the schema",
        books.delete_versions(&books.version, "it's"),
    );
    let slices = SliceTable {
        name: dataset.object("_SNOWCAT_SLICES"),
        pipeline: "it's",
        fold: Box::new(str::to_uppercase),
    };
    let of = Division { resource: "orders", definition: "d1" };
    let bounds = |number, lower: &str, upper: &str| SliceBounds {
        number,
        lower: lower.to_owned(),
        upper: upper.to_owned(),
    };
    say("slices: their table", slices.create());
    say("slices: all of the pipeline", slices.select());
    let rows = [bounds(0, "2015-01-01", "2015-01-08"), bounds(1, "", "")];
    say("slices: plan", slices.insert(of, &rows));
    say("slices: lock one", slices.lock(of, 3));
    say(
        "slices: assign one to a load",
        slices.claim(of, 3, "1.5", &SqlValue::Instant(1_795_248_000_500_000)),
    );
    say("slices: those that are open", slices.rewrite_open(of, 8));
    say(
        "refresh: delete the slices of resources",
        slices.delete(Some(&["orders".to_owned(), "it's".to_owned()])),
    );
    say("refresh: delete all slices", slices.delete(None));
    say("commit", merge::COMMIT.to_owned());
    say("rollback", merge::ROLLBACK.to_owned());
    say("drop the stage", ddl::drop_stage(&stage));
    text
}

#[test]
fn nanoseconds_are_converted_independently_of_the_session() {
    let fine = |data_type, timezone| Kind { precision: Some(9), timezone, ..Kind::of(data_type) };
    let check = |column: SqlColumn, expect: &str| {
        let schema = Name::schema("D", "S");
        let copy = copy_into(&schema, &[column], &schema, "p", Json::Parse);
        let select = copy.split(" FROM (SELECT ").nth(1).and_then(|it| it.split(" FROM '").next());
        assert_eq!(select, Some(expect));
    };
    let instant = "TO_TIMESTAMP_LTZ($1:\"C\"::NUMBER(38,0), 9)";
    let utc = format!("CONVERT_TIMEZONE('UTC', {instant})");
    let of = |data_type, timezone| SqlColumn::new("C", fine(data_type, timezone));
    check(of(DataType::Timestamp, true), &format!("{instant}::TIMESTAMP_LTZ(9)"));
    check(of(DataType::Timestamp, false), &format!("{utc}::TIMESTAMP_NTZ(9)"));
    check(of(DataType::Time, true), &format!("{utc}::TIMESTAMP_NTZ(9)::TIME(9)"));
    check(SqlColumn { with_offset: true, ..of(DataType::Timestamp, true) }, &utc);
}
