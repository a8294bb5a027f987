"""Transactions of a session: READ COMMITTED and waiting for locks, on top of DuckDB's snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from . import rebase
from .engine import HISTORY_NAME, Outcome, Transaction
from .errors import SqlError
from .locks import Rows
from .text import Name, full

if TYPE_CHECKING:
    from .dml import Plan, Prepared
    from .session import Session


def begin(session: Session) -> None:
    """BEGIN; ignored when a transaction is open."""
    if session.transaction is None:
        session.transaction = Transaction(session.id, seen=session.engine.commits)
        session.own_duck.execute("BEGIN")


def commit(session: Session) -> None:
    """COMMIT; nothing when no transaction is open."""
    transaction = session.transaction
    if transaction is None:
        return
    try:
        refresh(session)
        session.engine.past.before_commit(session, bool(transaction.touched))
        with session.settled():
            try:
                session.own_duck.execute("COMMIT")
            except duckdb.TransactionException:
                _again(session)
                session.own_duck.execute("COMMIT")
        session.engine.committed()
    except BaseException:
        _abandon(session)
        raise
    finally:
        session.transaction = None
        session.engine.locks.release(transaction)


def rollback(session: Session) -> None:
    """ROLLBACK; nothing when no transaction is open."""
    transaction = session.transaction
    if transaction is not None:
        _abandon(session)
        session.transaction = None
        session.engine.locks.release(transaction)


def refresh(session: Session) -> None:
    """See what others have committed since the open transaction last looked."""
    transaction = session.transaction
    if transaction is None:
        return
    if transaction.broken is not None:
        raise transaction.broken
    if transaction.seen == session.engine.commits:
        return
    _keep(session, transaction)
    _again(session)


def failed(session: Session) -> None:
    """A statement failed, which ends a transaction of DuckDB: bring the open one back to what it was."""
    if session.transaction is not None:
        _again(session)


def change(session: Session, prepared: Prepared) -> Outcome:
    """Run a statement that changes rows: in the open transaction, or in one of its own."""
    if session.transaction is None and not session.autocommit:
        begin(session)
    transaction = session.transaction
    if transaction is None:
        return _alone(session, prepared)
    try:
        return _run(session, prepared, transaction, alone=False)
    except BaseException:
        _again(session)
        raise


def _alone(session: Session, prepared: Prepared) -> Outcome:
    for attempt in (1, 2, 3):
        begin(session)
        transaction = session.transaction
        assert transaction is not None
        try:
            outcome = _run(session, prepared, transaction, alone=True)
            session.engine.past.before_commit(session, changed=True)
            with session.settled():
                session.own_duck.execute("COMMIT")
            session.engine.committed()
            return outcome
        except BaseException as error:
            _abandon(session)
            if attempt == 3 or not isinstance(error, duckdb.TransactionException):
                raise
        finally:
            session.transaction = None
            session.engine.locks.release(transaction)
    raise AssertionError("unreachable")


def _run(session: Session, prepared: Prepared, transaction: Transaction, *, alone: bool) -> Outcome:
    modes, locks = session.account.modes, session.engine.locks
    if not prepared.exclusive or not modes.strict_locks:
        if prepared.exclusive:
            locks.take(prepared.table, None, transaction, session.lock_timeout)
        refresh(session)
        return _at_once(session, prepared, transaction, alone=alone)
    refresh(session)
    if modes.snapshot == "before_wait":
        plan = prepared.plan()
        _lock(session, prepared.table, rebase.committed(plan.rows), transaction)
        if transaction.seen != session.engine.commits:
            return _late(session, prepared, transaction, plan)
        return _at_once(session, prepared, transaction, alone=alone)
    while True:
        rows = rebase.committed(prepared.hits()[prepared.table])
        if not _lock(session, prepared.table, rows, transaction):
            return _at_once(session, prepared, transaction, alone=alone)
        refresh(session)


def _lock(session: Session, table: Name, rows: Rows, transaction: Transaction) -> bool:
    """Take what the modes ask for; returns `True` if something new was taken."""
    held = transaction.locked.setdefault(table, set())
    whole = session.account.modes.lock_unit == "table"
    if whole and (rows or session.account.modes.merge_without_match_locks):
        wanted: Rows | None = None
        new = None not in held
    else:
        wanted = rows - held
        new = bool(wanted) and not whole
    if new:
        # What others commit meanwhile must not change what the transaction's statements did.
        keep = lambda: _keep(session, transaction)
        session.engine.locks.take(table, wanted, transaction, session.lock_timeout, keep)
        held |= {None} if wanted is None else wanted
    return new


def _at_once(session: Session, prepared: Prepared, transaction: Transaction, *, alone: bool) -> Outcome:
    """The statement as it is, on the present snapshot."""
    hits = {} if alone else prepared.hits()
    outcome = prepared.run()
    session.engine.past.caught_up(session)
    _touched(session, transaction, hits)
    transaction.done.append((prepared.run, outcome.affected))
    return outcome


def _late(session: Session, prepared: Prepared, transaction: Transaction, plan: Plan) -> Outcome:
    """What the statement saw before it waited, applied to what is committed by now."""
    refresh(session)
    rows = rebase.numbers(rebase.committed(plan.rows))
    left = session.duck.execute(f"SELECT rowid FROM {full(prepared.table)} WHERE rowid IN ({rows})").fetchall()
    beside = {name: found for name, found in prepared.hits().items() if name != prepared.table}
    prepared.late(plan)
    _touched(session, transaction, {prepared.table: [row[0] for row in left], **beside})
    _keep(session, transaction)  # to run it again would not give the same
    return plan.outcome


def _touched(session: Session, transaction: Transaction, hits: dict[Name, list[int]]) -> None:
    for name, rows in hits.items():
        transaction.touched.setdefault(name, set()).update(rebase.committed(rows))
        if name[1:] != HISTORY_NAME:
            transaction.tables.setdefault(name, session.engine.catalog.tables[name])


def _keep(session: Session, transaction: Transaction) -> None:
    """Read out what the transaction has changed; from here on its statements need not run again."""
    transaction.changes = rebase.capture(session, transaction)
    transaction.done = []


def _again(session: Session) -> None:
    """Begin the open transaction again, on the newest snapshot."""
    transaction = session.transaction
    assert transaction is not None
    _abandon(session)
    if transaction.broken is not None:
        raise transaction.broken
    transaction.seen = session.engine.commits
    session.own_duck.execute("BEGIN")
    try:
        with session.settled():
            _replay(session, transaction)
    except Exception as error:
        transaction.broken = error  # what is applied so far must not be committed
        raise


def _replay(session: Session, transaction: Transaction) -> None:
    rebase.apply(session, transaction, transaction.changes)
    for run, before in transaction.done:
        outcome = run()
        if outcome.affected != before:
            raise SqlError(
                99999,
                "XX000",
                "emulator: this interleaving cannot be reproduced: a statement of the open transaction touched "
                f"{before} rows, and {outcome.affected} after another session committed",
            )


def _abandon(session: Session) -> None:
    try:
        with session.settled():
            session.own_duck.execute("ROLLBACK")
    except duckdb.TransactionException as error:
        if "no transaction is active" not in str(error):
            raise
