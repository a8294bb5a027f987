"""The session of the procedure's host: results and errors of SQL, and the result of the procedure."""

from __future__ import annotations

import types

import pytest
import snowcat_procedure as host
from scripted import Scripted, Warehouse
from snowcat_fault import Failed


class Row(tuple):
    """A Snowpark row: a tuple with column names."""

    def __new__(cls, **columns):
        made = super().__new__(cls, columns.values())
        made._fields = tuple(columns)
        return made


@pytest.mark.parametrize(
    ("rows", "affected"),
    [
        ([Row(**{"number of rows inserted": 2, "number of rows updated": 3})], 5),
        ([Row(**{"number of rows updated": 2, "number of multi-joined rows updated": 9})], 2),
        ([Row(**{"number of rows deleted": 0})], 0),
        ([Row(file="a", rows_parsed=9, rows_loaded=4), Row(file="b", rows_parsed=1, rows_loaded=1)], 5),
        ([Row(status="Copy executed with 0 files processed.")], None),
        ([Row(COUNT=7)], None),
        ([], None),
    ],
)
def test_affected_rows(rows, affected):
    session = types.SimpleNamespace(sql=lambda _: types.SimpleNamespace(collect=lambda: rows))
    ((found, texts),) = host.Snowflake(session, types.SimpleNamespace(fetch=None)).sql(["X"])
    assert found == affected
    assert texts == [[None if v is None else str(v) for v in row] for row in rows]


def test_sql_errors_are_failures_with_their_code():
    from snowflake.connector.errors import IntegrityError, ProgrammingError
    from snowflake.snowpark.exceptions import SnowparkSQLException

    inner = ProgrammingError(msg="no T", errno=2003, sqlstate="42S02", sfqid="01-02")
    locked = ProgrammingError(msg="locked", errno=625, sqlstate="57014")
    for error, code, text, transient in (
        (SnowparkSQLException("(1304): 01-02: no T", conn_error=inner), "2003", "no T", False),
        (IntegrityError(msg="NULL", errno=100072, sqlstate="22000"), "100072", "NULL", False),
        (SnowparkSQLException("(1304): locked", conn_error=locked), "625", "locked", True),
        (SnowparkSQLException("locked", sql_error_code="000625"), "000625", "locked", True),
        (ProgrammingError(msg="other", errno=100625, sqlstate="22000"), "100625", "other", False),
    ):
        session = types.SimpleNamespace(sql=lambda _, e=error: (_ for _ in ()).throw(e))
        with pytest.raises(Failed) as caught:
            host.Snowflake(session, types.SimpleNamespace(fetch=None)).sql(["X"])
        assert caught.value.failure == {"code": code, "message": text, "transient": transient}


def test_result_has_the_documented_keys():
    report, measured = host.run(Scripted(), "{}", "now", Warehouse())
    import datetime

    started = datetime.datetime(2026, 1, 9, 21, 33, 14, 596371, tzinfo=datetime.UTC)
    result = host._result(report, {"1.5/0.issues/0.parquet": 12.5}, {"selected": ["issues"]}, started)
    assert (
        result.pop("load_info").items()
        >= {
            "dataset_name": "jira",
            "started_at": "2026-01-09 21:33:14.596371+00:00",
            "total_jobs": 1,
            "packages": 1,
            "load_id": "1.5",
        }.items()
    )
    assert result == {
        "status": "success",
        "pipeline_name": "p",
        "dataset_name": "jira",
        "destination": "snowcat",
        "database": "RAW",
        "schema": "jira",
        "endpoints_loaded": ["issues"],
        "rows": {"issues": 2, "issues__c": 5},
        "statements": 9,
        "requests": 3,
        "pages": 2,
        "warnings": [],
        "incremental_config": {
            "initial_date_used": "2024",
            "note": "Loaded what changed since this value",
            "cursors": [{"resource": "issues", "path": "u", "start": "2024", "last": "2025"}],
        },
    }
    assert measured.uploads == {}
