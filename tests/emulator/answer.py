"""A result in the form of the wire, and the statement type that drivers receive."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from fakesnow import statement_type
from fakesnow.rowtype import describe_as_rowtype

TYPE_IDS = {
    "INSERT": statement_type.INSERT,
    "UPDATE": statement_type.UPDATE,
    "DELETE": statement_type.DELETE,
    "MERGE": statement_type.MERGE,
    "COPY": statement_type.COPY,
    "SELECT": statement_type.SELECT,
    "WITH": statement_type.SELECT,
    "SHOW": statement_type.SHOW,
    "LIST": statement_type.SHOW,
    "LS": statement_type.SHOW,
    "DESCRIBE": statement_type.DESCRIBE,
    "DESC": statement_type.DESCRIBE,
    "BEGIN": statement_type.TCL,
    "COMMIT": statement_type.TCL,
    "ROLLBACK": statement_type.TCL,
    "START": statement_type.TCL,
    "CREATE": statement_type.DDL,
    "ALTER": statement_type.DDL,
    "DROP": statement_type.DDL,
    "TRUNCATE": statement_type.DDL,
    "GRANT": statement_type.DDL,
    "REVOKE": statement_type.DDL,
    "USE": statement_type.USE,
}


@dataclass
class Answer:
    """A result."""

    rowtype: list[dict]
    table: pa.Table
    type_id: int
    affected: int | None = None
    put: dict | None = None

    @staticmethod
    def of(columns: list[str], rows: list[tuple], type_id: int = 0, affected: int | None = None) -> Answer:
        """A small result of strings, numbers and NULLs."""
        arrays, described = [], []
        for i, name in enumerate(columns):
            values = [row[i] for row in rows]
            number = any(isinstance(v, int) for v in values)
            arrays.append(pa.array(values, pa.int64() if number else pa.string()))
            described.append((name, "BIGINT" if number else "VARCHAR", None, None, None, None))
        table = pa.Table.from_arrays(arrays, names=columns) if columns else pa.table({})
        return Answer(describe_as_rowtype(described), table, type_id, affected)

    @staticmethod
    def status(text: str, type_id: int = statement_type.DDL) -> Answer:
        """One row with one column: the result of DDL."""
        return Answer.of(["status"], [(text,)], type_id)
