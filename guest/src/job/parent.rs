//! A resource that is asked for once for each record of another: its parent. What it wants of the
//! parent's records, and the order in which resources are read.
//!
//! Source: dlt 1.31, `sources/rest_api/config_setup.py` (`build_resource_dependency_graph`,
//! `collect_resolved_values`, `build_parent_record`).

use serde_json::Value;

use super::endpoint::Endpoint;
use super::read::{Keys, Object, at, element, nearest};
use super::resource::Resource;
use super::template::{Hole, Piece};
use crate::fault::{Fault, Result};
use crate::json::Path;

/// What names of a parent's fields begin with.
pub(super) const RESOURCES: &str = "resources.";

/// The parent of a resource.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Parent {
    /// Its name.
    pub resource: String,
    /// The fields of its records that requests are made with.
    pub fields: Vec<Path>,
    /// The keys of its records whose values are taken over, as `_<parent>_<key>`.
    pub include: Vec<String>,
}

impl Parent {
    /// The key that a value of the parent has in a record.
    pub fn key_of(&self, key: &str) -> String {
        format!("_{}_{key}", self.resource)
    }
}

/// What an endpoint has named of its parent so far.
#[derive(Default)]
pub(super) struct Parents(Option<Parent>);

impl Parents {
    /// `{resources.<reference>}`, where `name` is what stands between the braces.
    pub(super) fn placeholder(&mut self, name: &str, reference: &str) -> Result<Piece> {
        match reference.split_once('.') {
            Some((resource, field)) if !resource.is_empty() && !field.is_empty() => {
                let path =
                    Path::parse(field).map_err(|fault| fault.at(format_args!("{{{name}}}")))?;
                Ok(Piece::Hole(Hole::Parent(self.field(resource, path)?)))
            }
            _ => Err(Fault::config(format_args!(
                "expected {{resources.<parent>.<field>}}, found {{{name}}}"
            ))),
        }
    }

    /// A parameter that is `{"type": "resolve", "resource": .., "field": ..}`.
    pub(super) fn resolve(&mut self, value: &Value, place: &str) -> Result<usize> {
        let object = Object::new(value, place, Keys::of(&["type", "resource", "field"]))?;
        let resource = object.required_text("resource")?;
        let field = object.required_text("field")?;
        let path = Path::parse(field).map_err(|fault| fault.at(object.place_of("field")))?;
        self.field(resource, path).map_err(|fault| fault.at(place))
    }

    /// The parent, if one was named.
    pub(super) fn finish(self, include: &[String], object: &Object<'_>) -> Result<Option<Parent>> {
        match self.0 {
            Some(parent) => Ok(Some(Parent { include: include.to_vec(), ..parent })),
            None if include.is_empty() => Ok(None),
            None => Err(object.fault(
                "include_from_parent names fields of a parent, but no \
                 {resources.<parent>.<field>} says which",
            )),
        }
    }

    /// The number of a field.
    fn field(&mut self, resource: &str, path: Path) -> Result<usize> {
        let parent = self
            .0
            .get_or_insert_with(|| Parent { resource: resource.to_owned(), ..Parent::default() });
        if parent.resource != resource {
            return Err(Fault::config(format_args!(
                "expected one parent, found {} and {resource}",
                parent.resource
            )));
        }
        if let Some(known) = parent.fields.iter().position(|known| *known == path) {
            return Ok(known);
        }
        parent.fields.push(path);
        Ok(parent.fields.len() - 1)
    }
}

/// Checks that every parent is a resource of the job, and that none is below itself.
pub(super) fn check(resources: &[Resource]) -> Result<()> {
    for (n, resource) in resources.iter().enumerate() {
        let mut line = vec![resource.name.as_str()];
        let mut below = resource;
        while let Some(parent) = below.parent() {
            let place = format!("{}.endpoint", element("resources", n));
            let Some(above) = resources.iter().find(|other| other.name == parent.resource) else {
                let known = resources.iter().map(|other| other.name.as_str());
                let hint = nearest(&parent.resource, known)
                    .map_or_else(String::new, |known| format!(", did you mean {known:?}?"));
                let message = format!(
                    "its parent {:?} is none of the job's resources{hint}",
                    parent.resource
                );
                return Err(at(&place, message));
            };
            if line.contains(&above.name.as_str()) {
                line.push(&above.name);
                let message = format!(
                    "expected a parent that does not depend on its child, found {}",
                    line.join(" below ")
                );
                return Err(at(&place, message));
            }
            line.push(&above.name);
            below = above;
        }
    }
    Ok(())
}

