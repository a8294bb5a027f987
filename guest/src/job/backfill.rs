//! A backfill in slices: any number of processes load the slices at once, each slice once.
//!
//! The key `slice` of the job is one step of the backfill, which the host sets: to plan it, to load a share of the
//! slices, to finish it.

use serde_json::Value;

use super::parse::{JobObject, at, describe, element};
use super::resource::{Input, Resource};
use super::slices::Slices;
use super::{Job, WriteDisposition};
use crate::fault::Result;

/// A step of a backfill.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SliceStep {
    /// Stores the slices.
    Plan,
    /// Loads the slices at every `of`-th place from `index` on.
    Share {
        /// The number of the share, from 0.
        index: usize,
        /// The number of shares.
        of: usize,
    },
    /// Moves the cursors.
    Finish,
}

impl SliceStep {
    /// Parses the key `slice` of a job.
    pub(super) fn parse(object: &JobObject<'_>) -> Result<Option<Self>> {
        match object.text("slice")? {
            None => Ok(None),
            Some("plan") => Ok(Some(Self::Plan)),
            Some("finish") => Ok(Some(Self::Finish)),
            Some(text) => {
                let share = text.split_once('/').and_then(|(index, of)| {
                    let (index, of) = (index.parse().ok()?, of.parse().ok()?);
                    (index < of).then_some(Self::Share { index, of })
                });
                share.map(Some).ok_or_else(|| {
                    object.fault_at(
                        "slice",
                        format_args!(
                            "expected \"plan\", \"finish\", or a share such as \"0/8\", which is the first of \
                             eight and \"7/8\" the last, found {text:?}"
                        ),
                    )
                })
            }
        }
    }
}

/// Checks that the slices of the resources, and the step of the backfill, can be loaded.
pub(super) fn check(job: &Job, object: &JobObject<'_>) -> Result<()> {
    for (n, resource) in job.resources.iter().enumerate() {
        let Some(root) = sliced_root(job, resource).filter(|root| root.name != resource.name)
        else {
            continue;
        };
        let is_loaded = resource.write_disposition != WriteDisposition::Skip;
        if job.slice.is_some() && is_loaded && resource.selected != root.selected {
            let message = format!(
                "expected it to be selected as its parent {:?} is, because a slice loads both",
                root.name
            );
            return Err(at(&element("resources", n), message));
        }
        if let Some(why) = resource.needs_all_rows() {
            let message = format!(
                "its parent {:?} is loaded in slices, and that is not possible: {}",
                root.name,
                why.reason()
            );
            return Err(at(&element("resources", n), message));
        }
    }
    if job.slice.is_none() {
        return Ok(());
    }
    if job.sliced().next().is_none() {
        return Err(
            object.fault_at("slice", "expected a selected resource with \"slices\", found none")
        );
    }
    for key in ["refresh", "dev_mode", "force_full_load"] {
        if object.get(key).is_some_and(|value| *value != Value::Bool(false)) {
            let found = object.get(key).map(describe).unwrap_or_default();
            let message = format!("expected nothing, for a slice is loaded, found {found}");
            return Err(object.fault_at(key, message));
        }
    }
    Ok(())
}

/// The resource with slices that this one is, or depends on.
fn sliced_root<'j>(job: &'j Job, resource: &'j Resource) -> Option<&'j Resource> {
    let mut root = resource;
    while let Some(parent) = root.parent().and_then(|parent| job.resource(&parent.resource)) {
        root = parent;
    }
    root.slices.is_some().then_some(root)
}

impl Job {
    /// The selected resources with slices.
    pub(crate) fn sliced(&self) -> impl Iterator<Item = (&Resource, &Slices)> {
        let loaded = |resource: &&Resource| resource.write_disposition != WriteDisposition::Skip;
        self.selected()
            .filter(loaded)
            .filter_map(|resource| Some((resource, resource.slices.as_ref()?)))
    }

    /// The job that loads one slice: of the resources only this one, with its range of the cursor, and those that
    /// depend on it.
    ///
    /// A host reads the input of a resource once. So each attempt at a slice has a name of its own for it.
    pub(crate) fn of_slice(&self, name: &str, number: usize, attempt: usize) -> Option<Self> {
        let mut job = self.clone();
        job.input_suffix = match attempt {
            0 => format!(" (slice {number})"),
            _ => format!(" (slice {number}, attempt {})", attempt.saturating_add(1)),
        };
        let is_of =
            |resource: &Resource| sliced_root(self, resource).is_some_and(|root| root.name == name);
        for (resource, own) in job.resources.iter_mut().zip(&self.resources) {
            resource.selected = own.selected && is_of(own);
            if own.name == name {
                restrict(resource, own.slices.as_ref()?, number)?;
                resource.checkpoint = None;
            }
        }
        Some(job)
    }

