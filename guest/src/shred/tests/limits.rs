//! The limits for tables, columns and rows.

use super::*;
use crate::dlt::schema::{Contract, ContractMode};

fn most(max_columns: usize, max_tables: usize) -> ShredOptions {
    ShredOptions { max_columns, max_tables, ..options() }
}

#[test]
fn exceeded_limits_are_faults_with_the_path() {
    let check = |(columns, tables), records: &str, expect: Result<&str, &str>| {
        let mut family = Family::new(most(columns, tables));
        let found = take(&mut family, records).map(|()| describe(&family));
        let found = found.map_err(|fault| fault.to_string());
        let expect = expect.map(|lines| {
            lines.lines().map(|line| format!("{}\n", line.trim())).collect::<String>()
        });
        assert_eq!(found, expect.map_err(str::to_owned), "{records}");
    };
    // Columns of a record's own keys.
    check((2, 9), r#"{"a":1,"b":2}"#, Ok("t[1]: a bigint*1, b bigint*1"));
    let fault = "table t: expected at most 2 columns (max_columns), found one more key: c; raise max_columns, or \
                 exclude keys (processing_steps)";
    check((2, 9), r#"{"a":1,"b":2,"c":3}"#, Err(fault));
    check((2, 9), r#"{"l":[{"a":1,"b":1},{"c":1}]}"#, Ok("t[1]: l json*1"));
    // Nulls have no column, and nested values are stored as JSON.
    check(
        (2, 9),
        r#"{"a":1,"b":2,"c":null,"d":{"e":1}}"#,
        Ok("t[1]: a bigint*1, b bigint*1, d json*1"),
    );
    // Columns that `max_columns` does not limit.
    let fault = "table t: expected at most 4 columns, twice max_columns, found one more: ";
    check(
        (2, 9),
        r#"{"a":{"x":1},"b":{"x":1}} {"c":{"x":1}} {"d":{"x":1},"e":{"x":1}}"#,
        Err(&format!("{fault}e")),
    );
    check(
        (2, 9),
        r#"{"a":1,"b":1} {"a":"x","b":1.5} {"a":1.5}"#,
        Err(&format!("{fault}a__v_double")),
    );
    check(
        (1, 9),
        r#"{"A":1,"a":1,"a ":1}"#,
        Err("table t: expected at most 2 columns, twice max_columns, found one more: a__x_pbo67g"),
    );
    // Tables.
    check((9, 2), r#"{"a":[1],"b":[],"c":[]} {"a":[2]}"#, Ok("t[2]: \n t__a[2]: value bigint*2"));
    let fault = |list| {
        format!(
            "table t: expected at most 2 tables (max_tables), found a list under {list} that needs one more: keep the \
         list as JSON (max_table_nesting, unnest), or raise max_tables"
        )
    };
    check((9, 2), r#"{"a":[1],"o":{"b":[1]}}"#, Err(&fault("o.b")));
    check((9, 2), r#"{"a":[[1]]}"#, Err(&fault("a.list")));
}

#[test]
fn declared_tables_count() {
    let mut family = Family::new(most(9, 3));
    family.know_table("t__known", "t");
    take(&mut family, r#"{"a":[1]}"#).unwrap();
    assert!(take(&mut family, r#"{"b":[1]}"#).is_err());
    // The undone record leaves no table that counts.
    take(&mut family, r#"{"known":[1],"a":[1]}"#).unwrap();
    assert_eq!(describe(&family), "t[2]:\nt__known[1]: value bigint*1\nt__a[2]: value bigint*2\n");
}

#[test]
fn rejected_columns_and_tables_do_not_count() {
    for mode in [ContractMode::DiscardValue, ContractMode::DiscardRow] {
        let mut family = Family::new(most(6, 2));
        take(&mut family, r#"{"id":1}"#).unwrap();
        let modes = Contract { columns: mode, tables: mode, ..Contract::EVOLVE };
        family.know_contract("t", TableContract { modes, evolves_once: false });
        let records: String = (0..20).map(|n| format!("{{\"id\":1,\"k{n}\":1}}")).collect();
        take(&mut family, &records).unwrap();
        take(&mut family, r#"{"id":1,"l":[1],"m":[1]}"#).unwrap();
        let rows = if mode == ContractMode::DiscardValue { 22 } else { 2 };
        assert_eq!(describe(&family), format!("t[{rows}]: id bigint*{rows}\n"));
    }
}

#[test]
fn a_record_of_too_many_rows_is_a_fault() {
    let mut family = Family::new(options());
    let fault = take(&mut family, &format!("{{\"l\":[1{}]}}", ",1".repeat(3_000_000))).unwrap_err();
    let expect = "expected at most 88 MiB of rows from one record, found a record with more: ";
    assert!(fault.to_string().starts_with(expect), "{fault}");
    assert!(fault.message.contains(" rows of the table t__l by now"), "{fault}");
    assert_eq!(describe(&family), "");
}
