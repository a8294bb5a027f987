//! Keys that share a name.

use super::*;

/// The tables after these loads, with the rows of the last one. Each load starts with what the
/// previous one stored.
fn loads(loads: &[&str]) -> (String, Vec<String>) {
    let mut before: Option<Family> = None;
    for records in loads {
        let mut family = Family::new(options());
        if let Some(before) = &before {
            for (_, table) in before.tables() {
                if let Some(parent) = table.parent {
                    family.know_table(&table.name, &before.table(parent).name);
                }
            }
            let keys: Vec<_> = before.keys().collect();
            for (_, table) in before.tables() {
                for column in table.columns() {
                    let named = |(t, c, _): &&(&str, Option<&str>, &[String])| {
                        *t == table.name && *c == Some(column.name)
                    };
                    let key = keys.iter().find(named).map(|(_, _, key)| key.to_vec());
                    let (name, kind) = (column.name.to_owned(), Some(column.kind));
                    let nullable = true;
                    let known = KnownColumn { name, kind, nullable, key, ..KnownColumn::default() };
                    family.know_column(&table.name, known);
                }
            }
            for (table, _, key) in keys.iter().filter(|(_, column, _)| column.is_none()) {
                family.know_table_key(table, key.to_vec());
            }
        }
        take(&mut family, records).unwrap();
        before = Some(family);
    }
    let family = before.unwrap();
    let values = |line: &str| line.replace(" bigint", "").replace("\n", "; ");
    let described = describe(&family);
    let kept: Vec<String> = described
        .lines()
        .map(|line| {
            let (table, columns) = line.split_once(':').unwrap();
            let columns: Vec<&str> = columns
                .split(", ")
                .map(str::trim)
                .filter(|c| !c.is_empty() && !c.ends_with("*0"))
                .collect();
            format!("{table}: {}", columns.join(", "))
        })
        .collect();
    (values(&kept.join("\n")), family.warnings())
}

