"""The objects of an account: databases, schemas, tables and their declared columns.

The data is in DuckDB. The declarations are here, because DuckDB does not keep what `INFORMATION_SCHEMA` must report
(TIMESTAMP_LTZ, FLOAT, clustering keys, comments). Plain objects are sufficient: DDL is never part of a transaction.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass, field

import pyarrow as pa
from sqlglot import exp

from . import zones
from .errors import SqlError, missing
from .text import Name

T = exp.DataType.Type
FAMILIES = {
    "TEXT": {T.VARCHAR, T.CHAR, T.TEXT, T.NVARCHAR, T.NCHAR},
    "FLOAT": {T.FLOAT, T.DOUBLE},
    "NUMBER": {T.DECIMAL, T.INT, T.BIGINT, T.SMALLINT, T.TINYINT},
    "BOOLEAN": {T.BOOLEAN},
    "DATE": {T.DATE},
    "TIME": {T.TIME},
    "TIMESTAMP_NTZ": {T.TIMESTAMP, T.TIMESTAMPNTZ, T.DATETIME},
    "TIMESTAMP_LTZ": {T.TIMESTAMPLTZ},
    "TIMESTAMP_TZ": {T.TIMESTAMPTZ},
    "BINARY": {T.BINARY, T.VARBINARY},
    "VARIANT": {T.VARIANT, T.JSON},
    "OBJECT": {T.OBJECT, T.STRUCT, T.MAP},
    "ARRAY": {T.ARRAY, T.LIST},
}
DUCK = {
    "TEXT": "VARCHAR",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIME": "TIME",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "TIMESTAMP_LTZ": "TIMESTAMPTZ",
    "TIMESTAMP_TZ": zones.DUCK,
    "BINARY": "BLOB",
    "VARIANT": "JSON",
    "OBJECT": "JSON",
    "ARRAY": "JSON",
}
SEMI = ("VARIANT", "OBJECT", "ARRAY")
DEFAULT_LENGTH = {"TEXT": 16_777_216, "BINARY": 8_388_608}
MOST_LENGTH = {"TEXT": 134_217_728, "BINARY": 67_108_864}


@dataclass(frozen=True)
class Type:
    """The type of a column: its family in `INFORMATION_SCHEMA`, and its two numbers."""

    family: str
    first: int | None = None
    second: int | None = None

    @staticmethod
    def of(declared: exp.DataType) -> Type:
        """The type in a column definition."""
        numbers = [int(p.name) for p in declared.expressions if isinstance(p, exp.DataTypeParam)]
        family = next((name for name, members in FAMILIES.items() if declared.this in members), None)
        if family is None:
            raise SqlError(
                2040, "42601", f"SQL compilation error:\nUnsupported data type '{declared.sql('snowflake')}'."
            )
        if family == "NUMBER":
            precision = numbers[0] if numbers else 38
            return Type(family, precision, numbers[1] if len(numbers) > 1 else 0)
        if family in DEFAULT_LENGTH:
            length = numbers[0] if numbers else DEFAULT_LENGTH[family]
            if not 1 <= length <= MOST_LENGTH[family]:
                raise SqlError(
                    2040,
                    "42601",
                    f"SQL compilation error:\ninvalid length {length} of {declared.this.name}: "
                    f"expected 1 to {MOST_LENGTH[family]}",
                )
            return Type(family, length)
        if family.startswith("TIME"):
            return Type(family, numbers[0] if numbers else 9)
        return Type(family)

    def duck(self) -> str:
        """The DuckDB type for it."""
        return f"DECIMAL({self.first},{self.second})" if self.family == "NUMBER" else DUCK[self.family]

    def text(self) -> str:
        """The text in DESCRIBE TABLE."""
        if self.family == "NUMBER":
            return f"NUMBER({self.first},{self.second})"
        if self.family in DEFAULT_LENGTH or self.family.startswith("TIME"):
            return f"{'VARCHAR' if self.family == 'TEXT' else self.family}({self.first})"
        return self.family


@dataclass
class Column:
    """A declared column."""

    name: str
    type: Type
    nullable: bool = True
    comment: str | None = None
    default: str | None = None
    born: int = 0  # the number of statements that the account had run when it was created

    def copied(self) -> Column:
        """A copy of the column for another table."""
        return dataclasses.replace(self, born=0)


@dataclass
class Table:
    """A table or a view."""

    name: Name
    columns: list[Column] = field(default_factory=list)
    kind: str = "BASE TABLE"
    transient: bool = False
    temporary: str | None = None  # the session that owns a temporary table
    clustering: str | None = None
    comment: str | None = None
    owner: str = "ACCOUNTADMIN"
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    born: int = 0

    def has_zones(self) -> bool:
        """Returns `True` if a column is a TIMESTAMP_TZ."""
        return any(column.type.family == "TIMESTAMP_TZ" for column in self.columns)

    def column(self, name: str) -> Column:
        """The column with this name, or the server's error."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SqlError(904, "42000", f"SQL compilation error: error line 1 at position 0\ninvalid identifier '{name}'")


