"""One account: DuckDB under it, and what all its sessions share.

DuckDB gives snapshot isolation and optimistic conflicts; Snowflake gives READ
COMMITTED and waits for locks. `Locks` and `Transaction` close that gap: an
UPDATE, DELETE, MERGE or TRUNCATE holds its table until its transaction ends,
and a transaction whose snapshot has become old is begun again and its
statements repeated before the next one runs.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import duckdb
from fakesnow import info_schema, macros
from fakesnow.instance import FakeSnow

from .catalog import Catalog, Schema
from .errors import SqlError, exists, missing
from .stages import Stages
from .text import Name, quote

HISTORY = '"_emulator"."loads"'


class Locks:
    """Who holds which table. The holder is any object; it lets go of all at once."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._free = threading.Condition()
        self._held: dict[Name, object] = {}

    def take(self, table: Name, holder: object) -> None:
        """Wait for the table, then hold it. Fails with 000625 after LOCK_TIMEOUT."""
        deadline = time.monotonic() + self.timeout
        with self._free:
            while self._held.get(table, holder) is not holder:
                left = deadline - time.monotonic()
                if left <= 0 or not self._free.wait(left):
                    raise SqlError(
                        625, "57014",
                        f"Statement has locked table '{table[2]}' in another transaction and this lock has not yet "
                        f"been released.\nYour statement was aborted because LOCK_TIMEOUT ({self.timeout:g} s) passed.",
                    )  # fmt: skip
            self._held[table] = holder

    def release(self, holder: object) -> None:
        """Let go of everything the holder has."""
        with self._free:
            self._held = {table: who for table, who in self._held.items() if who is not holder}
            self._free.notify_all()


@dataclass
class Outcome:
    """What a data-changing statement did: its result row(s) and the number of rows it touched."""

    columns: list[str]
    rows: list[tuple]
    affected: int


@dataclass
class Transaction:
    """An open transaction: what it has done so far, and which state of the data it saw."""

    seen: int
    done: list[tuple[Callable[[], Outcome], int]] = field(default_factory=list)


class Engine:
    """What the sessions of an account share."""

    def __init__(self, root: str, lock_timeout: float) -> None:
        self.fakesnow = FakeSnow()
        self.duck = self.fakesnow.duck_conn
        self.catalog = Catalog()
        self.stages = Stages(root, lambda name: name in self.catalog.tables)
        self.locks = Locks(lock_timeout)
        self.commits = 0
        self.ddl = threading.RLock()

    def committed(self) -> None:
        """Something became visible to everybody."""
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
        """Let go of DuckDB."""
        with contextlib.suppress(duckdb.Error):
            self.duck.close()
        del self.duck, self.fakesnow
