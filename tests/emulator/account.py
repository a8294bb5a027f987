"""An account: the engine, its objects, its sessions, and the trace of their statements."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .consistency import Past
from .engine import Engine, Transaction
from .errors import SqlError, missing
from .frame import Frame
from .modes import Modes
from .network import Authority, Terminator
from .objects import Objects
from .parameters import DEFAULTS
from .procedure import Procedures
from .roles import ADMIN, Roles
from .session import Session

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Entry:
    """A statement that some session ran."""

    sql: str
    session: str
    role: str
    procedure: str | None
    tag: str = ""
    seconds: float = 0.0
    affected: int | None = None
    error: str | None = None


class Hosts:
    """Hosts that are faked: `your-site.atlassian.net:443` leads to a server on this machine."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self._open: dict[str, Terminator] = {}
        self._plain: dict[str, tuple[str, int]] = {}

    def map(self, place: str, backend: str) -> None:
        """Serve `host:port` (TLS) from a plain-text `host:port` here."""
        host, _, port = place.lower().rpartition(":")
        if place.lower() in self._open:
            self._open.pop(place.lower()).close()
        address = (backend.rpartition(":")[0], int(backend.rpartition(":")[2]))
        self._open[f"{host}:{port}"] = Terminator(self.authority.context(host), address)

    def route(self, place: str) -> tuple[str, int] | None:
        """The real address of `host:port`, or `None`."""
        if place in self._open:
            return self._open[place].address
        host, _, port = place.rpartition(":")
        return (host, int(port)) if host in ("127.0.0.1", "localhost") else None

    def connections(self, place: str) -> int:
        """The number of connections made to it."""
        return self._open[place.lower()].connections

    def close(self) -> None:
        """Close all faked hosts."""
        for terminator in self._open.values():
            terminator.close()


class Account:
    """The state of one Lab."""

    def __init__(
        self, folder: str, imports: str, authority: Authority, timezone: str, lock_timeout: float, modes: Modes
    ) -> None:
        self.modes = modes
        self.defaults = DEFAULTS | {
            "TIMEZONE": timezone,
            "LOCK_TIMEOUT": lock_timeout,
            "QUOTED_IDENTIFIERS_IGNORE_CASE": modes.quoted_identifiers_ignore_case,
        }
        self.longest_nap: float | None = None
        self.engine = Engine(folder, modes)
        self.engine.past = Past(self)
        self.roles = Roles(self.engine.catalog)
        self.objects = Objects()
        self.procedures = Procedures(self, imports)
        self.hosts = Hosts(authority)
        self.sessions: dict[str, Session] = {}
        self.trace: list[Entry] = []
        self.on_statement: Callable[[Entry], None] | None = None
        self.server_address: tuple[str, int] = ("127.0.0.1", 0)
        self.snowpark: Callable[[Frame], Any] = _no_server
        self.forget: Callable[[Any], None] = _no_server
        self.orphans: dict[int, tuple[Transaction, threading.Timer]] = {}
        self._guard = threading.Lock()

    def connect(
        self, role: str = ADMIN, frame: Frame | None = None, *, json_results: bool = False, user: str = "TESTER"
    ) -> Session:
        """A new session."""
        with self._guard:
            session = Session(self, role, frame, user, json_results=json_results)
            self.sessions[session.id] = session
        if frame is not None:
            frame.session = session
        self.engine.past.joined(session)
        return session

    def drop(self, session: Session, *, killed: bool = False) -> None:
        """End a session, however it ends: its open transaction is rolled back.

        The locks of a session that was killed may outlive it, as `Modes` says.
        """
        if self.sessions.pop(session.id, None) is None:
            return
        seconds, transaction = self.modes.lock_outlives_session, session.transaction
        orphaned = killed and seconds > 0 and transaction is not None
        if orphaned and transaction is not None:
            timer = threading.Timer(seconds, self._bury, (transaction.id,))
            timer.daemon = True
            self.orphans[transaction.id] = (transaction, timer)
            timer.start()
        session.close(keeps_locks=orphaned)

    def _bury(self, transaction_id: int) -> bool:
        """Release the locks of a killed session. Returns `False` if there is no such transaction."""
        found = self.orphans.pop(transaction_id, None)
        if found is None:
            return False
        found[1].cancel()
        self.engine.locks.release(found[0])
        return True

    def abort(self, transaction_id: int) -> str:
        """`SYSTEM$ABORT_TRANSACTION`."""
        if self._bury(transaction_id):
            return f"Aborted transaction id {transaction_id}."
        for session in list(self.sessions.values()):
            if session.transaction is not None and session.transaction.id == transaction_id:
                session.abort()
                return f"Aborted transaction id {transaction_id}."
        raise SqlError(90119, "22023", f"Transaction '{transaction_id}' does not exist or has ended.")

    def statements(self) -> int:
        """The number of statements run so far."""
        return len(self.trace)

    def locks(self) -> list[tuple]:
        """The rows of SHOW LOCKS."""
        return [
            (
                ".".join(lock.table),
                "PARTITIONS",
                lock.holder.id,
                str(lock.holder.started),
                status,
                str(lock.since) if lock.since else None,
                lock.statement,
                lock.holder.session,
            )
            for lock, status in self.engine.locks.shown()
        ]

    def close(self) -> None:
        """End every session and release DuckDB."""
        for session in list(self.sessions.values()):
            self.drop(session)
        for transaction_id in list(self.orphans):
            self._bury(transaction_id)
        self.engine.past.close()
        self.engine.close()

    def record(self, session: Session, sql: str) -> Entry:
        """Add a statement to the trace."""
        procedure = session.frame.procedure.name[2] if session.frame else None
        entry = Entry(sql, session.id, session.role, procedure, str(session.parameters["QUERY_TAG"]))
        self.trace.append(entry)
        if self.on_statement is not None:
            self.on_statement(entry)
        return entry

    def check_exists(self, kind: str, name: tuple[str, ...], signature: str | None) -> None:
        """Check that the object that GRANT names exists."""
        catalog = self.engine.catalog
        if kind == "DATABASE":
            if name[0] not in catalog.databases:
                raise missing("Database", name[0])
        elif kind == "SCHEMA":
            catalog.schema(name[0], name[1])
        elif kind in ("TABLE", "VIEW"):
            catalog.table((name[0], name[1], name[2]))
        elif kind == "STAGE":
            if name not in self.engine.stages.by_name:
                raise missing("Stage", ".".join(name))
        else:
            thing = self.objects.get(kind, name)
            if kind == "PROCEDURE" and signature is not None and thing.signature() != signature:
                raise missing("Procedure", ".".join(name) + signature)


def _no_server(_: Any) -> Any:
    raise RuntimeError("the account has no server yet")
