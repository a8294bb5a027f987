//! Checks that need two sessions. The first takes the lock of a load and holds it. Meanwhile the
//! second requests the lock, must wait, and must then see what the first committed.
//!
//! The two communicate through a table of signals. A signal is committed before the next action,
//! and each side reports what it saw of the other. Neither has a clock. The first session decides
//! whether the second waited: it looks for a signal that the second sends only once it has the
//! lock.

use super::examiner::{Examiner, Found, Rule, SubjectStop, cell, has_code, shown};
use super::lock::{NEW, OLD, PIPELINE, books, count, make, row};
use super::options::Options;
use crate::protocol::Failure;
use crate::sql::{Name, doctor, merge};

const WAITS: Rule = Rule {
    name: "sessions.lock_waits",
    assumed: "While a load holds the lock of a committed row, another load that wants it waits",
    remedy: "Run one load of a pipeline at a time (a task does), and please report it: two loads at once can \
             write the same rows",
};
const MERGE_WAITS: Rule = Rule {
    name: "sessions.merge_waits",
    assumed: "A MERGE that only inserts keeps out another one of its kind",
    remedy: "None: loads lock a committed row first",
};
const SEES: Rule = Rule {
    name: "sessions.check_sees_commit",
    assumed: "An UPDATE that begins when the lock is held sees what the other session committed",
    remedy: "Run one load of a pipeline at a time (a task does), and please report it: two loads at once can \
             write the same rows",
};
const FENCED: Rule = Rule {
    name: "sessions.insert_sees_commit",
    assumed: "A MERGE that begins when the lock is held inserts nothing where the other session committed a \
              later state",
    remedy: "Run one load of a pipeline at a time (a task does), and please report it: two loads at once can \
             write the same rows",
};
const MERGE_SEES: Rule = Rule {
    name: "sessions.merge_sees_commit",
    assumed: "A MERGE that waited for another session sees what that one committed",
    remedy: "None: loads check in a statement that begins when the lock is held",
};
const READ: Rule = Rule {
    name: "sessions.read_sees_commit",
    assumed: "A SELECT right after another session's commit sees it",
    remedy: "None: a load that reads an old state fails at the check under the lock. ALTER ACCOUNT SET \
             READ_CONSISTENCY_MODE = 'GLOBAL' avoids it",
};
const REFUSED: Rule = Rule {
    name: "sessions.lock_timeout",
    assumed: "A lock that cannot be had within LOCK_TIMEOUT is error 000625: loads try again",
    remedy: "Before CALL P_DOCTOR_SECOND: ALTER SESSION SET LOCK_TIMEOUT = 2",
};

pub(super) const FIRST_RULES: &[&Rule] = &[&WAITS, &MERGE_WAITS];
pub(super) const SECOND_RULES: &[&Rule] = &[&SEES, &FENCED, &MERGE_SEES, &READ, &REFUSED];

const SIGNALS: &str = "DOCTOR_SIGNALS";
const LOCKED: &str = "DOCTOR_LOCKED";
const MERGED: &str = "DOCTOR_MERGED";
/// The signals of each session.
const FIRST: &str = "first";
const SECOND: &str = "second";
const READY: &str = "is ready";
const LOCK_BEGINS: &str = "begins with the lock";
const LOCK_PASSED: &str = "has had the lock";
const MERGE_BEGINS: &str = "begins with the merge";
const MERGE_PASSED: &str = "has merged";

/// Seconds between two reads of the signals.
const LOOK: f64 = 2.0;
/// Seconds that the second session leaves the first to take its lock.
const HEAD_START: f64 = 3.0;
/// The number of times that the second session requests the lock.
const ATTEMPTS: u32 = 20;

