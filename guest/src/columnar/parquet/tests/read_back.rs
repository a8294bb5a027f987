//! Files for readers in other languages, with the values they must find.

use super::*;

/// Writes files for `tests/python/support/parquet_read_back.py` if the variable names a directory.
/// In any case arrow2 reads them back.
#[test]
fn files_for_other_readers() {
    let directory = std::env::var_os("SNOWCAT_READ_BACK").map(std::path::PathBuf::from);
    let save = |name: &str, kinds: &[Kind], groups: &[Vec<Cells>]| {
        let file = check(kinds, groups);
        if let Some(directory) = &directory {
            std::fs::create_dir_all(directory).unwrap();
            let at = |extension| directory.join(name).with_extension(extension);
            std::fs::write(at("parquet"), file).unwrap();
            std::fs::write(at("json"), expectation(kinds, groups).to_string()).unwrap();
        }
    };
    let samples = samples();
    let kinds: Vec<_> = samples.iter().map(|(kind, _)| *kind).collect();
    let group = |rows: usize, keep: fn(usize) -> bool| -> Vec<Cells> {
        let cells = |values: &Vec<Value>| -> Cells {
            let value = |row: usize| values.get(row % values.len()).cloned();
            (0..rows).map(|row| keep(row).then(|| value(row)).flatten()).collect()
        };
        samples.iter().map(|(_, values)| cells(values)).collect()
    };
    save("empty", &kinds, &[]);
    save("full", &kinds, &[group(1000, |_| true)]);
    save("null", &kinds, &[group(1000, |_| false)]);
    let groups = [
        group(9, |row| row % 3 == 1),
        group(1, |_| true),
        group(5000, |row| row % 1000 == 700 || row > 4000),
        group(64, |_| false),
    ];
    save("groups", &kinds, &groups);
    let kinds: Vec<_> = kinds.iter().copied().cycle().take(800).collect();
    let groups = [group(30, |row| row % 3 == 1), group(1, |_| true), group(64, |_| false)];
    save("wide", &kinds, &groups.map(|group| group.into_iter().cycle().take(800).collect()));
    let dictionaries =
        |rows| [Some(1), Some(2), Some(300), Some(70_000), None].map(|d| texts(rows, d));
    let groups = [1, 2000, 200_000].map(|rows| dictionaries(rows).to_vec());
    save("dictionaries", &[Kind::of(DataType::Text); 5], &groups);
    // arrow2 reads Snappy only here.
    let text = [Kind::of(DataType::Text); 5];
    for (name, compression) in
        [("gzip", PageCompression::Gzip), ("plain", PageCompression::Uncompressed)]
    {
        let file = written(&text, &groups, compression);
        if let Some(directory) = &directory {
            let at = |extension| directory.join(name).with_extension(extension);
            std::fs::write(at("parquet"), file).unwrap();
            std::fs::write(at("json"), expectation(&text, &groups).to_string()).unwrap();
        }
    }
}

/// The kinds and values of a file as JSON.
fn expectation(kinds: &[Kind], groups: &[Vec<Cells>]) -> serde_json::Value {
    let value = |cell: &Option<Value>| match cell {
        None => serde_json::Value::Null,
        Some(Value::Bool(value)) => (*value).into(),
        Some(Value::Bytes(value)) => {
            value.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
        }
        Some(Value::Days(value)) => (*value).into(),
        Some(Value::Decimal(value)) => value.to_string().into(),
        // The bits of a float: readers of JSON may lose digits, and JSON has no NaN.
        Some(Value::Double(value)) => format!("{value:016x}").into(),
        Some(Value::Int(value) | Value::Micros(value)) => value.to_string().into(),
        Some(Value::Text(value)) => value.as_str().into(),
    };
    let columns = fields(kinds).into_iter().enumerate().map(|(column, field)| {
        let cells = groups.iter().filter_map(|group| group.get(column)).flatten();
        let decimal = DataType::Decimal.name();
        let (data_type, (precision, scale)) = match field.kind.storage() {
            StorageType::Decimal => (decimal, field.kind.decimal()),
            // Integers of 38 digits in the file.
            StorageType::Nanos => (decimal, (38, 0)),
            _ => (field.kind.data_type.name(), (0, 0)),
        };
        serde_json::json!({
            "name": field.name,
            "type": data_type,
            "precision": precision,
            "scale": scale,
            "timezone": field.kind.timezone,
            "values": cells.map(value).collect::<Vec<_>>(),
        })
    });
    let groups = groups.iter().map(|group| group.first().map_or(0, Vec::len));
    serde_json::json!({
        "columns": columns.collect::<Vec<_>>(),
        "row_groups": groups.collect::<Vec<_>>(),
    })
}
