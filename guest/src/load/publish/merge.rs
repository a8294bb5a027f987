//! One merge: what its steps share, and the steps that all strategies have.

use super::destination::{CopyInto, Destination};
use crate::dlt::merge_strategy::Duplicates;
use crate::dlt::schema::{self, Table};
use crate::dlt::state::LoadId;
use crate::dlt::types::{DataType, Kind};
use crate::fault::{Context, Fault, Result};
use crate::load::extract::staged::{StagedFamily, StagedTable};
use crate::load::plan::merge::{MergePlan, WriteAction, hint_of};
use crate::load::session::{Session, SqlReply};
use crate::shred::SEQ;
use crate::sql::condition::Scoped;
use crate::sql::merge::children::ChildMerge;
use crate::sql::merge::{self, Direction, KeyStats, Links, Match, Rank, StagedRows, key_stats};
use crate::sql::{Name, SqlColumn};

/// A merge of one family of tables.
pub(crate) struct FamilyMerge<'a> {
    pub(crate) destination: &'a Destination<'a>,
    pub(crate) load_id: &'a LoadId,
    pub(crate) plan: &'a MergePlan,
    /// The staged root rows, and the staged nested rows.
    pub(crate) root: &'a StagedTable,
    pub(crate) children: Vec<&'a StagedTable>,
    /// The root table as the schema has it.
    pub(crate) known: &'a Table,
    /// The root table, and its staging table.
    pub(crate) table: Name,
    pub(crate) staging: Name,
    /// Whether the root table existed before this load.
    pub(crate) existed: bool,
    pub(crate) primary: Vec<SqlColumn>,
    pub(crate) merge_key: Vec<SqlColumn>,
    /// The columns by which staged rows are duplicates, of which one is kept.
    rank: Vec<SqlColumn>,
    order: String,
    /// The column that marks rows as deleted.
    pub(crate) deleted: Option<SqlColumn>,
    /// The job's condition on existing rows, as SQL.
    pub(crate) scope: Option<String>,
    id: String,
    key: String,
    parent_id: String,
    root_id: String,
    seq: String,
}

/// The staged nested rows that are inserted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InsertedChildren {
    /// Those of kept root rows.
    OfKeptRoots,
    /// Those that do not exist yet.
    New,
}

impl<'a> FamilyMerge<'a> {
    /// The merge of a staged family; `None` if there is nothing to merge.
    pub(crate) fn new(
        destination: &'a Destination<'a>,
        load_id: &'a LoadId,
        staged: &'a StagedFamily,
    ) -> Result<Option<Self>> {
        let WriteAction::Merge(plan) = &staged.action else { return Ok(None) };
        let [root, children @ ..] = staged.tables.as_slice() else { return Ok(None) };
        let known = destination.schema.table(&root.name);
        let known = known.ok_or_else(|| Fault::internal("a merge into a table nobody knows"))?;
        let target = destination.target;
        let fold = |name: &str| destination.fold(name);
        let (table, staging) = (target.table(&root.name), target.staging(&root.name));
        let key = |names: &[String]| {
            names.iter().map(|name| destination.column(known, name)).collect::<Vec<_>>()
        };
        let complete = |column: &&schema::Column| column.is_complete();
        let deleted = hint_of(known, "hard_delete").filter(complete);
        let columns = names(destination, known);
        let scope = plan.destination_scope.as_ref().map(|scope| {
            scope.sql(Scoped { columns: &columns, staging: &staging }).at(|| "destination_scope")
        });
        let merge = Self {
            destination,
            load_id,
            plan,
            root,
            children: children.iter().filter(|child| child.rows > 0).collect(),
            known,
            existed: destination.catalog.has(&table),
            primary: key(&plan.primary),
            merge_key: key(&plan.merge_key),
            rank: key(&ranked(plan, known)),
            order: order(destination, plan, known)?,
            deleted: deleted.map(|found| destination.column(known, found.name())),
            scope: scope.transpose()?,
            id: fold("_dlt_id"),
            key: fold(destination.schema.root_key(&root.name)),
            parent_id: fold("_dlt_parent_id"),
            root_id: fold("_dlt_root_id"),
            seq: fold(SEQ),
            table,
            staging,
        };
        Ok(Some(merge))
    }

    /// Copies the root rows into the staging table, and deletes those that the job's filter discards. Returns
    /// how many those were.
    pub(crate) async fn stage_root(&self, session: &mut Session) -> Result<u64> {
        session.sql(merge::delete_all(&self.staging)).await?;
        let into = CopyInto::Staging(&self.staging, self.seq_column());
        self.destination.copy(session, self.root, into).await?;
        self.delete_filtered(session).await
    }

