//! What the schema contract discards. The expectations are dlt 1.31's results.

use super::*;
use crate::dlt::schema::{Contract, ContractMode};

const FREEZE: Contract = Contract {
    tables: ContractMode::Freeze,
    columns: ContractMode::Freeze,
    data_type: ContractMode::Freeze,
};
const EVOLVE: Contract = Contract::EVOLVE;

fn always(modes: Contract) -> TableContract {
    TableContract { modes, evolves_once: false }
}

/// A table `t` with the columns `id` and `a`, under this contract.
fn known(contract: TableContract) -> Family {
    let mut family = Family::new(options());
    for name in ["id", "a"] {
        let kind = Some(Kind::of(DataType::Bigint));
        family.know_column(
            "t",
            KnownColumn { name: name.into(), kind, nullable: true, ..KnownColumn::default() },
        );
    }
    family.know_contract("t", contract);
    family
}

#[track_caller]
fn check_contract(contract: TableContract, records: &str, expect: Result<&str, &str>) {
    let mut family = known(contract);
    let found = take(&mut family, records).map(|()| describe(&family));
    let found = found.map_err(|fault| fault.to_string());
    let expect = expect
        .map(|lines| lines.lines().map(|line| format!("{}\n", line.trim())).collect::<String>());
    assert_eq!(found, expect.map_err(str::to_owned));
}

