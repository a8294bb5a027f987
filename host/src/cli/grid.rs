//! Rows of a table as aligned text of limited width.

use std::collections::HashMap;
use std::fmt;

use serde_json::value::RawValue;

use super::quantity::counted;
use super::terminal::printable;

/// The width of a line in characters.
const WIDTH: usize = 100;
/// The maximum width of a cell in characters.
const CELL: usize = 30;

/// Rows under the names of their columns; as many columns as fit.
#[derive(Debug)]
pub(super) struct Grid {
    columns: Vec<Column>,
    /// The number of columns that do not fit.
    hidden: usize,
}

#[derive(Debug)]
struct Column {
    cells: Vec<String>,
    width: usize,
    numbers: bool,
}

/// A row by column names. Each value is JSON.
pub(super) type Row<'t> = HashMap<String, &'t RawValue>;

impl Grid {
    /// `columns` sets the order. dlt's columns (`_dlt_id`) are shown only if there are no others.
    /// `None` if there are no rows.
    pub(super) fn new(columns: &[&str], rows: &[Row<'_>]) -> Option<Self> {
        if rows.is_empty() || columns.is_empty() {
            return None;
        }
        let is_own = |name: &&&str| {
            let begins = name.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("_dlt_"));
            !begins
        };
        let own: Vec<&str> = columns.iter().filter(is_own).copied().collect();
        let shown = if own.is_empty() { columns } else { &own };
        let mut left = WIDTH;
        let mut fitting = Vec::new();
        for name in shown {
            let column = Column::new(name, rows);
            let Some(rest) = left.checked_sub(column.width + 2) else { break };
            left = rest;
            fitting.push(column);
        }
        let hidden = shown.len() - fitting.len();
        Some(Self { columns: fitting, hidden })
    }
}

impl Column {
    fn new(name: &str, rows: &[Row<'_>]) -> Self {
        let value = |row: &Row<'_>| row.get(name).map_or("null", |value| value.get()).to_owned();
        let values: Vec<String> = rows.iter().map(value).collect();
        let is_number = |json: &str| json.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let numbers = values.iter().all(|it| is_number(it) || it == "null");
        let cells = values.iter().map(|json| match json.as_str() {
            "null" => "NULL".to_owned(),
            // Numbers are not truncated.
            json if is_number(json) => json.to_owned(),
            json => serde_json::from_str::<String>(json).map_or_else(|_| cut(json), |it| cut(&it)),
        });
        let cells: Vec<String> = std::iter::once(cut(name)).chain(cells).collect();
        let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or_default();
        Self { cells, width, numbers }
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.columns.first().map_or(0, |column| column.cells.len());
        for row in 0..count {
            let cells = self.columns.iter().map(|Column { cells, width, numbers }| {
                let cell = cells.get(row).map_or("", String::as_str);
                if *numbers { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            });
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(f, "  {}", line.trim_end())?;
            if row == 0 {
                let rules: Vec<String> =
                    self.columns.iter().map(|column| "-".repeat(column.width)).collect();
                writeln!(f, "  {}", rules.join("  "))?;
            }
        }
        match self.hidden {
            0 => Ok(()),
            hidden => writeln!(f, "  .. and {}", counted(hidden, "more column")),
        }
    }
}

/// A text truncated to the width of a cell.
fn cut(text: &str) -> String {
    // Escapes only the visible part.
    let begin: String = text.chars().take(CELL + 1).collect();
    let text = printable(&begin);
    match text.char_indices().nth(CELL) {
        None => text,
        Some(_) => {
            let end = text.char_indices().nth(CELL - 2).map_or(text.len(), |(at, _)| at);
            format!("{}..", text.get(..end).unwrap_or_default())
        }
    }
}

/// Words separated by commas, in lines that are no wider than a screen.
pub(super) fn wrapped(words: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut words = words.peekable();
    while let Some(mut word) = words.next() {
        if words.peek().is_some() {
            word.push(',');
        }
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(&word);
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[track_caller]
    fn check(columns: &[&str], rows: &[Value], expected: &str) {
        let texts: Vec<String> = rows.iter().map(Value::to_string).collect();
        let rows: Vec<Row<'_>> =
            texts.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let grid = Grid::new(columns, &rows).map(|grid| grid.to_string());
        assert_eq!(grid.unwrap_or_default(), expected);
    }

    #[test]
    fn numbers_keep_their_digits() {
        let text = r#"{"N": 12345678901234567890123456789012345.67}"#;
        let row: Row<'_> = serde_json::from_str(text).unwrap();
        let grid = Grid::new(&["N"], &[row]).unwrap().to_string();
        assert!(grid.ends_with("  12345678901234567890123456789012345.67\n"), "{grid}");
    }

    #[test]
    fn rows_are_aligned() {
        let rows = [
            json!({"ID": 1, "NAME": "a\u{1b}[2J", "OK": true, "_DLT_ID": "x"}),
            json!({"ID": 20, "NAME": "b".repeat(40), "OK": null, "_DLT_ID": "y"}),
        ];
        check(
            &["ID", "NAME", "OK", "_DLT_ID"],
            &rows,
            "  ID  NAME                            OK\n  --  ------------------------------  ----\n   1  a\\u{1b}[2J                      true\n  20  bbbbbbbbbbbbbbbbbbbbbbbbbbbb..  NULL\n",
        );
        check(&["_DLT_ID"], &rows, "  _DLT_ID\n  -------\n  x\n  y\n");
        check(&["ID"], &[], "");
    }

    #[test]
    fn lines_are_no_wider_than_a_screen() {
        let names: Vec<String> = (0..50).map(|n| format!("COLUMN_{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let text = json!({"COLUMN_0": "é".repeat(99)}).to_string();
        let row: Row<'_> = serde_json::from_str(&text).unwrap();
        let grid = Grid::new(&names, &[row]).unwrap().to_string();
        assert!(grid.lines().all(|line| line.chars().count() <= WIDTH + 2), "{grid}");
        assert!(grid.ends_with("  .. and 43 more columns\n"), "{grid}");
        let lines = wrapped(names.iter().map(|&name| name.to_owned()));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(lines.join(" "), names.join(", "));
    }
}
