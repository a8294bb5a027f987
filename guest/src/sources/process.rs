//! The processing steps of a job for each record. They work on the text, so that no digit is lost.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::fault::{Context as _, Fault, Result};
use crate::job::{Condition, CursorValue, Filter, ProcessingStep, Test};
use crate::json::{Path, Segment};
use crate::json::{Peek, Reader, unescape};
use crate::json::{push_string, select};

/// Applies the steps to a record. Returns `None` if a step discards it. `record` is valid JSON.
///
/// # Errors
/// A data fault if values cannot be compared, or a renamed key would replace another.
pub(crate) fn process<'r>(
    steps: &[ProcessingStep],
    record: Cow<'r, str>,
) -> Result<Option<Cow<'r, str>>> {
    let mut record = record;
    for (n, step) in steps.iter().enumerate() {
        let done = match step {
            ProcessingStep::Filter(filter) => {
                holds(filter, &record).map(|holds| if holds { Some(None) } else { None })
            }
            ProcessingStep::Exclude(paths) => edit(&record, &Edit::Exclude, paths.iter()),
            ProcessingStep::Include(paths) => edit(&record, &Edit::Include, paths.iter()),
            ProcessingStep::Rename(names) => {
                edit(&record, &Edit::Rename(names), names.iter().map(|(path, _)| path))
            }
        };
        match done.at(|| format!("processing_steps[{n}]"))? {
            None => return Ok(None),
            Some(None) => {}
            Some(Some(changed)) => record = Cow::Owned(changed),
        }
    }
    Ok(Some(record))
}

fn holds(filter: &Filter, record: &str) -> Result<bool> {
    let holds = match &filter.condition {
        Condition::Any(filters) => {
            let mut any = false;
            for filter in filters {
                any |= holds(filter, record)?;
            }
            any
        }
        Condition::Value(path, tests) => {
            let raw = select::find(record, path)?;
            let mut all = true;
            for test in tests {
                all &= passes(test, raw).at(|| format!("filter {path}"))?;
            }
            all
        }
    };
    Ok(holds != filter.not)
}

fn passes(test: &Test, raw: Option<&str>) -> Result<bool> {
    let raw = raw.filter(|raw| *raw != "null");
    if let Test::Exists(exists) = test {
        return Ok(raw.is_some() == *exists);
    }
    // Lists and objects are not scalars: only their presence can be tested.
    let value = match raw.filter(|raw| !raw.starts_with(['[', '{'])) {
        None => None,
        Some(raw) => CursorValue::parse(raw)?,
    };
    let text = |holds: &dyn Fn(&str) -> bool| match &value {
        Some(CursorValue::Text(text)) => holds(text),
        _ => false,
    };
    let compared = |to: &CursorValue<'_>| {
        let Some(value) = &value else { return Ok(None) };
        value.compare(to).map(Some).map_err(|_| {
            Fault::data(format_args!(
                "expected values to compare to be of one type, found {value} and {to}"
            ))
        })
    };
    Ok(match test {
        Test::Above(to) => compared(to)?.is_some_and(Ordering::is_gt),
        Test::AtLeast(to) => compared(to)?.is_some_and(Ordering::is_ge),
        Test::AtMost(to) => compared(to)?.is_some_and(Ordering::is_le),
        Test::Below(to) => compared(to)?.is_some_and(Ordering::is_lt),
        Test::Contains(part) => text(&|text| text.contains(part.as_str())),
        Test::StartsWith(start) => text(&|text| text.starts_with(start.as_str())),
        Test::Exists(_) => true,
        Test::In(values) => values.iter().any(|wanted| match (wanted, &value) {
            (None, _) => raw.is_none(),
            (Some(wanted), Some(value)) => {
                // Values of different types are unequal.
                value.compare(wanted).is_ok_and(Ordering::is_eq)
            }
            (Some(_), None) => false,
        }),
    })
}

enum Edit<'e> {
    Exclude,
    Include,
    Rename(&'e [(Path, String)]),
}

/// A path by its number, and how many of its segments have been followed.
#[derive(Clone, Copy)]
struct OpenPath<'p> {
    path: usize,
    rest: &'p [Segment],
}

fn edit<'p>(
    record: &str,
    edit: &Edit<'_>,
    paths: impl Iterator<Item = &'p Path>,
) -> Result<Option<Option<String>>> {
    let active: Vec<OpenPath<'_>> =
        paths.enumerate().map(|(path, p)| OpenPath { path, rest: p.segments() }).collect();
    let mut out = String::with_capacity(record.len());
    rewrite(&mut Reader::new(record), edit, &active, &mut out)?;
    Ok(Some(Some(out)))
}