    async fn delete_filtered(&self, session: &mut Session) -> Result<u64> {
        let Some(filter) = &self.plan.source_filter else { return Ok(0) };
        let columns = self.destination.all_columns(self.known);
        let names = names(self.destination, self.known);
        let filter = filter.sql(Scoped { columns: &names, staging: &self.staging });
        let filter = filter.at(|| "source_filter")?;
        let links = self.links();
        let delete = merge::delete_filtered(&self.staging, &columns, &filter, links);
        Ok(affected(&session.sql(delete).await?))
    }

    /// Deletes staged rows that are older than the existing row of their key. Returns how many those were.
    pub(crate) async fn drop_stale(
        &self,
        session: &mut Session,
        matched: Match<'_>,
    ) -> Result<u64> {
        let Some(age) = self.plan.newer_by.as_deref().filter(|_| self.existed) else {
            return Ok(0);
        };
        let age = self.destination.column(self.known, age);
        let links = self.links();
        let delete = merge::delete_stale(&self.staging, &self.table, matched, &age, links);
        Ok(affected(&session.sql(delete).await?))
    }

    /// The statistics of the staged rows: how many are not kept, and the ranges of these keys.
    pub(crate) async fn key_stats(
        &self,
        session: &mut Session,
        keys: &[&[SqlColumn]],
    ) -> Result<KeyStats> {
        // A new table has no existing rows to find.
        let asked = if self.existed { keys } else { &[] };
        let nothing = KeyStats { dropped: 0, ranges: vec![Vec::new(); keys.len()] };
        if asked.is_empty() && self.rank.is_empty() && self.deleted.is_none() {
            return Ok(nothing);
        }
        let SqlReply::Ran(outcome) = session.sql(key_stats(&self.staged(), asked)).await? else {
            return Ok(nothing);
        };
        let row = outcome.rows.first().map(Vec::as_slice).unwrap_or_default();
        let found = KeyStats::read(row, asked).ok_or_else(|| {
            Fault::destination(format_args!("expected one row with counts, found {row:?}"))
        })?;
        let mut ranges = found.ranges;
        ranges.resize(keys.len(), Vec::new());
        Ok(KeyStats { ranges, ..found })
    }

    /// The statements for a nested table.
    pub(crate) fn child<'m>(
        &'m self,
        child: &'m Name,
        staged: &'m StagedRows<'m>,
        links: Links<'m>,
    ) -> ChildMerge<'m> {
        ChildMerge { child, root: &self.table, staged, links }
    }

    /// The staged root rows.
    pub(crate) fn staged(&self) -> StagedRows<'_> {
        let rank = Rank { keys: &self.rank, order: &self.order };
        StagedRows {
            table: &self.staging,
            rank: (!self.rank.is_empty()).then_some(rank),
            deleted: self.deleted.as_ref(),
        }
    }

    /// How the tables are tied together.
    pub(crate) fn links(&self) -> Links<'_> {
        Links {
            id: &self.id,
            key: &self.key,
            parent_id: &self.parent_id,
            root_id: &self.root_id,
            seq: &self.seq,
        }
    }

    /// The nested tables that existed before this load: the name, its staged rows, and its links.
    pub(crate) fn existing_children(
        &self,
    ) -> Result<Vec<(Name, Option<&'a StagedTable>, Links<'_>)>> {
        let mut found = Vec::new();
        for child in self.destination.schema.chain(self.known.name()).into_iter().skip(1) {
            let name = self.destination.target.table(child.name());
            if self.destination.catalog.has(&name) {
                let staged = self.children.iter().find(|staged| staged.name == child.name());
                found.push((name, staged.copied(), self.links_of(child)?));
            }
        }
        Ok(found)
    }

    /// The links of a nested table. If its rows have no root id, their parent's id serves, provided that the
    /// parent is the root.
    fn links_of(&self, child: &Table) -> Result<Links<'_>> {
        if child.columns_with("root_key").next().is_some() {
            return Ok(self.links());
        }
        if child.parent() == Some(self.known.name()) {
            return Ok(Links { key: &self.id, root_id: &self.parent_id, ..self.links() });
        }
        Err(Fault::config(
            "expected _dlt_root_id in the rows of a table that is merged, found none: root_key must not be false",
        )
        .at(format_args!("table {}", child.name())))
    }

    /// Checks that the nested rows of every table can be found by their root row, now and in later loads
    /// that replace it.
    ///
    /// # Errors
    /// A config fault that names the table.
    pub(crate) fn check_links(&self) -> Result<()> {
        if !self.plan.strategy.deletes_children() {
            return Ok(());
        }
        self.children.iter().try_for_each(|child| self.links_to(child).map(drop))
    }

    /// The links of a nested table with staged rows.
    pub(crate) fn links_to(&self, child: &StagedTable) -> Result<Links<'_>> {
        match self.destination.schema.table(&child.name) {
            Some(known) => self.links_of(known),
            None => Ok(self.links()),
        }
    }

    /// Copies nested rows into their staging table. Returns its name.
    pub(crate) async fn stage(&self, session: &mut Session, child: &StagedTable) -> Result<Name> {
        let waiting = self.destination.target.staging(&child.name);
        session.sql(merge::delete_all(&waiting)).await?;
        let into = CopyInto::Staging(&waiting, self.seq_column());
        self.destination.copy(session, child, into).await?;
        Ok(waiting)
    }

    /// Inserts nested rows through their staging tables.
    pub(crate) async fn insert_children(
        &self,
        session: &mut Session,
        inserted: InsertedChildren,
    ) -> Result<()> {
        for child in &self.children {
            let waiting = self.stage(session, child).await?;
            let table = self.destination.target.table(&child.name);
            let columns = self.destination.columns(child, &table);
            let (staged, links) = (self.staged(), self.links());
            let merged = self.child(&table, &staged, links);
            let insert = match inserted {
                InsertedChildren::OfKeptRoots => merged.insert_kept(&columns, &waiting),
                InsertedChildren::New => merged.insert_new(&columns, &waiting),
            };
            session.sql(insert).await?;
            session.sql(merge::delete_all(&waiting)).await?;
        }
        Ok(())
    }

    fn seq_column(&self) -> SqlColumn {
        SqlColumn::new(self.seq.clone(), Kind::of(DataType::Bigint))
    }
}

