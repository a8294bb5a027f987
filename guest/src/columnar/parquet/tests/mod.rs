//! Files are read back by arrow2's reader, which shares no code with the writer.

use std::io::Cursor;

use arrow2::array::{Array, BinaryArray, BooleanArray, PrimitiveArray, Utf8Array};
use arrow2::datatypes::DataType as Arrow;
use arrow2::io::parquet::read;
use miniz_oxide::inflate::decompress_to_vec;
use parquet2::compression::Compression;
use parquet2::page::CompressedPage;
use parquet2::read::get_page_iterator;

use super::*;
use crate::columnar::batch::ColumnBuffer;
use crate::dlt::types::{DataType, Kind, StorageType};

mod read_back;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bool(bool),
    Bytes(Vec<u8>),
    Days(i32),
    Decimal(i128),
    Double(u64),
    Int(i64),
    Micros(i64),
    Text(String),
}

type Cells = Vec<Option<Value>>;

fn decimal(precision: u32, scale: u32) -> Kind {
    Kind { precision: Some(precision), scale: Some(scale), ..Kind::of(DataType::Decimal) }
}

fn set(column: &mut ColumnBuffer, row: u32, value: &Value) {
    match value {
        Value::Bool(value) => column.set_bool(row, *value),
        Value::Bytes(value) => column.set_bytes(row, value),
        Value::Days(value) => column.set_days(row, *value),
        Value::Decimal(value) if column.kind().is_fine() => column.set_nanos(row, *value),
        Value::Decimal(value) => column.set_decimal(row, *value),
        Value::Double(value) => column.set_double(row, f64::from_bits(*value)),
        Value::Int(value) => column.set_int(row, *value),
        Value::Micros(value) => column.set_micros(row, *value),
        Value::Text(value) => column.set_text(row, value),
    }
    .unwrap();
}

fn column(kind: Kind, cells: &Cells) -> ColumnBuffer {
    let mut column = ColumnBuffer::new(kind);
    for (row, cell) in (0..).zip(cells) {
        if let Some(value) = cell {
            set(&mut column, row, value);
        }
    }
    column
}

/// The cells of each column, over all row groups, and their Arrow types.
fn read_back(file: &[u8]) -> (Vec<Arrow>, Vec<Cells>, Vec<usize>) {
    let mut reader = Cursor::new(file);
    let metadata = read::read_metadata(&mut reader).unwrap();
    let schema = read::infer_schema(&metadata).unwrap();
    let types = schema.fields.iter().map(|field| field.data_type.clone()).collect();
    let groups = metadata.row_groups.iter().map(|group| group.num_rows()).collect();
    let mut columns = vec![Cells::new(); schema.fields.len()];
    let chunks = read::FileReader::new(reader, metadata.row_groups, schema, None, None, None);
    for chunk in chunks {
        for (cells, array) in columns.iter_mut().zip(chunk.unwrap().arrays()) {
            cells.extend(read_array(array.as_ref()));
        }
    }
    (types, columns, groups)
}

