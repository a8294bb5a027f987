use super::*;
use crate::dlt::types::{DataType, Kind};
use miniz_oxide::inflate::decompress_to_vec;

/// Columns of every type, with a value in row 1, another in row 2, and NULL in rows 0 and 3.
#[expect(clippy::too_many_lines, reason = "a table of values")]
fn columns() -> Vec<(&'static str, ColumnBuffer)> {
    let column = |kind: Kind, set: &dyn Fn(&mut ColumnBuffer)| {
        let mut column = ColumnBuffer::new(kind);
        set(&mut column);
        column.flush_pending();
        column
    };
    let of = Kind::of;
    let decimal =
        |precision| Kind { precision: Some(precision), scale: Some(2), ..of(DataType::Decimal) };
    let fine = Kind { precision: Some(9), ..of(DataType::Timestamp) };
    vec![
        (
            "text",
            column(of(DataType::Text), &|it| {
                it.set_text(1, "a\"b,\n\\N").unwrap();
                it.set_text(2, "").unwrap();
            }),
        ),
        (
            "json",
            column(of(DataType::Json), &|it| {
                it.set_text(1, "{\"a\":1}").unwrap();
                it.set_text(2, "null").unwrap();
            }),
        ),
        (
            "int",
            column(of(DataType::Bigint), &|it| {
                it.set_int(1, i64::MIN).unwrap();
                it.set_int(2, 7).unwrap();
            }),
        ),
        (
            "double",
            column(of(DataType::Double), &|it| {
                it.set_double(1, f64::NAN).unwrap();
                it.set_double(2, -1e300).unwrap();
            }),
        ),
        (
            "bool",
            column(of(DataType::Bool), &|it| {
                it.set_bool(1, true).unwrap();
                it.set_bool(2, false).unwrap();
            }),
        ),
        (
            "date",
            column(of(DataType::Date), &|it| {
                it.set_days(1, -1).unwrap();
                it.set_days(2, 20_000).unwrap();
            }),
        ),
        (
            "at",
            column(of(DataType::Timestamp), &|it| {
                it.set_micros(1, -1).unwrap();
                it.set_micros(2, 1_763_683_200_000_001).unwrap();
            }),
        ),
        (
            "fine",
            column(fine, &|it| {
                it.set_nanos(1, 1).unwrap();
                it.set_nanos(2, -1_763_683_200_000_000_001).unwrap();
            }),
        ),
        (
            "narrow",
            column(decimal(10), &|it| {
                it.set_decimal(1, -5).unwrap();
                it.set_decimal(2, 12_345).unwrap();
            }),
        ),
        (
            "wide",
            column(decimal(38), &|it| {
                it.set_decimal(1, 10i128.pow(38) - 1).unwrap();
                it.set_decimal(2, 0).unwrap();
            }),
        ),
        (
            "bytes",
            column(of(DataType::Binary), &|it| {
                it.set_bytes(1, &[0, 255]).unwrap();
                it.set_bytes(2, &[]).unwrap();
            }),
        ),
    ]
}

fn written(format: TextFormat, compressed: bool, times: usize) -> Vec<u8> {
    let columns = columns();
    let mut of_file: Vec<(&str, Option<&ColumnBuffer>)> =
        columns.iter().map(|(name, values)| (*name, Some(values))).collect();
    of_file.insert(1, ("none", None));
    let mut file = TextFile::create(format, compressed);
    for _ in 0..times {
        file.append(&of_file, 4).unwrap();
    }
    assert_eq!(file.rows(), 4 * times as u64);
    file.finish().unwrap()
}

const JSON: &str = r#"{}
{"text":"a\"b,\n\\N","json":"{\"a\":1}","int":-9223372036854775808,"double":"NaN","bool":true,"date":"-86400000000000","at":"-1000","fine":"1","narrow":"-0.05","wide":"999999999999999999999999999999999999.99","bytes":"00ff"}
{"text":"","json":"null","int":7,"double":"-1e+300","bool":false,"date":"1728000000000000000","at":"1763683200000001000","fine":"-1763683200000000001","narrow":"123.45","wide":"0.00","bytes":""}
{}
"#;

const CSV: &str = r#",,,,,,,,,,,
"a""b,
\N",,"{""a"":1}",-9223372036854775808,NaN,true,-86400000000000,-1000,1,-0.05,999999999999999999999999999999999999.99,00ff
"",,"null",7,-1e+300,false,1728000000000000000,1763683200000001000,-1763683200000000001,123.45,0.00,""
,,,,,,,,,,,
"#;

#[test]
fn rows_are_lines() {
    let check = |format, expect: &str| {
        let found = written(format, false, 1);
        assert_eq!(String::from_utf8(found).unwrap(), expect);
        let packed = written(format, true, 3000);
        let found = decompress_to_vec(&packed[10..packed.len() - 8]).unwrap();
        assert_eq!(String::from_utf8(found).unwrap(), expect.repeat(3000));
    };
    check(TextFormat::JsonLines, JSON);
    check(TextFormat::Csv, CSV);
}