@dataclass
class Schema:
    """A schema."""

    transient: bool = False
    owner: str = "ACCOUNTADMIN"
    comment: str | None = None
    created: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))


# Whether a view shows a table, a column, or a schema by its database and its name.
Shows = Callable[["Table | Column | tuple[str, str, Schema]"], bool]


class Catalog:
    """Databases, schemas and tables, by stored name."""

    def __init__(self) -> None:
        self.databases: dict[str, dict[str, Schema]] = {}
        self.database_owner: dict[str, str] = {}
        self.tables: dict[Name, Table] = {}

    def schema(self, database: str, schema: str) -> Schema:
        """The schema, or the server's error."""
        if database not in self.databases:
            raise missing("Database", database)
        if schema not in self.databases[database]:
            raise missing("Schema", f"{database}.{schema}")
        return self.databases[database][schema]

    def table(self, name: Name) -> Table:
        """The table, or the server's error."""
        self.schema(name[0], name[1])
        if name not in self.tables:
            raise missing("Object", ".".join(name))
        return self.tables[name]

    def check_case(self, what: str, name: str, others: list[str]) -> None:
        """DuckDB ignores case even in quotes: fail before two names collide."""
        for other in others:
            if other != name and other.casefold() == name.casefold():
                raise SqlError(99999, "0A000", f"emulator: {what} {name!r} and {other!r} differ only in case")

    def drop_schema(self, database: str, schema: str) -> None:
        """Remove a schema and its objects."""
        self.databases[database].pop(schema, None)
        for name in [n for n in self.tables if n[:2] == (database, schema)]:
            del self.tables[name]

    def columns_view(self, database: str, shows: Shows) -> pa.Table:
        """`INFORMATION_SCHEMA.COLUMNS`."""
        rows: list[dict] = []
        for table in self._of(database, shows):
            for position, c in enumerate(table.columns, 1):
                if not shows(c):
                    continue
                text, number = c.type.family == "TEXT", c.type.family == "NUMBER"
                rows.append(
                    {
                        "TABLE_CATALOG": table.name[0],
                        "TABLE_SCHEMA": table.name[1],
                        "TABLE_NAME": table.name[2],
                        "COLUMN_NAME": c.name,
                        "ORDINAL_POSITION": position,
                        "COLUMN_DEFAULT": c.default,
                        "IS_NULLABLE": "YES" if c.nullable else "NO",
                        "DATA_TYPE": c.type.family,
                        "CHARACTER_MAXIMUM_LENGTH": c.type.first if text or c.type.family == "BINARY" else None,
                        "CHARACTER_OCTET_LENGTH": (
                            min((c.type.first or 0) * 4, max(DEFAULT_LENGTH["TEXT"], c.type.first or 0))
                            if text
                            else c.type.first
                            if c.type.family == "BINARY"
                            else None
                        ),
                        "NUMERIC_PRECISION": c.type.first if number else None,
                        "NUMERIC_PRECISION_RADIX": 10 if number else None,
                        "NUMERIC_SCALE": c.type.second if number else None,
                        "DATETIME_PRECISION": c.type.first if c.type.family.startswith("TIME") else None,
                        "COLLATION_NAME": None,
                        "IS_IDENTITY": "NO",
                        "COMMENT": c.comment,
                    }
                )
        return _arrow(
            rows,
            {
                "TABLE_CATALOG": str,
                "TABLE_SCHEMA": str,
                "TABLE_NAME": str,
                "COLUMN_NAME": str,
                "ORDINAL_POSITION": int,
                "COLUMN_DEFAULT": str,
                "IS_NULLABLE": str,
                "DATA_TYPE": str,
                "CHARACTER_MAXIMUM_LENGTH": int,
                "CHARACTER_OCTET_LENGTH": int,
                "NUMERIC_PRECISION": int,
                "NUMERIC_PRECISION_RADIX": int,
                "NUMERIC_SCALE": int,
                "DATETIME_PRECISION": int,
                "COLLATION_NAME": str,
                "IS_IDENTITY": str,
                "COMMENT": str,
            },
        )

    def tables_view(self, database: str, shows: Shows) -> pa.Table:
        """`INFORMATION_SCHEMA.TABLES` (without row counts and bytes: they are NULL)."""
        rows = [
            {
                "TABLE_CATALOG": t.name[0],
                "TABLE_SCHEMA": t.name[1],
                "TABLE_NAME": t.name[2],
                "TABLE_OWNER": t.owner,
                "TABLE_TYPE": t.kind,
                "IS_TRANSIENT": "YES" if t.transient else "NO",
                "CLUSTERING_KEY": t.clustering,
                "ROW_COUNT": None,
                "BYTES": None,
                "RETENTION_TIME": 0 if t.transient else 1,
                "AUTO_CLUSTERING_ON": "YES" if t.clustering else "NO",
                "COMMENT": t.comment,
                "CREATED": t.created,
                "LAST_ALTERED": t.created,
            }
            for t in self._of(database, shows)
        ]
        return _arrow(
            rows,
            {
                "TABLE_CATALOG": str,
                "TABLE_SCHEMA": str,
                "TABLE_NAME": str,
                "TABLE_OWNER": str,
                "TABLE_TYPE": str,
                "IS_TRANSIENT": str,
                "CLUSTERING_KEY": str,
                "ROW_COUNT": int,
                "BYTES": int,
                "RETENTION_TIME": int,
                "AUTO_CLUSTERING_ON": str,
                "COMMENT": str,
                "CREATED": dt.datetime,
                "LAST_ALTERED": dt.datetime,
            },
        )

    def schemata_view(self, database: str, shows: Shows) -> pa.Table:
        """`INFORMATION_SCHEMA.SCHEMATA`."""
        rows = [
            {
                "CATALOG_NAME": database,
                "SCHEMA_NAME": name,
                "SCHEMA_OWNER": schema.owner,
                "IS_TRANSIENT": "YES" if schema.transient else "NO",
                "COMMENT": schema.comment,
                "CREATED": schema.created,
            }
            for name, schema in self.databases[database].items()
            if shows((database, name, schema))
        ]
        return _arrow(
            rows,
            {
                "CATALOG_NAME": str,
                "SCHEMA_NAME": str,
                "SCHEMA_OWNER": str,
                "IS_TRANSIENT": str,
                "COMMENT": str,
                "CREATED": dt.datetime,
            },
        )

    def _of(self, database: str, shows: Shows) -> list[Table]:
        return [t for n, t in sorted(self.tables.items()) if n[0] == database and not t.temporary and shows(t)]


