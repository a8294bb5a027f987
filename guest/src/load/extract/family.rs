//! The family of tables of a resource while its records are read: rows in memory and in files, and
//! their columns and counts for the schema and the report.

use rustc_hash::FxHashMap;

use super::part::Part;
use super::staged::{StagedColumn, StagedFamily, StagedTable};
use super::staging::Staging;
use crate::dlt::schema::{Column, ColumnRules, Schema, Table};
use crate::fault::{Context, Fault, Result};
use crate::job::{Resource, WriteDisposition};
use crate::load::plan::family;
use crate::load::plan::merge::WriteAction;
use crate::load::plan::tables::Plan;
use crate::load::session::context::LoadContext;
use crate::protocol::{Report, TableReport};
use crate::shred::{Family, KEY_HINT, SEQ, SeenColumn, ShredTable, TableId};

/// The tables of a resource, and the files of their rows.
pub(crate) struct OpenFamily {
    /// The name of the resource.
    pub(crate) resource: String,
    /// Whether the resource replaces the rows of its tables.
    pub(crate) replaces: bool,
    pub(crate) family: Family,
    pub(crate) staging: Staging,
}

impl OpenFamily {
    /// An empty family. `number` is that of the resource in the load.
    ///
    /// # Errors
    /// A config fault if a schema contract of the schema cannot be read.
    pub(crate) fn new(
        part: &Part<'_>,
        resource: &Resource,
        number: usize,
        schema: &Schema,
        plan: &Plan,
    ) -> Result<Self> {
        let family = family::of(part.job, resource, schema, plan, part.load_id)?;
        let staging =
            Staging::new(part.load_id, number, part.target.convention, &part.job.delivery);
        let replaces = matches!(resource.write_disposition, WriteDisposition::Replace(_));
        Ok(Self { resource: resource.name.clone(), replaces, family, staging })
    }

    /// Writes and uploads all rows that are left, and adds the tables and columns of the data to the schema.
    pub(crate) async fn finish(
        &mut self,
        part: &Part<'_>,
        context: &mut LoadContext<'_>,
    ) -> Result<()> {
        self.staging.take(&mut self.family)?;
        self.staging.finish(&self.family)?;
        part.upload(context.session, &mut self.staging, &mut context.report).await?;
        context.report.warnings.extend(self.family.warnings());
        self.add_to_schema(&mut context.schema)
    }

    fn add_to_schema(&self, schema: &mut Schema) -> Result<()> {
        let rules = schema.column_rules();
        for id in self.family.descending() {
            // As in dlt, a table whose rows are all discarded keeps the columns that the contract admitted,
            // but it is not marked as one that has had rows.
            let table = self.family.table(id);
            let rows = self.staging.rows(id);
            if rows > 0 || table.columns().iter().any(|column| column.seen) {
                self.add_table(table, schema, &rules)?;
            }
            if rows > 0 {
                schema.mark_seen(&table.name)?;
            }
        }
        for (table, column, key) in self.family.keys() {
            schema.remember(table, column, KEY_HINT, key.into());
        }
        for (_, table) in self.family.tables().filter(|(_, table)| table.parent.is_none()) {
            schema.propagate(&table.name);
        }
        Ok(())
    }

