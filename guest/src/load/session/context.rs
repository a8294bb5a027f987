//! The state that every phase of a load changes.

use super::Session;
use crate::dlt::schema::Schema;
use crate::dlt::state::State;
use crate::protocol::Report;

/// The conversation with the host, the current schema and state, and the report so far.
pub(crate) struct LoadContext<'s> {
    pub(crate) session: &'s mut Session,
    pub(crate) schema: Schema,
    pub(crate) state: State,
    pub(crate) report: Report,
}

impl LoadContext<'_> {
    /// The report at the end of the load.
    pub(crate) fn into_report(self) -> Report {
        let Self { session, state, report, .. } = self;
        Report {
            state: state.to_json(),
            statements: session.statements,
            requests: session.requests,
            pages: session.pages,
            ..report
        }
    }

    /// Adds a warning about a resource to the report.
    pub(crate) fn warn(&mut self, resource: &str, warning: &str) {
        self.report.warnings.push(format!("resource {resource}: {warning}"));
    }
}
