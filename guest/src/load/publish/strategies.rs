//! The run of each merge strategy: delete-insert, upsert, insert-only, cdc; scd2 has a file of its own.
//!
//! Child rows are copied straight into their tables if all of them are kept. If it depends on their root row,
//! they pass through staging tables, and only those of kept rows are inserted.

use super::destination::{CopyInto, Destination};
use super::merge::{FamilyMerge, InsertedChildren};
use super::scd2;
use crate::dlt::merge_strategy::MergeStrategy;
use crate::dlt::schema::Table;
use crate::fault::{Fault, Result};
use crate::load::plan::merge::compared;
use crate::load::session::{Session, SqlReply};
use crate::sql::merge::keyed::{self, AbsentRows};
use crate::sql::merge::{self, KeyStats, Match, Scope};
use crate::sql::{Name, SqlColumn};

/// Merges the staged rows by the strategy of the plan. `filtered` staged root rows were deleted by the job's filter.
pub(crate) async fn run(
    family: &FamilyMerge<'_>,
    session: &mut Session,
    filtered: u64,
) -> Result<()> {
    match family.plan.strategy {
        MergeStrategy::DeleteInsert => delete_insert(family, session, filtered).await,
        MergeStrategy::InsertOnly => insert_only(family, session).await,
        MergeStrategy::Upsert | MergeStrategy::Cdc => upsert(family, session, filtered).await,
        MergeStrategy::Scd2 => scd2::keep_versions(family, session).await,
    }
}

/// Deletes the existing rows with a staged key or in the job's scope, then inserts the staged rows.
async fn delete_insert(
    family: &FamilyMerge<'_>,
    session: &mut Session,
    filtered: u64,
) -> Result<()> {
    let primary = Match { keys: &family.primary, ranges: &[] };
    let pruned = filtered + family.drop_stale(session, primary).await?;
    let keys = [family.primary.as_slice(), family.merge_key.as_slice()];
    let keys = keys.into_iter().filter(|key| !key.is_empty() && family.scope.is_none());
    let keys: Vec<&[SqlColumn]> = keys.collect();
    let stats = family.key_stats(session, &keys).await?;
    let matches: Vec<Match<'_>> = pair(&keys, &stats);
    if family.existed {
        for (child, _, links) in family.existing_children()? {
            let staged = family.staged();
            let child = family.child(&child, &staged, links);
            for matched in &matches {
                session.sql(child.delete_replaced(*matched)).await?;
            }
            if let Some(scope) = &family.scope {
                session.sql(child.delete_scope(scope)).await?;
            }
        }
        for matched in &matches {
            session.sql(keyed::delete_matched(&family.table, &family.staging, *matched)).await?;
        }
        if let Some(scope) = &family.scope {
            session.sql(keyed::delete_scope(&family.table, scope)).await?;
        }
    }
    let columns = family.destination.columns(family.root, &family.table);
    let insert = keyed::insert_kept(&family.table, &columns, &family.staged());
    let expected = family.root.rows.saturating_sub(pruned).saturating_sub(stats.dropped);
    match session.sql(insert).await? {
        SqlReply::Ran(outcome) if outcome.affected.is_some_and(|rows| rows != expected) => {
            return Err(Fault::destination(format_args!(
                "expected {expected} rows to be inserted from the staging table, found {}",
                outcome.affected.unwrap_or(0)
            ))
            .at(format_args!("table {}", family.root.name)));
        }
        SqlReply::Ran(_) | SqlReply::DryRun => {}
    }
    if pruned > 0 {
        return family.insert_children(session, InsertedChildren::OfKeptRoots).await;
    }
    for child in &family.children {
        let table = family.destination.target.table(&child.name);
        family.destination.copy(session, child, CopyInto::Table(&table)).await?;
        if stats.dropped > 0 {
            let links = family.links_to(child)?;
            let staged = family.staged();
            session.sql(family.child(&table, &staged, links).delete_dropped()).await?;
        }
    }
    Ok(())
}

/// Inserts the staged rows with a new key, and new elements in the lists of existing rows.
async fn insert_only(family: &FamilyMerge<'_>, session: &mut Session) -> Result<()> {
    let keys: [&[SqlColumn]; 1] = [&family.primary];
    let stats = family.key_stats(session, &keys).await?;
    let columns = family.destination.columns(family.root, &family.table);
    for matched in pair(&keys, &stats) {
        session.sql(keyed::merge_new(&family.table, &columns, &family.staged(), matched)).await?;
    }
    family.insert_children(session, InsertedChildren::New).await
}

