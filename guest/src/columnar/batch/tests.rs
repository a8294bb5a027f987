use super::*;
use crate::dlt::types::{DataType, Kind, StorageType};

fn column(data_type: DataType) -> ColumnBuffer {
    ColumnBuffer::new(Kind::of(data_type))
}

#[test]
fn a_setter_of_another_type_is_rejected() {
    type Setter = fn(&mut ColumnBuffer) -> Result<(), BufferError>;
    // The columns that each setter accepts.
    let setters: [(&str, Setter, &[StorageType]); 9] = [
        ("text", |c| c.set_text(0, "x"), &[StorageType::Text, StorageType::Json]),
        ("bytes", |c| c.set_bytes(0, b"x"), &[StorageType::Bytes]),
        ("int", |c| c.set_int(0, 1), &[StorageType::Int]),
        ("double", |c| c.set_double(0, 1.0), &[StorageType::Double]),
        ("bool", |c| c.set_bool(0, true), &[StorageType::Bool]),
        (
            "micros",
            |c| c.set_micros(0, 1),
            &[StorageType::Micros, StorageType::TimeMicros, StorageType::Nanos],
        ),
        ("nanos", |c| c.set_nanos(0, 1), &[StorageType::Nanos]),
        ("days", |c| c.set_days(0, 1), &[StorageType::Days]),
        ("decimal", |c| c.set_decimal(0, 1), &[StorageType::Decimal]),
    ];
    for kind in DataType::ALL.map(Kind::of) {
        let mut taken = 0;
        for (name, set, takes) in &setters {
            let mut column = ColumnBuffer::new(kind);
            let fits = takes.contains(&kind.storage());
            let expect = if fits { Ok(()) } else { Err(BufferError::Kind) };
            assert_eq!(set(&mut column), expect, "{name} of {kind:?}");
            assert_eq!(column.is_empty(), expect.is_err());
            taken += usize::from(fits);
        }
        assert_eq!(taken, 1, "setters of {kind:?}");
    }
}

#[test]
fn rows_out_of_order_are_rejected() {
    let mut column = column(DataType::Bigint);
    assert_eq!(column.last_row(), None);
    for (row, expect) in [
        (3, Ok(())),
        (3, Err(BufferError::Order)),
        (2, Err(BufferError::Order)),
        (4, Ok(())),
        (700, Ok(())),
        (u32::MAX, Err(BufferError::Order)),
    ] {
        assert_eq!(column.set_int(row, 1), expect, "{row}");
    }
    assert_eq!((column.last_row(), column.count()), (Some(700), 3));
}

#[test]
fn decimals_beyond_their_precision_are_rejected() {
    let decimal = |precision| Kind { precision: Some(precision), ..Kind::of(DataType::Decimal) };
    let check = |kind: Kind, value: i128, expect: Result<(), BufferError>| {
        assert_eq!(ColumnBuffer::new(kind).set_decimal(0, value), expect, "{kind:?} {value}");
    };
    for precision in 1..=38 {
        let limit = 10i128.pow(precision);
        for sign in [1, -1] {
            check(decimal(precision), sign * (limit - 1), Ok(()));
            check(decimal(precision), sign * limit, Err(BufferError::Range));
        }
    }
    for kind in DataType::ALL.map(Kind::of) {
        if kind.storage() == StorageType::Decimal {
            check(kind, i128::MAX, Err(BufferError::Range));
            check(kind, i128::MIN, Err(BufferError::Range));
        }
    }
}

#[test]
fn truncated_rows_leave_no_trace() {
    // For any number of rows kept of any rows set.
    let rows: Vec<u32> = (0..400).filter(|row| row % 7 != 3 && !(100..200).contains(row)).collect();
    type Setter = fn(&mut ColumnBuffer, u32);
    let setters: [(DataType, Setter); 4] = [
        (DataType::Bool, |c, row| c.set_bool(row, row % 3 == 0).unwrap()),
        (DataType::Double, |c, row| c.set_double(row, row.into()).unwrap()),
        (DataType::Decimal, |c, row| c.set_decimal(row, row.into()).unwrap()),
        (DataType::Text, |c, row| c.set_text(row, &format!("{}", row % 50 + row / 90)).unwrap()),
    ];
    for (data_type, set) in setters {
        for limit in 0..=402 {
            let mut found = column(data_type);
            let mut expect = column(data_type);
            for &row in &rows {
                set(&mut found, row);
                if row < limit {
                    set(&mut expect, row);
                }
            }
            found.truncate(limit);
            assert_eq!(found.last_row(), expect.last_row(), "{data_type:?} {limit}");
            for row in [450, 451, 452] {
                set(&mut found, row);
                set(&mut expect, row);
            }
            let state = |column: &ColumnBuffer| format!("{:?}", (column.present(), layout(column)));
            assert_eq!(state(&found), state(&expect), "{data_type:?} {limit}");
        }
    }
}

/// The values as in a page.
fn layout(column: &ColumnBuffer) -> String {
    let mut column = column.clone();
    column.flush_pending();
    match column.values().unwrap() {
        BufferValues::Bytes(strings) | BufferValues::Texts(strings) => {
            format!("{:?}", (strings.data().all(), strings.starts(), strings.indices()))
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn search_for_colliding_strings_is_bounded() {
    let mut texts = column(DataType::Text);
    let mut row = 0;
    let target = bytes::hash(b"0000000000000000");
    // A search for strings whose upper hash bits agree replaces an attacker's algebra.
    for candidate in 0u64.. {
        let text = format!("{candidate:016}");
        if bytes::hash(text.as_bytes()) >> 20 == target >> 20 {
            texts.set_text(row, &text).unwrap();
            row += 1;
        }
        if row == 600 {
            break;
        }
    }
    texts.flush_pending();
    let BufferValues::Texts(strings) = texts.values().unwrap() else { panic!("not a text") };
    assert_eq!(strings.indices(), None, "the dictionary was not given up");
    assert_eq!(strings.starts().len(), 600);
}

#[test]
fn reading_with_pending_strings_is_a_fault() {
    let check = |strings: &[&str], waits: bool| {
        let mut texts = column(DataType::Text);
        for (row, string) in (0..).zip(strings) {
            texts.set_text(row, string).unwrap();
        }
        assert_eq!(texts.values().err(), waits.then_some(BufferError::Pending), "{strings:?}");
        texts.flush_pending();
        let BufferValues::Texts(stored) = texts.values().unwrap() else { panic!("not a text") };
        let indices = stored.indices().unwrap().iter();
        let found: Vec<&str> = indices
            .map(|&index| stored.data().at(stored.starts()[index as usize]))
            .map(|bytes| std::str::from_utf8(bytes).unwrap())
            .collect();
        assert_eq!(found, strings);
    };
    let long = "x".repeat(5000);
    check(&[], false);
    check(&["a"], true);
    check(&["a", "", "a"], true);
    check(&[&long], false);
    check(&["a", &long], false);
    check(&[&long, "a", "b", "a", &long, "c"], true);
}
