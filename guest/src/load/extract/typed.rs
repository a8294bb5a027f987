//! Rows of cells: what the host reads of Parquet and Arrow, and of whatever else knows its types.

use std::collections::{BTreeSet, HashMap};

use super::files::InputReader;
use super::resource::{Ingest, Reading};
use crate::columnar::cells::{CellColumn, CellReader};
use crate::fault::{Context, Fault, Result};
use crate::job;
use crate::json::Reader;
use crate::json::select::{self, Flow, Walked};
use crate::load::session::Session;
use crate::protocol::InputColumn;

impl Ingest<'_> {
    /// The columns of the input, with what the job declares of them.
    pub(crate) fn fields(&self, columns: &[InputColumn]) -> Result<Vec<CellColumn>> {
        let convention = self.job.convention();
        let declared: BTreeSet<String> = self
            .resource
            .columns
            .iter()
            .filter(|(_, hints)| hints.as_map().get("data_type").is_some_and(|it| !it.is_null()))
            .map(|(name, _)| convention.normalize_path(name))
            .collect();
        // Of columns whose names become one, the last has the name, and with it what is declared.
        let named = columns.iter().map(|column| convention.normalize_path(&column.name));
        let last: HashMap<String, usize> = named.clone().zip(0..).collect();
        let mut names = BTreeSet::new();
        let fields = columns.iter().zip(named).enumerate().map(|(at, (column, normalized))| {
            let InputColumn { name, kind, precision, scale, .. } = column;
            let place = || format!("column {name}");
            if !names.insert(name.as_str()) {
                let message = "expected columns of different names, found two of this one";
                return Err(Fault::data(message).at(place()));
            }
            let is_declared = declared.contains(&normalized) && last.get(&normalized) == Some(&at);
            CellColumn::new(name, kind, (*precision, *scale), is_declared).at(place)
        });
        fields.collect()
    }

    /// Takes the rows of a page.
    pub(crate) async fn cells(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        pulled: &job::Pulled,
        input: &mut InputReader,
        text: &str,
    ) -> Result<()> {
        input.check_name()?;
        let Some(fields) = &input.fields else {
            return Err(Fault::internal("cells of no columns"));
        };
        let mut rows = CellReader::new(text, fields.len());
        let mut taking = reading.sink.cells(fields);
        reading.sink.begin();
        loop {
            let row = || format!("row {}", input.records + 1);
            if !rows.advance().at(row)? {
                return Ok(());
            }
            if input.records >= input.done {
                match &pulled.selector {
                    None => reading.sink.row(&rows, &mut taking, &input.members).at(row)?,
                    Some(_) => {
                        let json = taking.json(&rows);
                        let mut take = |reader: &mut Reader<'_>| {
                            reading.sink.take(reader, &input.members).map(|()| Flow::On)
                        };
                        let reader = Reader::new(json);
                        let mut walked = Walked::default();
                        select::walk(
                            reader,
                            pulled.selector.as_ref(),
                            &[],
                            true,
                            &mut walked,
                            &mut take,
                        )
                        .at(row)?;
                    }
                }
            }
            input.records += 1;
            if reading.sink.flow(rows.position()) == Flow::Pause {
                self.flush(session, reading).await?;
            }
        }
    }
}