#[test]
fn each_key_has_one_column() {
    let check =
        |records: &[&str], expect: &str| assert_eq!(loads(records).0, expect, "{records:?}");
    let own = "user_id__x_ceemmg";
    // If one record has both keys, dlt's winner owns the name: the last one that dlt visits, which
    // is one in an object.
    check(&[r#"{"userId":1,"user_id":2}"#], "t[1]: user_id*1, user_id__x_blr0jg*1");
    check(&[r#"{"user_id":2,"userId":1}"#], &format!("t[1]: user_id*1, {own}*1"));
    check(&[r#"{"a":{"b":1},"a__b":2}"#], "t[1]: a__b*1, a__b__x_uqd2ww*1");
    check(&[r#"{"a__b":2,"a":{"b":1}}"#], "t[1]: a__b*1, a__b__x_uqd2ww*1");
    check(&[r#"{"a":{"b":1},"A":{"b":2}}"#], "t[1]: a__b*1, a__b__x_reywng*1");
    // Later records do not change the owner, whatever keys they have.
    let rest = r#"{"userId":1} {"user_id":2} {"user_id":3,"userId":4} {"userId":5,"user_id":6}"#;
    check(&[rest], &format!("t[4]: user_id*3, {own}*3"));
    let before = r#"{"user_id":0,"userId":0}"#;
    check(&[&format!("{before} {rest}")], &format!("t[5]: user_id*4, {own}*4"));
    // Nor do later loads.
    check(&[before, rest], &format!("t[4]: user_id*3, {own}*3"));
    check(&[before, r#"{"x":1}"#, r#"{"user_id":2}"#], &format!("t[1]: {own}*1"));
    check(&[before, r#"{"user_id":2}"#, r#"{"userId":2}"#], "t[1]: user_id*1");
    // If a name says little of its key, from the first load on.
    let (count, percent) = (r##"{"f":{"# of items":1}}"##, r#"{"f":{"% of items":2}}"#);
    check(&[count, percent], "t[1]: f___of_items__x_u1f8ya*1");
    check(&[percent, count, percent], "t[1]: f___of_items*1");
    check(&[r#"{"名前":1}"#, r#"{"住所":2,"名前":1}"#], "t[1]: x*1, x__x_bw4kkg*1");
    // Otherwise a name is the same key if no load has seen both keys.
    check(&[r#"{"userId":1}"#, r#"{"user_id":2}"#], "t[1]: user_id*1");
    // The rows of a list are independent.
    check(&[r#"{"l":[{"A":1},{"a":2},{"a":3,"A":4}]}"#], "t[1]: ; t__l[3]: a*2, a__x_v7opsw*2");
    // Objects that are flattened, too.
    check(&[r#"{"A":{"x":1}} {"a":{"x":2}}"#], "t[2]: a__x*1, a__x__x_utxdbq*1");
    // A key with the name of another key's variant column has a separate column once both are in
    // one row.
    check(
        &[r#"{"a":1} {"a":"x","a__v_text":"y"}"#],
        "t[2]: a*1, a__v_text~ text*1, a__v_text__x_djj45q text*1",
    );
}

#[test]
fn each_list_has_one_table() {
    let check =
        |records: &[&str], expect: &str| assert_eq!(loads(records).0, expect, "{records:?}");
    let both = r#"{"w":{"The":[0,9],"the":[3]}} {"w":{"the":[5]}} {"w":{"THE":[{"a":[1]}]}}"#;
    let tables = "t[3]: ; t__w__the[2]: value*2; t__w__the__x_cdylaa[2]: value*2; t__w__the__x_e5xolw[1]: ; \
                  t__w__the__x_e5xolw__a[1]: value*1";
    check(&[both], tables);
    check(&[both, both], tables);
    check(&[both, r#"{"w":{"the":[5]}}"#], "t[1]: ; t__w__the__x_cdylaa[1]: value*1");
    check(&[both, r#"{"w":{"The":[5]}}"#], "t[1]: ; t__w__the[1]: value*1");
    // The first list with elements owns the name.
    check(
        &[r#"{"a":[],"A":[1]} {"a":[2]}"#],
        "t[2]: ; t__a[1]: value*1; t__a__x_hcjeia[1]: value*1",
    );
    check(&[r#"{"項目":[1]}"#, r#"{"明細":[1]}"#], "t[1]: ; t__x__x_8lw5dg[1]: value*1");
}

#[test]
fn the_warning_names_both_keys() {
    let check = |records: &[&str], expect: &[&str]| assert_eq!(loads(records).1, expect);
    let warning = "table t: the keys \"f.# of items\" and \"f.% of items\" have the same name: \"f.% of items\" is in \
                   the column f___of_items__x_u1f8ya, \"f.# of items\" in f___of_items";
    let (count, percent) = (r##"{"f":{"# of items":1}}"##, r#"{"f":{"% of items":2}}"#);
    check(&[&format!("{count} {percent} {percent}")], &[warning]);
    check(&[count, percent], &[warning]);
    check(&[count, percent, percent], &[warning]);
    check(&[count, percent, count], &[]);
    let warning = "the lists \"l\" and \"L\" have the same name: the rows of \"L\" are in the table t__l__x_c3birw, those of \"l\" \
                   in t__l";
    check(&[r#"{"l":[1],"L":[2]} {"L":[3]}"#], &[warning]);
}

#[test]
fn a_rejected_record_owns_no_name() {
    let mut family = Family::new(options());
    for record in [r#"{"A":1,"B":[1],"x":}"#, r#"{"A":1,"a":2,"B":[1],"b":[2],"x":}"#] {
        assert!(take(&mut family, record).is_err());
    }
    take(&mut family, r#"{"a":1,"b":[1]} {"A":1,"B":[1]}"#).unwrap();
    let keys: Vec<String> = family.keys().map(|(t, c, key)| format!("{t} {c:?} {key:?}")).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    let named = |table: &str, column: Option<&str>| {
        let mut keys = family.keys().filter(|(t, c, _)| (*t, *c) == (table, column));
        keys.next().map(|(_, _, key)| key.to_vec())
    };
    assert_eq!(named("t", Some("a")), Some(vec!["a".to_owned()]));
    assert_eq!(named("t__b", None), Some(vec!["b".to_owned()]));
    assert_eq!(family.warnings().len(), 2);
}

#[test]
fn separate_names_that_are_taken_are_skipped() {
    // A key with the name of another key's separate column.
    let mut family = Family::new(options());
    take(&mut family, r#"{"user_id__x_ceemmg":1,"userId":2} {"user_id":3} {"user_id":4}"#).unwrap();
    let described = describe(&family);
    assert!(
        described.starts_with("t[3]: user_id__x_ceemmg bigint*1, user_id bigint*1, user_id__x_"),
        "{described}"
    );
    assert!(described.ends_with("*2\n"), "{described}");
}
