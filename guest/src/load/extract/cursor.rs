//! The incremental cursor of a resource: read from the state, and saved in it.

use serde_json::{Map, Value};

use crate::dlt::schema::Schema;
use crate::dlt::state::{IncrementalState, State};
use crate::fault::Result;
use crate::job::{CursorValue, Job, Resource};
use crate::load::session::context::LoadContext;
use crate::protocol::CursorReport;
use crate::sources::incremental::Incremental;

/// The cursor of a resource that is being read.
pub(crate) struct ResourceCursor {
    pub(crate) incremental: Incremental,
    /// Where it began, for the report.
    start: Option<String>,
}

impl ResourceCursor {
    /// The resource's cursor where the last load left it; `None` if the resource has no cursor.
    pub(crate) fn open(
        job: &Job,
        resource: &Resource,
        schema: &Schema,
        state: &State,
    ) -> Result<Option<Self>> {
        let Some(cursor) = &resource.cursor else { return Ok(None) };
        let saved = match job.force_full_load {
            true => None,
            false => state.incremental(schema.name(), &resource.name, cursor.path.as_str())?,
        };
        let saved = saved.map(|saved| {
            Map::from_iter([
                ("initial_value".to_owned(), saved.initial_value),
                ("last_value".to_owned(), saved.last_value),
                ("start_value".to_owned(), saved.start_value),
                ("unique_hashes".to_owned(), saved.unique_hashes.into()),
            ])
        });
        let incremental = Incremental::new(cursor, &resource.primary_key, saved.as_ref())?;
        let start = incremental.start_value().map(display);
        Ok(Some(Self { incremental, start }))
    }

    /// Saves the cursor at the end of its resource, and reports it.
    pub(crate) fn finish(
        &mut self,
        resource: &Resource,
        context: &mut LoadContext<'_>,
    ) -> Result<()> {
        for warning in self.incremental.warnings() {
            context.warn(&resource.name, &warning);
        }
        let last = self.incremental.last_value()?.as_ref().map(display);
        context.report.cursors.push(CursorReport {
            resource: resource.name.clone(),
            path: self.incremental.cursor().path.as_str().to_owned(),
            start: self.start.take(),
            last,
        });
        self.save(resource, &context.schema, &mut context.state)
    }

    /// Saves where the cursor is now.
    pub(crate) fn save(
        &mut self,
        resource: &Resource,
        schema: &Schema,
        state: &mut State,
    ) -> Result<()> {
        let path = self.incremental.cursor().path.as_str().to_owned();
        let Some(mut saved) = self.incremental.state()? else { return Ok(()) };
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
        state.set_incremental(schema.name(), &resource.name, &path, saved);
        Ok(())
    }
}

/// A cursor's value as the report shows it.
fn display(value: &CursorValue<'_>) -> String {
    match value {
        CursorValue::Text(text) => text.to_string(),
        other => other.to_string(),
    }
}
