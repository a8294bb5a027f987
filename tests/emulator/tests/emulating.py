"""Shared by the tests of the emulator: names, statements, and the error of a rejected statement."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab

T = '"RAW"."J"."T"'
STAGE = '"RAW"."J"."SNOWCAT"'
FORMAT = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE USE_VECTORIZED_SCANNER = TRUE) "
    "ON_ERROR = ABORT_STATEMENT"
)


def refused(session, sql: str) -> str:
    """Run a statement that must fail. Returns the number, state and text of its error."""
    with pytest.raises((SnowparkSQLException, Error)) as caught:
        session.sql(sql).collect()
    error = caught.value
    state = getattr(error, "sqlstate", None) or getattr(error.conn_error, "sqlstate", None)
    message = getattr(error, "raw_message", None) or error.raw_msg
    number = getattr(error, "sql_error_code", None) or error.errno
    return f"{int(number):06d} ({state}) {message}"


def rows(session, sql: str) -> list[tuple]:
    return [tuple(row) for row in session.sql(sql).collect()]


def put(lab: Lab, path: str, table: pa.Table) -> None:
    data = io.BytesIO()
    pq.write_table(table, data)
    data.seek(0)
    lab.session.file.put_stream(data, f"@{STAGE}/{path}", auto_compress=False, overwrite=True)


def procedure(lab: Lab, body: str, *, owner: bool = True, extra: str = "") -> None:
    """`RAW.PUBLIC.P()` with this body."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    lab.sql(
        "CREATE OR REPLACE PROCEDURE RAW.PUBLIC.P() RETURNS VARIANT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        "ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository PACKAGES = ('snowflake-snowpark-python') "
        f"HANDLER = 'main' {extra} EXECUTE AS {'OWNER' if owner else 'CALLER'} AS $$\ndef main(session):\n{lines}\n$$"
    )