/// The session that holds the lock.
pub(super) async fn first(x: &mut Examiner, options: &Options) -> Found {
    let call = format!(
        "CALL P_DOCTOR in one worksheet and, while it runs, CALL P_DOCTOR_SECOND with the same arguments in \
         another; it waits {} seconds for it",
        options.wait_seconds
    );
    if options.wait_seconds == 0 {
        for rule in FIRST_RULES {
            x.untried(rule, "this session does not wait for another", &call);
        }
        return Ok(());
    }
    let locked = make(x, LOCKED).await?;
    let merged = make(x, MERGED).await?;
    x.need(books(&locked).insert(&locked, &row(OLD))).await?;
    let signals = x.scratch.object(SIGNALS);
    x.need(doctor::create_texts(&signals, &["WHO", "WHAT"])).await?;
    signal(x, FIRST, READY).await?;
    if !heard(x, SECOND, READY, options.wait_seconds).await? {
        for rule in FIRST_RULES {
            x.untried(rule, "no second session was started", &call);
        }
        return Ok(());
    }

    signal(x, FIRST, LOCK_BEGINS).await?;
    x.begin().await?;
    let held = x.need(books(&locked).rewrite_states(PIPELINE, OLD)).await?.affected;
    let inserted =
        x.need(books(&locked).insert_state_fenced(PIPELINE, NEW, &row(NEW))).await?.affected;
    if (held, inserted) != (Some(1), Some(1)) {
        return Err(SubjectStop::Reason(format!(
            "expected to rewrite 1 row and to insert 1, found {} and {}: see lock.rewritten_rows",
            count(held),
            count(inserted)
        )));
    }
    hold(x, &WAITS, options, LOCK_BEGINS, LOCK_PASSED).await?;

    heard(x, SECOND, LOCK_PASSED, options.wait_seconds).await?;
    signal(x, FIRST, MERGE_BEGINS).await?;
    x.begin().await?;
    x.need(books(&merged).insert_state_fenced(PIPELINE, NEW, &row(NEW))).await?;
    hold(x, &MERGE_WAITS, options, MERGE_BEGINS, MERGE_PASSED).await?;
    // The second session still reads the table that is dropped after this.
    heard(x, SECOND, MERGE_PASSED, options.wait_seconds).await.map(drop)
}

/// Keeps the transaction open for a while, checks whether the second session passed it, and
/// commits.
async fn hold(
    x: &mut Examiner,
    rule: &Rule,
    options: &Options,
    begins: &str,
    passed: &str,
) -> Found {
    let looks = looks(options.hold_seconds);
    let mut signals = Vec::new();
    let has = |signals: &[(String, String)], what: &str| {
        signals.iter().any(|(who, said)| who == SECOND && said == what)
    };
    for _ in 0..looks {
        x.wait(LOOK, "holding the lock for the other session").await?;
        signals = said(x).await?;
        if has(&signals, passed) {
            break;
        }
    }
    x.commit().await?;
    match (has(&signals, begins), has(&signals, passed)) {
        (_, true) => x.note(rule, false, "the other session went on while the lock was held"),
        (true, false) => x.note(rule, true, "the other session waited"),
        (false, false) => x.untried(
            rule,
            "the other session had not begun when the lock was let go",
            "Call both again",
        ),
    }
    Ok(())
}

/// The session that requests the lock.
pub(super) async fn second(x: &mut Examiner, options: &Options) -> Found {
    let call =
        "CALL P_DOCTOR with the same arguments in another worksheet first; this one waits for it";
    let ready = heard(x, FIRST, READY, options.wait_seconds).await?;
    if ready {
        signal(x, SECOND, READY).await?;
    }
    if !ready || !heard(x, FIRST, LOCK_BEGINS, options.wait_seconds).await? {
        for rule in SECOND_RULES {
            x.untried(rule, "the first session did not come this far", call);
        }
        return Ok(());
    }
    let (locked, merged) = (x.scratch.object(LOCKED), x.scratch.object(MERGED));
    x.wait(HEAD_START, "the other session takes the lock").await?;
    signal(x, SECOND, LOCK_BEGINS).await?;
    let waited = patiently(x, books(&locked).rewrite_states(PIPELINE, OLD)).await?;
    let later = x.need(books(&locked).rewrite_states(PIPELINE, NEW)).await?.affected;
    let seen =
        format!("it found {} later state; the one that waited {}", count(later), count(waited));
    x.note(&SEES, later == Some(1), seen);
    let inserted =
        x.need(books(&locked).insert_state_fenced(PIPELINE, NEW, &row(NEW))).await?.affected;
    x.note(&FENCED, inserted == Some(0), format!("it inserted {} rows", count(inserted)));
    let read = x.need(doctor::select_texts(&locked, &["VERSION"])).await?;
    // One row more if this session inserted its own.
    let states = read.rows.len() as u64;
    let expected = 2 + inserted.unwrap_or(0);
    x.note(&READ, states == expected, format!("{states} states of {expected}"));
    x.roll_back().await?;
    signal(x, SECOND, LOCK_PASSED).await?;

    if !heard(x, FIRST, MERGE_BEGINS, options.wait_seconds).await? {
        x.untried(&MERGE_SEES, "the first session did not come this far", call);
    } else {
        x.wait(HEAD_START, "the other session takes the lock").await?;
        signal(x, SECOND, MERGE_BEGINS).await?;
        let merge = books(&merged).insert_state_fenced(PIPELINE, NEW, &row(NEW));
        let inserted = patiently(x, merge).await?;
        x.note(&MERGE_SEES, inserted == Some(0), format!("it inserted {} rows", count(inserted)));
        x.roll_back().await?;
        signal(x, SECOND, MERGE_PASSED).await?;
    }
    if !x.has(&REFUSED) {
        x.untried(&REFUSED, "the lock was granted in time", REFUSED.remedy);
    }
    Ok(())
}

