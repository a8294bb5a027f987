"""One account's DuckDB, and the state that all its sessions share.

DuckDB has snapshot isolation and optimistic conflicts; Snowflake has READ COMMITTED and waits for locks. `locks` and
`transactions` bridge the difference: an UPDATE, DELETE, MERGE or TRUNCATE locks its table until its transaction ends,
and a transaction whose snapshot is old begins again with its changes (`rebase`) before the next statement runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb
from fakesnow import info_schema, macros
from fakesnow.instance import FakeSnow

from .catalog import Catalog, Schema, Table
from .errors import exists, missing
from .locks import Holder, Locks
from .modes import Modes
from .stages import Stages
from .text import Name, quote

if TYPE_CHECKING:
    from .consistency import Past
    from .rebase import Change

HISTORY = '"_emulator"."loads"'
HISTORY_NAME = ("_emulator", "loads")


@dataclass
class Outcome:
    """The result of a data-changing statement: its result rows and the number of changed rows."""

    columns: list[str]
    rows: list[tuple]
    affected: int


@dataclass(eq=False)
class Transaction(Holder):
    """An open transaction: the state of the data that it saw, and what it has done.

    `changes` is what it had changed when that was last read out; `done` are the statements since then, each with the
    number of rows it touched. `touched` are the committed rows that it has rewritten or deleted, by table.
    """

    seen: int = 0
    changes: list[Change] = field(default_factory=list)
    done: list[tuple[Callable[[], Outcome], int]] = field(default_factory=list)
    touched: dict[Name, set[int]] = field(default_factory=dict)
    tables: dict[Name, Table] = field(default_factory=dict)
    locked: dict[Name, set[int | None]] = field(default_factory=dict)
    broken: Exception | None = None


class Engine:
    """The state that the sessions of an account share."""

    def __init__(self, root: str, modes: Modes) -> None:
        self.fakesnow = FakeSnow()
        self.duck = self.fakesnow.duck_conn
        # A test has a few rows: to divide their work among threads takes longer than the work.
        self.duck.execute("SET GLOBAL threads = 1")
        self.catalog = Catalog()
        self.stages = Stages(root, lambda name: name in self.catalog.tables)
        self.locks = Locks(modes.most_waiters)
        self.text_limit = modes.text_limit
        self.past: Past  # the account's, which knows the sessions
        self.commits = 0
        self.ddl = threading.RLock()

    def committed(self) -> None:
        """Called when something has become visible to all sessions."""
        self.commits += 1

    def create_database(self, name: str, owner: str) -> None:
        """A database with its PUBLIC schema."""
        if name in self.catalog.databases:
            raise exists(name)
        self.catalog.check_case("database", name, list(self.catalog.databases))
        with self.duck.cursor() as duck:
            duck.execute(f"ATTACH ':memory:' AS {quote(name)}")
            duck.execute(info_schema.per_db_creation_sql(quote(name)))
            duck.execute(macros.creation_sql(quote(name)))
            duck.execute(f'CREATE SCHEMA {quote(name)}."_emulator"')
            duck.execute(
                f"CREATE TABLE {quote(name)}.{HISTORY} (schema_name VARCHAR, table_name VARCHAR, stage VARCHAR, "
                "path VARCHAR, digest VARCHAR, row_count BIGINT, loaded TIMESTAMPTZ)"
            )
        self.catalog.databases[name] = {}
        self.catalog.database_owner[name] = owner
        self.create_schema(name, "PUBLIC", Schema(owner=owner))

    def create_schema(self, database: str, name: str, schema: Schema) -> None:
        """A schema in a database that exists."""
        if database not in self.catalog.databases:
            raise missing("Database", database)
        if name in self.catalog.databases[database]:
            raise exists(name)
        self.catalog.check_case("schema", name, list(self.catalog.databases[database]))
        with self.duck.cursor() as duck:
            duck.execute(f"CREATE SCHEMA {quote(database)}.{quote(name)}")
        self.catalog.databases[database][name] = schema

    def drop_schema(self, database: str, name: str) -> None:
        """Drop a schema with everything in it, stage files included."""
        with self.duck.cursor() as duck:
            duck.execute(f"DROP SCHEMA {quote(database)}.{quote(name)} CASCADE")
        self.catalog.drop_schema(database, name)
        self.stages.drop_schema(database, name)

    def drop_database(self, name: str) -> None:
        """Drop a database with everything in it."""
        for schema in list(self.catalog.databases[name]):
            self.drop_schema(name, schema)
        with self.duck.cursor() as duck:
            duck.execute(f"DETACH {quote(name)}")
        del self.catalog.databases[name]

    def close(self) -> None:
        """Close DuckDB."""
        with contextlib.suppress(duckdb.Error):
            self.duck.close()
        del self.duck, self.fakesnow
