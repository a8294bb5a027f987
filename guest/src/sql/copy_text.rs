//! COPY from files of text: JSON lines and CSV.
//!
//! As in [`super::copy`], each value is cast to the declared type. No option of a file format and no parameter of
//! the session changes a value: NULL_IF is empty, so that the text `\\N` stays, an empty field of CSV is NULL and
//! an empty text is quoted, and instants, dates and times are integers of nanoseconds. Bytes have no cast, so that BINARY_FORMAT
//! applies to them.
//! Source: Snowflake documentation, `CREATE FILE FORMAT`, and "Transforming data during a load": in a
//! transformation the number of fields of a row may differ, and those that are missing are NULL.

use super::copy::{Json, fine};
use super::{Name, SqlColumn, in_utc, join, list, literal, quote};
use crate::dlt::types::DataType;

/// The files of a table on a stage.
pub(crate) struct TextFiles<'a> {
    pub(crate) stage: &'a Name,
    pub(crate) path: &'a str,
    /// `true` if they are compressed.
    pub(crate) gzip: bool,
    pub(crate) rows: TextRows,
}

/// The form of a row.
pub(crate) enum TextRows {
    /// JSON objects, whose keys are the names of columns.
    Objects,
    /// Fields, with the position of each column, from 1.
    Fields(Vec<usize>),
}

/// Copies all files under a path of a stage into a table.
pub(crate) fn copy_text_into(
    table: &Name,
    columns: &[SqlColumn],
    files: &TextFiles<'_>,
    json: Json,
) -> String {
    let value = |n: usize, column: &SqlColumn| match &files.rows {
        TextRows::Objects => format!("$1:{}", quote(&column.name)),
        TextRows::Fields(positions) => format!("${}", positions.get(n).copied().unwrap_or(0)),
    };
    let select =
        join(columns.iter().enumerate(), ", ", |(n, column)| cast(column, &value(n, column), json));
    let compression = if files.gzip { "GZIP" } else { "NONE" };
    let format = match files.rows {
        TextRows::Objects => "TYPE = JSON",
        TextRows::Fields(_) => {
            "TYPE = CSV RECORD_DELIMITER = '\\n' FIELD_DELIMITER = ',' FIELD_OPTIONALLY_ENCLOSED_BY = '\"' \
             ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE EMPTY_FIELD_AS_NULL = TRUE SKIP_HEADER = 0 \
             ENCODING = 'UTF8'"
        }
    };
    format!(
        "COPY INTO {table} ({}) FROM (SELECT {select} FROM {}) FILE_FORMAT = ({format} COMPRESSION = {compression} \
         BINARY_FORMAT = HEX TRIM_SPACE = FALSE NULL_IF = ()) ON_ERROR = ABORT_STATEMENT",
        list(columns),
        literal(&format!("@{}/{}/", files.stage, files.path)),
    )
}

fn cast(column: &SqlColumn, value: &str, json: Json) -> String {
    match column.kind.data_type {
        DataType::Json if json == Json::Parse => {
            format!("PARSE_JSON({value}::{})", column.text_type_name())
        }
        DataType::Json => format!("{value}::{}", column.text_type_name()),
        DataType::Binary => value.to_owned(),
        // The nanosecond of its midnight.
        DataType::Date => {
            let instant = in_utc(&format!("TO_TIMESTAMP_LTZ({value}::NUMBER(38,0), 9)"));
            format!("{instant}::TIMESTAMP_NTZ(9)::{}", column.type_name())
        }
        DataType::Time | DataType::Timestamp => fine(column, value),
        _ => format!("{value}::{}", column.type_name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlt::types::Kind;

    #[test]
    fn each_type_is_converted() {
        let table = Name::schema("D", "S").object("T");
        let stage = Name::schema("D", "S").object("STAGE");
        let check = |kind: Kind, json: Json, expect: [&str; 2]| {
            let columns = [SqlColumn::new("A\"B".to_owned(), kind)];
            let forms = [TextRows::Objects, TextRows::Fields(vec![3])];
            for (rows, expect) in forms.into_iter().zip(expect) {
                let files = TextFiles { stage: &stage, path: "1.5/t", gzip: true, rows };
                let statement = copy_text_into(&table, &columns, &files, json);
                let (_, rest) = statement.split_once("(SELECT ").unwrap();
                let (select, _) = rest.split_once(" FROM '").unwrap();
                assert_eq!(select, expect);
            }
        };
        let of = Kind::of;
        let text = [r#"$1:"A""B"::VARCHAR"#, "$3::VARCHAR"];
        check(of(DataType::Text), Json::Parse, text);
        check(of(DataType::Json), Json::Text, text);
        let parsed = [r#"PARSE_JSON($1:"A""B"::VARCHAR)"#, "PARSE_JSON($3::VARCHAR)"];
        check(of(DataType::Json), Json::Parse, parsed);
        check(of(DataType::Binary), Json::Parse, [r#"$1:"A""B""#, "$3"]);
        let number = [r#"$1:"A""B"::NUMBER(19,0)"#, "$3::NUMBER(19,0)"];
        check(of(DataType::Bigint), Json::Parse, number);
        let instant = |value: &str| format!("TO_TIMESTAMP_LTZ({value}::NUMBER(38,0), 9)");
        let [key, field] = [instant(r#"$1:"A""B""#), instant("$3")];
        let both = |form: &dyn Fn(&str) -> String| [form(&key), form(&field)];
        let checked = |kind: Kind, form: &dyn Fn(&str) -> String| {
            let [key, field] = both(form);
            check(kind, Json::Parse, [&key, &field]);
        };
        checked(of(DataType::Timestamp), &|it| format!("{it}::TIMESTAMP_LTZ"));
        checked(of(DataType::Date), &|it| {
            format!("CONVERT_TIMEZONE('UTC', {it})::TIMESTAMP_NTZ(9)::DATE")
        });
        checked(of(DataType::Time), &|it| {
            format!("CONVERT_TIMEZONE('UTC', {it})::TIMESTAMP_NTZ(9)::TIME")
        });
    }

    #[test]
    fn no_option_changes_a_value() {
        let name = Name::schema("D", "S").object("T");
        let columns = [SqlColumn::new("A".to_owned(), Kind::of(DataType::Text))];
        let check = |rows: TextRows, gzip: bool, format: &str| {
            let files = TextFiles { stage: &name, path: "p", gzip, rows };
            let statement = copy_text_into(&name, &columns, &files, Json::Parse);
            let (_, options) = statement.split_once("FILE_FORMAT = ").unwrap();
            let shared = "BINARY_FORMAT = HEX TRIM_SPACE = FALSE NULL_IF = ()";
            let end = "ON_ERROR = ABORT_STATEMENT";
            assert_eq!(options, format!("({format} {shared}) {end}"));
        };
        check(TextRows::Objects, true, "TYPE = JSON COMPRESSION = GZIP");
        let csv = "TYPE = CSV RECORD_DELIMITER = '\\n' FIELD_DELIMITER = ',' \
                   FIELD_OPTIONALLY_ENCLOSED_BY = '\"' ESCAPE = NONE ESCAPE_UNENCLOSED_FIELD = NONE \
                   EMPTY_FIELD_AS_NULL = TRUE SKIP_HEADER = 0 ENCODING = 'UTF8' COMPRESSION = NONE";
        check(TextRows::Fields(vec![1]), false, csv);
    }
}
