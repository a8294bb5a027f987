"""Two loads that race, step by step: each runs in a thread and stops at a gate before every statement and upload.

The schedule is exact: which load runs how many steps, and in which order. A load that waits for a lock lets the other
continue.
"""

from __future__ import annotations

import datetime as dt
import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import snowcat_procedure as host
from conformance.direct import Direct

from emulator import Lab

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
EVERYTHING = 10_000
# The guest runs in one store, which only one thread may enter.
_guest = threading.Lock()
_seconds = itertools.count(1)


class Turns:
    """The component, entered by one thread at a time."""

    def __init__(self, guest: Any) -> None:
        self.guest = guest

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.guest, name)

        def entered(*arguments: Any) -> Any:
            with _guest:
                return call(*arguments)

        return entered


class Gated(host.Snowflake):
    """A session with input that stops at a gate before each statement and upload."""

    def __init__(self, session: Direct, held: list[str], gate: Any) -> None:
        super().__init__(session, host.Http({}))
        self.held = iter(held)
        self.gate = gate

    def sql(self, statements: list[str]) -> list:
        """Run each statement after the gate."""
        outcomes = []
        for statement in statements:
            self.gate(statement)
            outcomes += super().sql([statement])
        return outcomes

    def upload(self, stage: str, path: str, data: bytes) -> None:
        """Upload after the gate."""
        self.gate(f"upload {path}")
        super().upload(stage, path, data)

    def pull(self, _: Any) -> str | None:
        """The next page."""
        return next(self.held, None)

    def wait(self, seconds: float) -> None:
        """No time passes."""


@dataclass
class Load:
    """The input of a load."""

    job: dict[str, Any]
    records: list[dict[str, Any]]


@dataclass
class Racer:
    """One running load."""

    load: Load
    lab: Lab
    guest: Any
    steps: int = 0
    budget: int = 0
    state: str = "new"
    error: Exception | None = None
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.turn = threading.Condition()
        self.session = Direct(self.lab.account, database="RAW")
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.now = START + dt.timedelta(seconds=next(_seconds))

    def advance(self, steps: int) -> None:
        """Run this many further steps, or until the load waits for a lock or has ended."""
        with self.turn:
            self.budget += steps
            if self.state == "new":
                self.state = "running"
                self.thread.start()
            self.turn.notify_all()
            while not (self.state == "over" or (self.state == "gate" and self.budget == 0)):
                if self._waits():
                    return
                self.turn.wait(0.01)

    def finish(self) -> None:
        """Run to the end, without gates."""
        with self.turn:
            while self.state != "over":
                if not self.turn.wait(20):
                    raise AssertionError(f"a load hangs at {self.said[-1:]}")
        self.session.close()

    def _waits(self) -> bool:
        shown = self.lab.account.engine.locks.shown()
        return any(status == "WAITING" and lock.holder.session == self.session.session.id for lock, status in shown)

    def _gate(self, what: str) -> None:
        with self.turn:
            self.state = "gate"
            self.turn.notify_all()
            while self.budget == 0:
                self.turn.wait()
            self.budget -= 1
            self.steps += 1
            self.state = "running"
        self.said.append(what)

    def _work(self) -> None:
        try:
            pages = [json.dumps(self.load.records)] if self.load.records else []
            warehouse = Gated(self.session, pages, self._gate)
            host.run(Turns(self.guest), json.dumps(self.load.job), self.now.isoformat(), warehouse)
        except Exception as error:  # noqa: BLE001
            self.error = error
        finally:
            with self.turn:
                self.state = "over"
                self.turn.notify_all()


def alone(lab: Lab, guest: Any, load: Load, later: bool = False) -> Racer:
    """Run one load from start to end; `later`: long enough after the last commit for its session to see it."""
    racer = Racer(load, lab, guest)
    if later:
        racer.session.sql('SELECT COUNT(*) FROM RAW.D."_DLT_LOADS"').collect()
    racer.advance(EVERYTHING)
    racer.finish()
    return racer


def race(lab: Lab, guest: Any, first: Load, second: Load, i: int, j: int) -> tuple[Racer, Racer]:
    """The first load runs i steps, the second j, then the first to its end, then the second to its end."""
    one, other = Racer(first, lab, guest), Racer(second, lab, guest)
    one.advance(i)
    other.advance(j)
    one.advance(EVERYTHING)
    other.advance(EVERYTHING)
    one.finish()
    other.finish()
    return one, other


def clear(lab: Lab) -> None:
    """Remove the dataset."""
    lab.sql("DROP SCHEMA IF EXISTS RAW.D CASCADE")
    lab.sql("DROP SCHEMA IF EXISTS RAW.D_STAGING CASCADE")


def tables(lab: Lab) -> dict[str, list]:
    """The rows, with each nested row under the id of its root; and the rows of staging tables, which must be empty.

    They are read from DuckDB: in one of the modes a session's first read may be older than the last commit.
    """
    with lab.account.engine.duck.cursor() as duck:
        return _tables(lab, lambda sql: duck.execute(sql).fetchall())


def _tables(lab: Lab, read: Callable[[str], list[tuple]]) -> dict[str, list]:
    catalog = lab.account.engine.catalog.tables.values()
    columns = {(table.name[2], column.name) for table in catalog for column in table.columns if table.name[1] == "D"}
    found: dict[str, list] = {"orders": [], "items": [], "waiting": []}
    if ("ORDERS", "ID") in columns:
        active = '"_DLT_VALID_TO" IS NULL' if ("ORDERS", "_DLT_VALID_TO") in columns else "TRUE"
        found["orders"] = sorted(read(f'SELECT "ID", "V", {active} FROM RAW.D.ORDERS'))
    if ("ORDERS__ITEMS", "VALUE") in columns:
        rows = read(
            'SELECT o."ID", o."V", i."VALUE" FROM RAW.D.ORDERS__ITEMS AS i LEFT JOIN RAW.D.ORDERS AS o '
            'ON o."_DLT_ID" = i."_DLT_PARENT_ID"'
        )
        found["items"] = sorted(rows, key=repr)
    for name in [table.name[2] for table in catalog if table.name[1] == "D_STAGING"]:
        found["waiting"] += read(f'SELECT * FROM RAW.D_STAGING."{name}"')
    return found
