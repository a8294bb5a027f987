"""Schemas as they are at one moment, and back to it: faster than to make them again by a load."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from .engine import HISTORY, HISTORY_NAME
from .errors import not_emulated
from .tables import create_in_duck
from .text import full, quote

if TYPE_CHECKING:
    from .catalog import Schema, Table
    from .engine import Engine


class Saved:
    """The schemas of a database whose names begin so, with their tables, rows and load history; without grants."""

    def __init__(self, engine: Engine, database: str, prefix: str) -> None:
        self.engine, self.database, self.prefix = engine, database, prefix
        if any(name[0] == database and name[1].startswith(prefix) for name in engine.stages.by_name):
            raise not_emulated("to save a stage")
        self.schemas: dict[str, Schema] = {n: copy.deepcopy(s) for n, s in self._schemas(engine).items()}
        self.tables: list[tuple[Table, pa.Table]] = []
        with engine.duck.cursor() as duck:
            for name, table in engine.catalog.tables.items():
                if name[0] == database and name[1] in self.schemas:
                    rows = duck.execute(f"SELECT * FROM {full(name)} ORDER BY rowid").to_arrow_table()
                    self.tables.append((copy.deepcopy(table), rows))
            self.history = duck.execute(
                f"SELECT * FROM {quote(database)}.{HISTORY} WHERE starts_with(schema_name, ?)", [prefix]
            ).to_arrow_table()

    def restore(self, other: Engine | None = None) -> None:
        """Bring the schemas back to what they were, or into another account. No transaction may be open."""
        engine = other or self.engine
        with engine.ddl:
            for name in self._schemas(engine):
                engine.drop_schema(self.database, name)
            for name, schema in self.schemas.items():
                engine.create_schema(self.database, name, copy.deepcopy(schema))
            with engine.duck.cursor() as duck:
                for table, rows in self.tables:
                    create_in_duck(duck, table)
                    _insert(duck, full(table.name), rows)
                    engine.catalog.tables[table.name] = copy.deepcopy(table)
                history = full((self.database, *HISTORY_NAME))
                duck.execute(f"DELETE FROM {history} WHERE starts_with(schema_name, ?)", [self.prefix])
                _insert(duck, history, self.history)
        engine.committed()

    def _schemas(self, engine: Engine) -> dict[str, Schema]:
        known = engine.catalog.databases[self.database]
        return {name: schema for name, schema in known.items() if name.startswith(self.prefix)}


def _insert(duck: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    if rows.num_rows:
        duck.register("_emulator_saved", rows)
        duck.execute(f"INSERT INTO {name} SELECT * FROM _emulator_saved")
        duck.unregister("_emulator_saved")