#[test]
fn new_columns_of_existing_tables() {
    let columns = |mode| always(Contract { columns: mode, ..EVOLVE });
    let records = r#"{"id":1,"new":1,"kids":[{"v":1,"g":[1]},{"v":2,"w":3,"g":[2]},{"v":4}]}
                     {"id":2,"kids":[{"w":1}]}"#;
    check_contract(
        columns(ContractMode::DiscardValue),
        records,
        Ok("t[2]: id bigint*2, a bigint*0
            t__kids[4]: v bigint*3
            t__kids__g[2]: value bigint*2"),
    );
    // The first row is discarded with its nested rows; so the table of kids is new for the second.
    check_contract(
        columns(ContractMode::DiscardRow),
        records,
        Ok("t[1]: id bigint*1, a bigint*0\n t__kids[1]: w bigint*1"),
    );
    check_contract(
        columns(ContractMode::Freeze),
        records,
        Err(
            "table t: column new: expected no new columns, for the schema contract freezes them, found bigint",
        ),
    );
    // All rows of a table that is new in the load may add columns; of its nested tables, only the
    // first row.
    check_contract(
        TableContract { evolves_once: true, ..columns(ContractMode::DiscardRow) },
        records,
        Ok("t[2]: id bigint*2, a bigint*0, new bigint*1
            t__kids[2]: v bigint*2
            t__kids__g[1]: value bigint*1"),
    );
    // A missing or null value is nothing new, whatever earlier rows have.
    check_contract(
        columns(ContractMode::DiscardRow),
        r#"{"id":1,"new":null} {"id":2,"new":1} {"id":3,"new":null} {"id":4,"new":{},"l":[]}"#,
        Ok("t[3]: id bigint*3, a bigint*0"),
    );
    check_contract(
        columns(ContractMode::Freeze),
        r#"{"id":1,"_dlt_mine":1}"#,
        Ok("t[1]: id bigint*1, a bigint*0"),
    );
}

#[test]
fn values_that_need_a_variant() {
    let data_type = |mode| always(Contract { data_type: mode, ..EVOLVE });
    // The other new columns of a discarded row stay.
    check_contract(
        data_type(ContractMode::DiscardRow),
        r#"{"id":1,"kids":[{"x":1}],"a":"no","new":1} {"id":2,"a":"7"} {"id":"x"}"#,
        Ok("t[1]: id bigint*1, a bigint*1, new bigint*0"),
    );
    check_contract(
        data_type(ContractMode::DiscardValue),
        r#"{"id":1,"l":[1,"x",2,[3]],"a":"no"}"#,
        Ok("t[1]: id bigint*1, a bigint*0
            t__l[4]: value bigint*2
            t__l__list[1]: value bigint*1"),
    );
    check_contract(
        data_type(ContractMode::Freeze),
        r#"{"id":1,"l":[{"x":"no"},{"x":1},{"x":1.5}],"a":2} {"a":"no"}"#,
        Err(
            "table t: column a__v_text: expected a value of the column's type, not one that needs a \
             variant column, for the schema contract freezes them, found text",
        ),
    );
}

#[test]
fn new_tables() {
    let tables = |mode| always(Contract { tables: mode, ..EVOLVE });
    let records = r#"{"id":1,"l":[]} {"id":2,"n":1,"l":[null]} {"id":3,"l":[{"m":[1]}]}"#;
    for mode in [ContractMode::DiscardRow, ContractMode::DiscardValue] {
        check_contract(tables(mode), records, Ok("t[3]: id bigint*3, a bigint*0, n bigint*1"));
    }
    check_contract(
        tables(ContractMode::Freeze),
        records,
        Err("table t__l: expected no new tables, for the schema contract freezes them, found one \
             for the lists of t__l"),
    );
    check_contract(
        always(FREEZE),
        r#"{"id":1,"a":2} {"id":"3","l":[]}"#,
        Ok("t[2]: id bigint*2, a bigint*1"),
    );
}

#[test]
fn a_row_is_judged_before_its_lists() {
    let contract = always(Contract {
        data_type: ContractMode::DiscardRow,
        tables: ContractMode::Freeze,
        ..EVOLVE
    });
    check_contract(
        contract,
        r#"{"id":1,"l":[1],"a":"no"} {"id":2}"#,
        Ok("t[1]: id bigint*1, a bigint*0"),
    );
}

#[test]
fn discarded_rows_and_values_are_counted() {
    let mut family = known(always(Contract { columns: ContractMode::DiscardValue, ..EVOLVE }));
    // A restarted record is counted once.
    take(&mut family, r#"{"id":1,"new":1,"id":2} {"new":1,"old":2}"#).unwrap();
    assert_eq!(
        family.warnings(),
        [
            "table t: values of the new column new, as the schema contract has it; 2 discarded",
            "table t: values of the new column old, as the schema contract has it; 1 discarded",
        ]
    );
}

#[test]
fn nested_rows_refer_to_their_parents_under_a_contract() {
    let mut family = Family::new(ShredOptions { root_key: RootKey::Id, ..options() });
    let modes = Contract { columns: ContractMode::DiscardRow, ..EVOLVE };
    family.know_contract("t", TableContract { modes, evolves_once: true });
    take(&mut family, r#"{"l":[{"a":1},{"b":2},{"a":3}]} {"l":[{"c":1},{"a":1}]}"#).unwrap();
    assert_eq!(describe(&family), "t[2]:\nt__l[3]: a bigint*3\n");
    let system: Vec<u32> = nth_table(&family, 1)
        .columns()
        .iter()
        .filter(|column| column.name.starts_with("_dlt_"))
        .map(|column| column.values.count())
        .collect();
    assert_eq!(system, [3, 3, 3, 3]);
}

#[test]
fn elements_of_lists_may_be_root_rows() {
    let mut family =
        Family::new(ShredOptions { root_key: RootKey::Id, sequence: Sequence::Root, ..options() });
    let key = RootId::Key(vec!["sku".to_owned()]);
    let nested_root = NestedRoot { root_id: key, root_key: RootKey::Id, sequence: Sequence::All };
    family.know_root("t__items", nested_root);
    take(
        &mut family,
        r#"{"id":1,"items":[{"sku":"a","tags":[1,2]},{"sku":"b"}]} {"items":[{"sku":"a"}],"x":[1]}"#,
    )
    .unwrap();
    let columns = |at: usize| -> Vec<String> {
        let name = |column: &SeenColumn<'_>| format!("{}*{}", column.name, column.values.count());
        nth_table(&family, at).columns().iter().map(name).collect()
    };
    assert_eq!(columns(0), ["id*1", "_dlt_load_id*2", "_dlt_id*2", "_snowcat_seq*2"]);
    let items = ["sku*3", "_dlt_root_id*3", "_dlt_load_id*3", "_dlt_id*3", "_snowcat_seq*3"];
    assert_eq!(columns(1), items);
    let tags = ["value*2", "_dlt_root_id*2", "_dlt_parent_id*2", "_dlt_list_idx*2", "_dlt_id*2"];
    assert_eq!(columns(2)[..5], tags);
    assert_eq!(columns(3).len(), 5);
    let roots: Vec<&str> = family.tables().map(|(table, _)| family.root_of(table)).collect();
    assert_eq!(roots, ["t", "t__items", "t__items", "t"]);
}

#[test]
fn columns_of_a_discarded_row_come_before_those_of_the_next() {
    let check = |modes: Contract, records: &str, expect: &[&str]| {
        let mut family = Family::new(options());
        family.know_contract("t", always(modes));
        let kind = Some(Kind::of(DataType::Bigint));
        family.know_column(
            "t",
            KnownColumn { name: "a".to_owned(), kind, nullable: true, ..KnownColumn::default() },
        );
        take(&mut family, records).unwrap();
        let columns = nth_table(&family, 0).columns();
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        assert_eq!(names, expect, "{records}");
    };
    let types = Contract { data_type: ContractMode::DiscardRow, ..EVOLVE };
    check(
        types,
        r#"{"a":1} {"a":"x","o":{"p":1}} {"b":1,"a":2} {"c":{"d":1},"a":"y"} {"e":1}"#,
        &["a", "_dlt_load_id", "_dlt_id", "o__p", "b", "c__d", "e"],
    );
    // The first row of a table adds its system columns, too.
    check(types, r#"{"b":1,"a":"x"} {"c":1}"#, &["a", "b", "_dlt_load_id", "_dlt_id", "c"]);
    // Of several rows discarded for the same new column, only the first adds columns.
    let columns = Contract { columns: ContractMode::DiscardRow, ..EVOLVE };
    let kept = &["a", "_dlt_load_id", "_dlt_id"];
    check(columns, r#"{"a":1} {"a":2,"b":1} {"a":"x","b":1}"#, kept);
    let variant = &["a", "_dlt_load_id", "_dlt_id", "a__v_text"];
    check(columns, r#"{"a":1} {"a":"x","b":1} {"a":2.5,"b":1}"#, variant);
}
