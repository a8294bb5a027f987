"""Locks: the tables, or their rows, that transactions hold."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .errors import SqlError, cancelled
from .text import Name

Rows = frozenset[int]
_numbers = itertools.count(1)


def transaction_id() -> int:
    """A number as the service has it: the time in nanoseconds, with a counter in the last digits."""
    return time.time_ns() // 10**6 * 10**6 + next(_numbers) % 10**6


@dataclass(eq=False)
class Holder:
    """The holder of locks: a transaction, explicit or of one statement."""

    session: str
    id: int = field(default_factory=transaction_id)
    started: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    aborted: bool = False


@dataclass(eq=False)
class Lock:
    """A lock that is held or waited for. `rows` is `None` for the whole table."""

    table: Name
    rows: Rows | None
    holder: Holder
    statement: str = field(default_factory=lambda: str(uuid.uuid4()))
    since: dt.datetime | None = None
    cancelled: bool = False

    def conflicts(self, other: Lock) -> bool:
        """Returns `True` if two transactions cannot hold both."""
        if self.table != other.table or self.holder is other.holder:
            return False
        return self.rows is None or other.rows is None or not self.rows.isdisjoint(other.rows)


def _nothing() -> None:
    """The transaction needs nothing before it waits."""


class Locks:
    """The locks of an account. A holder releases all its locks at once."""

    def __init__(self, most_waiters: int) -> None:
        self.most_waiters = most_waiters
        self._changed = threading.Condition()
        self._held: list[Lock] = []
        self._waiting: list[Lock] = []

    def take(
        self, table: Name, rows: Rows | None, holder: Holder, timeout: float, before_wait: Callable[[], None] = _nothing
    ) -> bool:
        """Wait for the table or the rows, then hold them. Returns `True` if the statement had to wait.

        `before_wait` is called before others can commit. Error 000625 after `timeout` seconds, or at once if too many statements wait for the table.
        """
        wanted = Lock(table, rows, holder)
        with self._changed:
            blocker = self._blocker(wanted)
            if blocker is None:
                self._hold(wanted)
                return False
            if sum(w.table == table for w in self._waiting) >= self.most_waiters:
                raise _refused(
                    blocker,
                    wanted,
                    f"the number of waiters for this lock exceeds the {self.most_waiters} statements limit.",
                )
            before_wait()
            self._waiting.append(wanted)
            self._changed.notify_all()
            try:
                self._wait(wanted, timeout)
            finally:
                self._waiting.remove(wanted)
            self._hold(wanted)
            return True

    def release(self, holder: Holder) -> None:
        """Release all locks of the holder."""
        with self._changed:
            self._held = [lock for lock in self._held if lock.holder is not holder]
            self._changed.notify_all()

    def abort(self, holder: Holder) -> None:
        """End the wait of the holder with an error. Its locks are released with its transaction."""
        with self._changed:
            holder.aborted = True
            self._changed.notify_all()

    def cancel(self, holder: Holder) -> None:
        """End the wait of the holder with an error; its transaction continues."""
        with self._changed:
            for lock in self._waiting:
                lock.cancelled = lock.cancelled or lock.holder is holder
            self._changed.notify_all()

    def waiting(self, table: Name | None = None) -> int:
        """The number of statements that wait, for one table or for any."""
        with self._changed:
            return sum(table is None or lock.table == table for lock in self._waiting)

    def wait_for_waiters(self, count: int, timeout: float = 10.0) -> bool:
        """Block until `count` statements wait; returns `False` if that takes longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._waiting) >= count, timeout)

    def shown(self) -> Iterator[tuple[Lock, str]]:
        """Every lock with its status, as SHOW LOCKS lists them; one for a table and a holder."""
        with self._changed:
            pairs = [(lock, "HOLDING") for lock in self._held] + [(lock, "WAITING") for lock in self._waiting]
        seen: set[tuple[Name, int, str]] = set()
        for lock, status in pairs:
            key = (lock.table, lock.holder.id, status)
            if key not in seen:
                seen.add(key)
                yield lock, status

    def _blocker(self, wanted: Lock) -> Lock | None:
        return next((held for held in self._held if held.conflicts(wanted)), None)

    def _hold(self, lock: Lock) -> None:
        lock.since = dt.datetime.now(dt.UTC)
        self._held.append(lock)

    def _wait(self, wanted: Lock, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while (blocker := self._blocker(wanted)) is not None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise _refused(blocker, wanted, f"LOCK_TIMEOUT ({timeout:g} s) passed.")
            self._changed.wait(left)
            if wanted.holder.aborted or wanted.cancelled:
                raise cancelled()


def _refused(blocker: Lock, wanted: Lock, reason: str) -> SqlError:
    return SqlError(
        625,
        "57014",
        f"Statement '{blocker.statement}' has locked table '{wanted.table[2]}' in transaction {blocker.holder.id} and this "
        f"lock has not yet been released.\nYour statement '{wanted.statement}' was aborted because {reason}",
    )
