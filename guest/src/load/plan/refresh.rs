//! What `refresh` removes: dlt's way to start over.
//!
//! `drop_data` deletes the rows of the selected resources, and their state, in the transaction that
//! publishes: readers see the old rows or the new ones. `drop_resources` also drops their tables,
//! and `drop_sources` all tables of the schema, with the state of all its resources (see
//! `publish::drop`).
//!
//! Source: dlt 1.31, `pipeline/helpers.py` (`prepare_refresh_source`), `pipeline/drop.py`.

use std::collections::HashSet;

use crate::dlt::schema::{Schema, is_dlt};
use crate::dlt::state::State;
use crate::job::{Job, Refresh, WriteDisposition};

/// The tables that a refresh empties or drops.
#[derive(Default)]
pub(crate) struct RefreshPlan {
    /// The tables whose rows are deleted, parents first, by their names in the schema.
    tables: Vec<String>,
    /// `true` if the tables are dropped too.
    drops: bool,
    /// The resources that start over; `None` if all do.
    resources: Option<Vec<String>>,
}

impl RefreshPlan {
    /// Removes from the schema and the state what the job refreshes. The database is not changed yet.
    pub(crate) fn of(job: &Job, schema: &mut Schema, state: &mut State) -> Self {
        let Some(refresh) = job.refresh else { return Self::default() };
        let selected: HashSet<&str> = job
            .selected()
            .filter(|resource| resource.write_disposition != WriteDisposition::Skip)
            .map(|resource| resource.name.as_str())
            .collect();
        let everything = refresh == Refresh::Sources;
        let source = schema.name().to_owned();
        if everything {
            state.reset_source(&source);
        } else {
            for resource in &selected {
                state.forget_resource(&source, resource);
            }
        }
        let roots = schema.tables().values().filter(|table| {
            table.parent().is_none()
                && !is_dlt(table.name())
                && (everything || table.resource().is_some_and(|name| selected.contains(name)))
        });
        let roots: Vec<String> = roots.map(|table| table.name().to_owned()).collect();
        let chain = |root: &String| schema.chain(root).into_iter().map(|t| t.name().to_owned());
        let tables = roots.iter().flat_map(chain).collect();
        let drops = refresh != Refresh::Data;
        if everything {
            *schema = schema.fresh();
        } else if drops {
            for root in &roots {
                schema.drop(root);
            }
        }
        let selected = selected.into_iter().map(str::to_owned).collect();
        Self { tables, drops, resources: (!everything).then_some(selected) }
    }

    /// Returns `true` if the load changes tables even without new rows.
    pub(crate) fn acts(&self) -> bool {
        !self.tables.is_empty()
    }

    /// Returns `true` if tables are dropped, and with them the stored versions of the schema.
    pub(crate) fn drops(&self) -> bool {
        self.drops && self.acts()
    }

    /// The resources that start over; `None` if all do.
    pub(crate) fn resources(&self) -> Option<&[String]> {
        self.resources.as_deref()
    }

    /// The tables whose rows are deleted, parents first.
    pub(crate) fn tables(&self) -> &[String] {
        &self.tables
    }

    /// The tables to empty in the transaction that publishes.
    pub(crate) fn emptied(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().filter(|_| !self.drops).map(String::as_str)
    }
}
