//! The order in which resources are read: parents before their children.
//!
//! Source: dlt 1.31, `sources/rest_api/config_setup.py` (`build_resource_dependency_graph`).

use super::parse::{at, element, nearest};
use super::resource::Resource;
use crate::fault::Result;

/// Checks that every parent is a resource of the job, and that none is its own ancestor.
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

/// The resources that a run reads, parents before their children, otherwise in the order given; and whether they
/// are loaded: a parent that is not selected is read only for its children.
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
        // Parents were checked for cycles; the limit is for calls before that check.
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
