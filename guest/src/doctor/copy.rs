//! COPY of Parquet files that this component writes: every type is read back, and errors of COPY
//! are checked.

use super::examiner::{Examiner, Found, Rule, cell, cells, first, has_code, shown};
use super::stage;
use crate::columnar::batch::{BufferError, ColumnBuffer};
use crate::columnar::parquet::{FileColumn, PageEncoder, ParquetFile};
use crate::dlt::types::{DataType, Kind, StorageType};
use crate::fault::{Fault, Result};
use crate::sql::copy::{Json, copy_into};
use crate::sql::{MAX_TEXT, Name, SqlColumn, ddl, doctor};

const VALUES: Rule = Rule {
    name: "copy.values",
    assumed: "COPY gives every value of every type as it was written, from a stage in quotes",
    remedy: "Please report it with the row that differs: loads would write it wrongly",
};
const PAGES: Rule = Rule {
    name: "copy.pages",
    assumed: "COPY reads all row groups and pages of a file",
    remedy: "Please report it: loads of large files would miss rows (they count them, and fail)",
};
const JSON: Rule = Rule {
    name: "copy.json",
    assumed: "JSON becomes objects and lists in a VARIANT, not text",
    remedy: "Please report it: paths into JSON columns give NULL",
};
const RESULT: Rule = Rule {
    name: "copy.result",
    assumed: "COPY answers with a row for each file: name, LOADED, rows parsed, rows loaded",
    remedy: "Please report it: loads check the number of rows",
};
const BARE: Rule = Rule {
    name: "copy.bare_stage",
    assumed: "A stage whose path holds `-` and `.` needs no quotes",
    remedy: "None: loads write it in quotes",
};
const EMPTY: Rule = Rule {
    name: "copy.empty_folder",
    assumed: "COPY from a folder without files is no error, and loads no rows",
    remedy: "None: loads count the rows",
};
const TOO_LONG: Rule = Rule {
    name: "copy.text_too_long",
    assumed: "A text that is longer than its column is error 100078, and is not cut",
    remedy: "Please report it: long texts would be cut without an error",
};
const LARGE: Rule = Rule {
    name: "copy.json_17_mib",
    assumed: "A JSON value of 17 MiB goes into a VARIANT through a cast to VARCHAR(134217728)",
    remedy: "Keep values under 16 MiB: leave the field out, or unnest it",
};

pub(super) const RULES: &[&Rule] =
    &[&VALUES, &PAGES, &JSON, &RESULT, &BARE, &EMPTY, &TOO_LONG, &LARGE];

/// The number of rows of the second file: more than one page of 1 MiB.
const MANY: u32 = 150_000;
const LARGE_BYTES: usize = 17 << 20;

pub(super) async fn run(x: &mut Examiner) -> Found {
    let stage = stage::make(x, "DOCTOR_COPY").await?;
    values(x, &stage).await?;
    pages(x, &stage).await?;
    let table = x.scratch.object("DOCTOR_EMPTY");
    let id = SqlColumn::new("ID", Kind::of(DataType::Bigint));
    x.need(ddl::create_table(&table, std::slice::from_ref(&id), &ddl::TableOptions::default()))
        .await?;
    let columns = std::slice::from_ref(&id);
    match x.sql(copy_into(&table, columns, &stage, "no-files", Json::Parse)).await? {
        Ok(outcome) => {
            x.note(&EMPTY, outcome.affected.is_none_or(|rows| rows == 0), cells(&outcome));
        }
        Err(failure) => x.note(&EMPTY, false, shown(&failure)),
    }
    too_long(x, &stage).await?;
    large(x, &stage).await
}