def _arrow(rows: list[dict], columns: dict[str, type]) -> pa.Table:
    kinds = {str: pa.string(), int: pa.int64(), dt.datetime: pa.timestamp("us", tz="UTC")}
    schema = pa.schema([(name, kinds[kind]) for name, kind in columns.items()])
    return pa.Table.from_pylist(rows, schema=schema)


def type_of_duck(name: str) -> Type:
    """The nearest declared type of a DuckDB type, for CREATE TABLE AS and views."""
    if match := re.fullmatch(r"DECIMAL\((\d+),(\d+)\)", name):
        return Type("NUMBER", int(match[1]), int(match[2]))
    if name in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT", "UBIGINT", "UINTEGER"):
        return Type("NUMBER", 38, 0)
    families = {
        "VARCHAR": "TEXT",
        "DOUBLE": "FLOAT",
        "FLOAT": "FLOAT",
        "BOOLEAN": "BOOLEAN",
        "DATE": "DATE",
        "TIME": "TIME",
        "TIMESTAMP": "TIMESTAMP_NTZ",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMP_LTZ",
        "BLOB": "BINARY",
        "JSON": "VARIANT",
        zones.DESCRIBED: "TIMESTAMP_TZ",
    }
    family = families.get(name.replace('"', ""))
    if family is None:
        raise SqlError(99999, "0A000", f"emulator: no declared type for {name}")
    return Type(family, DEFAULT_LENGTH.get(family, 9 if family.startswith("TIME") else None))
