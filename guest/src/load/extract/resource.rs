//! One resource, from its first page to its last file.

use rustc_hash::FxHashMap;
use serde_json::{Map, Value};

use super::checkpoint::{OpenResource, Source};
use super::record::RecordSink;
use super::rejects::Rejects;
use super::staging::{BATCH_BYTES, Staging};
use crate::dlt::schema::{Column, Schema, Table};
use crate::dlt::state::{IncrementalState, State};
use crate::fault::{Context, Fault, Result};
use crate::job::{CursorValue, Input, Job, Resource, WriteDisposition};
use crate::load::plan::merge::WriteAction;
use crate::load::plan::tables::{self, Plan};
use crate::load::publish::transaction::{StagedColumn, StagedFamily, StagedTable};
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::protocol::{CursorReport, Report, TableReport};
use crate::shred::{Family, KEY_HINT, SEQ};
use crate::sources::incremental::Incremental;
use crate::sources::rest::Parents;

/// A resource that is about to be read.
pub(crate) struct Ingest<'a> {
    pub(crate) job: &'a Job,
    pub(crate) resource: &'a Resource,
    /// Its number in the load.
    pub(crate) number: usize,
    pub(crate) target: &'a Target,
    pub(crate) load_id: &'a str,
    pub(crate) catalog: &'a Catalog,
    /// The records of its parent, where it has one.
    pub(crate) parents: Option<&'a Parents>,
}

/// What is kept of a resource's records beside its tables.
pub(crate) struct SideOutputs<'r> {
    pub(crate) children: &'r mut [Parents],
    pub(crate) rejects: &'r mut Rejects,
}

/// What is being filled.
pub(crate) struct Reading<'r> {
    pub(crate) sink: RecordSink<'r>,
    /// None where the resource is read for its children only.
    staging: Option<&'r mut Staging>,
    report: &'r mut Report,
    /// Pages taken since the last commit, and bytes of them.
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
    pub(crate) rejects: &'r mut Rejects,
}

impl Reading<'_> {
    /// Warns; once, whatever parts the load has.
    pub(crate) fn warn(&mut self, warning: Option<String>) {
        self.report.warnings.extend(warning.filter(|it| !self.report.warnings.contains(it)));
    }
}

