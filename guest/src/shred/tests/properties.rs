//! Properties that hold for all documents, and the limits of a table's growth.

use std::collections::BTreeMap;

use super::*;
use crate::dlt::schema::{Contract, ContractMode};

/// A deterministic generator of pseudo-random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % sides as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.roll(at + 1));
        }
    }

    /// A document whose keys begin with `prefix`.
    fn document(&mut self, prefix: &str, depth: usize) -> String {
        let members: Vec<String> = (0..self.roll(5))
            .map(|_| format!("\"{prefix}{}\":{}", self.roll(4), self.value(prefix, depth)))
            .collect();
        format!("{{{}}}", members.join(","))
    }

    fn value(&mut self, prefix: &str, depth: usize) -> String {
        match self.roll(if depth == 0 { 3 } else { 6 }) {
            0 => {
                self.pick(&["1", "7", "-3", "12345678901234567890", "9007199254740993"]).to_owned()
            }
            1 => self.pick(&["1.5", "1e3", "true", "null", "false"]).to_owned(),
            2 => self.pick(&["\"x\"", "\"2024-01-01T00:00:00Z\"", "\"7\"", "\"\""]).to_owned(),
            3 | 4 => self.document(prefix, depth - 1),
            _ => {
                let items: Vec<String> =
                    (0..self.roll(4)).map(|_| self.value(prefix, depth - 1)).collect();
                format!("[{}]", items.join(","))
            }
        }
    }
}

/// Tables with their columns: types, the number of values, and the integers by row.
type Tables = BTreeMap<String, (u64, BTreeMap<String, (Kind, u32, Vec<(u64, i128)>)>)>;

/// Reads the records, and ends a batch before those with these numbers.
fn tables(options: ShredOptions, records: &[String], flushes: &[usize]) -> (Tables, Vec<String>) {
    let mut family = Family::new(options);
    let mut tables = Tables::new();
    let gather = |family: &mut Family, tables: &mut Tables| {
        for (_, table) in family.tables_mut() {
            let (rows, columns) = tables.entry(table.name.clone()).or_default();
            for column in table.columns().into_iter().filter(|column| column.seen) {
                let seen = columns.entry(column.name.to_owned());
                let (kind, count, integers) = seen.or_insert((column.kind, 0, Vec::new()));
                *kind = column.kind;
                *count += column.values.count();
                let values = column.values.integers().into_iter();
                integers.extend(values.map(|(row, value)| (*rows + u64::from(row), value)));
            }
            *rows += u64::from(table.rows());
            table.clear();
        }
        // Tables that are declared but have no rows do not count.
        tables.retain(|_, (rows, _)| *rows > 0);
    };
    for (number, record) in records.iter().enumerate() {
        if flushes.contains(&number) {
            gather(&mut family, &mut tables);
        }
        take(&mut family, record).unwrap();
    }
    let order = |table: &ShredTable| -> Vec<String> {
        table.columns().iter().map(|column| format!("{}.{}", table.name, column.name)).collect()
    };
    let order = family.tables().map(|(_, table)| table).flat_map(order).collect();
    gather(&mut family, &mut tables);
    (tables, order)
}

#[test]
fn result_does_not_depend_on_where_batches_end() {
    let mut dice = Dice(1);
    for round in 0..300 {
        let records: Vec<String> = (0..6).map(|_| dice.document("k", 3)).collect();
        let flushes: Vec<usize> = (0..2).map(|_| dice.roll(6)).collect();
        let make = || ShredOptions {
            root_key: if round % 2 == 0 { RootKey::Id } else { RootKey::None },
            ..options()
        };
        let whole = tables(make(), &records, &[]);
        assert_eq!(tables(make(), &records, &flushes), whole, "{records:?} {flushes:?}");
    }
}

#[test]
fn tables_do_not_depend_on_the_order_of_pages() {
    let mut dice = Dice(2);
    for _ in 0..300 {
        let mut pages: Vec<Vec<String>> = ["a", "b", "c"]
            .map(|prefix| (0..3).map(|_| dice.document(prefix, 3)).collect())
            .to_vec();
        // The set of rows, without their numbers.
        let layout = |pages: &[Vec<String>]| {
            let (mut tables, _) = tables(options(), &pages.concat(), &[]);
            for (_, columns) in tables.values_mut() {
                for (_, _, integers) in columns.values_mut() {
                    integers.iter_mut().for_each(|(row, _)| *row = 0);
                    integers.sort();
                }
            }
            tables
        };
        let before = layout(&pages);
        dice.shuffle(&mut pages);
        assert_eq!(layout(&pages), before, "{pages:?}");
    }
}

#[test]
fn widening_does_not_depend_on_the_order_of_numbers() {
    const NUMBERS: [&str; 7] =
        ["1", "-2.5", "9007199254740993", "12345678901234567890", "1e2", "9007199254740992", "0"];
    let mut dice = Dice(3);
    for _ in 0..300 {
        let mut records: Vec<String> =
            (0..4).map(|_| format!("{{\"n\":{}}}", dice.pick(&NUMBERS))).collect();
        let columns = |records: &[String]| {
            let (tables, _) = tables(ShredOptions { widen: true, ..options() }, records, &[]);
            let (_, columns) = tables["t"].clone();
            columns
                .into_iter()
                .map(|(name, (kind, count, mut integers))| {
                    integers.iter_mut().for_each(|(row, _)| *row = 0);
                    integers.sort();
                    (name, kind, count, integers)
                })
                .collect::<Vec<_>>()
        };
        let before = columns(&records);
        dice.shuffle(&mut records);
        assert_eq!(columns(&records), before, "{records:?}");
    }
}

