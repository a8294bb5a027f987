//! scd2: versions that did not come end, versions that are new begin.

use super::merge::Merge;
use crate::fault::Result;
use crate::load::plan::merge::ValidityColumns;
use crate::load::session::Session;
use crate::sql::Column;
use crate::sql::merge::history::{Validity, insert_versions, retire_absent};
use crate::sql::merge::{Match, Scope};

impl Merge<'_> {
    /// Keeps every version of a row. The merge key, if there is one, says for which rows the load is
    /// complete: of others the active version stays.
    pub(crate) async fn keep_history(&self, session: &mut Session) -> Result<()> {
        let history = ValidityColumns::of(self.known)?;
        let fold = |name: &str| self.publication.target.convention.fold(name);
        let version = fold(history.version);
        let [from, to] = [history.from, history.to]
            .map(|name| super::merge::column(self.publication, self.known, name));
        let validity = Validity {
            version: &version,
            from: &from,
            to: &to,
            active: history.active,
            boundary: history.boundary.unwrap_or(self.publication.load_id.micros()),
        };
        let staged = self.staged();
        if self.existed {
            let keys: [&[Column]; 1] = [&self.merge_key];
            let survey;
            let scope = match &self.scope {
                Some(condition) => Scope::Condition(condition),
                None if self.merge_key.is_empty() => Scope::All,
                None => {
                    survey = self.survey(session, &keys).await?;
                    let bounds = survey.bounds.first().map(Vec::as_slice).unwrap_or_default();
                    Scope::Key(Match { keys: &self.merge_key, bounds })
                }
            };
            let retire = retire_absent(&self.table, &staged, &validity, scope, self.links());
            session.sql(retire).await?;
        }
        let columns = self.publication.columns(self.root, &self.table).into_iter();
        let columns: Vec<Column> =
            columns.filter(|column| column.name != from.name && column.name != to.name).collect();
        session.sql(insert_versions(&self.table, &columns, &staged, &validity)).await?;
        self.insert_new_children(session).await
    }
}