fn read_array(array: &dyn Array) -> Cells {
    let any = array.as_any();
    let micros = matches!(array.data_type(), Arrow::Timestamp(..) | Arrow::Time64(_));
    if let Some(array) = any.downcast_ref::<BooleanArray>() {
        array.iter().map(|value| value.map(Value::Bool)).collect()
    } else if let Some(array) = any.downcast_ref::<Utf8Array<i32>>() {
        array.iter().map(|value| value.map(|text| Value::Text(text.to_owned()))).collect()
    } else if let Some(array) = any.downcast_ref::<BinaryArray<i32>>() {
        array.iter().map(|value| value.map(|bytes| Value::Bytes(bytes.to_vec()))).collect()
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i32>>() {
        array.iter().map(|value| value.map(|days| Value::Days(*days))).collect()
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i64>>() {
        let of = if micros { Value::Micros } else { Value::Int };
        array.iter().map(|value| value.map(|number| of(*number))).collect()
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<i128>>() {
        array.iter().map(|value| value.map(|number| Value::Decimal(*number))).collect()
    } else if let Some(array) = any.downcast_ref::<PrimitiveArray<f64>>() {
        array.iter().map(|value| value.map(|number| Value::Double(number.to_bits()))).collect()
    } else {
        panic!("no reader for {:?}", array.data_type());
    }
}

fn fields(kinds: &[Kind]) -> Vec<FileColumn> {
    let names = (0..).map(|column| format!("column {column}"));
    names.zip(kinds).map(|(name, kind)| FileColumn { name, kind: *kind }).collect()
}

/// A file with row groups of columns of cells.
fn written(kinds: &[Kind], groups: &[Vec<Cells>], compression: PageCompression) -> Vec<u8> {
    let mut file = ParquetFile::create(fields(kinds)).unwrap();
    let mut columns: Vec<_> = kinds.iter().map(|kind| ColumnBuffer::new(*kind)).collect();
    let mut encoder = PageEncoder::compressing(compression);
    let mut all = 0;
    for group in groups {
        let rows = group.first().map_or(0, Vec::len);
        for (column, cells) in columns.iter_mut().zip(group) {
            assert_eq!(cells.len(), rows);
            for (row, cell) in (0..).zip(cells) {
                if let Some(value) = cell {
                    set(column, row, value);
                }
            }
        }
        columns.iter_mut().for_each(ColumnBuffer::flush_pending);
        file.append(&columns, rows as u32, &mut encoder).unwrap();
        columns.iter_mut().for_each(ColumnBuffer::clear);
        all += rows;
    }
    assert_eq!(file.rows() as usize, all);
    let size = file.size();
    let bytes = file.finish().unwrap();
    assert!(size <= bytes.len());
    bytes
}

/// Writes row groups of columns of cells and reads them back. Returns the file.
fn check(kinds: &[Kind], groups: &[Vec<Cells>]) -> Vec<u8> {
    let bytes = written(kinds, groups, PageCompression::Snappy);
    let sizes: Vec<usize> = groups.iter().map(|group| group.first().map_or(0, Vec::len)).collect();
    let all = |column: usize| groups.iter().flat_map(move |group| group[column].clone());
    let expect: Vec<Cells> = (0..kinds.len()).map(|column| all(column).collect()).collect();
    let (_, found, groups) = read_back(&bytes);
    assert_eq!(groups, sizes);
    for ((found, expect), kind) in found.iter().zip(&expect).zip(kinds) {
        assert_eq!(found.len(), expect.len());
        for (row, (found, expect)) in found.iter().zip(expect).enumerate() {
            assert_eq!(found, expect, "{kind:?}, row {row}");
        }
    }
    assert_eq!(found.len(), expect.len());
    bytes
}

/// The types that are stored as decimals, with the default number of digits: 38.
fn plain_decimals() -> impl Iterator<Item = Kind> {
    let kinds = DataType::ALL.map(Kind::of).into_iter();
    kinds.filter(|kind| kind.storage() == StorageType::Decimal)
}

/// Every kind with its boundary values.
fn samples() -> Vec<(Kind, Vec<Value>)> {
    let text = |values: &[&str]| values.iter().map(|v| Value::Text((*v).to_owned())).collect();
    let decimals = |values: &[i128]| values.iter().copied().map(Value::Decimal).collect();
    let nines = 10i128.pow(38) - 1;
    let naive = Kind { timezone: false, ..Kind::of(DataType::Timestamp) };
    let micros = [0, -1, 1, i64::MIN, i64::MAX, 1_763_683_200_000_000];
    let doubles = [
        0.0,
        -0.0,
        1.5,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
        f64::MAX,
        f64::from_bits(1),
    ];
    let mut samples = vec![
        (Kind::of(DataType::Text), text(&["", "a", "déjà vu", "\u{1F431}", "\0", "x\ny", "long "])),
        (Kind::of(DataType::Json), text(&["null", "{}", "[1,\"é\"]", "\"\""])),
        (Kind::of(DataType::Bigint), [0, -1, i64::MIN, i64::MAX].map(Value::Int).to_vec()),
        (Kind::of(DataType::Double), doubles.map(|v| Value::Double(v.to_bits())).to_vec()),
        (Kind::of(DataType::Bool), [true, false, false].map(Value::Bool).to_vec()),
        (Kind::of(DataType::Timestamp), micros.map(Value::Micros).to_vec()),
        (naive, micros.map(Value::Micros).to_vec()),
        (Kind::of(DataType::Date), [0, -1, i32::MIN, i32::MAX, 20_412].map(Value::Days).to_vec()),
        (Kind::of(DataType::Time), [0, 86_399_999_999].map(Value::Micros).to_vec()),
        (
            Kind { precision: Some(9), ..Kind::of(DataType::Timestamp) },
            decimals(&[0, -1, i128::from(i64::MAX) * 1000]),
        ),
        (decimal(1, 0), decimals(&[0, 9, -9])),
        (decimal(9, 8), decimals(&[0, 999_999_999, -999_999_999])),
        (decimal(18, 4), decimals(&[0, 10i128.pow(18) - 1, 1 - 10i128.pow(18)])),
        (decimal(19, 4), decimals(&[0, 10i128.pow(19) - 1, 1 - 10i128.pow(19)])),
        (decimal(38, 37), decimals(&[0, nines, -nines])),
        (
            Kind::of(DataType::Binary),
            [vec![], vec![0], vec![0xff, 0xfe], vec![7; 100]].map(Value::Bytes).to_vec(),
        ),
    ];
    let wide = decimals(&[0, -1, 1, nines, -nines, 1 << 64, i128::from(i64::MIN) - 1]);
    samples.extend(plain_decimals().map(|kind| (kind, wide.clone())));
    samples
}

#[test]
fn every_kind_is_read_back() {
    let samples = samples();
    let kinds: Vec<_> = samples.iter().map(|(kind, _)| *kind).collect();
    // Decides whether a row has a value.
    type Rule = fn(usize, usize) -> bool;
    let rules: [(&str, Rule); 6] = [
        ("all", |_, _| true),
        ("none", |_, _| false),
        ("the first", |row, _| row == 0),
        ("the last", |row, rows| row + 1 == rows),
        ("some", |row, _| row % 3 == 1),
        ("stretches", |row, _| row / 100 % 2 == 1),
    ];
    for rows in [1, 7, 8, 64, 65, 1000] {
        let group = |rule: Rule| -> Vec<Cells> {
            let cells = |values: &Vec<Value>| {
                let value = |row: usize| values.get(row % values.len()).cloned();
                (0..rows).map(|row| rule(row, rows).then(|| value(row)).flatten()).collect()
            };
            samples.iter().map(|(_, values)| cells(values)).collect()
        };
        for (_, rule) in rules {
            check(&kinds, &[group(rule)]);
        }
        check(&kinds, &rules.map(|(_, rule)| group(rule)));
    }
}

#[test]
fn readers_see_the_types() {
    let kinds: Vec<_> = samples().into_iter().map(|(kind, _)| kind).collect();
    let file = ParquetFile::create(fields(&kinds)).unwrap().finish().unwrap();
    let (types, _, groups) = read_back(&file);
    assert!(groups.is_empty());
    let micros = arrow2::datatypes::TimeUnit::Microsecond;
    let expect = [
        Arrow::Utf8,
        Arrow::Utf8,
        Arrow::Int64,
        Arrow::Float64,
        Arrow::Boolean,
        Arrow::Timestamp(micros, Some("UTC".to_owned())),
        Arrow::Timestamp(micros, None),
        Arrow::Date32,
        Arrow::Time64(micros),
        Arrow::Decimal(38, 0),
        Arrow::Decimal(1, 0),
        Arrow::Decimal(9, 8),
        Arrow::Decimal(18, 4),
        Arrow::Decimal(19, 4),
        Arrow::Decimal(38, 37),
        Arrow::Binary,
    ];
    let decimals = plain_decimals().map(|kind| Arrow::Decimal(38, kind.decimal().1 as usize));
    let expect: Vec<Arrow> = expect.into_iter().chain(decimals).collect();
    assert_eq!(types, expect);
    let metadata = read::read_metadata(&mut Cursor::new(&file)).unwrap();
    assert_eq!(
        metadata.created_by.unwrap(),
        concat!("snowcat version ", env!("CARGO_PKG_VERSION"))
    );
}

/// Strings that repeat after `distinct` rows. `None`: all differ.
fn texts(rows: usize, distinct: Option<usize>) -> Cells {
    // In a pseudo-random order: values repeat sooner than after all the others.
    let shuffled = |row: usize| {
        let mixed = (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        ((mixed ^ (mixed >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 40) as usize
    };
    let number = |row: usize| distinct.map_or(row, |distinct| shuffled(row) % distinct);
    (0..rows).map(|row| Some(Value::Text(format!("value number {}", number(row))))).collect()
}

#[test]
fn dictionaries_are_written_if_they_pay_off() {
    let text = Kind::of(DataType::Text);
    // Rows, distinct values, and whether a dictionary page is written.
    let cases = [
        (10, None, false),
        (10, Some(1), true),
        (10_000, None, false),
        (10_000, Some(1), true),
        (10_000, Some(9), true),
        (10_000, Some(256), true),
        (10_000, Some(257), true),
        (10_000, Some(3000), true),
        (200_000, Some(20_000), true),
        (200_000, None, false),
    ];
    for (rows, distinct, expect) in cases {
        let file = check(&[text], &[vec![texts(rows, distinct)]]);
        let metadata = read::read_metadata(&mut Cursor::new(&file)).unwrap();
        let chunk = metadata.row_groups.first().unwrap().columns().first().unwrap();
        assert_eq!(chunk.dictionary_page_offset().is_some(), expect, "{rows} {distinct:?}");
    }
    // Used in one row group, dropped in the next, used again.
    let groups = [Some(5), None, Some(5)].map(|distinct| vec![texts(50_000, distinct)]);
    check(&[text], &groups);
}

#[test]
fn numbers_of_a_small_range_get_a_dictionary() {
    let kinds = [DataType::Bigint, DataType::Timestamp, DataType::Decimal].map(Kind::of);
    let [bigint, timestamp, _] = kinds;
    type Of = fn(i64) -> Value;
    let of: [(Kind, Of); 3] = [
        (bigint, Value::Int),
        (timestamp, Value::Micros),
        (decimal(10, 2), |number| Value::Decimal(number.into())),
    ];
    // Rows, the first number, the size of the range, and whether a dictionary page is written.
    let cases = [
        (63, 5, 0, false),
        (64, 5, 0, true),
        (100, 0, 24, true),
        (100, 0, 25, false),
        (1000, -100, 200, true),
        (1_000_000, -1_000_000, 65_535, true),
        (300_000, 0, 65_536, false),
    ];
    for (kind, value) in of {
        for (rows, first, range, expect) in cases {
            let cell = |row: i64| Some(value(first + row % (range + 1)));
            let mut cells: Cells = (0..rows).map(cell).collect();
            cells.insert(1, None);
            let file = check(&[kind], &[vec![cells]]);
            let metadata = read::read_metadata(&mut Cursor::new(&file)).unwrap();
            let chunk = metadata.row_groups.first().unwrap().columns().first().unwrap();
            let found = chunk.dictionary_page_offset().is_some();
            assert_eq!(found, expect, "{rows} {first} {range}");
        }
    }
    let ends = [i64::MIN, i64::MAX].map(|number| Some(Value::Int(number)));
    check(&[bigint], &[vec![ends.into_iter().cycle().take(100).collect()]]);
}

#[test]
fn large_columns_are_split_into_pages() {
    let rows = 300_000usize;
    let sparse = |value: fn(usize) -> Value| -> Cells {
        (0..rows).map(|row| (row % 5 != 0).then(|| value(row))).collect()
    };
    let groups = [vec![
        sparse(|row| Value::Int(row as i64)),
        sparse(|row| Value::Decimal(row as i128)),
        sparse(|row| Value::Text(format!("{row:020}"))),
        sparse(|row| Value::Text(format!("{:09}", row % 7))),
        sparse(|row| Value::Bool(row % 2 == 0)),
        (0..rows).map(|row| (row == 150_000).then(|| Value::Text("x".repeat(5 << 20)))).collect(),
    ]];
    let kinds = [
        DataType::Bigint,
        DataType::Decimal,
        DataType::Text,
        DataType::Text,
        DataType::Bool,
        DataType::Json,
    ];
    let file = check(&kinds.map(Kind::of), &groups);
    let metadata = read::read_metadata(&mut Cursor::new(&file)).unwrap();
    for (column, at_least) in metadata.row_groups.first().unwrap().columns().iter().zip([2, 4, 5]) {
        let reader = Cursor::new(&file);
        let pages = get_page_iterator(column, reader, None, Vec::new(), usize::MAX).unwrap();
        let size = |page: CompressedPage| match page {
            CompressedPage::Data(page) => page.uncompressed_size(),
            CompressedPage::Dict(_) => panic!("expected no dictionary"),
        };
        let pages: Vec<_> = pages.map(|page| size(page.unwrap())).collect();
        assert!(pages.len() >= at_least, "{pages:?}");
        assert!(pages.iter().all(|size| *size <= (1 << 20) + (1 << 17)), "{pages:?}");
    }
}

/// The codecs of the columns of a file, of all row groups.
fn codecs(file: &[u8]) -> Vec<Compression> {
    let metadata = read::read_metadata(&mut Cursor::new(file)).unwrap();
    let columns = metadata.row_groups.iter().flat_map(|group| group.columns());
    columns.map(|column| column.compression()).collect()
}

#[test]
fn files_of_each_compression_have_the_same_pages() {
    let kinds = [Kind::of(DataType::Text), Kind::of(DataType::Bigint)];
    let numbers = (0..5000).map(|n| Some(Value::Int(n % 700))).collect::<Cells>();
    let groups = [vec![texts(5000, Some(3000)), numbers], vec![texts(2, None), vec![None; 2]]];
    let file = |compression| written(&kinds, &groups, compression);
    let [gzip, snappy, plain] =
        [PageCompression::Gzip, PageCompression::Snappy, PageCompression::Uncompressed].map(file);
    let check = |file: &[u8], expect: Compression| {
        let codecs = codecs(file);
        assert!(codecs[..2].iter().all(|codec| *codec == expect), "{codecs:?}");
        // Short ones would only become larger.
        assert!(codecs[2..].iter().all(|codec| *codec == Compression::Uncompressed));
    };
    check(&gzip, Compression::Gzip);
    check(&snappy, Compression::Snappy);
    check(&plain, Compression::Uncompressed);
    assert!(gzip.len() < snappy.len() && snappy.len() < plain.len());
    // arrow2 reads Snappy only: the members of gzip are found by their header.
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
    let begins = (0..gzip.len()).filter(|at| gzip[*at..].starts_with(&header));
    let pages: Vec<_> = begins.map(|at| decompress_to_vec(&gzip[at + 10..]).unwrap()).collect();
    assert!(pages.len() >= 4, "{}", pages.len());
    for page in pages {
        assert!(plain.windows(page.len()).any(|part| part == page));
    }
}

#[test]
fn sparse_columns_cost_nearly_nothing() {
    let kinds: Vec<_> = samples().iter().map(|(kind, _)| *kind).cycle().take(800).collect();
    let rows = 10_000;
    let group: Vec<Cells> = vec![vec![None; rows]; kinds.len()];
    let empty = ParquetFile::create(fields(&kinds)).unwrap().finish().unwrap().len();
    let file = check(&kinds, &[group.clone(), group]);
    let each = (file.len() - empty) / (2 * kinds.len());
    assert!(each < 100, "{each} bytes for each column of a row group");
}

#[test]
fn dropped_rows_are_not_written() {
    let text = Kind::of(DataType::Text);
    for distinct in [Some(3), Some(5000), None] {
        for rows in [1, 64, 100, 4096, 10_000] {
            let kept = texts(rows, distinct);
            let mut expect = column(text, &kept);
            let mut found = expect.clone();
            for row in 0..20 {
                found.set_text(rows as u32 + row, &format!("secret {row}")).unwrap();
                found.set_text(rows as u32 + 1000 + row, "value number 1").unwrap();
                found.truncate(rows as u32 + 1000 + row);
                found.truncate(rows as u32);
            }
            for row in [rows, rows + 70] {
                let again = format!("more {row}");
                for column in [&mut found, &mut expect] {
                    column.set_text(row as u32, &again).unwrap();
                }
            }
            let file = |mut column: ColumnBuffer| {
                column.flush_pending();
                let mut file = ParquetFile::create(fields(&[text])).unwrap();
                file.append(&[column], rows as u32 + 71, &mut PageEncoder::new()).unwrap();
                file.finish().unwrap()
            };
            assert_eq!(file(found), file(expect), "{distinct:?} {rows}");
        }
    }
}

#[test]
fn statistics_bound_the_values() {
    let kinds = [DataType::Bigint, DataType::Date, DataType::Text].map(Kind::of);
    let cells = [
        vec![Some(Value::Int(-5)), None, Some(Value::Int(i64::MAX))],
        vec![None, None, Some(Value::Days(7))],
        vec![Some(Value::Text("a".to_owned())), None, None],
    ];
    let file = check(&kinds, &[cells.to_vec()]);
    let metadata = read::read_metadata(&mut Cursor::new(&file)).unwrap();
    assert!(metadata.column_orders.is_some());
    let chunks = metadata.row_groups.first().unwrap().columns();
    let found: Vec<_> = chunks
        .iter()
        .map(|chunk| {
            let raw = chunk.metadata().statistics.clone().unwrap();
            (raw.null_count.unwrap(), raw.min_value, raw.max_value)
        })
        .collect();
    let expect = [
        (1, Some((-5i64).to_le_bytes().to_vec()), Some(i64::MAX.to_le_bytes().to_vec())),
        (2, Some(7i32.to_le_bytes().to_vec()), Some(7i32.to_le_bytes().to_vec())),
        (2, None, None),
    ];
    assert_eq!(found, expect);
}

#[test]
fn columns_that_do_not_match_the_file_are_faults() {
    for (precision, scale) in [(0, 0), (39, 0), (5, 6)] {
        let fault = ParquetFile::create(fields(&[decimal(precision, scale)])).unwrap_err();
        assert!(fault.message.contains("expected a decimal of 1 to 38 digits"), "{fault}");
    }
    assert!(ParquetFile::create(Vec::new()).unwrap_err().message.contains("at least one column"));
    let (text, int) = (Kind::of(DataType::Text), Kind::of(DataType::Bigint));
    let pending = column(text, &vec![Some(Value::Text("here".to_owned()))]);
    let late = column(int, &vec![None, Some(Value::Int(1))]);
    let cases = [
        (vec![ColumnBuffer::new(text)], "expected 2 columns in a row group, found 1"),
        (vec![ColumnBuffer::new(text), ColumnBuffer::new(text)], "expected a column of"),
        (vec![ColumnBuffer::new(text), late], "expected 1 rows, found row 1"),
        (vec![pending, ColumnBuffer::new(int)], "expected no pending strings, found some"),
    ];
    let mut file = ParquetFile::create(fields(&[text, int])).unwrap();
    for (columns, expect) in cases {
        let size = file.size();
        let fault = file.append(&columns, 1, &mut PageEncoder::new()).unwrap_err();
        assert!(fault.message.contains(expect), "{fault}");
        assert_eq!(file.size(), size);
    }
    file.append(&[ColumnBuffer::new(text), ColumnBuffer::new(int)], 0, &mut PageEncoder::new())
        .unwrap();
    file.append(&[ColumnBuffer::new(text), ColumnBuffer::new(int)], 1, &mut PageEncoder::new())
        .unwrap();
    let (_, columns, groups) = read_back(&file.finish().unwrap());
    assert_eq!((columns, groups), (vec![vec![None], vec![None]], vec![1]));
}