#[test]
fn numbers_widen_new_columns() {
    let widen = || ShredOptions { widen: true, ..options() };
    check(widen(), r#"{"n":1} {"n":2.5} {"n":3}"#, "t[3]: n double*3");
    check(widen(), r#"{"n":1} {"n":12345678901234567890}"#, "t[2]: n wei*2");
    // An integer that a double cannot represent keeps its digits in the variant, in whichever row
    // it is.
    let beside = "t[3]: n double*2, n__v_bigint~ bigint*1";
    check(widen(), r#"{"n":1} {"n":9007199254740993} {"n":2.5}"#, beside);
    check(widen(), r#"{"n":2.5} {"n":9007199254740993} {"n":1}"#, beside);
    check(
        widen(),
        r#"{"n":1} {"n":12345678901234567891} {"n":2.5}"#,
        "t[3]: n double*2, n__v_wei~ wei*1",
    );
    // Only numbers widen, and not those of an existing column, or of one under a contract.
    check(widen(), r#"{"n":1} {"n":"x"}"#, "t[2]: n bigint*1, n__v_text~ text*1");
    let mut family = Family::new(widen());
    let kind = Some(Kind::of(DataType::Bigint));
    family.know_column(
        "t",
        KnownColumn { name: "n".into(), kind, nullable: true, ..KnownColumn::default() },
    );
    take(&mut family, r#"{"n":1.5}"#).unwrap();
    assert_eq!(describe(&family), "t[1]: n bigint*0, n__v_double~ double*1\n");
    let mut family = Family::new(widen());
    let modes = Contract { data_type: ContractMode::DiscardValue, ..Contract::EVOLVE };
    family.know_contract("t", TableContract { modes, evolves_once: true });
    take(&mut family, r#"{"n":1} {"n":1.5}"#).unwrap();
    assert_eq!(describe(&family), "t[2]: n bigint*1\n");
    // A restarted record leaves the values that it moved.
    check(
        widen(),
        r#"{"n":9007199254740993} {"n":2.5,"a":1,"a":2}"#,
        "t[2]: n double*1, n__v_bigint~ bigint*1, a bigint*1",
    );
    check(options(), r#"{"n":1} {"n":2.5}"#, "t[2]: n bigint*1, n__v_double~ double*1");
}

#[test]
fn values_in_written_files_limit_widening() {
    let columns = |numbers: [&str; 2]| {
        let records = numbers.map(|number| format!("{{\"n\":{number}}}"));
        let (tables, _) = tables(ShredOptions { widen: true, ..options() }, &records, &[1]);
        let (_, columns) = tables["t"].clone();
        let column = |(name, (kind, ..)): (String, (Kind, u32, _))| (name, kind.data_type);
        columns
            .into_iter()
            .map(column)
            .filter(|(name, _)| name.starts_with('n'))
            .collect::<Vec<_>>()
    };
    let column = |name: &str, data_type| (name.to_owned(), data_type);
    assert_eq!(columns(["1", "1.5"]), [column("n", DataType::Double)]);
    assert_eq!(
        columns(["9007199254740993", "1.5"]),
        [column("n", DataType::Bigint), column("n__v_double", DataType::Double)]
    );
    assert_eq!(columns(["9007199254740993", "12345678901234567890"]), [column("n", DataType::Wei)]);
}

#[test]
fn objects_whose_keys_are_data_are_collapsed() {
    let most = |max_columns| ShredOptions { max_columns, ..options() };
    // The object with the most keys is collapsed; its existing columns stay.
    check(
        most(4),
        r#"{"a":{"x":1,"u":{"k1":1,"k2":2}}} {"a":{"x":2,"u":{"k2":1,"k3":1,"k4":1,"k5":1}}} {"a":{"x":3,"u":{"k9":1}}}"#,
        "t[3]: a__x bigint*3, a__u__k1 bigint*1, a__u__k2 bigint*1, a__u json*2",
    );
    // Elements of a list, too. In a row's own keys nothing can be collapsed.
    check(
        most(5),
        r#"{"l":[{"a":1,"b":1},{"c":1,"d":1,"e":1,"f":1}]} {"l":[{"z":1}]}"#,
        "t[2]: l json*2",
    );
    let mut family = Family::new(most(2));
    take(&mut family, r#"{"a":1,"b":2,"c":{"d":1},"e":{"f":1}}"#).unwrap();
    assert_eq!(describe(&family), "t[1]: a bigint*1, b bigint*1, c json*1, e json*1\n");
    assert_eq!(
        family.warnings(),
        [
            "table t: it has 2 columns, the most it may have (max_columns): what is nested under c is kept as JSON",
            "table t: it has 2 columns, the most it may have (max_columns): what is nested under e is kept as JSON",
        ]
    );
}

#[test]
fn preferred_types_and_detections_are_applied() {
    let preferred = |name: &str| (name == "p").then_some(DataType::Double);
    let options =
        || ShredOptions { preferred: Some(Box::new(preferred)), texts_only: true, ..options() };
    check(options(), r#"{"p":1,"t":"2024-01-01T00:00:00Z"}"#, "t[1]: p double*1, t text*1");
    let json = |name: &str| (name == "j").then_some(DataType::Json);
    check(
        ShredOptions { preferred: Some(Box::new(json)), ..super::options() },
        r#"{"j":{"a":1},"l":{"j":[1]}}"#,
        "t[1]: j json*1\n t__l__j[1]: value bigint*1",
    );
}
