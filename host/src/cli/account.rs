//! What the commands that read an account share: a session, and listings as text or JSON.

use std::io::{self, Write as _};

use serde_json::{Map, Value, json};
use snowcat_host::snowflake::{Session, Snowflake};
use snowcat_host::{DryRun, Engine, Error, Listing, Runner, Settings};

use super::Failed;
use super::run::{ConnectionArguments, failed, not_opened, of_load};
use super::terminal::{Escaped, printable};

/// Reads listings in a session.
pub(super) fn read(
    connection: &ConnectionArguments,
    reading: impl FnOnce(&Runner, &mut Snowflake<DryRun>) -> Result<Vec<Listing>, Error>,
) -> Result<Vec<Listing>, Failed> {
    let connection = connection.find().map_err(|error| not_opened(&error))?;
    let engine = Engine::new(&Settings::default()).map_err(|error| failed(&error, false))?;
    let session = Session::open(&of_load(connection)).map_err(|error| not_opened(&error))?;
    let mut host = Snowflake::new(session, DryRun::new());
    let read = reading(&Runner::new(&engine), &mut host);
    // What was read is complete, even if the session is not closed; the service ends it.
    _ = host.close();
    read.map_err(|error| failed(&error, false))
}

/// Prints one JSON object: a list of objects for each listing.
pub(super) fn print_json(listings: &[Listing]) -> Result<(), Failed> {
    let object = |listing: &Listing, row: &Vec<Option<String>>| -> Value {
        let names = listing.columns.iter().map(|name| name.replace(' ', "_"));
        names.zip(row.iter().map(|cell| json!(cell))).collect::<Map<_, _>>().into()
    };
    let lists = listings.iter().map(|it| {
        (it.name.clone(), it.rows.iter().map(|row| object(it, row)).collect::<Vec<_>>().into())
    });
    let all: Map<String, Value> = lists.collect();
    writeln!(io::stdout(), "{}", Value::from(all)).map_err(|error| Failed::Work(error.to_string()))
}

/// Prints the listings that have rows, each under its name.
pub(super) fn print_text(listings: &[Listing], nothing: &str) -> Result<(), Failed> {
    let mut text = String::new();
    for listing in listings.iter().filter(|listing| !listing.rows.is_empty()) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&listing.name);
        text.push('\n');
        aligned(listing, &mut text);
    }
    if text.is_empty() {
        text = format!("{nothing}\n");
    }
    let mut out = Escaped(io::stdout());
    out.write_all(text.as_bytes()).map_err(|error| Failed::Work(error.to_string()))
}

/// Appends the rows of a listing, with aligned columns.
fn aligned(listing: &Listing, text: &mut String) {
    let shown = |cell: &Option<String>| cell.as_deref().map_or_else(|| "-".to_owned(), printable);
    let mut rows = vec![listing.columns.clone()];
    rows.extend(listing.rows.iter().map(|row| row.iter().map(shown).collect()));
    let width = |at: usize| {
        let cells = rows.iter().filter_map(|row: &Vec<String>| row.get(at));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..listing.columns.len()).map(width).collect();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!("  {cell:width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let cell = |text: &str| Some(text.to_owned());
        let listing = Listing {
            name: "loads".to_owned(),
            columns: vec!["load".to_owned(), "at".to_owned()],
            rows: vec![vec![cell("1"), None], vec![cell("100.5"), cell("é\n")]],
        };
        let mut text = String::new();
        aligned(&listing, &mut text);
        assert_eq!(text, "  load   at\n  1      -\n  100.5  é\\n\n");
    }
}
