//! The fields of a parent's records that requests of a child resource need, as packed raw JSON.
//! Nothing else of the records stays in memory.
//!
//! As in dlt, the child is requested once for every record of the parent, in the order read, duplicates included.

use crate::fault::{Fault, Result, excerpt};
use crate::job::Parent;
use crate::json::select;
use crate::json::{Path, push_string, string_content};

/// The fields of a parent's records that one child needs.
#[derive(Clone, Debug)]
pub(crate) struct ParentRows {
    parent: Parent,
    /// The fields that requests need, then the keys that are copied to the child's records.
    paths: Vec<Path>,
    /// The raw values, record by record; empty if a record lacks the value.
    text: String,
    /// The end of each value.
    ends: Vec<usize>,
}

/// The fields of one record of a parent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ParentRow<'p> {
    parents: &'p ParentRows,
    number: usize,
}

impl ParentRows {
    /// Without records.
    pub(crate) fn new(parent: &Parent) -> Self {
        let taken_over = parent.include.iter().map(|key| Path::of_keys(&[key]));
        Self {
            paths: parent.fields.iter().cloned().chain(taken_over).collect(),
            parent: parent.clone(),
            text: String::new(),
            ends: Vec::new(),
        }
    }

    /// Adds the fields of a record, which is valid JSON.
    ///
    /// # Errors
    /// A data fault if it is not JSON.
    pub(crate) fn keep(&mut self, record: &str) -> Result<()> {
        for path in &self.paths {
            self.text.push_str(select::find(record, path)?.unwrap_or_default());
            self.ends.push(self.text.len());
        }
        Ok(())
    }

    /// The number of records.
    pub(crate) fn len(&self) -> usize {
        // A child has at least one path.
        self.ends.len() / self.paths.len().max(1)
    }

    /// One record, counted from 0.
    pub(crate) const fn row(&self, number: usize) -> ParentRow<'_> {
        ParentRow { parents: self, number }
    }
}

impl<'p> ParentRow<'p> {
    /// The raw value of a field, by its number among [`Parent::fields`].
    ///
    /// # Errors
    /// A data fault if the record has no such field.
    pub(crate) fn field(&self, field: usize) -> Result<&'p str> {
        self.value(field)
    }

    /// The text of a field, by its number among [`Parent::fields`]: the content of a string, other values as raw JSON.
    ///
    /// # Errors
    /// A data fault if the record has no such field.
    pub(crate) fn text(&self, field: usize) -> Result<String> {
        let raw = self.value(field)?;
        let text = if raw.starts_with('"') { string_content(raw)? } else { raw.into() };
        Ok(text.into_owned())
    }

    /// Returns the fields that requests use, each with its path and its text.
    ///
    /// # Errors
    /// A data fault if the record has no such field.
    pub(crate) fn fields(&self) -> Result<Vec<(String, String)>> {
        let paths = self.parents.parent.fields.iter().enumerate();
        paths.map(|(index, path)| Ok((path.as_str().to_owned(), self.text(index)?))).collect()
    }

    /// The members that are copied to a child's record, as JSON; empty if there are none.
    ///
    /// # Errors
    /// A data fault if the record has no such key.
    pub(crate) fn members(&self) -> Result<String> {
        let parent = &self.parents.parent;
        let mut members = String::new();
        for (n, key) in parent.include.iter().enumerate() {
            if n > 0 {
                members.push(',');
            }
            push_string(&mut members, &parent.key_of(key));
            members.push(':');
            members.push_str(self.value(parent.fields.len() + n)?);
        }
        Ok(members)
    }

    fn value(&self, index: usize) -> Result<&'p str> {
        match self.raw(index) {
            "" => Err(Fault::data(format_args!(
                "expected a field {:?} in the record of parent {:?}, found nothing",
                self.parents.paths.get(index).map_or("", Path::as_str),
                self.parents.parent.resource,
            ))),
            raw => Ok(raw),
        }
    }

    fn raw(&self, index: usize) -> &'p str {
        let at = self.number * self.parents.paths.len() + index;
        let end = |at: usize| self.parents.ends.get(at).copied();
        let from = at.checked_sub(1).and_then(end).unwrap_or(0);
        end(at).and_then(|to| self.parents.text.get(from..to)).unwrap_or_default()
    }
}

/// The record for messages: its number, and the fields that requests use.
impl std::fmt::Display for ParentRow<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let parent = &self.parents.parent;
        write!(f, "parent {} {}", parent.resource, self.number + 1)?;
        for (n, path) in parent.fields.iter().enumerate() {
            let separator = if n == 0 { " (" } else { ", " };
            write!(f, "{separator}{path} {}", excerpt(self.raw(n)))?;
        }
        f.write_str(if parent.fields.is_empty() { "" } else { ")" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parents(records: &[&str]) -> ParentRows {
        let mut parents = ParentRows::new(&Parent {
            resource: "posts".to_owned(),
            fields: vec![Path::parse("id").unwrap(), Path::parse("user.name").unwrap()],
            include: vec!["id".to_owned(), "a.b".to_owned()],
        });
        for record in records {
            parents.keep(record).unwrap();
        }
        parents
    }

    #[test]
    fn keeps_values() {
        let parents = parents(&[
            r#"{"id":1,"user":{"name":"a\"b"},"a.b":[1, {"c":2}],"x":0}"#,
            r#"{"id":12345678901234567890123,"user":{}}"#,
        ]);
        assert_eq!(parents.len(), 2);
        let one = parents.row(0);
        assert_eq!((one.field(0).unwrap(), one.field(1).unwrap()), ("1", r#""a\"b""#));
        assert_eq!((one.text(0).unwrap(), one.text(1).unwrap()), ("1".into(), "a\"b".into()));
        let fields = one.fields().unwrap();
        let fields: Vec<_> = fields.iter().map(|(path, value)| (&**path, &**value)).collect();
        assert_eq!(fields, [("id", "1"), ("user.name", "a\"b")]);
        assert_eq!(one.members().unwrap(), r#""_posts_id":1,"_posts_a.b":[1, {"c":2}]"#);
        assert_eq!(one.to_string(), r#"parent posts 1 (id 1, user.name "a\"b")"#);
        let two = parents.row(1);
        assert_eq!(two.field(0).unwrap(), "12345678901234567890123");
        assert_eq!(
            two.field(1).unwrap_err().to_string(),
            "expected a field \"user.name\" in the record of parent \"posts\", found nothing"
        );
        assert_eq!(
            two.members().unwrap_err().to_string(),
            "expected a field \"a.b\" in the record of parent \"posts\", found nothing"
        );
        assert!(two.fields().is_err());
        assert!(parents.row(2).field(0).is_err());
    }
}