async fn values(x: &mut Examiner, stage: &Name) -> Found {
    let columns = columns();
    let table = x.scratch.object("DOCTOR_VALUES");
    x.need(ddl::create_table(&table, &columns, &ddl::TableOptions::default())).await?;
    x.need_upload(stage, "1.5/values-0.a/0.parquet", file_of_values(&columns)?).await?;
    let outcome =
        match x.sql(copy_into(&table, &columns, stage, "1.5/values-0.a", Json::Parse)).await? {
            Ok(outcome) => outcome,
            Err(failure) => {
                x.note(&VALUES, false, shown(&failure));
                return Ok(());
            }
        };
    let rows = EXPECTED.len() as u64;
    let answer = outcome.rows.first().map_or(&[][..], Vec::as_slice);
    let said = (cell(answer, 1), cell(answer, 2), cell(answer, 3));
    let count = rows.to_string();
    let as_assumed = outcome.affected == Some(rows)
        && outcome.rows.len() == 1
        && said == ("LOADED", count.as_str(), count.as_str());
    x.note(&RESULT, as_assumed, cells(&outcome));

    let found = x.need(doctor::select_values(&table, &columns, 100)).await?;
    let differs = EXPECTED.iter().enumerate().find_map(|(at, expected)| {
        let found = found.rows.get(at)?.iter().map(|cell| cell.as_deref());
        let pair = expected.iter().zip(found).zip(&columns);
        let mut pairs = pair.filter(|((expected, found), _)| **expected != *found);
        pairs.next().map(|((expected, found), column)| {
            format!(
                "row {at}, column {}: expected {}, found {}",
                column.name,
                expected.unwrap_or("NULL"),
                found.unwrap_or("NULL")
            )
        })
    });
    let holds = differs.is_none() && found.rows.len() == EXPECTED.len();
    let seen = format!("{} rows of {} with {} columns", found.rows.len(), rows, columns.len());
    x.note(&VALUES, holds, differs.unwrap_or(seen));

    let json = columns.iter().find(|column| column.kind.data_type == DataType::Json);
    if let Some(json) = json {
        let outcome = x.need(doctor::select_path(&table, json, "a", 1)).await?;
        x.note(&JSON, first(&outcome) == Some("2.5"), format!("\"a\"[1] is {}", cells(&outcome)));
    }
    bare_stage(x, stage, &columns).await
}

async fn bare_stage(x: &mut Examiner, stage: &Name, columns: &[SqlColumn]) -> Found {
    let Some(id) = columns.first() else { return Ok(()) };
    let table = x.scratch.object("DOCTOR_BARE");
    x.need(ddl::create_table(&table, std::slice::from_ref(id), &ddl::TableOptions::default()))
        .await?;
    match x.sql(doctor::copy_from_bare_stage(&table, id, stage, "1.5/values-0.a")).await? {
        Ok(outcome) => {
            let holds = outcome.affected == Some(EXPECTED.len() as u64);
            x.note(&BARE, holds, cells(&outcome));
        }
        Err(failure) => x.note(&BARE, false, shown(&failure)),
    }
    Ok(())
}

async fn pages(x: &mut Examiner, stage: &Name) -> Found {
    let id = SqlColumn::new("ID", Kind::of(DataType::Bigint));
    let columns = std::slice::from_ref(&id);
    let table = x.scratch.object("DOCTOR_PAGES");
    x.need(ddl::create_table(&table, columns, &ddl::TableOptions::default())).await?;
    let mut values = ColumnBuffer::new(id.kind);
    for row in 0..MANY {
        values.set_int(row, i64::from(row) * 7919 % 1_000_003).map_err(refused)?;
    }
    let mut file = create(columns)?;
    let mut encoder = PageEncoder::new();
    for _ in 0..2 {
        file.append(&[&values], MANY, &mut encoder)?;
    }
    x.need_upload(stage, "1.5/pages/0.parquet", file.finish()?).await?;
    if let Err(failure) = x.sql(copy_into(&table, columns, stage, "1.5/pages", Json::Parse)).await?
    {
        x.note(&PAGES, false, shown(&failure));
        return Ok(());
    }
    let outcome = x.need(doctor::count_and_sum(&table, &id)).await?;
    let sum: i64 = (0..i64::from(MANY)).map(|row| row * 7919 % 1_000_003).sum();
    let expected = format!("{}, {}", 2 * u64::from(MANY), 2 * sum);
    let found = cells(&outcome);
    x.note(&PAGES, found == expected, format!("count and sum {found} of {expected}"));
    Ok(())
}

