//! Long loads in parts: what a resource has brought is committed every so often, and the state says where
//! to go on.
//!
//! Each part is a load of its own, with an id, a transaction and a record. What is saved with it is the
//! position: the file and the records done of it, or the next request, and what the cursor has seen. The
//! cursor itself stays where it was until the resource is complete, for records may come in any order.
//! Where the job says that they come in the order of the cursor, and they are asked for by it, the cursor
//! is the position: it does not age as the token of a page does.

use serde_json::{Value, json};

use super::files::InputReader;
use super::http::OpenRequests;
use super::resource::{Ingest, shown};
use crate::dlt::hash::b64_digest;
use crate::dlt::orjson::canonical_sorted;
use crate::dlt::schema::Schema;
use crate::dlt::state::State;
use crate::fault::{Context, Fault, Result};
use crate::job::{Input, Resource, WriteDisposition};
use crate::protocol::Report;
use crate::sources::incremental::Incremental;
use crate::sources::rest::Requests;

/// A resource that is being read.
pub(crate) struct OpenResource {
    pub(crate) cursor: Option<Incremental>,
    /// Where the cursor began, for a person.
    pub(crate) start: Option<String>,
    pub(crate) source: Source,
}

/// Where its records come from.
pub(crate) enum Source {
    /// Requests; none before the first.
    OpenRequests(Box<Option<OpenRequests>>),
    /// The host.
    PullReply(Box<InputReader>),
}

impl Source {
    /// At the beginning.
    pub(crate) fn new(resource: &Resource) -> Self {
        match &resource.input {
            Input::Endpoint(_) => Self::OpenRequests(Box::default()),
            Input::Pull(pulled) => Self::PullReply(Box::new(InputReader::new(pulled))),
        }
    }
}

impl Ingest<'_> {
    /// Begins to read, or goes on where an interrupted load was.
    pub(crate) fn open(
        &self,
        schema: &Schema,
        state: &State,
        report: &mut Report,
    ) -> Result<OpenResource> {
        let mut cursor = self.cursor(schema, state)?;
        let start = cursor.as_ref().and_then(|cursor| cursor.start_value().map(shown));
        let mut source = Source::new(self.resource);
        let name = &self.resource.name;
        let saved = state.checkpoint(schema.name(), name);
        let Some(saved) = saved.filter(|_| self.resource.checkpoint.is_some()) else {
            return Ok(OpenResource { cursor, start, source });
        };
        let of = saved.get("of").and_then(Value::as_str).unwrap_or_default();
        if !of.starts_with(DIGEST_VERSION) {
            // Stored before digests had a version: what the job was then cannot be compared.
            report.warnings.push(format!(
                "resource {name}: the checkpoint was stored by an earlier version of Snowcat: the load goes on from \
                 it; if the resource of the job has changed since, give the job \"force_full_load\""
            ));
        } else if of != self.digest()? {
            let forced = saved.get("forced") != Some(&Value::Bool(self.job.force_full_load));
            if !forced && self.resource.write_disposition == WriteDisposition::Append {
                return Err(Fault::config(
                    "expected the resource as it was when a load of it was interrupted, found it \
                     changed: what was loaded would come twice; finish it first, or give the job \
                     \"refresh\": \"drop_data\" or \"force_full_load\"",
                ));
            }
            report.warnings.push(format!(
                "resource {name}: an interrupted load of it is given up, and it is read from the \
                 beginning, for the job has changed"
            ));
            return Ok(OpenResource { cursor, start, source });
        }
        let place = || "the saved checkpoint";
        let position = saved.get("position").unwrap_or(&Value::Null);
        if let (Some(cursor), Some(progress)) = (&mut cursor, saved.get("cursor")) {
            cursor.go_on(progress).at(place)?;
        }
        match &mut source {
            Source::PullReply(input) => input.go_on(position).at(place)?,
            Source::OpenRequests(asked) => {
                let start = cursor.as_ref().and_then(|cursor| cursor.start_value());
                let mut requests = Requests::new(self.job, self.resource, start, None)?;
                requests.go_on(position).at(place)?;
                let page = position.get("page").and_then(Value::as_u64).unwrap_or(1);
                **asked = Some(OpenRequests { requests, page, resumed: true });
            }
        }
        report.warnings.push(format!("resource {name}: goes on where a load was interrupted"));
        Ok(OpenResource { cursor, start, source })
    }

    /// Notes in the state how far a resource is read.
    pub(crate) fn keep(
        &self,
        mut open: OpenResource,
        schema: &Schema,
        state: &mut State,
    ) -> Result<OpenResource> {
        let (source, name) = (schema.name(), &self.resource.name);
        let position = match &open.source {
            Source::OpenRequests(asked) if let Some(asked) = &**asked => {
                if let Some(cursor) = &mut open.cursor
                    && cursor.is_ordered()
                    && !self.job.force_full_load
                {
                    // The next run asks from there.
                    return self.keep_cursor(cursor, schema, state).map(|()| open);
                }
                let mut position = asked.requests.position();
                if let Some(position) = position.as_object_mut() {
                    position.insert("page".to_owned(), asked.page.into());
                }
                position
            }
            Source::PullReply(input) => input.position(),
            Source::OpenRequests(_) => Value::Null,
        };
        let mut checkpoint = json!({
            "of": self.digest()?,
            "forced": self.job.force_full_load,
            "position": position,
        });
        if let (Some(cursor), Some(map)) = (&mut open.cursor, checkpoint.as_object_mut()) {
            map.insert("cursor".to_owned(), cursor.progress()?);
        }
        state.set_checkpoint(source, name, Some(checkpoint));
        Ok(open)
    }

    /// A digest of what must not change for a position to stay good: of the job's own words, so that it does
    /// not depend on how this program represents them.
    fn digest(&self) -> Result<String> {
        let document = json!({
            "resource": self.resource.reading,
            "base_url": self.job.client.as_ref().map(|client| &client.base_url),
            "interval": self.job.interval,
            "force_full_load": self.job.force_full_load,
        });
        let text = canonical_sorted(&document.to_string())?;
        Ok(format!("{DIGEST_VERSION}{}", b64_digest(text.as_bytes(), 12)))
    }
}

/// What a digest begins with. A change of what it is made of is another version.
const DIGEST_VERSION: &str = "2:";
