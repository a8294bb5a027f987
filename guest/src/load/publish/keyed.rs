//! Merges by keys: delete-insert, upsert, insert-only, cdc.
//!
//! Child rows go straight into their tables where all of them belong there. Where it depends on
//! their root row, they wait in staging tables, and only those of kept rows come in.

use super::merge::{Merge, column};
use crate::fault::{Fault, Result};
use crate::load::plan::merge::compared;
use crate::load::session::{Session, SqlReply};
use crate::sql::copy::Json;
use crate::sql::merge::{self, Match, Scope, Survey, children, keyed};
use crate::sql::{Column, Name};

impl Merge<'_> {
    /// Deletes what has a key of a row that came, or is in the user's scope, then inserts.
    pub(crate) async fn delete_insert(&self, session: &mut Session, filtered: u64) -> Result<()> {
        let primary = Match { keys: &self.primary, bounds: &[] };
        let pruned = filtered + self.drop_stale(session, primary).await?;
        let keys = [self.primary.as_slice(), self.merge_key.as_slice()];
        let keys = keys.into_iter().filter(|key| !key.is_empty() && self.scope.is_none());
        let keys: Vec<&[Column]> = keys.collect();
        let survey = self.survey(session, &keys).await?;
        let matches: Vec<Match<'_>> = pair(&keys, &survey);
        if self.existed {
            for (child, _, links) in self.existing_children()? {
                for matched in &matches {
                    let (root, staging) = (&self.table, &self.staging);
                    let delete = children::delete_replaced(&child, root, staging, *matched, links);
                    session.sql(delete).await?;
                }
                if let Some(scope) = &self.scope {
                    session.sql(children::delete_scope(&child, &self.table, scope, links)).await?;
                }
            }
            for matched in &matches {
                session.sql(keyed::delete_matched(&self.table, &self.staging, *matched)).await?;
            }
            if let Some(scope) = &self.scope {
                session.sql(keyed::delete_scope(&self.table, scope)).await?;
            }
        }
        let columns = self.publication.columns(self.root, &self.table);
        let insert = keyed::insert_kept(&self.table, &columns, &self.staged());
        let expected = self.root.rows.saturating_sub(pruned).saturating_sub(survey.dropped);
        match session.sql(insert).await? {
            SqlReply::Ran(outcome) if outcome.affected.is_some_and(|rows| rows != expected) => {
                return Err(Fault::destination(format_args!(
                    "expected {expected} rows to be inserted from the staging table, found {}",
                    outcome.affected.unwrap_or(0)
                ))
                .at(format_args!("table {}", self.root.name)));
            }
            SqlReply::Ran(_) | SqlReply::Assumed => {}
        }
        for child in &self.children {
            if pruned > 0 {
                self.insert_waiting(session, child).await?;
                continue;
            }
            let table = self.publication.target.table(&child.name);
            self.publication.copy(session, child, &table, Json::Parse, &[]).await?;
            if survey.dropped > 0 {
                let links = self.links_to(child)?;
                session.sql(children::delete_dropped(&table, &self.staged(), links)).await?;
            }
        }
        Ok(())
    }

    /// Inserts what has a new key, and new elements of the lists of rows that are there.
    pub(crate) async fn insert_only(&self, session: &mut Session) -> Result<()> {
        let keys: [&[Column]; 1] = [&self.primary];
        let survey = self.survey(session, &keys).await?;
        let columns = self.publication.columns(self.root, &self.table);
        for matched in pair(&keys, &survey) {
            session.sql(keyed::merge_new(&self.table, &columns, &self.staged(), matched)).await?;
        }
        self.insert_new_children(session).await
    }

    /// Updates what has the key of a row that came and inserts the others; with cdc, deletes what did
    /// not come.
    pub(crate) async fn upsert(&self, session: &mut Session, filtered: u64) -> Result<()> {
        let partition = (self.plan.strategy.ends_absent() && self.scope.is_none())
            .then_some(self.merge_key.as_slice())
            .filter(|key| !key.is_empty());
        let keys: Vec<&[Column]> =
            [Some(self.primary.as_slice()), partition].into_iter().flatten().collect();
        let survey = self.survey(session, &keys).await?;
        let matches = pair(&keys, &survey);
        let Some(matched) = matches.first().copied() else {
            return Err(Fault::internal("an upsert without a key"));
        };
        if self.plan.strategy.ends_absent() && self.existed {
            let scope = match (&self.scope, matches.get(1)) {
                (Some(condition), _) => Scope::Condition(condition),
                (None, Some(partition)) => Scope::Key(*partition),
                (None, None) => Scope::All,
            };
            self.delete_absent(session, matched, scope).await?;
        }
        // An old row did come, though it does not count: what is there in its stead is not absent.
        let pruned = filtered + self.drop_stale(session, matched).await?;
        if self.plan.skip_unchanged && self.existed {
            return self.upsert_changed(session, matched).await;
        }
        let staged = self.staged();
        if self.existed {
            for (child, _, links) in self.existing_children()? {
                let (root, staging) = (&self.table, &self.staging);
                let delete = children::delete_replaced(&child, root, staging, matched, links);
                session.sql(delete).await?;
            }
        }
        let columns = self.publication.all_columns(self.known);
        session.sql(keyed::merge_kept(&self.table, &columns, &staged, matched, &[])).await?;
        for child in &self.children {
            if pruned > 0 || survey.dropped > 0 {
                self.insert_waiting(session, child).await?;
            } else {
                let table = self.publication.target.table(&child.name);
                self.publication.copy(session, child, &table, Json::Parse, &[]).await?;
            }
        }
        Ok(())
    }

    async fn delete_absent(
        &self,
        session: &mut Session,
        matched: Match<'_>,
        scope: Scope<'_>,
    ) -> Result<()> {
        let (root, staging) = (&self.table, &self.staging);
        for (child, _, links) in self.existing_children()? {
            let delete = children::delete_absent(&child, root, staging, matched, scope, links);
            session.sql(delete).await?;
        }
        let delete = keyed::delete_absent(root, staging, matched, scope, self.links());
        session.sql(delete).await.map(drop)
    }

    /// The same, but for rows that do not differ: nothing of those is written again.
    async fn upsert_changed(&self, session: &mut Session, matched: Match<'_>) -> Result<()> {
        let staged = self.staged();
        let publication = self.publication;
        let mut waiting: Vec<Name> = Vec::new();
        for child in &self.children {
            waiting.push(self.stage(session, child).await?);
        }
        let catalog = self.existing_children()?;
        for (child, came, links) in &catalog {
            let place = came.map(|came| publication.target.staging(&came.name));
            let (root, staging) = (&self.table, &self.staging);
            let delete = match &place {
                Some(place) => {
                    children::delete_removed(child, root, place, &staged, matched, *links)
                }
                None => children::delete_replaced(child, root, staging, matched, *links),
            };
            session.sql(delete).await?;
        }
        let differ = compared(self.known);
        let differ: Vec<Column> =
            differ.into_iter().map(|found| column(publication, self.known, found.name())).collect();
        let columns = publication.all_columns(self.known);
        session.sql(keyed::merge_kept(&self.table, &columns, &staged, matched, &differ)).await?;
        for (child, place) in self.children.iter().zip(&waiting) {
            let table = publication.target.table(&child.name);
            let links = self.links_to(child)?;
            let known = publication.schema.table(&child.name);
            let statement = match known.filter(|_| catalog.iter().any(|(name, ..)| *name == table))
            {
                None => {
                    let columns = publication.columns(child, &table);
                    children::insert_kept(&table, &columns, place, &staged, links)
                }
                Some(known) => {
                    let columns = publication.all_columns(known);
                    let differ = compared(known).into_iter();
                    let differ: Vec<Column> =
                        differ.map(|found| column(publication, known, found.name())).collect();
                    children::merge_kept(&table, &columns, place, &staged, &differ, links)
                }
            };
            session.sql(statement).await?;
            session.sql(merge::delete_all(place)).await?;
        }
        Ok(())
    }

    /// Child rows by way of their staging table: those of rows that are kept.
    async fn insert_waiting(
        &self,
        session: &mut Session,
        child: &super::transaction::StagedTable,
    ) -> Result<()> {
        let waiting = self.stage(session, child).await?;
        let table = self.publication.target.table(&child.name);
        let columns = self.publication.columns(child, &table);
        let (staged, links) = (self.staged(), self.links());
        session.sql(children::insert_kept(&table, &columns, &waiting, &staged, links)).await?;
        session.sql(merge::delete_all(&waiting)).await.map(drop)
    }

    /// Child rows by way of their staging table: those that are not there yet.
    pub(crate) async fn insert_new_children(&self, session: &mut Session) -> Result<()> {
        for child in &self.children {
            let waiting = self.stage(session, child).await?;
            let table = self.publication.target.table(&child.name);
            let columns = self.publication.columns(child, &table);
            let (root, staged, links) = (&self.table, self.staged(), self.links());
            let insert = children::insert_new(&table, &columns, &waiting, root, &staged, links);
            session.sql(insert).await?;
            session.sql(merge::delete_all(&waiting)).await?;
        }
        Ok(())
    }
}

/// Each key with its bounds.
fn pair<'a>(keys: &[&'a [Column]], survey: &'a Survey) -> Vec<Match<'a>> {
    keys.iter().zip(&survey.bounds).map(|(keys, bounds)| Match { keys, bounds }).collect()
}
