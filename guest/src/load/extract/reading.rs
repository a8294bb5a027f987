//! A resource while it is read: its sink, and the writing of its files.

use super::part::Part;
use super::record::RecordSink;
use super::rejects::Rejects;
use super::staging::Staging;
use crate::fault::Result;
use crate::job::Resource;
use crate::load::session::Session;
use crate::protocol::Report;

/// A resource that is being read.
pub(crate) struct Reading<'r> {
    pub(crate) part: &'r Part<'r>,
    pub(crate) resource: &'r Resource,
    pub(crate) session: &'r mut Session,
    pub(crate) report: &'r mut Report,
    pub(crate) sink: RecordSink<'r>,
    /// `None` if the resource is read for its children only.
    pub(crate) staging: Option<&'r mut Staging>,
    pub(crate) rejects: &'r mut Rejects,
    /// Pages read since the last commit, and their bytes.
    pub(crate) pages: u64,
    pub(crate) bytes: u64,
}

/// Where reading stopped.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ReadingStop {
    /// At the end of the resource.
    End,
    /// At a checkpoint: what was read is committed before reading goes on.
    Checkpoint,
}

impl Reading<'_> {
    /// Adds warnings to the report, each once, however many parts the load has.
    pub(crate) fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if !self.report.warnings.contains(&warning) {
                self.report.warnings.push(warning);
            }
        }
    }

    /// Counts a page.
    pub(crate) fn count_page(&mut self, bytes: usize) {
        self.session.pages += 1;
        self.pages += 1;
        self.bytes += bytes as u64;
    }

    /// Returns `true` if the job wants a checkpoint now.
    pub(crate) fn is_due(&self) -> bool {
        let checkpoint = self.resource.checkpoint.as_ref();
        checkpoint.is_some_and(|checkpoint| checkpoint.is_due(self.pages, self.bytes))
    }

    /// Writes the batch to files if it is large enough, and uploads the files that are large
    /// enough.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        if let Some(staging) = self.rejects.flush()? {
            self.part.upload(self.session, staging, self.report).await?;
        }
        let (Some(family), Some(staging)) = (self.sink.family(), self.staging.as_mut()) else {
            return Ok(());
        };
        if !staging.limits().is_full(family) {
            return Ok(());
        }
        staging.take(family)?;
        self.part.upload(self.session, staging, self.report).await
    }
}