/// The resources a run reads, parents before their children, otherwise in the order given; and
/// whether they are loaded: a parent that is not selected is read for its children only.
pub(super) fn reading(resources: &[Resource]) -> Vec<(&Resource, bool)> {
    let parent_of = |resource: &Resource| {
        let parent = resource.parent()?;
        resources.iter().find(|other| other.name == parent.resource)
    };
    let mut wanted: Vec<bool> = resources.iter().map(|resource| resource.selected).collect();
    let mut depths = Vec::new();
    for resource in resources {
        let mut depth = 0_usize;
        let mut below = resource;
        // Parents are checked to end; the bound is for those who would call this before.
        while let Some(above) = parent_of(below).filter(|_| depth <= resources.len()) {
            depth += 1;
            below = above;
            let at = resources.iter().position(|other| other.name == above.name);
            if let Some(wanted) = at.and_then(|at| wanted.get_mut(at)) {
                *wanted |= resource.selected;
            }
        }
        depths.push(depth);
    }
    let mut reading: Vec<(usize, &Resource)> = depths.into_iter().zip(resources).collect();
    let mut flags = wanted.iter();
    reading.retain(|_| flags.next().copied().unwrap_or(false));
    reading.sort_by_key(|(depth, _)| *depth);
    reading.into_iter().map(|(_, resource)| (resource, resource.selected)).collect()
}

impl Resource {
    /// Its parent, where it has one.
    pub fn parent(&self) -> Option<&Parent> {
        self.endpoint().and_then(|endpoint: &Endpoint| endpoint.parent.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::job::Job;

    fn job(resources: serde_json::Value, selected: serde_json::Value) -> crate::fault::Result<Job> {
        let mut job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "client": {"base_url": "https://x.net"},
            "resources": resources,
        });
        if !selected.is_null() {
            job["selected"] = selected;
        }
        Job::parse(&job.to_string())
    }

    fn child(name: &str, parent: &str) -> serde_json::Value {
        json!({"name": name, "endpoint": {"path": format!("x/{{resources.{parent}.id}}/{name}")}})
    }

    #[test]
    fn orders_parents_first() {
        let check = |resources, selected, expect: &str| {
            let job = job(resources, selected).unwrap();
            let shown: Vec<String> = job
                .reading()
                .into_iter()
                .map(|(resource, loaded)| {
                    format!("{}{}", resource.name, if loaded { "" } else { "-" })
                })
                .collect();
            assert_eq!(shown.join(" "), expect);
        };
        let all = json!([child("c", "b"), "a", child("b", "a"), "d", child("e", "d")]);
        check(all.clone(), json!(null), "a d b e c");
        check(all.clone(), json!(["c"]), "a- b- c");
        check(all.clone(), json!(["d", "b"]), "a- d b");
        check(all, json!(["a"]), "a");
        check(json!(["b", "a"]), json!(null), "b a");
    }

    #[test]
    fn names_mistakes() {
        let check = |resources, message: &str| {
            assert_eq!(job(resources, json!(null)).unwrap_err().to_string(), message);
        };
        check(
            json!(["post", child("c", "posts")]),
            "resources[1].endpoint: its parent \"posts\" is none of the job's resources, did you mean \"post\"?",
        );
        check(
            json!([child("a", "a")]),
            "resources[0].endpoint: expected a parent that does not depend on its child, found a below a",
        );
        check(
            json!([child("a", "b"), child("b", "c"), child("c", "a")]),
            "resources[0].endpoint: expected a parent that does not depend on its child, found a below b below c below a",
        );
        check(
            json!([{"name": "a", "include_from_parent": ["id"]}]),
            "resources[0]: unknown key \"include_from_parent\": it belongs to a resource with an endpoint",
        );
    }
}
