//! The slices of a backfill, as the table `_snowcat_slices` has them.

use std::collections::BTreeMap;

use super::publish::slices::{SliceKey, SlicedResource};
use super::session::Session;
use super::target::Target;
use super::target::catalog::Catalog;
use crate::fault::{Context, Fault, Result};
use crate::job::{Job, SLICES_TABLE, SliceStep, WriteDisposition};
use crate::sql::slices::StoredSlice;

/// The greatest number of open slices that a message names.
const NAMED: usize = 10;

/// The sliced resources of a job, and which of their slices are loaded.
pub(crate) struct Ledger<'j> {
    resources: Vec<LedgerResource<'j>>,
}

struct LedgerResource<'j> {
    sliced: SlicedResource<'j>,
    /// Whether an ordinary load would append the rows of all slices again.
    repeats: bool,
    /// The stored slices by number, with the load that has loaded each.
    stored: BTreeMap<usize, Option<String>>,
}

impl LedgerResource<'_> {
    fn count(&self) -> usize {
        self.sliced.slices.count()
    }

    fn is_loaded(&self, number: usize) -> bool {
        matches!(self.stored.get(&number), Some(Some(_)))
    }

    fn open(&self) -> impl Iterator<Item = usize> {
        (0..self.count()).filter(|number| !self.is_loaded(*number))
    }
}

impl<'j> Ledger<'j> {
    /// Reads the slices of the pipeline.
    ///
    /// # Errors
    /// A destination fault if the answer is truncated, or if slices of another definition are open.
    pub(crate) async fn read(
        session: &mut Session,
        job: &'j Job,
        target: &Target,
        catalog: &Catalog,
    ) -> Result<Self> {
        let mut resources = Vec::new();
        for (resource, slices) in job.sliced() {
            let cursor = resource.cursor.as_ref();
            let sliced = SlicedResource { name: &resource.name, slices, cursor };
            let appends = matches!(resource.write_disposition, WriteDisposition::Append);
            let repeats = appends && slices.is_by_files();
            resources.push(LedgerResource { sliced, repeats, stored: BTreeMap::new() });
        }
        let mut ledger = Self { resources };
        let table = target.slices(&job.pipeline);
        if ledger.resources.is_empty() || !catalog.has(&table.name) {
            return Ok(ledger);
        }
        let reply = session.sql(table.select()).await?;
        ledger.take(reply.rows()).at(|| format!("table {SLICES_TABLE}"))?;
        Ok(ledger)
    }

    fn take(&mut self, rows: &[Vec<Option<String>>]) -> Result<()> {
        // By resource and definition: the greatest number, which is that of the last step, and whether it is done.
        let mut others: BTreeMap<(&str, &str), (usize, bool)> = BTreeMap::new();
        for row in rows {
            let slice = StoredSlice::read(row)?;
            if slice.rows != Some(rows.len()) {
                return Err(Fault::destination(format_args!(
                    "expected as many rows as the table has for the pipeline, found {}: the session truncates \
                     results (ROWS_PER_RESULTSET)",
                    rows.len()
                )));
            }
            let named = self.resources.iter_mut().find(|it| it.sliced.name == slice.resource);
            match named {
                Some(own) if own.sliced.slices.definition == slice.definition => {
                    own.stored.insert(slice.number, slice.load_id.map(str::to_owned));
                }
                Some(_) => {
                    let last = others.entry((slice.resource, slice.definition)).or_default();
                    if slice.number >= last.0 {
                        *last = (slice.number, slice.load_id.is_some());
                    }
                }
                None => {}
            }
        }
        match others.iter().find(|(_, (_, done))| !done) {
            None => Ok(()),
            Some(((resource, _), _)) => Err(Fault::destination(format_args!(
                "expected the slices of the resource {resource} as they were planned, found another definition: \
                 finish the backfill with the job that began it, or delete its rows from {SLICES_TABLE} and what \
                 they loaded"
            ))),
        }
    }

    /// Returns `true` if all slices are stored.
    pub(crate) fn is_planned(&self) -> bool {
        self.resources.iter().all(|it| it.stored.len() == it.count() + 1)
    }