/// The columns of a table, as Snowflake stores their names.
fn names(destination: &Destination<'_>, table: &Table) -> Vec<String> {
    destination.all_columns(table).into_iter().map(|column| column.name).collect()
}

fn affected(answer: &SqlReply) -> u64 {
    match answer {
        SqlReply::Ran(outcome) => outcome.affected.unwrap_or(0),
        SqlReply::DryRun => 0,
    }
}

/// The columns by which staged rows are the same row, if one of them is to be kept.
fn ranked(plan: &MergePlan, known: &Table) -> Vec<String> {
    let version = || hint_of(known, "x-row-version").map(|column| column.name().to_owned());
    match plan.strategy.duplicates() {
        Duplicates::PrimaryKeyUnlessDistinct if plan.deduplicated => Vec::new(),
        // Rows with one id are equal in every value. A version given by the source belongs to a row,
        // and only a key identifies the row.
        Duplicates::Version if plan.id_is_version => version().into_iter().collect(),
        Duplicates::Version if plan.primary.is_empty() => Vec::new(),
        Duplicates::Version => plan.primary.iter().cloned().chain(version()).collect(),
        Duplicates::PrimaryKey | Duplicates::PrimaryKeyUnlessDistinct => plan.primary.clone(),
    }
}

/// What ranks the staged rows of one key: the newest, then the column the job names, then the
/// last one read. If later rows must not change anything, the first one read.
fn order(destination: &Destination<'_>, plan: &MergePlan, known: &Table) -> Result<String> {
    let fold = |name: &str| destination.target.convention.fold(name);
    let mut order = Vec::new();
    if let Some(age) = &plan.newer_by {
        if !known.column(age).is_some_and(schema::Column::is_complete) {
            return Err(Fault::config(format_args!(
                "expected a column of the table, found {age:?}"
            ))
            .at("newer_by"));
        }
        order.push((fold(age), Direction::Descending));
    }
    if let Some(column) = hint_of(known, "dedup_sort").filter(|column| column.is_complete()) {
        let direction = match column.hint("dedup_sort").and_then(|sort| sort.as_str()) {
            Some("asc") => Direction::Ascending,
            _ => Direction::Descending,
        };
        order.push((fold(column.name()), direction));
    }
    let direction = match plan.strategy.keeps_first() {
        true => Direction::Ascending,
        false => Direction::Descending,
    };
    order.push((fold(SEQ), direction));
    Ok(merge::order_by(&order))
}
