"""Session parameters of the emulator, and which of them apply to a procedure."""

from __future__ import annotations

import time

import pyarrow as pa
import pytest
from emulating import FORMAT, STAGE, T, procedure, put, refused, rows

from emulator import Lab

NOW = "SELECT TO_CHAR('2024-01-02T03:04:05Z'::TIMESTAMP_LTZ, 'HH24')"
PROBE = 'SELECT OBJECT_KEYS(OBJECT_CONSTRUCT(*))[0]::VARCHAR AS "KEY" FROM (SELECT 1 AS "a")'


def numbers(lab: Lab, count: int) -> None:
    lab.sql(
        f'CREATE OR REPLACE TABLE {T} AS SELECT * FROM (VALUES {", ".join(f"({n})" for n in range(count))}) AS v ("N")'
    )


@pytest.mark.parametrize(
    ("parameters", "sql", "expected"),
    [
        ({"TIMEZONE": "UTC"}, NOW, [("03",)]),
        ({}, NOW, [("19",)]),
        ({"ROWS_PER_RESULTSET": 2}, f"SELECT * FROM {T} ORDER BY 1", [(0,), (1,)]),
        ({"ROWS_PER_RESULTSET": 2}, f"SELECT COUNT(*), COUNT(*) FROM {T}", [(3, 3)]),
        ({"ROWS_PER_RESULTSET": 0}, f"SELECT * FROM {T} ORDER BY 1", [(0,), (1,), (2,)]),
    ],
)
@pytest.mark.parametrize("owner", [True, False, None])
def test_parameters_of_the_caller_apply_to_a_procedure(lab, parameters, sql, expected, owner):
    numbers(lab, 3)
    if owner is None:
        assert rows(lab.connect(parameters=parameters), sql) == expected
        return
    procedure(lab, f"return [list(r) for r in session.sql({sql!r}).collect()]", owner=owner)
    assert lab.call("CALL RAW.PUBLIC.P()", parameters=parameters) == [list(row) for row in expected]


def test_results_of_all_statements_are_truncated(lab):
    lab.sql(f'CREATE TABLE {T} ("N" NUMBER(19,0))')
    lab.sql(f"CREATE STAGE {STAGE}")
    for n in range(3):
        put(lab, f"d/{n}.parquet", pa.table({"N": [n]}))
    lab.sql("ALTER SESSION SET ROWS_PER_RESULTSET = 2")
    copied = lab.sql(f'COPY INTO {T} ("N") FROM (SELECT $1:"N"::NUMBER(19,0) FROM @{STAGE}/d/) {FORMAT}')
    listed, stages = lab.sql(f"LIST @{STAGE}"), lab.sql("SHOW ROLES")
    assert [len(copied), len(listed), len(stages)] == [2, 2, 2]
    lab.sql("ALTER SESSION UNSET ROWS_PER_RESULTSET")
    assert rows(lab.session, f"SELECT COUNT(*) FROM {T}") == [(3,)]
    assert len(lab.sql(f"LIST @{STAGE}")) == 3


def test_quoted_identifiers_may_be_folded():
    with Lab(quoted_identifiers_ignore_case=True) as lab:
        lab.script('CREATE SCHEMA "RAW"."j"; CREATE TABLE "raw"."J"."t" ("a b" NUMBER(19,0), "V" VARIANT)')
        lab.sql("""INSERT INTO "RAW"."J"."T" ("A b", "V") SELECT 1, PARSE_JSON('{"k": {"l": 1}, "K": 2}')""")
        found = lab.sql('SELECT "a b" AS "x", "v":"k"."l"::VARCHAR AS "y", "V":"K"::VARCHAR AS "z" FROM "Raw"."j"."t"')
        assert [r.as_dict() for r in found] == [{"X": 1, "Y": "1", "Z": "2"}]
        columns = 'SELECT "TABLE_NAME", "COLUMN_NAME" FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE "TABLE_SCHEMA" = \'J\''
        assert rows(lab.session, columns) == [("T", "A B"), ("T", "V")]
        assert rows(lab.session, PROBE) == [("A",)]
        # An owner's-rights procedure has the account's value, whatever its caller has set.
        procedure(lab, f"return session.sql({PROBE!r}).collect()[0][0]")
        given = {"QUOTED_IDENTIFIERS_IGNORE_CASE": False}
        assert lab.call("CALL RAW.PUBLIC.P()", parameters=given) == "A"
        procedure(lab, f"return session.sql({PROBE!r}).collect()[0][0]", owner=False)
        assert lab.call("CALL RAW.PUBLIC.P()", parameters=given) == "a"
        lab.sql('CREATE STAGE "RAW"."J"."s-1"')
        lab.put('@"RAW"."J"."S-1"', "d/e.txt", b"x")
        assert [r[0] for r in lab.sql('LIST \'@"RAW"."J"."s-1"/d\'')] == ["s-1/d/e.txt"]


def test_probe_shows_whether_case_is_kept(lab):
    assert rows(lab.session, PROBE) == [("a",)]


def test_a_transaction_has_an_id(lab):
    asked = "SELECT CURRENT_TRANSACTION()"
    assert rows(lab.session, asked) == [(None,)]
    lab.sql("BEGIN")
    first = rows(lab.session, asked)
    procedure_sees = rows(lab.session, asked)
    assert first == procedure_sees and first[0][0].isdigit()
    lab.sql("ROLLBACK")
    procedure(lab, f"return session.sql('{asked}').collect()[0][0]")
    assert lab.call("CALL RAW.PUBLIC.P()") is None
    lab.sql("BEGIN")
    assert lab.call("CALL RAW.PUBLIC.P()") == rows(lab.session, asked)[0][0]


