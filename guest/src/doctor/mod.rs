//! An examination of an account: the statements and files that loads send, each with what loads assume of
//! the answer, and whether it is so.
//!
//! All objects that it creates are in two scratch schemas, which it drops at the end. A statement
//! that fails is a result: the rest of its subject is skipped, and the next subject begins. The
//! host checks itself, and whatever may end the process.

mod catalogue;
mod copy;
mod ddl;
mod end_to_end;
mod examiner;
mod lock;
mod names;
mod options;
mod parameters;
mod rights;
mod scratch;
mod session;
mod sessions;
mod stage;
mod transaction;
mod types;

use crate::fault::{Context, Result};
use crate::protocol::{Examination, Io, Load};

use examiner::{Examiner, Found, Rule, SubjectStop};
use names::Scratch;
use options::{Options, Role};

/// Begins an examination. `now` is the current instant, RFC 3339 with an offset.
///
/// # Errors
/// A config fault if the options are not valid.
pub fn start(options: &str, now: &str) -> Result<Load> {
    let options = Options::parse(options).at(|| "the options of the examination")?;
    let subjects = options.subjects().at(|| "the options of the examination")?;
    let (io, now) = (Io::default(), now.to_owned());
    Ok(Load::examining(io.clone(), async move {
        let mut x = Examiner::new(io, Scratch::new(&options));
        match options.role {
            Role::First => examine(&mut x, &options, &subjects, &now).await?,
            Role::Second => {
                let stop = sessions::second(&mut x, &options).await;
                finish(&mut x, sessions::SECOND_RULES, stop).await?;
            }
        }
        Ok(Examination { statements: x.statements, checks: x.into_checks() })
    }))
}

/// The subject of a group of checks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Subject {
    Session,
    Rights,
    Parameters,
    Catalogue,
    Stage,
    Copy,
    Types,
    Ddl,
    Transaction,
    Lock,
    Load,
    Sessions,
}

impl Subject {
    /// All subjects, in the order in which they are examined.
    const ALL: [Self; 12] = [
        Self::Session,
        // First of the slow subjects, because the other session waits for it.
        Self::Sessions,
        Self::Rights,
        Self::Parameters,
        Self::Catalogue,
        Self::Stage,
        Self::Copy,
        Self::Types,
        Self::Ddl,
        Self::Transaction,
        Self::Lock,
        Self::Load,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Rights => "rights",
            Self::Parameters => "parameters",
            Self::Catalogue => "catalogue",
            Self::Stage => "stage",
            Self::Copy => "copy",
            Self::Types => "types",
            Self::Ddl => "ddl",
            Self::Transaction => "transaction",
            Self::Lock => "lock",
            Self::Load => "load",
            Self::Sessions => "sessions",
        }
    }

    /// The rules of a subject: each has one check at the end, performed or not.
    const fn rules(self) -> &'static [&'static Rule] {
        match self {
            Self::Session => session::RULES,
            Self::Rights => rights::RULES,
            Self::Parameters => parameters::RULES,
            Self::Catalogue => catalogue::RULES,
            Self::Stage => stage::RULES,
            Self::Copy => copy::RULES,
            Self::Types => types::RULES,
            Self::Ddl => ddl::RULES,
            Self::Transaction => transaction::RULES,
            Self::Lock => lock::RULES,
            Self::Load => end_to_end::RULES,
            Self::Sessions => sessions::FIRST_RULES,
        }
    }

    async fn run(self, x: &mut Examiner, options: &Options, now: &str) -> Found {
        match self {
            Self::Session => session::run(x).await,
            Self::Rights => rights::run(x).await,
            Self::Parameters => parameters::run(x).await,
            Self::Catalogue => catalogue::run(x).await,
            Self::Stage => stage::run(x).await,
            Self::Copy => copy::run(x).await,
            Self::Types => types::run(x).await,
            Self::Ddl => ddl::run(x).await,
            Self::Transaction => transaction::run(x).await,
            Self::Lock => lock::run(x).await,
            Self::Load => end_to_end::run(x, now).await,
            Self::Sessions => sessions::first(x, options).await,
        }
    }
}

async fn examine(
    x: &mut Examiner,
    options: &Options,
    subjects: &[Subject],
    now: &str,
) -> Result<()> {
    // Before the first statement that could change the result.
    if subjects.contains(&Subject::Session) {
        let stop = Subject::Session.run(x, options, now).await;
        finish(x, Subject::Session.rules(), stop).await?;
    }
    let made = match x.fails(&session::NO_TRANSACTION) {
        true => Err(SubjectStop::Reason("a transaction of the caller is open".to_owned())),
        false => scratch::create(x).await,
    };
    let reason = match made {
        Ok(()) => None,
        Err(SubjectStop::Reason(reason)) => Some(reason),
        Err(SubjectStop::Fault(fault)) => return Err(fault),
    };
    let mut broken = None;
    for subject in subjects.iter().filter(|subject| **subject != Subject::Session) {
        let stop = match &reason {
            Some(reason) => Err(SubjectStop::Reason(reason.clone())),
            None => subject.run(x, options, now).await,
        };
        if let Err(fault) = finish(x, subject.rules(), stop).await {
            broken = Some(fault.at(subject.name()));
            break;
        }
    }
    if reason.is_none() {
        let stop = scratch::drop_all(x).await;
        finish(x, scratch::RULES, stop).await?;
    } else {
        finish(x, scratch::RULES, reason.map_or(Ok(()), |reason| Err(SubjectStop::Reason(reason))))
            .await?;
    }
    broken.map_or(Ok(()), Err)
}

/// Ends a subject: rolls back what it left open, and records the rules that were not checked.
async fn finish(x: &mut Examiner, rules: &[&Rule], stop: Found) -> Result<()> {
    let reason = match stop {
        Ok(()) => "this check has no result".to_owned(),
        Err(SubjectStop::Reason(reason)) => reason,
        Err(SubjectStop::Fault(fault)) => return Err(fault),
    };
    x.settle().await?;
    for rule in rules {
        x.untried(rule, reason.clone(), rule.remedy);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
