//! Uploads of a session: where files go is the answer to a PUT statement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::observer::{SessionEvent, SessionObserver};
use super::put::put_statement;
use super::session::Session;
use crate::interface::Failure;
use crate::stage::{Locate, StageInfo, StagePath, UploadEvent};

/// A session that the threads of uploads use, too.
#[derive(Clone)]
pub(super) struct SharedSession {
    session: Arc<Mutex<Session>>,
    observer: Option<Arc<dyn SessionObserver>>,
}

impl SharedSession {
    pub(super) fn new(session: Session) -> Self {
        let observer = session.observer().cloned();
        Self { session: Arc::new(Mutex::new(session)), observer }
    }

    /// Waits until no other thread runs a statement.
    pub(super) fn lock(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locate for SharedSession {
    fn locate(&self, place: &StagePath) -> Result<StageInfo, Failure> {
        let put = put_statement(&place.stage, &place.path());
        let data = self.lock().upload_info(&put)?;
        StageInfo::parse(&data).map_err(|why| Failure {
            code: String::new(),
            message: format!("the answer to a PUT: {why}"),
            transient: false,
        })
    }

    fn event(&self, event: &UploadEvent<'_>) {
        if let Some(observer) = &self.observer {
            observer.event(&SessionEvent::Upload(*event));
        }
    }
}