/// Updates the existing rows with a staged key and inserts the other staged rows; with cdc, deletes the existing
/// rows that are not staged.
async fn upsert(family: &FamilyMerge<'_>, session: &mut Session, filtered: u64) -> Result<()> {
    let partition = (family.plan.strategy.ends_absent() && family.scope.is_none())
        .then_some(family.merge_key.as_slice())
        .filter(|key| !key.is_empty());
    let keys: Vec<&[SqlColumn]> =
        [Some(family.primary.as_slice()), partition].into_iter().flatten().collect();
    let stats = family.key_stats(session, &keys).await?;
    let matches = pair(&keys, &stats);
    let Some(matched) = matches.first().copied() else {
        return Err(Fault::internal("an upsert without a key"));
    };
    if family.plan.strategy.ends_absent() && family.existed {
        let scope = match (&family.scope, matches.get(1)) {
            (Some(condition), _) => Scope::Condition(condition),
            (None, Some(partition)) => Scope::Key(*partition),
            (None, None) => Scope::All,
        };
        delete_absent(family, session, matched, scope).await?;
    }
    // Done after the deletion: the existing row of a stale staged row is not absent.
    let pruned = filtered + family.drop_stale(session, matched).await?;
    if family.plan.skip_unchanged && family.existed {
        return upsert_changed(family, session, matched).await;
    }
    let staged = family.staged();
    if family.existed {
        for (child, _, links) in family.existing_children()? {
            let child = family.child(&child, &staged, links);
            session.sql(child.delete_replaced(matched)).await?;
        }
    }
    let columns = family.destination.all_columns(family.known);
    session.sql(keyed::merge_kept(&family.table, &columns, &staged, matched, &[])).await?;
    if pruned > 0 || stats.dropped > 0 {
        return family.insert_children(session, InsertedChildren::OfKeptRoots).await;
    }
    for child in &family.children {
        let table = family.destination.target.table(&child.name);
        family.destination.copy(session, child, CopyInto::Table(&table)).await?;
    }
    Ok(())
}

async fn delete_absent(
    family: &FamilyMerge<'_>,
    session: &mut Session,
    matched: Match<'_>,
    scope: Scope<'_>,
) -> Result<()> {
    let staged = family.staged();
    for (child, _, links) in family.existing_children()? {
        let child = family.child(&child, &staged, links);
        session.sql(child.delete_absent(matched, scope)).await?;
    }
    let (root, staging, seq) = (&family.table, &family.staging, family.links().seq);
    let absent = AbsentRows { root, staging, matched, scope, seq };
    session.sql(absent.delete(family.links().id)).await.map(drop)
}

/// The same, but rows without differences are not written again.
async fn upsert_changed(
    family: &FamilyMerge<'_>,
    session: &mut Session,
    matched: Match<'_>,
) -> Result<()> {
    let staged = family.staged();
    let destination = family.destination;
    let mut waiting: Vec<Name> = Vec::new();
    for child in &family.children {
        waiting.push(family.stage(session, child).await?);
    }
    let catalog = family.existing_children()?;
    for (child, in_load, links) in &catalog {
        let place = in_load.map(|child| destination.target.staging(&child.name));
        let merged = family.child(child, &staged, *links);
        let delete = match &place {
            Some(place) => merged.delete_removed(place, matched),
            None => merged.delete_replaced(matched),
        };
        session.sql(delete).await?;
    }
    let differ = compared_columns(destination, family.known);
    let columns = destination.all_columns(family.known);
    session.sql(keyed::merge_kept(&family.table, &columns, &staged, matched, &differ)).await?;
    for (child, place) in family.children.iter().zip(&waiting) {
        let table = destination.target.table(&child.name);
        let merged = family.child(&table, &staged, family.links_to(child)?);
        let known = destination.schema.table(&child.name);
        let statement = match known.filter(|_| catalog.iter().any(|(name, ..)| *name == table)) {
            None => {
                let columns = destination.columns(child, &table);
                merged.insert_kept(&columns, place)
            }
            Some(known) => {
                let columns = destination.all_columns(known);
                merged.merge_kept(&columns, place, &compared_columns(destination, known))
            }
        };
        session.sql(statement).await?;
        session.sql(merge::delete_all(place)).await?;
    }
    Ok(())
}

/// The columns whose values decide whether a row of a table changed.
fn compared_columns(destination: &Destination<'_>, table: &Table) -> Vec<SqlColumn> {
    let columns = compared(table).into_iter();
    columns.map(|column| destination.column(table, column.name())).collect()
}

/// Each key with its ranges.
fn pair<'a>(keys: &[&'a [SqlColumn]], stats: &'a KeyStats) -> Vec<Match<'a>> {
    keys.iter().zip(&stats.ranges).map(|(keys, ranges)| Match { keys, ranges }).collect()
}
