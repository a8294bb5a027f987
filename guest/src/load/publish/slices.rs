//! What a transaction does with the slices of backfills.
//!
//! Two processes may load one slice at once. The row of the slice decides: it is locked by a statement of its own,
//! which waits for the other transaction, and then assigned by a second statement, which begins when the other has
//! ended and so sees what it committed. A slice that is appended does both after its rows are copied, so no lock is
//! held meanwhile.

use serde_json::Value;

use super::lock::{ANOTHER_LOAD, rewritten};
use crate::dlt::state::{IncrementalState, Instant, LoadId, State, Tag};
use crate::fault::{Context, Fault, Result};
use crate::job::{Cursor, CursorValue, SLICES_TABLE, Slices};
use crate::load::plan::refresh::RefreshPlan;
use crate::load::session::Session;
use crate::load::target::Target;
use crate::load::target::catalog::Catalog;
use crate::sql::slices::{Division, SliceBounds, SliceTable};
use crate::sql::state::SqlValue;

/// The slices in one statement: a VALUES clause may have 16,384 rows, and a statement 1 MB.
const ROWS: usize = 1000;

/// What a load does with slices.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SliceWork<'a> {
    /// It has no slices.
    None,
    /// It stores the slices of these resources.
    Plan(&'a [SlicedResource<'a>]),
    /// It loads one slice.
    Load(&'a SliceKey),
    /// It ends the backfill of these resources.
    Finish(&'a [SlicedResource<'a>]),
}

/// A resource that is loaded in slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SlicedResource<'a> {
    pub(crate) name: &'a str,
    pub(crate) slices: &'a Slices,
    pub(crate) cursor: Option<&'a Cursor>,
}

impl<'a> SlicedResource<'a> {
    /// How its rows in the table are identified.
    fn division(&self) -> Division<'a> {
        Division { resource: self.name, definition: &self.slices.definition }
    }

    /// Its slices, and the row of the last step.
    fn rows(&self) -> Vec<SliceBounds> {
        let count = self.slices.count();
        let bounds = |number| match self.slices.range(number) {
            Some((lower, upper)) => {
                SliceBounds { number, lower: shown(lower), upper: shown(upper) }
            }
            None => SliceBounds { number, lower: String::new(), upper: String::new() },
        };
        (0..=count).map(bounds).collect()
    }

    /// Moves the cursor to the end of the last slice. A later cursor stays.
    fn move_cursor(&self, state: &mut State, source: &str) -> Result<()> {
        let (Some(cursor), Some((first, last))) = (self.cursor, self.slices.whole()) else {
            return Ok(());
        };
        let path = cursor.path.as_str();
        let saved = state.incremental(source, self.name, path)?;
        let initial = cursor.initial_value.as_ref().unwrap_or(first).to_value();
        let moved = IncrementalState {
            initial_value: initial,
            last_value: last.to_value(),
            start_value: first.to_value(),
            unique_hashes: Vec::new(),
        };
        let is_later = match &saved {
            Some(saved) => is_after(cursor, &saved.last_value, last)?,
            None => false,
        };
        if !is_later {
            state.set_incremental(source, self.name, path, moved);
        }
        Ok(())
    }
}

fn shown(value: &CursorValue<'_>) -> String {
    match value {
        CursorValue::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}

/// Returns `true` if the saved value is after the other one.
fn is_after(cursor: &Cursor, saved: &Value, other: &CursorValue<'_>) -> Result<bool> {
    let plain = Tag::strip(saved);
    let number = saved.as_str().and_then(Tag::split).filter(|(tag, _)| tag.is_number());
    let value = match number {
        Some((_, number)) => CursorValue::parse(number)?.map(CursorValue::into_owned),
        None => CursorValue::of(&plain),
    };
    match value {
        None => Ok(false),
        Some(value) => Ok(cursor.format.compare(&value, other)?.ordering.is_gt()),
    }
}

/// A slice.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SliceKey {
    pub(crate) resource: String,
    pub(crate) definition: String,
    pub(crate) number: usize,
    /// Its place among the slices of all resources.
    pub(crate) place: usize,
    /// The number of slices of all resources.
    pub(crate) of: usize,
}

impl SliceKey {
    /// The id of a load of the slice. Loads of other slices that run at once have others, and so have most loads of
    /// the same slice that began at another instant.
    pub(crate) fn load_id(&self, first: &LoadId, now: Instant) -> LoadId {
        const STARTS: i64 = 97;
        let [place, of] = [self.place, self.of].map(|it| i64::try_from(it).unwrap_or(i64::MAX));
        let remainder = now.micros().rem_euclid(STARTS).saturating_mul(of).saturating_add(place);
        first.with_remainder(remainder, of.saturating_mul(STARTS))
    }

