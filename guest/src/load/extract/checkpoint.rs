//! Long loads in parts: the rows of a resource are committed every so often, and the state holds the position
//! from which reading goes on.
//!
//! Each part is a load of its own, with an id, a transaction and a record. Its state has the position: the
//! file and the number of its records that are committed, or the next request; and what the cursor has seen.
//! The saved cursor itself does not move until the resource is read to its end, because records may come in
//! any order. If the job says that they come in the order of the cursor, and requests ask from it, then the
//! cursor is the position: unlike the token of a page it does not expire.

use serde_json::{Value, json};

use super::cursor::ResourceCursor;
use super::files::InputReader;
use super::http::OpenRequests;
use crate::dlt::hash::b64_digest;
use crate::dlt::orjson::canonical_sorted;
use crate::fault::{Context, Fault, Result};
use crate::job::{Input, Job, Resource, WriteDisposition};
use crate::load::session::context::LoadContext;
use crate::sources::rest::Requests;

/// A resource that is being read.
pub(crate) struct OpenResource {
    pub(crate) cursor: Option<ResourceCursor>,
    pub(crate) source: OpenSource,
}

/// How far the input of a resource is read.
pub(crate) enum OpenSource {
    /// Requests; `None` before the first.
    Http(Box<Option<OpenRequests>>),
    /// Files and streams of the host.
    Input(Box<InputReader>),
}

impl OpenSource {
    /// At the beginning.
    pub(crate) fn new(resource: &Resource) -> Self {
        match &resource.input {
            Input::Endpoint(_) => Self::Http(Box::default()),
            Input::Pull(pulled) => Self::Input(Box::new(InputReader::new(pulled))),
        }
    }
}

impl OpenResource {
    /// Opens a resource at its beginning, or at the position of an interrupted load.
    ///
    /// # Errors
    /// A config fault if the resource of the job has changed since, and reading it from the beginning would
    /// append rows twice.
    pub(crate) fn new(
        job: &Job,
        resource: &Resource,
        context: &mut LoadContext<'_>,
    ) -> Result<Self> {
        let cursor = ResourceCursor::open(job, resource, &context.schema, &context.state)?;
        let mut open = Self { cursor, source: OpenSource::new(resource) };
        let saved = context.state.checkpoint(context.schema.name(), &resource.name);
        let Some(saved) = saved.filter(|_| resource.checkpoint.is_some()).cloned() else {
            return Ok(open);
        };
        if is_valid(&saved, job, resource, context)? {
            open.seek(&saved, job, resource)?;
            context.warn(&resource.name, "goes on where a load was interrupted");
        }
        Ok(open)
    }

    /// Goes to a saved position.
    fn seek(&mut self, saved: &Value, job: &Job, resource: &Resource) -> Result<()> {
        let location = || "the saved checkpoint";
        let position = saved.get("position").unwrap_or(&Value::Null);
        if let (Some(cursor), Some(progress)) = (&mut self.cursor, saved.get("cursor")) {
            cursor.incremental.go_on(progress).at(location)?;
        }
        match &mut self.source {
            OpenSource::Input(input) => input.seek(position).at(location),
            OpenSource::Http(requests) => {
                let cursor = self.cursor.as_ref();
                let start = cursor.and_then(|cursor| cursor.incremental.start_value());
                let mut next = Requests::new(job, resource, start, None)?;
                next.go_on(position).at(location)?;
                let page = position.get("page").and_then(Value::as_u64).unwrap_or(1);
                **requests =
                    Some(OpenRequests { requests: next, page, resumed: true, ahead: None });
                Ok(())
            }
        }
    }

    /// Saves in the state how far the resource is read.
    pub(crate) fn save(
        &mut self,
        job: &Job,
        resource: &Resource,
        context: &mut LoadContext<'_>,
    ) -> Result<()> {
        let position = match &self.source {
            OpenSource::Http(requests) if let Some(open) = &**requests => {
                if let Some(cursor) = &mut self.cursor
                    && cursor.incremental.is_ordered()
                    && !job.force_full_load
                {
                    // The next run asks from there.
                    return cursor.save(resource, &context.schema, &mut context.state);
                }
                let mut position = open.requests.position();
                if let Some(position) = position.as_object_mut() {
                    position.insert("page".to_owned(), open.page.into());
                }
                position
            }
            OpenSource::Input(input) => input.position(),
            OpenSource::Http(_) => Value::Null,
        };
        let mut checkpoint = json!({
            "of": digest(job, resource)?,
            "forced": job.force_full_load,
            "position": position,
        });
        if let (Some(cursor), Some(map)) = (&mut self.cursor, checkpoint.as_object_mut()) {
            map.insert("cursor".to_owned(), cursor.incremental.progress()?);
        }
        context.state.set_checkpoint(context.schema.name(), &resource.name, Some(checkpoint));
        Ok(())
    }
}

/// Returns `true` if reading can go on at a saved position: the job asks for the same records as it did then.
/// Else the resource is read from its beginning.
fn is_valid(
    saved: &Value,
    job: &Job,
    resource: &Resource,
    context: &mut LoadContext<'_>,
) -> Result<bool> {
    let of = saved.get("of").and_then(Value::as_str).unwrap_or_default();
    if !of.starts_with(DIGEST_VERSION) {
        // Stored before digests had a version: what the job was then cannot be compared.
        context.warn(
            &resource.name,
            "the checkpoint was stored by an earlier version of Snowcat: the load goes on from \
             it; if the resource of the job has changed since, give the job \"force_full_load\"",
        );
        return Ok(true);
    }
    if of == digest(job, resource)? {
        return Ok(true);
    }
    let forced = saved.get("forced") != Some(&Value::Bool(job.force_full_load));
    if !forced && resource.write_disposition == WriteDisposition::Append {
        return Err(Fault::config(
            "expected the resource as it was when a load of it was interrupted, found it \
             changed: what was loaded would come twice; finish it first, or give the job \
             \"refresh\": \"drop_data\" or \"force_full_load\"",
        ));
    }
    context.warn(
        &resource.name,
        "an interrupted load of it is given up, and it is read from the \
         beginning, for the job has changed",
    );
    Ok(false)
}

/// A digest of the parts of the job that must be unchanged for a saved position to be valid; of the job's
/// text, not of this program's types.
fn digest(job: &Job, resource: &Resource) -> Result<String> {
    let document = json!({
        "resource": resource.reading,
        "base_url": job.client.as_ref().map(|client| &client.base_url),
        "interval": job.interval,
        "force_full_load": job.force_full_load,
    });
    let document = document.to_string();
    let text = canonical_sorted(&document)?;
    Ok(format!("{DIGEST_VERSION}{}", b64_digest(text.as_bytes(), 12)))
}

/// What a digest begins with. A change of what it is made of is another version.
const DIGEST_VERSION: &str = "2:";
