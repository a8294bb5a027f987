//! Reads cells: the values of Parquet, Arrow, and other inputs with types.

use std::collections::{BTreeSet, HashMap};

use super::reading::Reading;
use super::record::FileRecords;
use crate::columnar::cells::{CellColumn, CellReader};
use crate::fault::{Context, Fault, Result};
use crate::job::{Job, Resource};
use crate::json::select::{self, Flow, WalkedPage};
use crate::json::{Path, Reader};
use crate::protocol::InputColumn;

/// The columns of an input, with the hints of the job.
///
/// # Errors
/// A data fault if two columns have one name, or a column has a type that is not known.
pub(crate) fn fields(
    job: &Job,
    resource: &Resource,
    columns: &[InputColumn],
) -> Result<Vec<CellColumn>> {
    let convention = job.convention();
    let declared: BTreeSet<String> = resource
        .columns
        .iter()
        .filter(|(_, hints)| hints.as_map().get("data_type").is_some_and(|it| !it.is_null()))
        .map(|(name, _)| convention.normalize_path(name))
        .collect();
    // If several columns have one normalized name, the last one and its hints apply.
    let named = columns.iter().map(|column| convention.normalize_path(&column.name));
    let last: HashMap<String, usize> = named.clone().zip(0..).collect();
    let mut names = BTreeSet::new();
    let fields = columns.iter().zip(named).enumerate().map(|(at, (column, normalized))| {
        let InputColumn { name, kind, precision, scale, .. } = column;
        let location = || format!("column {name}");
        if !names.insert(name.as_str()) {
            let message = "expected columns of different names, found two of this one";
            return Err(Fault::data(message).at(location()));
        }
        let is_declared = declared.contains(&normalized) && last.get(&normalized) == Some(&at);
        CellColumn::new(name, kind, (*precision, *scale), is_declared).at(location)
    });
    fields.collect()
}

/// Takes the rows of a page. With a selector the records are inside the rows.
pub(crate) async fn take_rows(
    reading: &mut Reading<'_>,
    fields: &[CellColumn],
    selector: Option<&Path>,
    records: &mut FileRecords,
    text: &str,
) -> Result<()> {
    let mut rows = CellReader::new(text, fields.len());
    let mut cells = reading.sink.cells(fields);
    reading.sink.begin();
    loop {
        let row = || format!("row {}", records.read + 1);
        if !rows.advance().at(row)? {
            return Ok(());
        }
        if records.read >= records.loaded {
            match selector {
                None => reading.sink.row(&rows, &mut cells, &records.members).at(row)?,
                Some(_) => {
                    let json = cells.json(&rows);
                    let mut take = |reader: &mut Reader<'_>| {
                        reading.sink.take(reader, &records.members).map(|()| Flow::On)
                    };
                    let (reader, mut walked) = (Reader::new(json), WalkedPage::default());
                    select::walk(reader, selector, &[], true, &mut walked, &mut take).at(row)?;
                }
            }
        }
        records.read += 1;
        if reading.sink.flow(rows.position()) == Flow::Pause {
            reading.flush().await?;
        }
    }
}