    /// Adds a table and its columns to the schema, as far as the schema lacks them.
    fn add_table(
        &self,
        table: &ShredTable,
        schema: &mut Schema,
        rules: &ColumnRules,
    ) -> Result<()> {
        if let Some(known) = schema.table(&table.name)
            && known.parent().is_none()
            && table.parent.is_some()
        {
            return Err(Fault::config(format_args!(
                "the table {} is that of the resource {}, and a list in the records of {} needs a table of that \
                 name: give the resource another table_name",
                table.name,
                known.resource().unwrap_or(&table.name),
                self.resource
            )));
        }
        if schema.table(&table.name).is_none() {
            let parent = table.parent.map(|parent| self.family.table(parent));
            let parent = parent.ok_or_else(|| Fault::internal("a table without a parent"))?;
            schema.add(Table::child(table.name.as_str(), &parent.name))?;
        }
        for seen in table.columns().into_iter().filter(|seen| seen.seen && seen.name != SEQ) {
            let known = schema.table(&table.name).and_then(|t| t.column(seen.name));
            if known.is_some_and(Column::is_complete) {
                continue;
            }
            let column = if seen.variant {
                rules.variant(seen.name, seen.kind)
            } else {
                rules.inferred(seen.name, seen.kind)
            };
            schema.add_column(&table.name, column).at(|| format!("table {}", table.name))?;
        }
        Ok(())
    }

    /// The staged rows by family, the resource's own family first, then those of lists that are
    /// root tables. The report gets the counts of rows.
    pub(crate) fn staged(
        &self,
        plan: Plan,
        schema: &Schema,
        report: &mut Report,
    ) -> Vec<StagedFamily> {
        let mut families = self.families(plan, schema);
        // A load in parts has one report of a table.
        let reported = report.tables.iter().enumerate();
        let reported = reported.filter(|(_, it)| it.resource == self.resource);
        let reported: FxHashMap<String, usize> =
            reported.map(|(at, it)| (it.name.clone(), at)).collect();
        for (id, table) in self.family.tables() {
            let root = self.family.root_of(id);
            let own = families.iter().position(|family| family.root == root).unwrap_or(0);
            let all_discarded = id == TableId::ROOT && self.family.has_discarded();
            let Some(family) = families.get_mut(own) else { continue };
            let staged = self.staged_table(id, table);
            // As in dlt, a root table is reported if it is emptied, or if the contract discarded its rows.
            let emptied = family.root == table.name
                && (self.replaces && family.action == WriteAction::Replace || all_discarded)
                && family.has_seen_data;
            if staged.rows > 0 || emptied {
                let known = reported.get(&table.name).copied();
                match known.and_then(|at| report.tables.get_mut(at)) {
                    Some(known) => known.rows += staged.rows,
                    None => report.tables.push(TableReport {
                        name: table.name.clone(),
                        resource: self.resource.clone(),
                        rows: staged.rows,
                    }),
                }
            }
            family.tables.push(staged);
        }
        // dlt leaves a family without rows as it is, except for the resource's own, and for all that are
        // replaced with it.
        let mut number = 0;
        families.retain(|family| {
            number += 1;
            let emptied = self.replaces && family.action == WriteAction::Replace;
            number == 1 || emptied || family.tables.iter().any(|table| table.rows > 0)
        });
        families
    }

    /// The families of the plan, still without tables.
    fn families(&self, plan: Plan, schema: &Schema) -> Vec<StagedFamily> {
        let Plan { table: root, action, nested, .. } = plan;
        let nested = nested.into_iter().map(|plan| (plan.table, plan.action));
        let families = std::iter::once((root, action)).chain(nested);
        let family = |(root, action): (String, WriteAction)| StagedFamily {
            resource: self.resource.clone(),
            has_seen_data: schema.table(&root).is_some_and(Table::has_seen_data),
            root,
            action,
            tables: Vec::new(),
            discarded: self.family.has_discarded(),
        };
        families.map(family).collect()
    }

    fn staged_table(&self, id: TableId, table: &ShredTable) -> StagedTable {
        let columns = table.columns().into_iter().filter(|column| column.seen);
        let column = |column: SeenColumn<'_>| StagedColumn {
            name: column.name.to_owned(),
            kind: column.kind,
            longest: self.staging.longest(id, column.name),
            position: self.staging.position(id, column.name),
        };
        StagedTable {
            name: table.name.clone(),
            columns: columns.map(column).collect(),
            rows: self.staging.rows(id),
            directory: self.staging.directory(id, &table.name),
            format: self.staging.format(),
        }
    }
}