/// Begins a transaction with a statement that waits for a lock, and retries if the lock is denied.
/// Returns the number of rows that the statement changed.
async fn patiently(x: &mut Examiner, statement: String) -> Found<Option<u64>> {
    for _ in 0..ATTEMPTS {
        x.begin().await?;
        let failure = match x.sql(statement.clone()).await? {
            Ok(outcome) => return Ok(outcome.affected),
            Err(failure) => failure,
        };
        x.note(&REFUSED, has_code(&failure, "625"), shown(&failure));
        x.roll_back().await?;
        x.wait(LOOK, "another session holds the lock").await?;
    }
    Err(SubjectStop::Reason("the lock was not granted at any attempt".to_owned()))
}

/// Sends a signal to the other session.
async fn signal(x: &mut Examiner, who: &str, what: &str) -> Found {
    let signals = x.scratch.object(SIGNALS);
    x.need(doctor::insert_texts(&signals, &[who, what])).await?;
    // Without AUTOCOMMIT the session has begun a transaction.
    x.need(merge::COMMIT.to_owned()).await.map(drop)
}

/// The signals that were sent so far.
async fn said(x: &mut Examiner) -> Found<Vec<(String, String)>> {
    let signals = x.scratch.object(SIGNALS);
    let outcome = x.need(select(&signals)).await?;
    let pair = |row: &Vec<Option<String>>| (cell(row, 0).to_owned(), cell(row, 1).to_owned());
    Ok(outcome.rows.iter().map(pair).collect())
}

fn select(signals: &Name) -> String {
    doctor::select_texts(signals, &["WHO", "WHAT"])
}

/// Waits up to `seconds` for a signal of the other session. Returns `true` if it was sent.
async fn heard(x: &mut Examiner, who: &str, what: &str, seconds: u32) -> Found<bool> {
    let signals = x.scratch.object(SIGNALS);
    let looks = looks(seconds);
    for look in 0..=looks {
        match x.sql(select(&signals)).await? {
            Ok(outcome) => {
                if outcome.rows.iter().any(|row| cell(row, 0) == who && cell(row, 1) == what) {
                    return Ok(true);
                }
            }
            // The second session may start before the table exists.
            Err(failure) if is_missing(&failure) => {}
            Err(failure) => return Err(SubjectStop::Reason(shown(&failure))),
        }
        if look < looks {
            x.wait(LOOK, "the other session is not this far").await?;
        }
    }
    Ok(false)
}

/// The number of reads that take about `seconds`, with a wait before each.
fn looks(seconds: u32) -> u32 {
    (f64::from(seconds) / LOOK).ceil() as u32
}

/// Returns `true` if an object, or its schema, does not exist.
/// Source: errors 002003 and 002043.
fn is_missing(failure: &Failure) -> bool {
    has_code(failure, "2003") || has_code(failure, "2043")
}