async fn too_long(x: &mut Examiner, stage: &Name) -> Found {
    let short = SqlColumn::new("T", Kind { precision: Some(4), ..Kind::of(DataType::Text) });
    let columns = std::slice::from_ref(&short);
    let table = x.scratch.object("DOCTOR_TOO_LONG");
    x.need(ddl::create_table(&table, columns, &ddl::TableOptions::default())).await?;
    let bytes = file_of_text(columns, "12345")?;
    x.need_upload(stage, "1.5/too-long/0.parquet", bytes).await?;
    match x.sql(copy_into(&table, columns, stage, "1.5/too-long", Json::Parse)).await? {
        Ok(outcome) => x.note(&TOO_LONG, false, cells(&outcome)),
        Err(failure) => x.note(&TOO_LONG, has_code(&failure, "100078"), shown(&failure)),
    }
    Ok(())
}

async fn large(x: &mut Examiner, stage: &Name) -> Found {
    let json = SqlColumn { large: true, ..SqlColumn::new("J", Kind::of(DataType::Json)) };
    let columns = std::slice::from_ref(&json);
    let table = x.scratch.object("DOCTOR_LARGE");
    x.need(ddl::create_table(&table, columns, &ddl::TableOptions::default())).await?;
    let text = format!("[\"{}\"]", "a".repeat(LARGE_BYTES));
    x.need_upload(stage, "1.5/large/0.parquet", file_of_text(columns, &text)?).await?;
    if let Err(failure) = x.sql(copy_into(&table, columns, stage, "1.5/large", Json::Parse)).await?
    {
        x.note(&LARGE, false, shown(&failure));
        return Ok(());
    }
    let outcome = x.need(doctor::select_length(&table, &json)).await?;
    let holds = first(&outcome) == Some(text.len().to_string().as_str());
    x.note(&LARGE, holds, format!("{} characters of at most {MAX_TEXT}", cells(&outcome)));
    Ok(())
}

/// Columns of every type, with names that need quotes; one has no values.
fn columns() -> Vec<SqlColumn> {
    let sized = |data_type, precision, scale| Kind { precision, scale, ..Kind::of(data_type) };
    let local = Kind { timezone: false, ..Kind::of(DataType::Timestamp) };
    vec![
        SqlColumn::new("ID", Kind::of(DataType::Bigint)),
        SqlColumn::new("INT", Kind::of(DataType::Bigint)),
        SqlColumn::new("AMOUNT", sized(DataType::Decimal, Some(38), Some(9))),
        SqlColumn::new("PRICE", sized(DataType::Decimal, Some(10), Some(2))),
        SqlColumn::new("BIG", Kind::of(DataType::Wei)),
        SqlColumn::new("FLAG?", Kind::of(DataType::Bool)),
        SqlColumn::new("RATE", Kind::of(DataType::Double)),
        SqlColumn::new("κόσμε \"quoted\".name", Kind::of(DataType::Text)),
        SqlColumn::new("lower", Kind::of(DataType::Json)),
        SqlColumn::new("AT", Kind::of(DataType::Timestamp)),
        SqlColumn::new("LOCAL", local),
        SqlColumn::new("DAY", Kind::of(DataType::Date)),
        SqlColumn::new("TIME", Kind::of(DataType::Time)),
        SqlColumn::new("SELECT", Kind::of(DataType::Binary)),
        SqlColumn::new("NOTHING", Kind::of(DataType::Text)),
    ]
}

/// The expected values as text: dates and times as numbers of days and microseconds, bytes as
/// hexadecimal digits.
const EXPECTED: [[Option<&str>; 15]; 4] = [
    [
        Some("0"),
        Some("9223372036854775807"),
        Some("12345678901234567890123456789.123456789"),
        Some("99999999.99"),
        Some("99999999999999999999999999999999999999"),
        Some("true"),
        Some("1.5"),
        Some("it's \\ \"κόσμε\" 🐈"),
        Some("{\"a\":[1,2.5,null,\"x\"]}"),
        Some("1795248000500001"),
        Some("1795248000500001"),
        Some("2026-11-21"),
        Some("86399999999"),
        Some("00FF7F"),
        None,
    ],
    [
        Some("1"),
        Some("-9223372036854775808"),
        Some("-12345678901234567890123456789.123456789"),
        Some("-0.01"),
        Some("-1"),
        Some("false"),
        Some("-0.25"),
        Some(""),
        Some("[]"),
        Some("-1"),
        Some("-62135596800000000"),
        Some("0001-01-01"),
        Some("0"),
        Some(""),
        None,
    ],
    [
        Some("2"),
        Some("0"),
        Some("0.000000001"),
        Some("0.00"),
        Some("0"),
        None,
        Some("100000"),
        Some(" a\n\tb "),
        Some("1.5"),
        Some("253402300799999999"),
        Some("0"),
        Some("9999-12-31"),
        Some("1"),
        Some("00"),
        None,
    ],
    [Some("3"), None, None, None, None, None, None, None, None, None, None, None, None, None, None],
];

