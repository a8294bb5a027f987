"""Connections to DuckDB, each for one session after another: to create the macros of one takes as long as a statement."""

from __future__ import annotations

import contextlib
import threading

import duckdb

from . import dialect


class Connections:
    """The connections that no session uses."""

    def __init__(self, duck: duckdb.DuckDBPyConnection, text_limit: int) -> None:
        self._duck = duck
        self._macros = dialect.macros(text_limit)
        self._free: list[duckdb.DuckDBPyConnection] = []
        self._guard = threading.Lock()

    def taken(self) -> duckdb.DuckDBPyConnection:
        """A connection without a current schema, a transaction or temporary tables."""
        with self._guard:
            if self._free:
                return self._free.pop()
        made = self._duck.cursor()
        made.execute(self._macros)
        return made

    def back(self, duck: duckdb.DuckDBPyConnection) -> None:
        """Take it back from a session that has ended and runs no statement."""
        with contextlib.suppress(duckdb.TransactionException):
            duck.execute("ROLLBACK")
        duck.execute("SET schema = 'memory.main'")
        with self._guard:
            self._free.append(duck)

    def close(self) -> None:
        """Close them."""
        with self._guard:
            for duck in self._free:
                duck.close()
            self._free.clear()
