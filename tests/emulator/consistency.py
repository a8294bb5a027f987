"""`read_consistency="session"`: a SELECT of one session may see the state before the last commit of another.

The rule here: after a commit that changed rows, the next SELECT of every other session that names a table reads the
state before that commit; the one after it reads the newest. A data-changing statement of the session ends the lag, and
a SELECT inside a transaction that has changed rows does not lag. Names are found in the newest catalogue either way.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb

from . import dialect
from .engine import HISTORY, Engine
from .text import quote

if TYPE_CHECKING:
    from .account import Account
    from .session import Session


class Snapshot:
    """A connection that keeps seeing what was committed when it was created."""

    def __init__(self, engine: Engine) -> None:
        self.lock = threading.Lock()
        self.duck = engine.duck.cursor()
        self.duck.execute("BEGIN")
        self.duck.execute(dialect.macros(engine.text_limit))
        for database in list(engine.catalog.databases):
            self.duck.execute(f"SELECT 1 FROM {quote(database)}.{HISTORY} LIMIT 1").fetchall()

    def close(self) -> None:
        """Release the snapshot."""
        with self.lock, contextlib.suppress(duckdb.Error):
            self.duck.close()


class Past:
    """The state before the last commit, and the sessions that still read it."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._guard = threading.Lock()
        self._newest: Snapshot | None = None
        self._behind: set[str] = set()

    def before_commit(self, session: Session, changed: bool) -> None:
        """Called before a commit becomes visible."""
        if self._account.modes.read_consistency != "session" or not changed:
            return
        with self._guard:
            old, self._newest = self._newest, Snapshot(self._account.engine)
            self._behind = {s.id for s in list(self._account.sessions.values())} - {session.root().id}
        if old is not None:
            old.close()

    def joined(self, session: Session) -> None:
        """A session that logs in lags as the others do."""
        with self._guard:
            if self._newest is not None and session.root() is session:
                self._behind.add(session.id)

    def caught_up(self, session: Session) -> None:
        """The session has changed rows: it reads the newest state from here on."""
        with self._guard:
            self._behind.discard(session.root().id)

    @contextlib.contextmanager
    def reading(self, session: Session) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """The connection that the session's next SELECT has to read from; `None` for its own."""
        root = session.root().id
        with self._guard:
            lags = root in self._behind
            self._behind.discard(root)
            snapshot = self._newest if lags else None
            if snapshot is not None:
                snapshot.lock.acquire()
        try:
            yield snapshot.duck if snapshot else None
        finally:
            if snapshot is not None:
                snapshot.lock.release()

    def close(self) -> None:
        """Release the snapshot."""
        with self._guard:
            if self._newest is not None:
                self._newest.close()
                self._newest = None