    /// The same job without a resource to load.
    #[must_use]
    pub(crate) fn without_resources(&self) -> Self {
        let mut job = self.clone();
        job.resources.iter_mut().for_each(|resource| resource.selected = false);
        job
    }
}

/// Restricts a resource to one of its slices.
fn restrict(resource: &mut Resource, slices: &Slices, number: usize) -> Option<()> {
    if let Some((from, to)) = slices.range(number) {
        let cursor = resource.cursor.as_mut()?;
        cursor.initial_value = Some(from.clone());
        cursor.end_value = Some(to.clone());
        (cursor.lag, cursor.saved_before_start, cursor.saved_at_most) = (None, None, None);
        return Some(());
    }
    match &mut resource.input {
        Input::Pull(pulled) => pulled.share = Some(slices.share(number)?),
        Input::Endpoint(_) => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::job::CursorValue;

    fn window(from: Value, to: Value, every: Value) -> Value {
        json!({"by": "window", "from": from, "to": to, "every": every})
    }

    #[test]
    fn a_step_is_planned_loaded_or_finished() {
        let check = |slice: &str, expect: Result<SliceStep, &str>| {
            let job = json!({
                "pipeline": "p", "database": "D", "dataset": "s", "slice": slice,
                "resources": [{"name": "r", "incremental": {"cursor_path": "c"},
                               "slices": window(json!(0), json!(10), json!(4))}],
            });
            let found = Job::parse(&job.to_string()).map(|job| job.slice.unwrap());
            let expect = expect.map_err(|found| format!(
                "slice: expected \"plan\", \"finish\", or a share such as \"0/8\", which is the first of eight \
                 and \"7/8\" the last, found {found:?}"
            ));
            assert_eq!(found.map_err(|fault| fault.to_string()), expect);
        };
        check("plan", Ok(SliceStep::Plan));
        check("finish", Ok(SliceStep::Finish));
        check("0/1", Ok(SliceStep::Share { index: 0, of: 1 }));
        check("7/8", Ok(SliceStep::Share { index: 7, of: 8 }));
        for wrong in ["8/8", "1/0", "1", "-1/2", "a/b", "1/2/3"] {
            check(wrong, Err(wrong));
        }
    }

    /// An ordinary load of the job asks for no end.
    #[test]
    fn a_parameter_for_an_end_needs_none_but_that_of_the_slices() {
        let endpoint = json!({"path": "a", "incremental": {
            "cursor_path": "c", "start_param": "since", "end_param": "until", "initial_value": 0,
        }});
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "client": {"base_url": "https://x.net"},
            "resources": [{"name": "r", "endpoint": endpoint, "slices": window(json!(0), json!(10), json!(4))}],
        });
        let job = Job::parse(&job.to_string()).unwrap();
        assert_eq!(job.resources[0].cursor.as_ref().unwrap().end_value, None);
        let slice = job.of_slice("r", 2, 0).unwrap();
        let cursor = slice.resources[0].cursor.as_ref().unwrap();
        assert_eq!(cursor.end_value, Some(CursorValue::Whole(10)));
    }

    #[test]
    fn a_slice_has_its_range_and_the_resources_that_depend_on_it() {
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "client": {"base_url": "https://x.net"},
            "resources": [
                {"name": "a", "endpoint": {"path": "a"}, "slices": window(json!(0), json!(10), json!(4)),
                 "incremental": {"cursor_path": "c", "lag": 2}},
                {"name": "b", "endpoint": "a/{resources.a.id}/b"},
                {"name": "c", "endpoint": "c"},
            ],
        });
        let job = Job::parse(&job.to_string()).unwrap();
        let slice = job.of_slice("a", 1, 0).unwrap();
        let selected: Vec<&str> = slice.selected().map(|it| it.name.as_str()).collect();
        assert_eq!(selected, ["a", "b"]);
        let cursor = slice.resources[0].cursor.as_ref().unwrap();
        assert_eq!(cursor.initial_value, Some(CursorValue::Whole(4)));
        assert_eq!((cursor.end_value.clone(), cursor.lag), (Some(CursorValue::Whole(8)), None));
        assert!(job.of_slice("a", 3, 0).is_none());
        assert!(job.of_slice("c", 0, 0).is_none());
    }
}
