//! The mappings of a replay and the states of their scenarios; they select the mapping for a
//! request.

use std::collections::{BTreeMap, BTreeSet};

use super::mapping::{Mapping, STARTED};
use crate::fakes::http::Request;

/// Mappings and the states of their scenarios.
#[derive(Debug)]
pub(crate) struct Mappings {
    /// In the order in which mappings of the same priority are tried.
    mappings: Vec<Mapping>,
    /// The state of each scenario that has left its first state.
    states: BTreeMap<String, String>,
    /// The indexes of mappings that have been used.
    used: BTreeSet<usize>,
}

impl Mappings {
    /// Starts all scenarios. Among mappings of one priority the first one that matches is used.
    pub(crate) const fn new(mappings: Vec<Mapping>) -> Self {
        Self { mappings, states: BTreeMap::new(), used: BTreeSet::new() }
    }

    /// Puts a scenario into a state.
    pub(crate) fn set_state(&mut self, scenario: &str, state: &str) {
        self.states.insert(scenario.to_owned(), state.to_owned());
    }

    /// The mapping for the request, and its index. Its scenario enters the next state.
    pub(crate) fn answer(&mut self, request: &Request) -> Option<(usize, Mapping)> {
        let (index, mapping) = self
            .mappings
            .iter()
            .enumerate()
            .filter(|(_, mapping)| self.is_due(mapping) && mapping.request.accepts(request))
            .min_by_key(|(index, mapping)| (mapping.priority, *index))?;
        let mapping = mapping.clone();
        self.used.insert(index);
        if let Some((name, next)) =
            mapping.scenario.as_ref().and_then(|part| Some((&part.name, part.next.as_ref()?)))
        {
            self.states.insert(name.clone(), next.clone());
        }
        Some((index, mapping))
    }

    /// The indexes of mappings that have not been used.
    pub(crate) fn unused(&self) -> Vec<usize> {
        (0..self.mappings.len()).filter(|index| !self.used.contains(index)).collect()
    }

    /// The indexes of mappings that have not been used and whose scenario is in the required state.
    pub(crate) fn due(&self) -> Vec<usize> {
        let indexed = self.mappings.iter().enumerate();
        let due = indexed.filter(|(index, it)| !self.used.contains(index) && self.is_due(it));
        due.map(|(index, _)| index).collect()
    }

    fn is_due(&self, mapping: &Mapping) -> bool {
        let Some(part) = &mapping.scenario else { return true };
        let state = self.states.get(&part.name).map_or(STARTED, String::as_str);
        part.required.as_ref().is_none_or(|required| required == state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn part(path: &str, required: &str, next: &str, status: u16) -> Value {
        json!({"scenarioName": "s", "requiredScenarioState": required, "newScenarioState": next,
            "request": {"urlPath": path}, "response": {"status": status}})
    }

    fn any(priority: Option<i64>, path: &str, status: u16) -> Value {
        let mut mapping =
            json!({"request": {"urlPathPattern": path}, "response": {"status": status}});
        if let Some(priority) = priority {
            mapping["priority"] = priority.into();
        }
        mapping
    }

    #[test]
    fn one_mapping_answers() {
        let check = |mappings: Value, paths: &[&str], expect: &[u16]| {
            let mut open = Mappings::new(Mapping::parse_all(&mappings).unwrap());
            let found: Vec<u16> = paths
                .iter()
                .map(|path| {
                    let request = Request::new("GET", path, Vec::new(), Vec::new());
                    open.answer(&request).map_or(0, |(_, mapping)| mapping.response.status)
                })
                .collect();
            assert_eq!(found, expect, "{mappings}");
        };
        check(json!([any(None, "/a", 200)]), &["/a", "/b"], &[200, 0]);
        check(json!([any(None, "/.*", 201), any(None, "/a", 202)]), &["/a", "/b"], &[201, 201]);
        check(json!([any(None, "/.*", 201), any(Some(1), "/a", 202)]), &["/a", "/b"], &[202, 201]);
        check(json!([any(Some(9), "/.*", 201), any(None, "/a", 202)]), &["/a"], &[202]);
        let scenario = json!([part("/a", "Started", "two", 503), part("/a", "two", "three", 200)]);
        check(scenario, &["/a", "/a", "/a"], &[503, 200, 0]);
        let stays = json!([{"scenarioName": "s", "request": {}, "response": {"status": 204}}]);
        check(stays, &["/a", "/b"], &[204, 204]);
    }

    #[test]
    fn a_scenario_starts_where_it_is_put() {
        let mappings = Mapping::parse_all(&part("/a", "late", "later", 200)).unwrap();
        let mut open = Mappings::new(mappings);
        let request = Request::new("GET", "/a", Vec::new(), Vec::new());
        assert!(open.answer(&request).is_none());
        assert_eq!((open.due(), open.unused()), (vec![], vec![0]));
        open.set_state("s", "late");
        assert_eq!(open.due(), [0]);
        assert!(open.answer(&request).is_some());
        assert_eq!((open.due(), open.unused()), (vec![], vec![]));
        assert!(open.answer(&request).is_none());
    }
}