    fn division(&self) -> Division<'_> {
        Division { resource: &self.resource, definition: &self.definition }
    }

    /// The fault of a load of a slice that another one has loaded.
    pub(crate) fn overtaken(&self) -> Fault {
        overtaken(self.division(), self.number)
    }
}

fn overtaken(of: Division<'_>, number: usize) -> Fault {
    Fault::destination(format_args!(
        "{ANOTHER_LOAD} has loaded slice {number} of the resource {}: nothing of this one was written",
        of.resource
    ))
    .at(format_args!("table {SLICES_TABLE}"))
}

impl SliceWork<'_> {
    /// Returns `true` if the load commits even without rows.
    pub(crate) fn acts(&self) -> bool {
        !matches!(self, Self::None)
    }

    /// Returns `true` if the load is a slice, which leaves the state unchanged.
    pub(crate) fn is_slice(&self) -> bool {
        matches!(self, Self::Load(_))
    }

    /// Moves the cursors in the state, at the end of a backfill.
    pub(crate) fn move_cursors(&self, state: &mut State, source: &str) -> Result<()> {
        let Self::Finish(resources) = self else { return Ok(()) };
        resources.iter().try_for_each(|resource| {
            resource.move_cursor(state, source).at(|| format!("resource {}", resource.name))
        })
    }

    /// Stores or ends slices, under the lock of the pipeline.
    pub(crate) async fn run(&self, session: &mut Session, claim: &Claim<'_>) -> Result<()> {
        match self {
            Self::None => Ok(()),
            Self::Load(slice) => claim.take(session, slice.division(), slice.number).await,
            Self::Plan(resources) => {
                for resource in *resources {
                    for rows in resource.rows().chunks(ROWS) {
                        session.sql(claim.table().insert(resource.division(), rows)).await?;
                    }
                }
                Ok(())
            }
            Self::Finish(resources) => {
                for resource in *resources {
                    claim.finish(session, resource).await?;
                }
                Ok(())
            }
        }
    }
}

/// A load that takes slices.
pub(crate) struct Claim<'a> {
    pub(crate) target: &'a Target,
    pub(crate) pipeline: &'a str,
    pub(crate) load_id: &'a LoadId,
    pub(crate) now: Instant,
}

impl Claim<'_> {
    fn table(&self) -> SliceTable<'_> {
        self.target.slices(self.pipeline)
    }

    /// Assigns an open slice to the load.
    ///
    /// # Errors
    /// A destination fault if another load has loaded it, or if it was deleted.
    async fn take(&self, session: &mut Session, of: Division<'_>, number: usize) -> Result<()> {
        let (table, place) = (self.table(), || format!("table {SLICES_TABLE}"));
        if rewritten(session, table.lock(of, number)).await.at(place)? == Some(0) {
            return Err(Fault::destination(format_args!(
                "expected slice {number} of the resource {}, found none: it was deleted while the load ran",
                of.resource
            ))
            .at(place()));
        }
        let at = SqlValue::Instant(self.now.micros());
        let statement = table.claim(of, number, self.load_id.as_str(), &at);
        match rewritten(session, statement).await.at(place)? {
            Some(0) => Err(overtaken(of, number)),
            _ => Ok(()),
        }
    }

    /// Deletes the slices of resources that start over, before their rows are deleted: a slice that is loaded
    /// meanwhile is committed before, or fails.
    pub(crate) async fn forget(
        &self,
        session: &mut Session,
        catalog: &Catalog,
        refresh: &RefreshPlan,
    ) -> Result<()> {
        let table = self.table();
        match catalog.has(&table.name) {
            true => session.sql(table.delete(refresh.resources())).await.map(drop),
            false => Ok(()),
        }
    }

    /// Assigns the last step of a backfill to the load.
    async fn finish(&self, session: &mut Session, resource: &SlicedResource<'_>) -> Result<()> {
        let (of, count) = (resource.division(), resource.slices.count());
        // No statement opens a slice again, so a slice that is found loaded stays so.
        match rewritten(session, self.table().rewrite_open(of, count)).await? {
            None | Some(0) => self.take(session, of, count).await,
            Some(open) => Err(Fault::destination(format_args!(
                "expected slices that are all loaded, found {open} open slices of the resource {}",
                resource.name
            ))),
        }
    }
}