/// The dates above as days since 1970, by row.
const DAYS: [i32; 3] = [20_778, -719_162, 2_932_896];

/// A file with the values of [`EXPECTED`], in two row groups.
fn file_of_values(columns: &[SqlColumn]) -> Result<Vec<u8>> {
    let mut file = create(columns)?;
    let mut encoder = PageEncoder::new();
    for rows in [0..2, 2..EXPECTED.len()] {
        let mut built = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let mut values = ColumnBuffer::new(column.kind);
            for (row, number) in rows.clone().zip(0u32..) {
                let expected = EXPECTED.get(row).and_then(|row| row.get(at).copied().flatten());
                if let Some(text) = expected {
                    set(&mut values, column.kind, number, row, text)?;
                }
            }
            values.flush_pending();
            built.push(values);
        }
        let count = u32::try_from(rows.len()).unwrap_or(u32::MAX);
        file.append(&built, count, &mut encoder)?;
    }
    file.finish()
}

fn set(values: &mut ColumnBuffer, kind: Kind, number: u32, row: usize, text: &str) -> Result<()> {
    let wrong =
        || Fault::internal(format_args!("{text:?} is no value of {}", kind.data_type.name()));
    let integer = || text.parse::<i64>().map_err(|_| wrong());
    match kind.storage() {
        StorageType::Int => values.set_int(number, integer()?),
        StorageType::Bool => values.set_bool(number, text == "true"),
        StorageType::Double => values.set_double(number, text.parse().map_err(|_| wrong())?),
        StorageType::Decimal => {
            let digits = text.replace('.', "").parse().map_err(|_| wrong())?;
            values.set_decimal(number, digits)
        }
        StorageType::Json | StorageType::Text => values.set_text(number, text),
        StorageType::Micros | StorageType::TimeMicros | StorageType::Nanos => {
            values.set_micros(number, integer()?)
        }
        StorageType::Days => values.set_days(number, DAYS.get(row).copied().ok_or_else(wrong)?),
        StorageType::Bytes => {
            let bytes = (0..text.len() / 2).map(|at| {
                text.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())
            });
            let bytes: Option<Vec<u8>> = bytes.collect();
            values.set_bytes(number, &bytes.ok_or_else(wrong)?)
        }
    }
    .map_err(refused)
}

/// A file of one row with one string or JSON value.
pub(super) fn file_of_text(columns: &[SqlColumn], text: &str) -> Result<Vec<u8>> {
    let kind = columns.first().map_or(Kind::of(DataType::Text), |column| column.kind);
    let mut values = ColumnBuffer::new(kind);
    values.set_text(0, text).map_err(refused)?;
    values.flush_pending();
    let mut file = create(columns)?;
    file.append(&[&values], 1, &mut PageEncoder::new())?;
    file.finish()
}

/// A file with the given instants.
pub(super) fn file_of_instants(column: &SqlColumn, micros: &[i64]) -> Result<Vec<u8>> {
    let mut values = ColumnBuffer::new(column.kind);
    for (row, micros) in (0u32..).zip(micros) {
        values.set_micros(row, *micros).map_err(refused)?;
    }
    let mut file = create(std::slice::from_ref(column))?;
    let rows = u32::try_from(micros.len()).unwrap_or(u32::MAX);
    file.append(&[&values], rows, &mut PageEncoder::new())?;
    file.finish()
}

fn create(columns: &[SqlColumn]) -> Result<ParquetFile> {
    let field = |column: &SqlColumn| FileColumn { name: column.name.clone(), kind: column.kind };
    ParquetFile::create(columns.iter().map(field).collect())
}

fn refused(refused: BufferError) -> Fault {
    Fault::internal(refused)
}