/// Copies a value that paths lead into.
fn rewrite(
    reader: &mut Reader<'_>,
    edit: &Edit<'_>,
    active: &[OpenPath<'_>],
    out: &mut String,
) -> Result<()> {
    let object = match reader.peek()? {
        Peek::Object => true,
        Peek::Array => false,
        _ => {
            out.push_str(reader.skip()?);
            return Ok(());
        }
    };
    let (open, close) = if object { ('{', '}') } else { ('[', ']') };
    out.push(open);
    let mut first = true;
    let mut names = Names::default();
    let mut more = reader.enter();
    while more {
        let key = if object { Some(reader.key()?) } else { None };
        let next = follow(active, key);
        let is_end = |next: &OpenPath<'_>| next.rest.is_empty();
        let ends = next.iter().any(is_end);
        let mut inside = reader.clone();
        let container = matches!(inside.peek()?, Peek::Object | Peek::Array);
        let (keeps, copies) = match edit {
            Edit::Exclude => (!ends, next.is_empty()),
            Edit::Include => (ends || (!next.is_empty() && container), ends),
            Edit::Rename(_) => (true, next.iter().all(is_end)),
        };
        if keeps {
            if !first {
                out.push(',');
            }
            first = false;
            if let Some(key) = key {
                let renamed = match edit {
                    Edit::Rename(names) => {
                        next.iter().find(|next| is_end(next)).and_then(|next| names.get(next.path))
                    }
                    _ => None,
                };
                match renamed {
                    Some((_, name)) => {
                        push_string(out, name);
                        names.renamed.push(name);
                    }
                    None => {
                        out.push('"');
                        out.push_str(key);
                        out.push('"');
                        if matches!(edit, Edit::Rename(_)) && !active.is_empty() {
                            names.kept.push(key);
                        }
                    }
                }
                out.push(':');
            }
            if copies {
                out.push_str(reader.skip()?);
            } else {
                let on: Vec<OpenPath<'_>> = next.into_iter().filter(|next| !is_end(next)).collect();
                rewrite(reader, edit, &on, out)?;
            }
        } else {
            reader.skip()?;
        }
        more = reader.more(if object { b'}' } else { b']' })?;
    }
    out.push(close);
    names.check()
}

/// The keys of an object after renaming.
#[derive(Default)]
struct Names<'n> {
    renamed: Vec<&'n str>,
    kept: Vec<&'n str>,
}

impl Names<'_> {
    /// Fails if a renamed key would replace another value.
    fn check(&self) -> Result<()> {
        for (n, name) in self.renamed.iter().enumerate() {
            let kept = self.kept.iter().any(|key| unescape(key) == **name);
            if kept || self.renamed.iter().take(n).any(|other| other == name) {
                return Err(Fault::data(format_args!(
                    "expected no other value at the key {name:?}, which another key is renamed to"
                )));
            }
        }
        Ok(())
    }
}

