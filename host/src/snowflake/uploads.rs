//! Uploads of a session: where files go is the answer to a PUT statement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::put::put_statement;
use super::session::Session;
use crate::interface::Failure;
use crate::stage::{Locate, StageInfo, StagePath};

/// A session that the threads of uploads use, too.
#[derive(Clone)]
pub(super) struct SharedSession(Arc<Mutex<Session>>);

impl SharedSession {
    pub(super) fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    /// Waits until no other thread runs a statement.
    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locate for SharedSession {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
        let StagePath { stage, folder, name } = place;
        let slash = if folder.is_empty() { "" } else { "/" };
        let put = put_statement(stage, &format!("{folder}{slash}{name}"));
        let data = self.lock().upload_info(&put)?;
        StageInfo::parse(&data).map_err(|why| Failure {
            code: String::new(),
            message: format!("the answer to a PUT: {why}"),
            transient: false,
        })
    }
}
