"""The changes of an open transaction, read from one snapshot and applied to a newer one.

DuckDB keeps one snapshot for a whole transaction; READ COMMITTED takes one for each statement. Between two statements
the rows that the transaction deleted, rewrote and inserted are read, the DuckDB transaction begins again, and the
changes are applied by row number. A committed row keeps its row number as long as it exists.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from .engine import HISTORY_NAME, Transaction
from .errors import SqlError, missing
from .text import Name, full, quote

if TYPE_CHECKING:
    from .session import Session

# Uncommitted rows that a transaction has inserted are numbered from here.
LOCAL = 36_028_797_018_960_000


@dataclass
class Change:
    """The net effect of a transaction on one table."""

    table: Name
    deleted: list[int]
    rewritten: pa.Table
    inserted: pa.Table


def numbers(rows: Iterable[int]) -> str:
    """A list of row numbers as SQL; never empty."""
    return ", ".join(map(str, rows)) or "-1"


def committed(rows: Iterable[int]) -> frozenset[int]:
    """Those of the rows that are committed."""
    return frozenset(row for row in rows if row < LOCAL)


def capture(session: Session, transaction: Transaction) -> list[Change]:
    """The changes of the transaction, as its snapshot shows them."""
    found = []
    for name, rows in transaction.touched.items():
        rewritten = _arrow(session, f"SELECT rowid AS _row, * FROM {full(name)} WHERE rowid IN ({numbers(rows)})")
        left = set(rewritten.column("_row").to_pylist())
        inserted = _arrow(session, f"SELECT * FROM {full(name)} WHERE rowid >= {LOCAL} ORDER BY rowid")
        found.append(Change(name, sorted(rows - left), rewritten, inserted))
    return found


def apply(session: Session, transaction: Transaction, changes: list[Change]) -> None:
    """Apply the changes again. Fails if one of their rows no longer exists."""
    for change in changes:
        name = change.table = _current(session, transaction, change.table)
        known = {row[0] for row in session.duck.execute(f"DESCRIBE {full(name)}").fetchall()}
        if change.deleted:
            sql = f"DELETE FROM {full(name)} WHERE rowid IN ({numbers(change.deleted)})"
            _expect(session.duck.execute(sql).fetchall()[0][0], len(change.deleted), name)
        columns = [c for c in change.inserted.column_names if c in known]
        listed = ", ".join(map(quote, columns))
        if change.rewritten.num_rows and columns:
            sets = ", ".join(f"{quote(c)} = n.{quote(c)}" for c in columns)
            sql = f"UPDATE {full(name)} AS t SET {sets} FROM {{}} AS n WHERE t.rowid = n._row"
            _expect(_with(session, change.rewritten, sql), change.rewritten.num_rows, name)
        if change.inserted.num_rows:
            _with(session, change.inserted, f"INSERT INTO {full(name)} ({listed}) SELECT {listed} FROM {{}}")


def insert(session: Session, name: Name, columns: list[str], rows: pa.Table) -> None:
    """Insert rows that were read earlier."""
    listed = ", ".join(map(quote, columns))
    _with(session, rows, f"INSERT INTO {full(name)} ({listed}) SELECT * FROM {{}}")


def read(session: Session, sql: str) -> pa.Table:
    """The rows of a query, independent of any snapshot."""
    return _arrow(session, sql)


def _current(session: Session, transaction: Transaction, name: Name) -> Name:
    """The current name of the table. Fails if it was dropped or replaced."""
    if name[1:] == HISTORY_NAME:
        return name
    table = transaction.tables[name]
    if session.engine.catalog.tables.get(table.name) is not table:
        raise missing("Object", ".".join(name))
    if table.name != name:
        transaction.touched[table.name] = transaction.touched.pop(name)
        transaction.tables[table.name] = transaction.tables.pop(name)
    return table.name


def _expect(found: int, expected: int, name: Name) -> None:
    if found != expected:
        raise SqlError(
            99999,
            "XX000",
            f"emulator: this interleaving cannot be reproduced: the open transaction changed {expected} rows of "
            f"{'.'.join(name)}, and {found} of them are left after another session committed",
        )


def _arrow(session: Session, sql: str) -> pa.Table:
    return session.duck.execute(sql).to_arrow_table()


def _with(session: Session, rows: pa.Table, sql: str) -> int:
    session.duck.register("_emulator_rows", rows)
    try:
        return session.duck.execute(sql.format("_emulator_rows")).fetchall()[0][0]
    finally:
        session.duck.unregister("_emulator_rows")
