//! The parent of a resource: the resource is requested once for each record of the parent, with
//! fields of that record.
//!
//! Source: dlt 1.31, `sources/rest_api/config_setup.py` (`collect_resolved_values`, `build_parent_record`).

use serde_json::Value;

use super::parse::{JobObject, Keys};
use super::template::{Placeholder, TemplatePart};
use crate::fault::{Fault, Result};
use crate::json::Path;

/// The prefix of names of a parent's fields.
pub(super) const RESOURCES: &str = "resources.";

/// The parent of a resource.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Parent {
    /// Its name.
    pub(crate) resource: String,
    /// The fields of its records that requests need.
    pub(crate) fields: Vec<Path>,
    /// The keys of its records that are copied to the child's records, as `_<parent>_<key>`.
    pub(crate) include: Vec<String>,
}

impl Parent {
    /// The key of a copied value in the child's record.
    pub(crate) fn key_of(&self, key: &str) -> String {
        format!("_{}_{key}", self.resource)
    }
}

/// The fields of a parent that an endpoint references.
#[derive(Default)]
pub(super) struct ParentReferences(Option<Parent>);

impl ParentReferences {
    /// `{resources.<reference>}`, where `name` is the text between the braces.
    pub(super) fn placeholder(&mut self, name: &str, reference: &str) -> Result<TemplatePart> {
        match reference.split_once('.') {
            Some((resource, field)) if !resource.is_empty() && !field.is_empty() => {
                let path =
                    Path::parse(field).map_err(|fault| fault.at(format_args!("{{{name}}}")))?;
                Ok(TemplatePart::Placeholder(Placeholder::Parent(self.field(resource, path)?)))
            }
            _ => Err(Fault::config(format_args!(
                "expected {{resources.<parent>.<field>}}, found {{{name}}}"
            ))),
        }
    }

    /// A parameter that is `{"type": "resolve", "resource": .., "field": ..}`.
    pub(super) fn resolve(&mut self, value: &Value, place: &str) -> Result<usize> {
        let object = JobObject::new(value, place, Keys::of(&["type", "resource", "field"]))?;
        let resource = object.required_text("resource")?;
        let field = object.required_text("field")?;
        let path = Path::parse(field).map_err(|fault| fault.at(object.place_of("field")))?;
        self.field(resource, path).map_err(|fault| fault.at(place))
    }

    /// The parent, if one is referenced.
    pub(super) fn finish(
        self,
        include: &[String],
        object: &JobObject<'_>,
    ) -> Result<Option<Parent>> {
        match self.0 {
            Some(parent) => Ok(Some(Parent { include: include.to_vec(), ..parent })),
            None if include.is_empty() => Ok(None),
            None => Err(object.fault(
                "include_from_parent names fields of a parent, but no \
                 {resources.<parent>.<field>} says which",
            )),
        }
    }

    /// The index of a field.
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