/// The paths that continue in a member. `key` is `None` for an element of a list.
fn follow<'p>(active: &[OpenPath<'p>], key: Option<&str>) -> Vec<OpenPath<'p>> {
    let matches = |step: &Segment| match (step, key) {
        (Segment::Key(name), Some(key)) => {
            key == name || (key.contains('\\') && unescape(key) == *name)
        }
        (Segment::Fields, _) | (Segment::Items, None) => true,
        (Segment::Items, Some(_)) | (Segment::Key(_), None) => false,
        (Segment::Index(_) | Segment::FromEnd(_), _) => false,
    };
    let on = |active: &OpenPath<'p>| {
        let (step, rest) = active.rest.split_first()?;
        matches(step).then_some(OpenPath { path: active.path, rest })
    };
    active.iter().filter_map(on).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::job::Job;

    /// Steps, as parsed from a job.
    fn steps(steps: &Value) -> Vec<ProcessingStep> {
        let job = json!({
            "pipeline": "p", "database": "D", "dataset": "s",
            "resources": [{"name": "r", "processing_steps": steps}],
        });
        Job::parse(&job.to_string()).unwrap().resources.remove(0).processing_steps
    }

    fn done(steps_of: &Value, record: &str) -> Result<Option<String>> {
        Ok(process(&steps(steps_of), record.into())?.map(Cow::into_owned))
    }

    #[test]
    fn filters() {
        let check = |filter: Value, keeps: &str, drops: &str| {
            let step = json!([{"filter": filter}]);
            for (records, kept) in [(keeps, true), (drops, false)] {
                for value in records.split_whitespace() {
                    let record = match value {
                        "-" => "{\"b\":0}".to_owned(),
                        value => format!("{{\"a\": {value}}}"),
                    };
                    assert_eq!(done(&step, &record).unwrap().is_some(), kept, "{filter} {record}");
                }
            }
        };
        check(json!({"path": "a", "equals": "x"}), r#""x" "\u0078""#, r#""y" 1 null - ["x"]"#);
        check(json!({"path": "a", "equals": 1}), "1 1.0 1e0", r#"2 "1" true null -"#);
        check(json!({"path": "a", "equals": null}), "null -", r#"0 "" false []"#);
        check(json!({"path": "a", "in": [1, "x", true]}), r#"1 "x" true"#, r#"2 "y" false null"#);
        check(json!({"path": "a", "in": ["x"], "not": true}), r#""y" 1 null -"#, r#""x""#);
        check(json!({"path": "a", "exists": true}), r#"0 "" [] {} false"#, "null -");
        check(json!({"path": "a", "exists": false}), "null -", "0 []");
        check(json!({"path": "a", "above": 2}), "3 2.5", "2 1 null - []");
        check(json!({"path": "a", "at_least": 2, "below": 4}), "2 3", "1 4");
        check(
            json!({"path": "a", "at_most": "2024-01-02"}),
            r#""2024-01-01" "2024-01-02""#,
            r#""2024-01-03""#,
        );
        check(json!({"path": "a", "contains": "bc"}), r#""abcd" "bc""#, r#""b" 1 null"#);
        check(json!({"path": "a", "starts_with": "ab"}), r#""abc""#, r#""cab" 1 -"#);
        check(json!({"path": "a.b[0]", "equals": 7}), r#"{"b":[7,8]}"#, r#"{"b":[8,7]} {"b":7}"#);
        check(
            json!({"any": [{"path": "a", "equals": 1}, {"path": "a", "above": 5}]}),
            "1 6",
            "2 5 null",
        );
        let fault = done(&json!([{"filter": {"path": "a", "above": 2}}]), "{\"a\":\"3\"}");
        assert_eq!(
            fault.unwrap_err().to_string(),
            "processing_steps[0]: filter a: expected values to compare to be of one type, found \"3\" and 2"
        );
    }

    #[test]
    fn edits() {
        let check = |step: Value, record: &str, expect: &str| {
            let found = done(&json!([step]), record).unwrap().unwrap();
            assert_eq!(found, expect, "{step} {record}");
        };
        let record =
            r#"{"a":1.50,"b":{"c":[1, 2],"d":{}},"l":[{"x":1,"y":2},3,[{"x":4}]],"e\u0066":"\n"}"#;
        check(
            json!({"exclude": ["a", "b.c", "l[*].x", "nope.x", "ef"]}),
            record,
            r#"{"b":{"d":{}},"l":[{"y":2},3,[{"x":4}]]}"#,
        );
        check(json!({"exclude": ["*"]}), record, "{}");
        check(
            json!({"exclude": ["b.*", "l[*]"]}),
            record,
            r#"{"a":1.50,"b":{},"l":[],"e\u0066":"\n"}"#,
        );
        check(
            json!({"include": ["a", "b.d", "l[*].y"]}),
            record,
            r#"{"a":1.50,"b":{"d":{}},"l":[{"y":2},[]]}"#,
        );
        check(json!({"include": ["b", "b.c"]}), record, r#"{"b":{"c":[1, 2],"d":{}}}"#);
        check(json!({"include": ["a.x", "ef"]}), record, r#"{"e\u0066":"\n"}"#);
        check(
            json!({"rename": {"a": "A \"q\"", "b": "B", "b.c": "C", "l[*].x": "X"}}),
            record,
            r#"{"A \"q\"":1.50,"B":{"C":[1, 2],"d":{}},"l":[{"X":1,"y":2},3,[{"x":4}]],"e\u0066":"\n"}"#,
        );
        check(json!({"rename": {"x": "y", "y": "x"}}), r#"{"x":1,"y":2}"#, r#"{"y":1,"x":2}"#);
        check(json!({"exclude": ["a"]}), "[{\"a\":1}]", "[{\"a\":1}]");
        check(json!({"exclude": ["a"]}), "7", "7");
        for record in [r#"{"x":1,"y":2}"#, r#"{"x":1,"\u0079":2}"#] {
            assert_eq!(
                done(&json!([{"rename": {"x": "y"}}]), record).unwrap_err().to_string(),
                "processing_steps[0]: expected no other value at the key \"y\", which another key is renamed to"
            );
        }
    }

    #[test]
    fn steps_are_applied_in_order() {
        let steps = json!([
            {"rename": {"s": "state"}},
            {"filter": {"path": "state", "equals": "open"}},
            {"exclude": ["state"]},
        ]);
        assert_eq!(done(&steps, r#"{"s":"open","x":1}"#).unwrap().unwrap(), r#"{"x":1}"#);
        assert_eq!(done(&steps, r#"{"s":"shut","x":1}"#).unwrap(), None);
        assert_eq!(done(&json!([]), "{}").unwrap().unwrap(), "{}");
    }
}