    /// The resources whose backfill has not ended.
    pub(crate) fn unfinished(&self) -> Vec<SlicedResource<'j>> {
        let unfinished = self.resources.iter().filter(|it| !it.is_loaded(it.count()));
        unfinished.map(|it| it.sliced).collect()
    }

    /// The open slices of a share.
    pub(crate) fn open(&self, index: usize, of: usize) -> Vec<SliceKey> {
        let all: usize = self.resources.iter().map(LedgerResource::count).sum();
        let (mut open, mut before) = (Vec::new(), 0);
        for resource in &self.resources {
            let mine = resource.open().filter(|number| (before + number) % of.max(1) == index);
            open.extend(mine.map(|number| SliceKey {
                resource: resource.sliced.name.to_owned(),
                definition: resource.sliced.slices.definition.clone(),
                number,
                place: before + number,
                of: all,
            }));
            before += resource.count();
        }
        open
    }

    /// Returns `true` if the slice is loaded.
    pub(crate) fn has(&self, slice: &SliceKey) -> bool {
        let named = self.resources.iter().find(|it| it.sliced.name == slice.resource);
        named.is_some_and(|resource| resource.is_loaded(slice.number))
    }

    /// Checks that every slice is loaded.
    ///
    /// # Errors
    /// A destination fault that names open slices.
    pub(crate) fn check_loaded(&self) -> Result<()> {
        let open: Vec<String> = self
            .resources
            .iter()
            .flat_map(|it| it.open().map(|number| format!("{} {number}", it.sliced.name)))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        let more = if open.len() > NAMED { ", .." } else { "" };
        let named: Vec<&str> = open.iter().take(NAMED).map(String::as_str).collect();
        Err(Fault::destination(format_args!(
            "expected slices that are all loaded, found {} open: {}{more}",
            open.len(),
            named.join(", ")
        )))
    }

    /// Checks that an ordinary load of the job does not load rows of slices again.
    ///
    /// # Errors
    /// A destination fault if the backfill of a resource is planned and has not ended, or if it has ended and the load
    /// would append its files again.
    pub(crate) fn check_ended(&self) -> Result<()> {
        if let Some(again) = self.resources.iter().find(|it| it.repeats && it.is_loaded(it.count()))
        {
            return Err(Fault::destination(format_args!(
                "expected files that are not loaded yet, found that the slices of the resource {} have loaded \
                 them, and append would load them again: remove the resource or name other files in another \
                 resource, or merge by a primary key",
                again.sliced.name
            )));
        }
        let begun =
            self.resources.iter().find(|it| !it.stored.is_empty() && !it.is_loaded(it.count()));
        match begun {
            None => Ok(()),
            Some(resource) => Err(Fault::destination(format_args!(
                "expected a backfill that has ended, found {} open slices of the resource {}, or no last step: \
                 load them, and then run the step \"finish\"",
                resource.open().count(),
                resource.sliced.name
            ))),
        }
    }

    /// How far the backfill of each resource is.
    pub(crate) fn notes(&self) -> impl Iterator<Item = String> {
        self.resources.iter().map(|it| {
            format!(
                "resource {}: {} of {} slices are loaded",
                it.sliced.name,
                it.count() - it.open().count(),
                it.count()
            )
        })
    }
}

/// Checks that the windows of the slices have ended, when they are planned.
pub(crate) fn check_ends(job: &Job, now: chrono::NaiveDateTime) -> Result<()> {
    job.sliced().try_for_each(|(resource, slices)| {
        slices.check_end(now).at(|| format!("resource {}", resource.name))
    })
}

/// The fault of slices that failed, or `None` if none did.
pub(crate) fn failed(
    faults: Vec<(SliceKey, Fault)>,
    loaded: usize,
    step: SliceStep,
) -> Option<Fault> {
    let count = faults.len();
    let (slice, mut fault) = faults.into_iter().next()?;
    let share = match step {
        SliceStep::Share { index, of } => format!(" of the share {index}/{of}"),
        SliceStep::Plan | SliceStep::Finish => String::new(),
    };
    fault.message.push_str(&format!(
        "; {count} slices{share} failed, and {loaded} are loaded; run it again for the open slices"
    ));
    Some(fault.at(format_args!("slice {} of {}", slice.number, slice.resource)))
}