impl Ingest<'_> {
    /// Reads everything, stages what is new of it, and keeps what its children want to know.
    pub(crate) async fn run(
        &self,
        session: &mut Session,
        schema: &mut Schema,
        state: &mut State,
        report: &mut Report,
        aside: SideOutputs<'_>,
        open: &mut Option<OpenResource>,
    ) -> Result<Vec<StagedFamily>> {
        let before = schema.clone();
        let Some(plan) = tables::declare(self.job, self.resource, schema)? else {
            report.warnings.push(format!(
                "resource {}: its table is new, and left out as the schema contract has it",
                self.resource.name
            ));
            if !aside.children.is_empty() {
                self.read(session, schema, state, report, aside).await?;
            }
            return Ok(Vec::new());
        };
        let warnings = std::iter::once(&plan).chain(&plan.nested).filter_map(|p| p.warning.clone());
        report.warnings.extend(warnings);
        let mut family = tables::family(self.job, self.resource, schema, &plan, self.load_id)?;
        let mut staging = Staging::new(self.load_id, self.number, self.target.convention);

        if self.replaces() {
            // What replaces everything has to be everything. Source: dlt 1.31, `extract/extract.py`,
            // which overlooks a disposition that is written as an object.
            state.forget_resource(schema.name(), &self.resource.name);
        }
        let OpenResource { mut cursor, start, mut source } = match open.take() {
            Some(open) => open,
            None => self.open(schema, state, report)?,
        };
        let SideOutputs { children, rejects } = aside;
        let sink = RecordSink::new(self.resource, Some(&mut family), cursor.as_mut(), children);
        let mut reading =
            Reading { sink, staging: Some(&mut staging), report, pages: 0, bytes: 0, rejects };
        let finished = self.pages(session, &mut reading, &mut source).await?;
        if finished {
            if let Some(cursor) = &mut cursor {
                self.save(cursor, start, schema, state, report)?;
            }
            if state.checkpoint(schema.name(), &self.resource.name).is_some() {
                state.set_checkpoint(schema.name(), &self.resource.name, None);
            }
        } else {
            let paused = OpenResource { cursor, start, source };
            *open = Some(self.keep(paused, schema, state)?);
        }

        staging.take(&mut family)?;
        staging.finish(&family)?;
        self.upload(session, &mut staging, report).await?;
        report.warnings.extend(family.warnings());
        self.learn(schema, &family, &staging)?;
        if family.root_rows() == 0 && !family.has_left_out() {
            // dlt heeds what is said of a resource's tables from the first record on that is loaded, or
            // left out; without one, only that they are to be emptied.
            let plans = std::iter::once(&plan).chain(&plan.nested);
            let emptied: Vec<&str> = plans
                .filter(|plan| self.replaces() && plan.action == WriteAction::Replace)
                .map(|plan| plan.table.as_str())
                .filter(|table| before.table(table).is_some_and(Table::has_seen_data))
                .collect();
            *schema = before;
            emptied.into_iter().for_each(|table| schema.set_replaced(table));
        }
        Ok(self.staged(plan, &family, &staging, schema, report))
    }

    /// Reads everything for the children's sake, and loads nothing.
    pub(crate) async fn read(
        &self,
        session: &mut Session,
        schema: &Schema,
        state: &mut State,
        report: &mut Report,
        aside: SideOutputs<'_>,
    ) -> Result<()> {
        let mut cursor = self.cursor(schema, state)?;
        let start = cursor.as_ref().and_then(|cursor| cursor.start_value().map(shown));
        let SideOutputs { children, rejects } = aside;
        let sink = RecordSink::new(self.resource, None, cursor.as_mut(), children);
        let mut reading = Reading { sink, staging: None, report, pages: 0, bytes: 0, rejects };
        self.pages(session, &mut reading, &mut Source::new(self.resource)).await?;
        match &mut cursor {
            Some(cursor) => self.save(cursor, start, schema, state, report),
            None => Ok(()),
        }
    }

    fn replaces(&self) -> bool {
        matches!(self.resource.write_disposition, WriteDisposition::Replace(_))
    }

    /// Reads on; false: it is time to commit what there is.
    async fn pages(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
        source: &mut Source,
    ) -> Result<bool> {
        match (&self.resource.input, source) {
            (Input::Pull(pulled), Source::PullReply(input)) => {
                self.pull(session, reading, pulled, input).await
            }
            (_, Source::OpenRequests(asked)) => self.request(session, reading, asked).await,
            (_, Source::PullReply(_)) => Err(Fault::internal("an endpoint is pulled")),
        }
    }

    /// Whether it is time to commit what there is.
    pub(crate) fn is_due(&self, reading: &Reading<'_>) -> bool {
        let checkpoint = self.resource.checkpoint.as_ref();
        checkpoint.is_some_and(|checkpoint| checkpoint.is_due(reading.pages, reading.bytes))
    }

    /// The resource's cursor, where it was left.
    pub(crate) fn cursor(&self, schema: &Schema, state: &State) -> Result<Option<Incremental>> {
        let Some(cursor) = &self.resource.cursor else { return Ok(None) };
        let saved = match self.job.force_full_load {
            true => None,
            false => state.incremental(schema.name(), &self.resource.name, cursor.path.as_str())?,
        };
        let saved = saved.map(|saved| {
            Map::from_iter([
                ("initial_value".to_owned(), saved.initial_value),
                ("last_value".to_owned(), saved.last_value),
                ("start_value".to_owned(), saved.start_value),
                ("unique_hashes".to_owned(), saved.unique_hashes.into()),
            ])
        });
        Incremental::new(cursor, &self.resource.primary_key, saved.as_ref()).map(Some)
    }

    /// Remembers where the cursor is now.
    pub(crate) fn save(
        &self,
        cursor: &mut Incremental,
        start: Option<String>,
        schema: &Schema,
        state: &mut State,
        report: &mut Report,
    ) -> Result<()> {
        let name = &self.resource.name;
        report.warnings.extend(cursor.warnings().iter().map(|it| format!("resource {name}: {it}")));
        let path = cursor.cursor().path.as_str().to_owned();
        let last = cursor.last_value()?.as_ref().map(shown);
        report.cursors.push(CursorReport {
            resource: self.resource.name.clone(),
            path,
            start,
            last,
        });
        self.keep_cursor(cursor, schema, state)
    }

    /// Saves where the cursor is now.
    pub(crate) fn keep_cursor(
        &self,
        cursor: &mut Incremental,
        schema: &Schema,
        state: &mut State,
    ) -> Result<()> {
        let path = cursor.cursor().path.as_str().to_owned();
        let Some(mut saved) = cursor.state()? else { return Ok(()) };
        let mut value = |key: &str| saved.get_mut(key).map(Value::take).unwrap_or_default();
        let hashes = match value("unique_hashes") {
            Value::Array(hashes) => hashes,
            _ => Vec::new(),
        };
        let saved = IncrementalState {
            initial_value: value("initial_value"),
            last_value: value("last_value"),
            start_value: value("start_value"),
            unique_hashes: hashes.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        };
        state.set_incremental(schema.name(), &self.resource.name, &path, saved);
        Ok(())
    }

    /// Makes files of the batch when it is large enough, and uploads those that are.
    pub(crate) async fn flush(
        &self,
        session: &mut Session,
        reading: &mut Reading<'_>,
    ) -> Result<()> {
        let report = &mut *reading.report;
        if let Some(staging) = reading.rejects.full()? {
            self.upload(session, staging, report).await?;
        }
        let (Some(family), Some(staging)) = (reading.sink.family(), reading.staging.as_mut())
        else {
            return Ok(());
        };
        if family.weight() < BATCH_BYTES {
            return Ok(());
        }
        staging.take(family)?;
        self.upload(session, staging, reading.report).await
    }

    pub(crate) async fn upload(
        &self,
        session: &mut Session,
        staging: &mut Staging,
        report: &mut Report,
    ) -> Result<()> {
        for file in staging.ready() {
            if !session.has_stage() && !self.catalog.has_schema_of(&self.target.table("")) {
                session.make_schema(&self.target.schema).await?;
            }
            session.make_stage(&self.target.stage, self.job.stage_encryption).await?;
            session.upload(&self.target.stage, file.report.path.clone(), file.bytes).await?;
            report.files.push(file.report);
        }
        Ok(())
    }

    /// Takes over into the schema what the data brought.
    pub(crate) fn learn(
        &self,
        schema: &mut Schema,
        family: &Family,
        staging: &Staging,
    ) -> Result<()> {
        let rules = schema.column_rules();
        for at in family.descending() {
            // As in dlt, rows that are all left out leave the columns they brought that were welcome, but
            // it is not noted that the table had any.
            let Some(table) = family.tables().get(at) else { continue };
            let rows = staging.rows(at);
            if rows == 0 && !table.columns().iter().any(|column| column.seen) {
                continue;
            }
            if let Some(known) = schema.table(&table.name)
                && known.parent().is_none()
                && table.parent.is_some()
            {
                return Err(Fault::config(format_args!(
                    "the table {} is that of the resource {}, and a list in the records of {} needs a table of that \
                     name: give the resource another table_name",
                    table.name,
                    known.resource().unwrap_or(&table.name),
                    self.resource.name
                )));
            }
            if schema.table(&table.name).is_none() {
                let parent = table.parent.and_then(|parent| family.tables().get(parent));
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
            if rows > 0 {
                schema.mark_seen(&table.name)?;
            }
        }
        for (table, column, key) in family.keys() {
            schema.remember(table, column, KEY_HINT, key.into());
        }
        for table in family.tables().iter().filter(|table| table.parent.is_none()) {
            schema.propagate(&table.name);
        }
        Ok(())
    }

    pub(crate) fn staged(
        &self,
        plan: Plan,
        family: &Family,
        staging: &Staging,
        schema: &Schema,
        report: &mut Report,
    ) -> Vec<StagedFamily> {
        // The resource's own family first, then those that tables of its lists begin.
        let Plan { table: root, action, nested, .. } = plan;
        let family_of = |plan: Plan| (plan.table, plan.action);
        let mut families: Vec<StagedFamily> = std::iter::once((root, action))
            .chain(nested.into_iter().map(family_of))
            .map(|(root, action)| {
                let resource = self.resource.name.clone();
                let known = schema.table(&root).is_some_and(Table::has_seen_data);
                let left_out = family.has_left_out();
                StagedFamily { resource, root, action, tables: Vec::new(), known, left_out }
            })
            .collect();
        // A load in parts has one report of a table.
        let told = report.tables.iter().enumerate();
        let told = told.filter(|(_, told)| told.resource == self.resource.name);
        let told: FxHashMap<String, usize> = told.map(|(at, t)| (t.name.clone(), at)).collect();
        for (at, table) in family.tables().iter().enumerate() {
            let rows = staging.rows(at);
            let root = family.root_of(at);
            let own = families.iter().position(|family| family.root == root).unwrap_or(0);
            let left_out = at == 0 && family.has_left_out();
            let Some(family) = families.get_mut(own) else { continue };
            // As in dlt, a root table is told of if it is emptied, or all rows were left out.
            let emptied = family.root == table.name
                && (self.replaces() && family.action == WriteAction::Replace || left_out)
                && family.known;
            if rows > 0 || emptied {
                let told = told.get(&table.name).copied();
                match told.and_then(|told| report.tables.get_mut(told)) {
                    Some(told) => told.rows += rows,
                    None => report.tables.push(TableReport {
                        name: table.name.clone(),
                        resource: self.resource.name.clone(),
                        rows,
                    }),
                }
            }
            family.tables.push(StagedTable {
                name: table.name.clone(),
                columns: table
                    .columns()
                    .into_iter()
                    .filter(|column| column.seen)
                    .map(|column| StagedColumn {
                        name: column.name.to_owned(),
                        kind: column.kind,
                        longest: staging.longest(at, column.name),
                    })
                    .collect(),
                rows,
                directory: staging.directory(at, &table.name),
            });
        }
        // dlt leaves a family alone that nothing came for, but the resource's own; and where the resource
        // is replaced, every family that is.
        let mut number = 0;
        families.retain(|family| {
            number += 1;
            let emptied = self.replaces() && family.action == WriteAction::Replace;
            number == 1 || emptied || family.tables.iter().any(|table| table.rows > 0)
        });
        families
    }
}

/// A cursor's value as a person writes it.
pub(crate) fn shown(value: &CursorValue<'_>) -> String {
    match value {
        CursorValue::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}
