//! Statistics of the staged root rows before they are merged: the number of rows that are not kept, and the
//! ranges of their keys.

use super::{SqlColumn, StagedRows, is_deleted};
use crate::dlt::types::DataType;
use crate::sql::{join, literal};

/// The maximum length of a string as the end of a range: statements repeat it several times.
const LONGEST: usize = 256;

/// The minimum and maximum of a key column, as SQL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeyRange {
    column: String,
    least: String,
    greatest: String,
}

impl KeyRange {
    pub(super) fn condition(&self, alias: &str) -> String {
        format!("{alias}.{} BETWEEN {} AND {}", self.column, self.least, self.greatest)
    }
}

/// The statistics.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct KeyStats {
    /// The number of staged rows that are not kept.
    pub(crate) dropped: u64,
    /// The ranges of each key: one for each of its columns that can have one.
    pub(crate) ranges: Vec<Vec<KeyRange>>,
}

/// The statement: its result is one row of strings.
pub(crate) fn key_stats(staged: &StagedRows<'_>, keys: &[&[SqlColumn]]) -> String {
    let columns: Vec<&SqlColumn> = bounded(keys).map(|(_, column)| column).collect();
    let kept = [
        staged.rank.map(|rank| format!("{} = 1", rank.number())),
        staged.deleted.map(|column| format!("NOT {}", is_deleted("", column))),
    ];
    let kept: Vec<String> = kept.into_iter().flatten().collect();
    let kept = if kept.is_empty() { "TRUE".to_owned() } else { kept.join(" AND ") };
    let ranges: Vec<String> = (0..columns.len())
        .map(|n| {
            let text = |of: &str| match columns.get(n).map(|column| column.kind.data_type) {
                Some(DataType::Date) => format!("TO_VARCHAR({of}(\"K{n}\"), 'YYYY-MM-DD')"),
                _ => format!("{of}(\"K{n}\")::VARCHAR"),
            };
            format!(", {}, {}, COUNT(\"K{n}\")::VARCHAR", text("MIN"), text("MAX"))
        })
        .collect();
    format!(
        "SELECT COUNT(*)::VARCHAR, COUNT_IF(\"KEPT\")::VARCHAR{} FROM (SELECT {kept} AS \"KEPT\"{} FROM {})",
        ranges.concat(),
        join(columns.iter().enumerate(), "", |(n, column)| {
            format!(", {} AS \"K{n}\"", column.quoted())
        }),
        staged.table,
    )
}

impl KeyStats {
    /// Reads the result of [`key_stats`] of these keys. `None` if the row has another form.
    pub(crate) fn read(row: &[Option<String>], keys: &[&[SqlColumn]]) -> Option<Self> {
        let text = |at: usize| row.get(at).and_then(Option::as_deref);
        let count = |at: usize| text(at)?.parse::<u64>().ok();
        let rows = count(0)?;
        // COUNT_IF of no rows may be NULL.
        let kept = if rows == 0 { 0 } else { count(1)? };
        let mut ranges = vec![Vec::new(); keys.len()];
        for (n, (set, column)) in bounded(keys).enumerate() {
            let at = 2 + 3 * n;
            // A NULL is in no range, and may match an existing NULL.
            if count(at + 2)? != rows {
                continue;
            }
            let value = |at: usize| spelled(text(at)?, column.kind.data_type);
            if let (Some(least), Some(greatest), Some(set)) =
                (value(at), value(at + 1), ranges.get_mut(set))
            {
                set.push(KeyRange { column: column.quoted(), least, greatest });
            }
        }
        Some(Self { dropped: rows.checked_sub(kept)?, ranges })
    }
}

/// The columns that can have a range, each with the index of its key: those whose literals are exact and have
/// the order of the values.
fn bounded<'a>(keys: &[&'a [SqlColumn]]) -> impl Iterator<Item = (usize, &'a SqlColumn)> {
    let exact = |column: &&SqlColumn| {
        matches!(column.kind.data_type, DataType::Bigint | DataType::Text | DataType::Date)
    };
    let sets = keys.iter().enumerate();
    sets.flat_map(move |(set, key)| key.iter().filter(exact).map(move |column| (set, column)))
}

/// A value as a literal that does not depend on session parameters.
fn spelled(value: &str, data_type: DataType) -> Option<String> {
    match data_type {
        DataType::Bigint => value.parse::<i128>().ok().map(|number| number.to_string()),
        DataType::Date => {
            let digits = |b: &u8| b.is_ascii_digit();
            let plain = value.len() == 10 && value.bytes().filter(|b| digits(b)).count() == 8;
            plain.then(|| format!("TO_DATE({}, 'YYYY-MM-DD')", literal(value)))
        }
        _ => (value.len() <= LONGEST).then(|| literal(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dlt::types::Kind;

    #[test]
    fn reads_ranges() {
        let column = |data_type| SqlColumn::new("K", Kind::of(data_type));
        let check = |data_type, [least, greatest, filled]: [Option<&str>; 3], expect: &str| {
            let key = [column(data_type)];
            let row = [Some("9"), Some("7"), least, greatest, filled];
            let row: Vec<_> = row.map(|cell| cell.map(str::to_owned)).into();
            let stats = KeyStats::read(&row, &[&key]).unwrap();
            assert_eq!(stats.dropped, 2);
            let found: Vec<_> = stats.ranges[0].iter().map(|b| b.condition("d")).collect();
            assert_eq!(found.concat(), expect, "{data_type:?}");
        };
        let all = Some("9");
        check(DataType::Bigint, [Some("-5"), Some("12"), all], "d.\"K\" BETWEEN -5 AND 12");
        check(DataType::Text, [Some("it's"), Some("\\"), all], r#"d."K" BETWEEN 'it''s' AND '\\'"#);
        check(
            DataType::Date,
            [Some("2024-01-02"), Some("2024-02-01"), all],
            "d.\"K\" BETWEEN TO_DATE('2024-01-02', 'YYYY-MM-DD') AND TO_DATE('2024-02-01', 'YYYY-MM-DD')",
        );
        // A NULL among the keys, only NULLs, and values without an exact literal.
        check(DataType::Bigint, [Some("1"), Some("2"), Some("8")], "");
        check(DataType::Bigint, [None, None, Some("0")], "");
        check(DataType::Date, [Some("0024-01-022"), Some("x"), all], "");
        let long = "l".repeat(LONGEST + 1);
        check(DataType::Text, [Some("a"), Some(&long), all], "");
        let empty = [Some("0".to_owned()), None, None, None, Some("0".to_owned())];
        let key = [column(DataType::Bigint)];
        let nothing = KeyStats { dropped: 0, ranges: vec![Vec::new()] };
        assert_eq!(KeyStats::read(&empty, &[&key]), Some(nothing));
        for row in [&[][..], &[None, None], &[Some("1".to_owned()), Some("2".to_owned())]] {
            assert_eq!(KeyStats::read(row, &[]), None);
        }
    }

    #[test]
    fn only_exact_types_have_ranges() {
        let kinds = [DataType::Timestamp, DataType::Double, DataType::Decimal, DataType::Bool];
        let key = kinds.map(|data_type| SqlColumn::new("K", Kind::of(data_type)));
        assert_eq!(bounded(&[&key]).count(), 0);
    }
}
