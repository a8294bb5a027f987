//! scd2: versions that are not staged are retired, and new versions are inserted.

use super::merge::{FamilyMerge, InsertedChildren};
use crate::fault::Result;
use crate::load::plan::merge::ValidityColumns;
use crate::load::session::Session;
use crate::sql::SqlColumn;
use crate::sql::merge::history::{Validity, insert_versions, retire_absent};
use crate::sql::merge::{Match, Scope};

/// Keeps every version of a row. A merge key limits the load to the rows with its values: active
/// versions of other rows stay.
pub(crate) async fn keep_versions(family: &FamilyMerge<'_>, session: &mut Session) -> Result<()> {
    let history = ValidityColumns::of(family.known)?;
    let fold = |name: &str| family.destination.fold(name);
    let version = fold(history.version);
    let [from, to] =
        [history.from, history.to].map(|name| family.destination.column(family.known, name));
    let validity = Validity {
        version: &version,
        from: &from,
        to: &to,
        active: history.active,
        boundary: history.boundary.unwrap_or(family.load_id.micros()),
    };
    let staged = family.staged();
    if family.existed {
        let keys: [&[SqlColumn]; 1] = [&family.merge_key];
        let stats;
        let scope = match &family.scope {
            Some(condition) => Scope::Condition(condition),
            None if family.merge_key.is_empty() => Scope::All,
            None => {
                stats = family.key_stats(session, &keys).await?;
                let ranges = stats.ranges.first().map(Vec::as_slice).unwrap_or_default();
                Scope::Key(Match { keys: &family.merge_key, ranges })
            }
        };
        let retire = retire_absent(&family.table, &staged, &validity, scope, family.links());
        session.sql(retire).await?;
    }
    let columns = family.destination.columns(family.root, &family.table).into_iter();
    let columns: Vec<SqlColumn> =
        columns.filter(|column| column.name != from.name && column.name != to.name).collect();
    session.sql(insert_versions(&family.table, &columns, &staged, &validity)).await?;
    family.insert_children(session, InsertedChildren::New).await
}
