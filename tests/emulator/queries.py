"""SELECT, on the newest state or, where the mode says so, on the one before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.rowtype import describe_as_rowtype
from sqlglot import exp

from . import dialect, passes, transactions, views, zones
from .answer import TYPE_IDS, Answer
from .errors import SqlError, not_emulated
from .text import head, literal, quote

if TYPE_CHECKING:
    from .session import Session


def query(session: Session, text: str, params: list | None) -> Answer:
    """Run a SELECT, or a statement that fakesnow answers."""
    expression = dialect.parse(text)
    if isinstance(expression, exp.Command):
        raise not_emulated(f"the statement {text[:60]!r}")
    session.check_tables(expression)
    if _may_lag(session, expression):
        with session.engine.past.reading(session) as snapshot:
            if snapshot is not None:
                try:
                    return _read_past(session, snapshot, expression.copy(), text, params)
                except SqlError as error:
                    if error.errno not in (2003, 904):  # objects newer than the snapshot are read from the present
                        raise
    transactions.refresh(session.scope)
    try:
        return _answer(session, expression, text, params)
    except Exception:
        transactions.failed(session.scope)
        raise


def _may_lag(session: Session, expression: exp.Expression) -> bool:
    transaction = session.scope.transaction
    tables = [t for t in expression.find_all(exp.Table) if t.db.upper() != "INFORMATION_SCHEMA"]
    return bool(tables) and (transaction is None or not transaction.touched)


def _read_past(
    session: Session, snapshot: duckdb.DuckDBPyConnection, expression: exp.Expression, text: str, params: list | None
) -> Answer:
    snapshot.execute(f"SET TimeZone = '{literal(session.timezone)}'")
    if session.database is not None:
        inner = session.schema or "main"
        snapshot.execute(f"SET schema = '{literal(quote(session.database))}.{literal(quote(inner))}'")
    session.reading = snapshot
    try:
        return _answer(session, expression, text, params)
    finally:
        session.reading = None


def _answer(session: Session, expression: exp.Expression, text: str, params: list | None) -> Answer:
    cursor = session.cursor()
    try:
        zoned = session.has_zones(expression)
        prepared = dialect.prepare(views.substituted(session, expression), session.functions(), has_zones=zoned)
        cursor._execute(passes.translated(cursor, prepared, params), params)
        rowtype = describe_as_rowtype(_plain(_described(session, cursor)))
    except Exception as error:
        if isinstance(error, duckdb.Error):
            raise dialect.translate_error(error) from error
        if isinstance(error.__cause__, duckdb.Error):
            raise dialect.translate_error(error.__cause__) from error
        if type(error).__module__.startswith("snowflake.connector"):
            raise SqlError(error.errno or 1003, error.sqlstate or "42000", error.raw_msg or str(error)) from error
        if isinstance(error, SqlError):
            raise
        raise SqlError(99999, "XX000", f"emulator: {type(error).__name__}: {error}") from error
    first = head(text)[:1]
    return Answer(rowtype, cursor._arrow_table, TYPE_IDS.get(first[0] if first else "", 0))


def _described(session: Session, cursor: FakeSnowflakeCursor) -> list[tuple]:
    """The columns of the result, as DESCRIBE shows them. The rows have been read from the connection."""
    return session.duck.execute(f"DESCRIBE {cursor._last_sql}", cursor._last_params).fetchall()


def _plain(described: list[tuple]) -> list[tuple]:
    """The columns of a result, with the wire type of a TIMESTAMP_TZ."""
    return [(n, "TIMESTAMP WITH TIME ZONE" if zones.is_zoned(t) else t, *rest) for n, t, *rest in described]
