//! Lists whose keys become one name: each has a table of its own.

use super::super::layout::ListTarget;
use super::super::{Family, Halt};
use super::{Decided, own_name};
use crate::dlt::naming::says_little;
use crate::fault::Fault;
use crate::json::Reader;

impl Family {
    /// The layout of a list that has not had elements before: its table is claimed, or is another one.
    #[cold]
    pub(in crate::shred) fn claim_table(
        &mut self,
        reader: &Reader<'_>,
        list: usize,
        parent: usize,
    ) -> Result<usize, Halt> {
        if !reader.clone().enter() {
            return Ok(list);
        }
        let table = self.layouts[list].table;
        let key = self.layouts[list].raw_path().to_vec();
        let holder = self.claims.tables.get(&table);
        if holder.is_some_and(|holder| *holder == key) {
            self.layouts[list].is_claimed = true;
            return Ok(list);
        }
        let Some((layout, entry)) = self.layouts[list].origin else {
            return Err(Fault::internal("a list that stands nowhere").into());
        };
        let list = match holder.cloned() {
            None => list,
            Some(other) => self.own_table(list, &key, other, parent),
        };
        self.layouts[list].is_claimed = true;
        self.layouts[layout].entries[entry].list = Some(ListTarget::List(list));
        let table = self.layouts[list].table;
        if self.claims.tables.contains_key(&table) {
            // The schema has remembered its own one.
            return Ok(list);
        }
        let naming = self.options.convention.naming;
        let within = self.layouts[layout].within_row(entry);
        if within.iter().any(|key| says_little(naming, key)) {
            self.claims.told_tables.insert(key.clone(), table);
        }
        self.claims.tables.insert(table, key);
        self.claims.decided.push(Decided::Table { layout, entry, list, table });
        Ok(list)
    }

    /// The table that the lists of a key have to themselves, for its name is another's.
    fn own_table(
        &mut self,
        list: usize,
        key: &[String],
        other: Vec<String>,
        parent: usize,
    ) -> usize {
        let named = self.layouts[list].table;
        let table = match self.claims.told_tables.get(key) {
            Some(&table) => table,
            None => {
                let path: Vec<String> = self.layouts[list].table_path().to_vec();
                let path: Vec<&str> = path.iter().map(String::as_str).collect();
                let is_free = |own: &String| {
                    let found = self.by_name.get(own);
                    found.is_none_or(|table| !self.claims.tables.contains_key(table))
                };
                let mut names = (0..).map(|attempt| own_name(&path, key, attempt, self));
                // There is always one more attempt.
                let own = names.find(is_free).unwrap_or_default();
                drop(names);
                self.table(&own, Some(parent))
            }
        };
        let name = self.tables[table].name.clone();
        let layout = self.layouts[list].of_own_table(table, name.clone());
        self.layouts.push(layout);
        self.claims.told_tables.insert(key.to_vec(), table);
        self.claims.told_tables.insert(other.clone(), named);
        let (key, other) = (key.join("."), other.join("."));
        let warning = format!(
            "the lists {other:?} and {key:?} have the same name: the rows of {key:?} are in the table {name}, those of \
             {other:?} in {}",
            self.tables[named].name,
        );
        self.warn(warning);
        self.layouts.len() - 1
    }
}