def test_autocommit_off_begins_a_transaction_with_the_first_change(lab):
    lab.sql(f'CREATE TABLE {T} ("N" NUMBER(19,0))')
    insert, count = f"INSERT INTO {T} SELECT 1", f"SELECT COUNT(*) FROM {T}"
    lab.sql("ALTER SESSION SET AUTOCOMMIT = FALSE")
    assert rows(lab.session, "SELECT CURRENT_TRANSACTION()") == [(None,)]
    lab.sql(insert)
    assert rows(lab.connect(), count) == [(0,)]
    lab.sql("ALTER SESSION SET AUTOCOMMIT = TRUE")  # which commits
    assert rows(lab.connect(), count) == [(1,)]
    procedure(lab, f"session.sql('{insert}').collect()")
    with pytest.raises(Exception, match="Scoped transaction started in stored procedure is incomplete"):
        lab.call("CALL RAW.PUBLIC.P()", parameters={"AUTOCOMMIT": False})
    assert rows(lab.session, count) == [(1,)]


def test_lock_timeout_is_that_of_the_caller(lab):
    lab.sql(f'CREATE TABLE {T} AS SELECT 1 AS "N"')
    procedure(lab, f"session.sql('DELETE FROM {T}').collect()")
    lab.sql("BEGIN")
    lab.sql(f"DELETE FROM {T}")
    for given in ({"LOCK_TIMEOUT": 0}, {"LOCK_TIMEOUT": 1}):
        begun = time.monotonic()
        with pytest.raises(Exception, match=f"LOCK_TIMEOUT \\({given['LOCK_TIMEOUT']} s\\) passed"):
            lab.call("CALL RAW.PUBLIC.P()", parameters=given)
        assert given["LOCK_TIMEOUT"] <= time.monotonic() - begun < 8


def test_merge_may_use_any_of_several_rows(lab):
    lab.sql(f'CREATE TABLE {T} AS SELECT 1 AS "ID", 0 AS "N"')
    source = "(SELECT 1 AS I, 7 AS N UNION ALL SELECT 1, 8 UNION ALL SELECT 2, 9)"
    update = 'WHEN MATCHED THEN UPDATE SET "N" = s.N'
    insert = 'WHEN NOT MATCHED THEN INSERT ("ID", "N") VALUES (s.I, s.N)'
    sql = f'MERGE INTO {T} d USING {source} s ON d."ID" = s.I {{}} {insert}'
    assert refused(lab.session, sql.format(update)).startswith("100090 (42P18)")
    lab.sql("ALTER SESSION SET ERROR_ON_NONDETERMINISTIC_MERGE = FALSE")
    assert tuple(lab.sql(sql.format(update))[0]) == (1, 1)
    found = rows(lab.session, f"SELECT * FROM {T} ORDER BY 1")
    assert found in ([(1, 7), (2, 9)], [(1, 8), (2, 9)])
    lab.sql("ALTER SESSION SET ERROR_ON_NONDETERMINISTIC_MERGE = TRUE")
    assert tuple(lab.sql(sql.format("WHEN MATCHED THEN DELETE"))[0]) == (0, 2)  # deleting a row twice is not a conflict


def test_a_statement_ends_at_its_timeout(lab):
    given = {"STATEMENT_TIMEOUT_IN_SECONDS": 1}
    numbers(lab, 2000)
    slow = f'SELECT SUM(a."N" * b."N" * c."N" * d."N") FROM {T} a, {T} b, {T} c, {T} d'
    begun = time.monotonic()
    error = refused(lab.connect(parameters=given), slow)
    assert (
        error == "000630 (57014) Statement reached its statement or warehouse timeout of 1 second(s) and was canceled."
    )
    assert time.monotonic() - begun < 8
    procedure(lab, "import time\nfor _ in range(10):\n    time.sleep(1)\n    session.sql('SELECT 1').collect()")
    assert lab.call("CALL RAW.PUBLIC.P()") is None
    with pytest.raises(Exception, match="timeout of 5 second"):
        lab.call("CALL RAW.PUBLIC.P()", parameters={"STATEMENT_TIMEOUT_IN_SECONDS": 5})


def test_parameters_are_shown_and_tagged(lab):
    session = lab.connect(parameters={"QUERY_TAG": "snowcat", "LOCK_TIMEOUT": 900})
    shown = {r["key"]: (r["value"], r["level"], r["type"]) for r in session.sql("SHOW PARAMETERS").collect()}
    assert shown["QUERY_TAG"] == ("snowcat", "SESSION", "STRING") and shown["LOCK_TIMEOUT"] == (
        "900",
        "SESSION",
        "NUMBER",
    )
    assert shown["TIMEZONE"] == ("America/Los_Angeles", "", "STRING") and shown["AUTOCOMMIT"] == ("true", "", "BOOLEAN")
    assert [r["key"] for r in session.sql("SHOW PARAMETERS LIKE 'rows%' IN SESSION").collect()] == [
        "ROWS_PER_RESULTSET"
    ]
    assert lab.trace[-1].tag == "snowcat"
    procedure(lab, "session.sql('SELECT 7').collect()")
    lab.call("CALL RAW.PUBLIC.P()", parameters={"QUERY_TAG": "t"})
    assert next(e for e in reversed(lab.trace) if e.sql == "SELECT 7").tag == "t"


def test_invalid_parameter_is_rejected(lab):
    assert "invalid value [x] for parameter 'LOCK_TIMEOUT'" in refused(
        lab.session, "ALTER SESSION SET LOCK_TIMEOUT = 'x'"
    )
    assert "the parameter WEEK_START is not emulated" in refused(lab.session, "ALTER SESSION SET WEEK_START = 1")
