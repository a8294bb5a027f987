//! The tables of records. Values are checked by the conformance cases.

mod collisions;
mod contract;
mod limits;
mod properties;

use super::options::*;
use super::table::SeenColumn;
use super::*;
use crate::dlt::naming::{Convention, Naming};
use crate::dlt::types::{DataType, Kind};
use crate::fault::Result;
use crate::json::Reader;

fn options() -> ShredOptions {
    ShredOptions {
        convention: Convention { naming: Naming::SnakeCase, max_length: 255 },
        table: "t".to_owned(),
        max_nesting: 1000,
        load_id: "1.0".to_owned(),
        root_id: RootId::Numbered,
        root_key: RootKey::None,
        sequence: Sequence::None,
        unnest: None,
        preferred: None,
        texts_only: false,
        widen: false,
        max_columns: 2000,
        max_tables: 1000,
    }
}

fn take(family: &mut Family, records: &str) -> Result<()> {
    let mut reader = Reader::new(records);
    while !reader.at_end() {
        family.record(&mut reader)?;
    }
    Ok(())
}

/// Each table with its number of rows, and each column with its type and number of values; `~`
/// marks variants. System columns are omitted unless they differ from the usual.
fn describe(family: &Family) -> String {
    let mut text = String::new();
    for table in family.tables().map(|(_, table)| table).filter(|table| table.rows() > 0) {
        let columns: Vec<String> = table
            .columns()
            .iter()
            .filter(|column| !column.name.starts_with("_dlt_"))
            .map(|column| {
                let mark = if column.variant { "~" } else { "" };
                format!(
                    "{}{mark} {}*{}",
                    column.name,
                    column.kind.data_type.name(),
                    column.values.count()
                )
            })
            .collect();
        let line = format!("{}[{}]: {}", table.name, table.rows(), columns.join(", "));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn nth_table(family: &Family, at: usize) -> &ShredTable {
    family.tables().nth(at).unwrap().1
}

#[track_caller]
fn check(options: ShredOptions, records: &str, expect: &str) {
    let mut family = Family::new(options);
    take(&mut family, records).unwrap();
    let expect: String = expect.lines().map(|line| format!("{}\n", line.trim())).collect();
    assert_eq!(describe(&family), expect);
}

#[test]
fn objects_are_flattened_and_lists_are_tables() {
    check(
        options(),
        r#"{"id":1,"a":{"b":{"c":1,"d":"x"},"e":[{"f":1},{"f":2,"g":{"h":[{"i":1}]}}]},"z":true} {"id":2}"#,
        "t[2]: id bigint*2, z bool*1, a__b__c bigint*1, a__b__d text*1
         t__a__e[2]: f bigint*2
         t__a__e__g__h[1]: i bigint*1",
    );
}

#[test]
fn columns_are_in_the_order_of_dlt() {
    // An object's own values first, then the objects in it, the last one first.
    check(
        options(),
        r#"{"x":{"p":1,"q":{"r":1},"s":2},"a":1,"y":{"t":{"u":1},"v":1},"b":2}"#,
        "t[1]: a bigint*1, b bigint*1, y__v bigint*1, y__t__u bigint*1, x__p bigint*1, x__s bigint*1, x__q__r bigint*1",
    );
}

#[test]
fn elements_of_every_kind() {
    check(
        options(),
        r#"{"l":[1,"x",null,{"a":1},[1,[2]]],"e":[],"o":{}}"#,
        "t[1]: 
         t__l[5]: value bigint*1, value__v_text~ text*1, a bigint*1
         t__l__list[2]: value bigint*1
         t__l__list__list[1]: value bigint*1",
    );
}

#[test]
fn nesting_limit_counts_objects_and_lists() {
    let nesting = |max_nesting| ShredOptions { max_nesting, ..options() };
    let record = r#"{"a":{"b":{"c":1}},"l":[{"m":[{"n":1}]}]}"#;
    check(nesting(0), record, "t[1]: a json*1, l json*1");
    check(nesting(1), record, "t[1]: a__b json*1\n t__l[1]: m json*1");
    check(nesting(2), record, "t[1]: a__b__c bigint*1\n t__l[1]: \n t__l__m[1]: n bigint*1");
}

#[test]
fn only_listed_paths_are_unnested() {
    let allowed = |path: &[String]| ["a", "a.l"].contains(&path.join(".").as_str());
    let options = ShredOptions { unnest: Some(Box::new(allowed)), ..options() };
    check(
        options,
        r#"{"a":{"l":[{"x":{"y":1}}],"m":[1]},"b":{"c":1}}"#,
        "t[1]: b json*1, a__m json*1\n t__a__l[1]: x json*1",
    );
}

#[test]
fn values_that_do_not_fit_go_to_a_variant() {
    check(
        options(),
        r#"{"i":1} {"i":"x"} {"i":"7"} {"i":1.5} {"i":true} {"i":[1]} {"i":99999999999999999999}"#,
        "t[7]: i bigint*2, i__v_text~ text*1, i__v_double~ double*1, i__v_bool~ bool*1, i__v_wei~ wei*1
         t__i[1]: value bigint*1",
    );
}

#[test]
fn hints_take_precedence_over_data() {
    let mut family = Family::new(options());
    let json = Some(Kind::of(DataType::Json));
    family.know_column(
        "t",
        KnownColumn { name: "b".into(), kind: json, nullable: true, ..KnownColumn::default() },
    );
    family.know_column(
        "t",
        KnownColumn { name: "late".into(), kind: None, nullable: true, ..KnownColumn::default() },
    );
    take(&mut family, r#"{"a":1,"late":"x","b":{"c":[1]}}"#).unwrap();
    assert_eq!(describe(&family), "t[1]: b json*1, a bigint*1, late text*1\n");
}

#[test]
fn last_value_of_a_repeated_key_is_stored() {
    check(
        options(),
        r#"{"a":1,"b":{"x":1},"a":"z","b":{"y":[{"k":1,"k":2}]}}"#,
        "t[1]: a text*1\n t__b__y[1]: k bigint*1",
    );
    // In any spelling.
    check(
        options(),
        r#"{"a_b":1,"aB":2,"a\u0042":3}"#,
        "t[1]: a_b bigint*1, a_b__x_bc6ypg bigint*1",
    );
    // In a value stored as JSON, too: PARSE_JSON rejects repeated keys.
    check(ShredOptions { max_nesting: 0, ..options() }, r#"{"a":{"x":1,"x":2}}"#, "t[1]: a json*1");
}

#[test]
fn rejected_record_leaves_no_rows() {
    let mut family = Family::new(options());
    take(&mut family, r#"{"a":1}"#).unwrap();
    let mut reader = Reader::new(r#"{"a":2,"new":{"x":1},"l":[{"y":1}],"b":}"#);
    let fault = family.record(&mut reader).unwrap_err();
    assert!(fault.message.contains("expected a value, found '}'"), "{fault}");
    assert_eq!(describe(&family), "t[1]: a bigint*1\n");
    take(&mut family, r#"{"l":[{"y":"text"}],"new":{"x":"text"}}"#).unwrap();
    assert_eq!(
        describe(&family),
        "t[2]: a bigint*1, new__x text*1\n t__l[1]: y text*1\n".replace("\n ", "\n")
    );
}

#[test]
fn missing_values_of_required_columns_are_faults() {
    let check = |primary_key: bool, records: &str, expect: &str| {
        let mut family = Family::new(options());
        let kind = Some(Kind::of(DataType::Bigint));
        let name = "id".to_owned();
        family.know_column(
            "t",
            KnownColumn { name, kind, primary_key, nullable: false, ..KnownColumn::default() },
        );
        let fault = take(&mut family, records).unwrap_err();
        assert_eq!(fault.to_string(), format!("table t: column id: {expect}"), "{records}");
        assert_eq!(describe(&family).matches("t[1]").count(), records.matches("} {").count());
    };
    check(true, r#"{"id":null}"#, "expected a value, found null or nothing");
    check(true, "{}", "expected a value, found null or nothing");
    check(
        true,
        r#"{"id":1,"v":1} {"id":"a-2","v":2}"#,
        r#"expected a value of the type bigint, found "a-2", which does not fit and is in the column id__v_text now: a primary key may not be null. Give the column a type that holds both in "columns", such as text"#,
    );
    check(false, r#"{"id":[1.5]}"#, "expected a value, found null or nothing");
    check(
        false,
        r#"{"id":1} {"id":1.5}"#,
        r#"expected a value of the type bigint, found 1.5, which does not fit and is in the column id__v_double now: the column may not be null. Give the column a type that holds both in "columns", such as text"#,
    );
    // A value of an earlier row does not change the message.
    check(true, r#"{"id":2} {"v":1}"#, "expected a value, found null or nothing");
    check(
        true,
        r#"{"id":1} {"ID":2}"#,
        r#"expected a value, found none: the row has the key "ID", but the column holds the values of another key with the same name, and a primary key may not be null"#,
    );
}

#[test]
fn ids_in_root_records_are_used() {
    let mut family = Family::new(ShredOptions { root_key: RootKey::Id, ..options() });
    take(&mut family, r#"{"l":[1],"_dlt_id":"mine","_dlt_load_id":"theirs"}"#).unwrap();
    assert_eq!(describe(&family), "t[1]:\nt__l[1]: value bigint*1\n");
    assert_eq!(family.warnings(), ["table t: the data's own _dlt_load_id was discarded"]);
}

#[test]
fn nested_rows_may_refer_to_their_root_by_a_value() {
    let check = |columns: &[&str], records: &str, expect: Result<&str, &str>| {
        let mut family = Family::new(ShredOptions { root_key: RootKey::of(columns), ..options() });
        let taken = take(&mut family, records).map(|()| {
            let columns = nth_table(&family, 1).columns();
            let found = columns.iter().find(|column| column.name == "_dlt_root_id");
            found.map_or(String::new(), |c| {
                format!("{}*{}", c.kind.data_type.name(), c.values.count())
            })
        });
        let taken = taken.map_err(|fault| fault.to_string());
        assert_eq!(
            taken.as_deref(),
            expect.map_err(str::to_owned).as_deref(),
            "{columns:?} {records}"
        );
    };
    let two = r#"{"l":[1,2],"Code":7} {"code":8,"l":[{"m":[3]}]}"#;
    check(&[], two, Ok(""));
    check(&["_dlt_id"], two, Ok("text*3"));
    check(&["code"], two, Ok("bigint*3"));
    check(&["code", "_dlt_id"], two, Ok("text*3"));
    check(&["_dlt_id", "code"], two, Ok("bigint*3"));
    check(&["code", "other"], two, Ok("bigint*3"));
    check(&["n__m"], r#"{"l":[[1]],"n":{"m":"2024-01-01T00:00:00Z"}}"#, Ok("timestamp*1"));
    check(&["_dlt_id", "code"], r#"{"l":[1]}"#, Ok("text*1"));
    let none = "table t__l: column _dlt_root_id: expected a value of the row key in the root row, \
        which nested rows carry, found null or nothing";
    check(&["code"], r#"{"l":[1]}"#, Err(none));
    check(&["_dlt_id", "code"], r#"{"l":[1],"code":null}"#, Err(none));
    check(
        &["code"],
        r#"{"l":[1],"code":5} {"l":[1],"code":"x"}"#,
        Err("table t__l: column _dlt_root_id: expected a row key of the type bigint, found text"),
    );
}

#[test]
fn ids_derived_from_keys_are_those_of_dlt() {
    // dlt's ids for these keys.
    let convention = Convention { naming: Naming::SnakeCase, max_length: 255 };
    for (record, columns, expect) in [
        (r#"{"id":1,"name":"a"}"#, &["id"][..], Ok("z5jIxXIbUnmbKw")),
        (r#"{"Id": 3}"#, &["id"], Ok("hKdQ/VhGat+Pgw")),
        (r#"{"n":-0.0}"#, &["n"], Ok("vonB1L3Nwn2xYg")),
        // If a key may be NULL, a missing one counts as null.
        (r#"{"id":null}"#, &["id"], Ok("ljdFSlj0Tv4BqQ")),
        (r#"{"value":5}"#, &["value"], Ok("8eiyCrxroatjOg")),
        ("5", &["value"], Ok("8eiyCrxroatjOg")),
        ("{}", &["id"], Ok("ljdFSlj0Tv4BqQ")),
    ] {
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        let id = row_id::key_hash(record, &columns, &convention).map_err(|fault| fault.to_string());
        assert_eq!(id.as_deref(), expect.map_err(str::to_owned).as_ref().map(|s| *s));
    }
}

#[test]
fn ids_derived_from_records_are_those_of_dlt() {
    // dlt's ids for versions of rows: nested values count, dlt's own columns do not.
    for (record, expect) in [
        (r#"{"id": 3, "name": "c", "upd": "2024-01-03T00:00:00Z", "items": []}"#, "YIw11qvrdteQqQ"),
        (
            r#"{"items": [], "_dlt_x": 1, "upd":"2024-01-03T00:00:00Z","id":0,"name":"c","id":3}"#,
            "YIw11qvrdteQqQ",
        ),
        (
            r#"{"id":2,"name":"b","upd":"2024-01-02T00:00:00Z","items":[{"tags":["r"],"sku":"z"}]}"#,
            "p9GgwnseCeNTGQ",
        ),
    ] {
        assert_eq!(row_id::record_hash(record).unwrap(), expect, "{record}");
    }
    let id = row_id::record_hash(r#"{"value":"a"}"#).unwrap();
    assert_eq!(row_id::record_hash(" \"a\" ").unwrap(), id);
}

#[test]
fn parent_of_a_table_is_that_of_its_first_row() {
    let mut family = Family::new(options());
    take(&mut family, r#"{"a":{"b":[]}} {"a":[{"b":[]}]} {"a":[{"b":[1]}]} {"a":{"b":[2]}}"#)
        .unwrap();
    let names = |table: TableId| family.table(table).name.as_str();
    let parents: Vec<(&str, Option<&str>)> = family
        .descending()
        .into_iter()
        .map(|table| (names(table), family.table(table).parent.map(names)))
        .collect();
    assert_eq!(parents, [("t", None), ("t__a", Some("t")), ("t__a__b", Some("t__a"))]);
}

#[test]
fn unique_strings_weigh_more_and_most_in_a_wide_table() {
    let check = |columns: usize, records: usize, again: bool, expect: std::ops::Range<usize>| {
        let mut family = Family::new(options());
        for record in 0..records {
            let text = |column| if again { 0 } else { record * columns + column };
            let members: Vec<String> = (0..columns)
                .map(|column| format!("\"c{column}\":\"{:0>1000}\"", text(column)))
                .collect();
            take(&mut family, &format!("{{{}}}", members.join(","))).unwrap();
        }
        let percent = family.weight() / (columns * records * 10);
        assert!(expect.contains(&percent), "{columns} columns, {records} records: {percent} %");
    };
    check(10, 90, true, 0..20);
    check(10, 90, false, 200..220);
    check(300, 3, false, 400..420);
}
