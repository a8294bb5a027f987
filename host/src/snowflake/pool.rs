//! More sessions for scripts in any order. A transaction never spans two sessions: the pool runs nothing in one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::answer::Answer;
use super::connection::Connection;
use super::error::SnowflakeError;
use super::session::Session;
use super::stopping;
use super::uploads::SharedSession;
use crate::stop::Stop;

/// Sessions besides the one of the load. They are opened when a script needs them.
pub(super) struct SessionPool {
    connection: Connection,
    /// The most sessions that run one script, the load's included.
    most: usize,
    sessions: Vec<Session>,
    /// Why a session could not be opened: no other is tried.
    refused: Option<SnowflakeError>,
}

/// What statements returned, by their number in the script.
type Ended = Vec<(usize, Result<Answer, SnowflakeError>)>;

impl SessionPool {
    pub(super) const fn new(connection: Connection, most: usize) -> Self {
        Self { connection, most, sessions: Vec::new(), refused: None }
    }

    /// Runs statements that do not depend on one another. Returns when all that were begun have ended: after a
    /// failure no other is begun. The results are in the order of the script.
    /// After a stop, too: there are fewer results then.
    pub(super) fn run(
        &mut self,
        own: &SharedSession,
        statements: &[String],
        stop: Option<&Stop>,
    ) -> Ended {
        // A login takes about as long as a statement.
        let most = if self.refused.is_some() { self.sessions.len() + 1 } else { self.most };
        let wanted = most.min(statements.len() / 2).saturating_sub(1);
        let script = PoolScript::new(statements, stop);
        let connection = &self.connection;
        let used: Vec<Option<Result<Session, SnowflakeError>>> = thread::scope(|scope| {
            let mut sessions = std::mem::take(&mut self.sessions).into_iter();
            let threads: Vec<_> = (0..wanted)
                .map_while(|_| {
                    let (session, script) = (sessions.next(), &script);
                    let work = move || {
                        // Without a session the others run all statements.
                        let mut session = session.map_or_else(|| Session::open(connection), Ok)?;
                        let stopped_by = |stop| stopping::stopped_by(stop, session.aborter(), None);
                        let _hook = stop.map(stopped_by);
                        script.work(|statement| session.execute(statement));
                        Ok(session)
                    };
                    thread::Builder::new().spawn_scoped(scope, work).ok()
                })
                .collect();
            script.work(|statement| own.lock().execute(statement));
            // Of a thread that panicked a result is missing, which the host reports.
            let used = threads.into_iter().map(|thread| thread.join().ok());
            used.chain(sessions.map(|session| Some(Ok(session)))).collect()
        });
        for session in used.into_iter().flatten() {
            match session {
                Ok(session) => self.sessions.push(session),
                Err(error) => _ = self.refused.get_or_insert(error),
            }
        }
        script.ended()
    }

    /// Returns why a session could not be opened.
    pub(super) const fn refused(&self) -> Option<&SnowflakeError> {
        self.refused.as_ref()
    }

    /// Logs out.
    ///
    /// # Errors
    /// The first one of [`Session::close`].
    pub(super) fn close(self) -> Result<(), SnowflakeError> {
        let closed: Vec<_> = self.sessions.into_iter().map(Session::close).collect();
        closed.into_iter().collect()
    }
}

/// A script that several sessions run.
struct PoolScript<'a> {
    statements: &'a [String],
    stop: Option<&'a Stop>,
    next: AtomicUsize,
    failed: AtomicBool,
    ended: Mutex<Ended>,
}

impl<'a> PoolScript<'a> {
    fn new(statements: &'a [String], stop: Option<&'a Stop>) -> Self {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { statements, stop, next, failed, ended: Mutex::default() }
    }

    /// Runs statements until there are no more, or one has failed.
    fn work(&self, mut execute: impl FnMut(&str) -> Result<Answer, SnowflakeError>) {
        let is_stopped = || self.stop.is_some_and(Stop::is_stopped);
        while !self.failed.load(Ordering::SeqCst) && !is_stopped() {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let Some(statement) = self.statements.get(number) else { return };
            let result = execute(statement);
            if result.is_err() {
                self.failed.store(true, Ordering::SeqCst);
            }
            self.ended.lock().unwrap_or_else(PoisonError::into_inner).push((number, result));
        }
    }

    fn ended(self) -> Ended {
        let mut ended = self.ended.into_inner().unwrap_or_else(PoisonError::into_inner);
        ended.sort_by_key(|(number, _)| *number);
        ended
    }
}
