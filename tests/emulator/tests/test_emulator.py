"""The emulator behaves as Snowflake does, as far as Snowcat depends on it."""

from __future__ import annotations

import datetime as dt
import decimal
import gzip
import json
import threading
import time

import package
import pyarrow as pa
import pytest
from emulating import FORMAT, STAGE, T, procedure, put, refused, rows
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab
from emulator.text import Reader, split_script

# --- reading text --------------------------------------------------------------


def test_splits_a_worksheet():
    script = "-- a; b\nSELECT 'x;''y' /* ; */ ;\n SELECT $$;$$; PUT file://a.py @s; \n// last;\n"
    assert split_script(script) == ["SELECT 'x;''y'", "SELECT $$;$$", "PUT file://a.py @s"]


def test_reads_properties():
    given = Reader("TYPE = 'A' LIST = ('a', 'b') MAP = ('k' = a.b, 'l' = \"c\") ON = TRUE N = 5").properties()
    assert given == {"TYPE": "A", "LIST": ["a", "b"], "MAP": {"k": "A.B", "l": "c"}, "ON": True, "N": "5"}


# --- errors and policy -------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("SELEC 1", "001003 (42000) SQL compilation error:\n"),
        ('SELECT * FROM "RAW"."J"."NO"', "002003 (42S02) SQL compilation error:\nObject 'RAW.J.NO' does not exist or "),
        ('SELECT * FROM "RAW"."NO"."NO"', "002003 (02000) SQL compilation error:\nSchema 'RAW.NO' does not exist or "),
        ('SELECT * FROM "NO"."NO"."NO"', "002003 (02000) SQL compilation error:\nDatabase 'NO' does not exist or "),
        ('SELECT "NO" FROM "RAW"."J"."T"', "000904 (42000) SQL compilation error:\n"),
        ('CREATE TABLE "RAW"."J"."T" ("A" VARCHAR)', "002002 (42710) SQL compilation error:\nObject 'RAW.J.T' already"),
        (
            'ALTER TABLE "RAW"."J"."T" ADD COLUMN "ID" VARCHAR',
            "001430 (42601) SQL compilation error:\ncolumn 'ID' already",
        ),
        (
            'INSERT INTO "RAW"."J"."T" ("ID") SELECT NULL',
            "100072 (22000) DML operation failed: NULL result in a non-nul",
        ),
        ('INSERT INTO "RAW"."J"."T" ("ID") SELECT \'x\'', "100038 (22018) "),
        ('INSERT INTO "RAW"."J"."T" ("ID", "SHORT") SELECT 1, \'abcd\'', "100078 (22000) String 'abcd' is too long"),
        ("SELECT PARSE_JSON('{')", "100069 (22P02) Error parsing JSON"),
        (
            'COPY INTO "RAW"."J"."T" FROM @"RAW"."J"."NO"/a FILE_FORMAT = (TYPE = PARQUET) '
            "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE",
            "002003 (02000) SQL compilation error:\nStage 'RAW.J.NO' does not",
        ),
        (
            'CREATE TEMPORARY TABLE "RAW"."J"."T" (A VARCHAR)',
            "099999 (0A000) emulator: a temporary table that has the name",
        ),
    ],
)
def test_errors_reach_the_client(lab, sql, error):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0) NOT NULL, "SHORT" VARCHAR(3))')
    assert refused(lab.session, sql).startswith(error)


POLICY = "090236 (42601): Stored procedure execution error: Unsupported statement type '{}'."


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ('CREATE TEMPORARY TABLE "RAW"."J"."X" ("A" VARCHAR)', "temporary TABLE"),
        ('create or replace local temp table "RAW"."J"."X" ("A" VARCHAR)', "temporary TABLE"),
        ('CREATE TEMP STAGE "RAW"."J"."X"', "temporary STAGE"),
        ('CREATE TEMPORARY FILE FORMAT "RAW"."J"."X" TYPE = PARQUET', "temporary FILE_FORMAT"),
        ("CREATE VOLATILE VIEW X AS SELECT 1", "temporary VIEW"),
        ("USE DATABASE RAW", "USE"),
        ("ALTER SESSION SET TIMEZONE = 'UTC'", "ALTER_SESSION"),
        ("REMOVE @RAW.J.S", "REMOVE_FILES"),
        ("PUT file:///tmp/x @RAW.J.S", "PUT"),
        ("SHOW PARAMETERS", "SHOW_PARAMETERS"),
    ],
)
def test_statements_are_rejected_in_an_owners_rights_procedure(lab, sql, kind):
    procedure(lab, f"session.sql({sql!r}).collect()")
    assert POLICY.format(kind) in refused(lab.session, "CALL RAW.PUBLIC.P()")


def test_user_stage_is_rejected(lab):
    procedure(lab, "import io\nsession.file.put_stream(io.BytesIO(b'x'), '@~/x')")
    assert "User stage file access is not allowed within an owner's rights SP" in refused(
        lab.session, "CALL RAW.PUBLIC.P()"
    )


def test_statements_are_accepted_in_a_callers_rights_procedure(lab):
    procedure(lab, "session.sql('USE DATABASE RAW').collect()\nreturn 1", owner=False)
    assert lab.call("CALL RAW.PUBLIC.P()") == "1"


def test_procedure_has_the_owners_role_and_its_own_schema(lab):
    lab.script(
        "CREATE ROLE CALLER; GRANT USAGE ON DATABASE RAW TO ROLE CALLER; GRANT USAGE ON SCHEMA RAW.PUBLIC TO ROLE CALLER"
    )
    asked = "SELECT CURRENT_ROLE(), INVOKER_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA()"
    procedure(lab, f"return list(session.sql('{asked}').collect()[0])")
    assert "does not exist or not authorized" in refused(lab.connect("CALLER"), "CALL RAW.PUBLIC.P()")
    lab.sql("GRANT USAGE ON PROCEDURE RAW.PUBLIC.P() TO ROLE CALLER")
    assert lab.call("CALL RAW.PUBLIC.P()", role="CALLER") == ["CALLER", "ACCOUNTADMIN", "RAW", "PUBLIC"]


def test_an_open_transaction_at_the_end_fails_the_call(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    procedure(lab, f"session.sql('BEGIN').collect()\nsession.sql('INSERT INTO {T} SELECT 1').collect()")
    assert "Scoped transaction started in stored procedure is incomplete" in refused(lab.session, "CALL RAW.PUBLIC.P()")
    assert rows(lab.session, f"SELECT COUNT(*) FROM {T}") == [(0,)]


def test_a_procedure_that_dies_leaves_nothing_open(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    body = "\n".join(
        f"session.sql({s!r}).collect()" for s in ("BEGIN", f"DELETE FROM {T}", f"INSERT INTO {T} SELECT 1", "COMMIT")
    )
    procedure(lab, f"try:\n    {body.replace(chr(10), chr(10) + '    ')}\nexcept Exception:\n    pass")
    for operations, left in ((3, 0), (4, 1)):
        with pytest.raises(SnowparkSQLException, match=f"killed after operation {operations}"):
            lab.call("CALL RAW.PUBLIC.P()", kill_after=operations)
        assert rows(lab.session, f"SELECT COUNT(*) FROM {T}") == [(left,)]
    assert lab.sql(f"DELETE FROM {T}")[0][0] == 1  # no transaction holds the table


def test_result_of_a_procedure_must_be_a_variant(lab):
    procedure(lab, "return {'a': [1, None, True, 'x']}")
    assert lab.call("CALL RAW.PUBLIC.P()") == {"a": [1, None, True, "x"]}
    procedure(lab, "return {'a': object()}")
    assert "cannot convert to VARIANT" in refused(lab.session, "CALL RAW.PUBLIC.P()")
    procedure(lab, "raise ValueError('é')")
    text = refused(lab.session, "CALL RAW.PUBLIC.P()")
    assert text.startswith("100357 (P0000) Python Interpreter Error:\nTraceback") and "ValueError: é" in text


# --- tables ------------------------------------------------------------------------


def test_declared_types_are_reported(lab):
    lab.sql(
        f'CREATE TABLE IF NOT EXISTS {T} ("N" NUMBER(19,0) NOT NULL, "V" VARCHAR, "F" FLOAT, "B" BOOLEAN, '
        '"L" TIMESTAMP_LTZ(6), "NT" TIMESTAMP_NTZ(6), "D" DATE, "TI" TIME, "BI" BINARY, "DOC" VARIANT COMMENT \'c\') '
        'CLUSTER BY ("N")'
    )
    lab.sql(f'ALTER TABLE {T} ADD COLUMN IF NOT EXISTS "V" VARCHAR, IF NOT EXISTS "DEC" NUMBER(38,9), "LAST" VARCHAR')
    lab.sql('CREATE TRANSIENT TABLE "RAW"."JS"."T" ("A.b" VARCHAR, "select" VARCHAR, "Größe""" VARCHAR)')
    found = rows(
        lab.session,
        'SELECT "TABLE_SCHEMA", "COLUMN_NAME", "DATA_TYPE", "NUMERIC_PRECISION", "NUMERIC_SCALE", "DATETIME_PRECISION", '
        '"IS_NULLABLE" FROM "RAW".INFORMATION_SCHEMA.COLUMNS WHERE "TABLE_SCHEMA" IN (\'J\', \'JS\') '
        'ORDER BY "TABLE_SCHEMA", "ORDINAL_POSITION"',
    )
    assert found == [
        ("J", "N", "NUMBER", 19, 0, None, "NO"),
        ("J", "V", "TEXT", None, None, None, "YES"),
        ("J", "F", "FLOAT", None, None, None, "YES"),
        ("J", "B", "BOOLEAN", None, None, None, "YES"),
        ("J", "L", "TIMESTAMP_LTZ", None, None, 6, "YES"),
        ("J", "NT", "TIMESTAMP_NTZ", None, None, 6, "YES"),
        ("J", "D", "DATE", None, None, None, "YES"),
        ("J", "TI", "TIME", None, None, 9, "YES"),
        ("J", "BI", "BINARY", None, None, None, "YES"),
        ("J", "DOC", "VARIANT", None, None, None, "YES"),
        ("J", "DEC", "NUMBER", 38, 9, None, "YES"),
        ("J", "LAST", "TEXT", None, None, None, "YES"),
        ("JS", "A.b", "TEXT", None, None, None, "YES"),
        ("JS", "select", "TEXT", None, None, None, "YES"),
        ("JS", 'Größe"', "TEXT", None, None, None, "YES"),
    ]
    lab.sql(f'ALTER TABLE {T} CLUSTER BY ("N", "D")')
    tables = 'SELECT "TABLE_SCHEMA", "CLUSTERING_KEY", "IS_TRANSIENT" FROM "RAW".INFORMATION_SCHEMA.TABLES ORDER BY 1'
    assert rows(lab.session, tables) == [("J", "LINEAR(N, D)", "NO"), ("JS", None, "YES")]


def test_names_that_differ_only_in_case_are_rejected(lab):
    assert "differ only in case" in refused(lab.session, f'CREATE TABLE {T} ("A" VARCHAR, "a" VARCHAR)')


def test_keyword_column_is_written_once(lab):
    lab.sql(f'CREATE TABLE {T} ("A" VARCHAR)')
    assert "unexpected 'COLUMN'" in refused(lab.session, f'ALTER TABLE {T} ADD COLUMN "B" VARCHAR, COLUMN "C" VARCHAR')


# --- values ------------------------------------------------------------------------


def test_variant_is_an_object_only_if_parsed(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "DOC" VARIANT)')
    lab.sql(f"""INSERT INTO {T} ("ID", "DOC") SELECT 1, PARSE_JSON('{{"k": {{"n": [1, "x"]}}}}')""")
    asked = f'SELECT "DOC":"k":"n"[1]::VARCHAR, "DOC":"k":"n"[0]::NUMBER(19,0), "DOC":"none"::VARCHAR FROM {T}'
    assert rows(lab.session, asked) == [("x", 1, None)]
    refusal = (
        "002023 (22000) SQL compilation error:\nExpression type does not match column data type, expecting VARIANT"
    )
    assert refused(lab.session, f"""INSERT INTO {T} ("ID", "DOC") SELECT 1, '{{}}'""").startswith(refusal)
    assert refused(lab.session, f"""INSERT INTO {T} VALUES (1, PARSE_JSON('1'))""").startswith("002014 (22000)")


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (
            "TO_CHAR('2024-01-02T03:04:05.678901Z'::TIMESTAMP_LTZ(6), 'YYYY-MM-DD\"T\"HH24:MI:SS.FF6TZH:TZM')",
            "2024-01-01T19:04:05.678901-08:00",
        ),
        (
            "TO_CHAR('2024-01-02T03:04:05.678901'::TIMESTAMP_NTZ(6), 'YYYY-MM-DD HH24:MI:SS.FF3')",
            "2024-01-02 03:04:05.678",
        ),
        ("TO_CHAR(CONVERT_TIMEZONE('UTC', '2024-01-02T03:04:05Z'::TIMESTAMP_LTZ), 'YYYYMMDD')", "20240102"),
        ("1.0::FLOAT::VARCHAR", "1"),
        ("(0.5::FLOAT + 0.5)::VARCHAR", "1"),
        ("(1 = 1)::VARCHAR", "true"),
        ("12.50::NUMBER(10,2)::VARCHAR", "12.50"),
        ("TO_CHAR(TO_BINARY('00FF', 'HEX'), 'HEX')", "00FF"),
    ],
)
def test_texts(lab, expression, text):
    assert rows(lab.session, f"SELECT {expression}") == [(text,)]


# --- COPY ----------------------------------------------------------------------------


def everything() -> pa.Table:
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901)
    return pa.table(
        {
            "ID": pa.array([1, 2], pa.int64()),
            "L": pa.array([at.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
            "NT": pa.array([at, None], pa.timestamp("us")),
            "DOC": ['{"a": [1]}', None],
            "F": [0.5, float("nan")],
            "B": [True, None],
            "D": pa.array([at.date(), None]),
            "TI": pa.array([at.time(), None], pa.time64("us")),
            "BI": [b"\x00\xff", b""],
            "DEC": pa.array([decimal.Decimal("1.5"), None], pa.decimal128(38, 9)),
            "S": ["é", ""],
        }
    )


COLUMNS = {
    "ID": "NUMBER(19,0)",
    "L": "TIMESTAMP_LTZ(6)",
    "NT": "TIMESTAMP_NTZ(6)",
    "DOC": "VARIANT",
    "F": "FLOAT",
    "B": "BOOLEAN",
    "D": "DATE",
    "TI": "TIME",
    "BI": "BINARY",
    "DEC": "NUMBER(38,9)",
    "S": "VARCHAR",
    "NEW": "VARCHAR",
}


def copy(path: str, columns: dict[str, str] = COLUMNS, table: str = T) -> str:
    def item(name: str, kind: str) -> str:
        return f'PARSE_JSON($1:"{name}"::VARCHAR)' if kind == "VARIANT" else f'$1:"{name}"::{kind}'

    listed = ", ".join(f'"{c}"' for c in columns)
    items = ", ".join(item(c, k) for c, k in columns.items())
    return f"COPY INTO {table} ({listed}) FROM (SELECT {items} FROM @{STAGE}/{path}) {FORMAT}"


@pytest.fixture
def staged(lab):
    """The table of `COLUMNS`, a stage, and one file on it."""
    lab.sql(f"CREATE TABLE {T} ({', '.join(f'{chr(34)}{c}{chr(34)} {k}' for c, k in COLUMNS.items())})")
    lab.sql(f"CREATE OR REPLACE STAGE {STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    put(lab, "1.5/T/a.parquet", everything())
    return lab


def test_copy_with_a_transformation(staged):
    (result,) = rows(staged.session, copy("1.5/T/"))
    assert result == ("snowcat/1.5/T/a.parquet", "LOADED", 2, 2, 1, 0, None, None, None, None)
    first, second = rows(staged.session, f'SELECT * FROM {T} ORDER BY "ID"')
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901)
    assert first[1].astimezone(dt.UTC) == at.replace(tzinfo=dt.UTC)
    assert (first[0], *first[2:]) == (
        1,
        at,
        '{"a":[1]}',
        0.5,
        True,
        at.date(),
        at.time(),
        b"\x00\xff",
        decimal.Decimal("1.5"),
        "é",
        None,
    )
    assert (
        second[:4] == (2, None, None, None)
        and second[4] != second[4]
        and second[5:] == (None, None, None, b"", None, "", None)
    )
    assert rows(staged.session, f'SELECT "DOC":"a"[0]::NUMBER(19,0) FROM {T} WHERE "ID" = 1') == [(1,)]


def test_copy_loads_a_file_once_unless_rolled_back(staged):
    session = staged.session
    for statement in ("BEGIN TRANSACTION", copy("1.5/T/"), "ROLLBACK"):
        session.sql(statement).collect()
    assert rows(session, f"SELECT COUNT(*) FROM {T}") == [(0,)]
    assert [r[1] for r in rows(session, copy("1.5/T/")) + rows(session, copy("1.5/T/"))] == ["LOADED", "LOAD_SKIPPED"]
    session.sql(f"TRUNCATE TABLE {T}").collect()
    assert rows(session, copy("1.5/T/"))[0][1] == "LOADED"
    assert rows(session, copy("none/")) == [("Copy executed with 0 files processed.",)]


def test_text_stays_text_in_a_variant(staged):
    staged.sql('CREATE TABLE "RAW"."J"."V" ("DOC" VARIANT)')
    into = '"RAW"."J"."V"'
    staged.sql(f'COPY INTO {into} ("DOC") FROM (SELECT $1:"DOC" FROM @{STAGE}/1.5/T/) {FORMAT}')
    shown = json.dumps('{"a": [1]}')
    assert rows(staged.session, f'SELECT "DOC", "DOC":"a" FROM {into}') == [(shown, None), (None, None)]


def test_copy_by_column_name(staged):
    statement = f"COPY INTO {T} FROM @{STAGE}/1.5/ {FORMAT} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    assert rows(staged.session, statement)[0][1:4] == ("LOADED", 2, 2)
    assert rows(staged.session, f'SELECT "S", "DOC" FROM {T} WHERE "ID" = 1') == [("é", json.dumps('{"a": [1]}'))]


def test_a_bad_value_fails_the_whole_copy(staged):
    put(staged, "bad/a.parquet", pa.table({"S": ["1", "2"]}))
    put(staged, "bad/b.parquet", pa.table({"S": ["3", "x"]}))
    staged.sql('CREATE TABLE "RAW"."J"."N" ("S" NUMBER(19,0))')
    assert refused(staged.session, copy("bad/", {"S": "NUMBER(19,0)"}, '"RAW"."J"."N"')).startswith("100038 (22018)")
    assert rows(staged.session, 'SELECT COUNT(*) FROM "RAW"."J"."N"') == [(0,)]
    staged.put("@RAW.J.SNOWCAT", "junk/a.parquet", b"PAR1 not")
    assert refused(staged.session, copy("junk/")).startswith("100084 (22000)")


def test_copy_of_hundreds_of_columns(lab):
    columns = {f"C{i}": "VARCHAR" for i in range(400)}
    lab.sql(f"CREATE TABLE {T} ({', '.join(f'{chr(34)}{c}{chr(34)} {k}' for c, k in columns.items())})")
    lab.sql(f"CREATE STAGE {STAGE}")
    for n in range(3):
        put(lab, f"w/{n}.parquet", pa.table({c: [str(n)] for c in columns}))
    begun = time.monotonic()
    assert [r[3] for r in rows(lab.session, copy("w/", columns))] == [1, 1, 1]
    assert time.monotonic() - begun < 10


def test_files_are_dropped_with_their_stage(staged):
    assert staged.files(f"@{STAGE}") == ["1.5/T/a.parquet"]
    (found,) = rows(staged.session, f"LIST @{STAGE}/1.5/")
    assert found[0] == "snowcat/1.5/T/a.parquet" and found[1] > 0
    staged.sql(f"CREATE OR REPLACE STAGE {STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    assert staged.files(f"@{STAGE}") == []
    put(staged, "x", everything())
    put(staged, "x", everything().slice(1))  # a second upload to the same path overwrites
    assert rows(staged.session, copy("x"))[0][3] == 1
    staged.sql(f"DROP STAGE IF EXISTS {STAGE}")
    staged.sql(f"DROP STAGE IF EXISTS {STAGE}")
    assert refused(staged.session, f"DROP STAGE {STAGE}").startswith("002003 (02000)")
    staged.sql(f"CREATE STAGE {STAGE}")
    assert staged.files(f"@{STAGE}") == []


# --- DML -----------------------------------------------------------------------------


def test_delete_and_insert(lab):
    lab.script(
        f'CREATE TABLE {T} ("ID" NUMBER(19,0), "U" NUMBER(19,0), "_DLT_ID" VARCHAR); '
        'CREATE TABLE "RAW"."J"."C" ("_DLT_ROOT_ID" VARCHAR); CREATE TABLE "RAW"."JS"."T" ("ID" NUMBER(19,0), "U" NUMBER(19,0), "_DLT_ID" VARCHAR);'
        f"INSERT INTO {T} VALUES (1, 1, 'a'), (2, 1, 'b'); INSERT INTO \"RAW\".\"J\".\"C\" VALUES ('a'), ('a'), ('b');"
        "INSERT INTO \"RAW\".\"JS\".\"T\" VALUES (1, 2, 'c'), (1, 3, 'd'), (1, NULL, 'e'), (3, 1, 'f')"
    )
    child = (
        'DELETE FROM "RAW"."J"."C" WHERE "_DLT_ROOT_ID" IN (SELECT d."_DLT_ID" FROM "RAW"."J"."T" d '
        'JOIN "RAW"."JS"."T" s ON d."ID" = s."ID")'
    )
    root = f'DELETE FROM {T} WHERE "ID" IN (SELECT "ID" FROM "RAW"."JS"."T")'
    insert = (
        f'INSERT INTO {T} ("ID", "U", "_DLT_ID") SELECT "ID", "U", "_DLT_ID" FROM "RAW"."JS"."T" '
        'QUALIFY ROW_NUMBER() OVER (PARTITION BY "ID" ORDER BY "U" DESC NULLS LAST, "_DLT_ID") = 1'
    )
    update = f'UPDATE {T} SET "U" = 9 WHERE "ID" = 3'
    assert [rows(lab.session, s)[0] for s in (child, root, insert, update)] == [(2,), (1,), (2,), (1, 0)]
    assert rows(lab.session, f"SELECT * FROM {T} ORDER BY 1") == [(1, 3, "d"), (2, 1, "b"), (3, 9, "f")]


def test_merge(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "DOC" VARIANT, "S" VARCHAR)')
    lab.sql('CREATE TABLE "RAW"."JS"."T" ("ID" NUMBER(19,0), "DOC" VARCHAR, "S" VARCHAR)')
    lab.sql("""INSERT INTO "RAW"."JS"."T" VALUES (1, '{"a":1}', 'x'), (2, NULL, 'y'), (2, '{"a":2}', 'z')""")
    merge = (
        f'MERGE INTO {T} d USING (SELECT "ID", PARSE_JSON("DOC") AS "DOC", "S" FROM "RAW"."JS"."T" '
        'QUALIFY ROW_NUMBER() OVER (PARTITION BY "ID" ORDER BY "S" DESC NULLS LAST) = 1) s ON d."ID" = s."ID" '
        "WHEN MATCHED AND s.\"S\" = 'gone' THEN DELETE "
        'WHEN MATCHED THEN UPDATE SET "DOC" = s."DOC", "S" = s."S" '
        'WHEN NOT MATCHED THEN INSERT ("ID", "DOC", "S") VALUES (s."ID", s."DOC", s."S")'
    )
    (first,) = lab.sql(merge)
    assert first.as_dict() == {"number of rows inserted": 2, "number of rows updated": 0, "number of rows deleted": 0}
    lab.sql('UPDATE "RAW"."JS"."T" SET "S" = \'gone\' WHERE "ID" = 1')
    assert tuple(lab.sql(merge)[0]) == (0, 1, 1)
    assert rows(lab.session, f'SELECT "ID", "DOC":"a"::NUMBER(19,0), "S" FROM {T}') == [(2, 2, "z")]
    double = f'MERGE INTO {T} d USING "RAW"."JS"."T" s ON d."ID" = s."ID" WHEN MATCHED THEN UPDATE SET "S" = s."S"'
    assert refused(lab.session, double).startswith("100090 (42P18) Duplicate row detected during DML action")
    text = f'MERGE INTO {T} d USING "RAW"."JS"."T" s ON d."ID" = s."ID" WHEN NOT MATCHED THEN INSERT ("DOC") VALUES (s."DOC")'
    assert "expecting VARIANT but got VARCHAR" in refused(lab.session, text)


FENCE = (
    f'MERGE INTO {T} d USING (SELECT \'p\' AS P, {{}} AS V) s ON d."NAME" = s.P AND d."VERSION" >= s.V '
    'WHEN NOT MATCHED THEN INSERT ("NAME", "VERSION") VALUES (s.P, s.V)'
)


def test_the_fence(lab):
    lab.sql(f'CREATE TABLE {T} ("NAME" VARCHAR, "VERSION" NUMBER(19,0))')
    assert [lab.sql(FENCE.format(v))[0][0] for v in (3, 3, 4, 2)] == [1, 0, 1, 0]


# --- transactions -----------------------------------------------------------------------


def test_transactions(lab):
    session = lab.session
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    insert, count = f'INSERT INTO {T} ("ID") SELECT 1', f"SELECT COUNT(*) FROM {T}"

    def check(statements: list[str], expect: int) -> None:
        for statement in statements:
            session.sql(statement).collect()
        session.sql("ROLLBACK").collect()
        assert rows(session, count) == [(expect,)], statements
        session.sql(f"DELETE FROM {T}").collect()

    check(["BEGIN TRANSACTION", insert], 0)
    check(["BEGIN", insert, "COMMIT"], 1)
    check(["BEGIN", insert, "BEGIN", insert], 0)  # BEGIN inside BEGIN is ignored
    check(["BEGIN", insert, f'ALTER TABLE {T} ADD COLUMN IF NOT EXISTS "X" VARCHAR'], 1)  # DDL commits
    check(
        ["BEGIN", insert, 'CREATE SCHEMA IF NOT EXISTS "RAW"."J"', insert], 2
    )  # and later statements are separate transactions
    check(["COMMIT", "ROLLBACK", insert], 1)
    check(["BEGIN", f"TRUNCATE TABLE {T}", insert, "COMMIT"], 1)


def test_a_failed_statement_does_not_end_the_transaction(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    lab.sql("BEGIN")
    lab.sql(f"INSERT INTO {T} SELECT 1")
    for bad in ("SELECT 1/0 + 'x'", f"INSERT INTO {T} SELECT 'x'", f'SELECT "NO" FROM {T}'):
        refused(lab.session, bad)
    lab.sql(f"INSERT INTO {T} SELECT 2")
    lab.sql("COMMIT")
    assert rows(lab.session, f"SELECT * FROM {T} ORDER BY 1") == [(1,), (2,)]


def test_each_statement_sees_what_is_committed(lab):
    """READ COMMITTED: not the snapshot of BEGIN."""
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    one, two = lab.connect(), lab.connect()
    count = f"SELECT COUNT(*) FROM {T}"
    one.sql("BEGIN").collect()
    assert rows(one, count) == [(0,)]
    two.sql("BEGIN").collect()
    two.sql(f"INSERT INTO {T} SELECT 1").collect()
    assert rows(one, count) == [(0,)]
    one.sql(f"INSERT INTO {T} SELECT 2").collect()
    two.sql("COMMIT").collect()
    assert rows(one, count) == [(2,)]
    lab.sql(f'ALTER TABLE {T} ADD COLUMN "X" VARCHAR')
    one.sql(f"INSERT INTO {T} SELECT 3, 'x'").collect()
    one.sql("COMMIT").collect()
    assert rows(two, count) == [(3,)]


def test_of_two_racing_loads_one_passes_the_fence(lab):
    lab.sql(f'CREATE TABLE {T} ("NAME" VARCHAR, "VERSION" NUMBER(19,0))')
    lab.sql('CREATE TABLE "RAW"."J"."D" ("ID" NUMBER(19,0))')
    one, two = lab.connect(), lab.connect()
    for session in (one, two):
        session.sql("BEGIN").collect()
        session.sql('INSERT INTO "RAW"."J"."D" SELECT 1').collect()
    assert one.sql(FENCE.format(1)).collect()[0][0] == 1
    seen: list[int] = []
    second = threading.Thread(target=lambda: seen.append(two.sql(FENCE.format(1)).collect()[0][0]))
    second.start()
    time.sleep(0.3)
    assert not seen, "the second writer must wait for the first"
    one.sql("COMMIT").collect()
    second.join(10)
    assert seen == [0]
    two.sql("ROLLBACK").collect()
    assert rows(lab.session, 'SELECT COUNT(*) FROM "RAW"."J"."D"') == [(1,)]


def test_a_writer_that_waits_too_long_fails():
    with Lab(lock_timeout=0.2) as lab:
        lab.script('CREATE SCHEMA "RAW"."J"; CREATE TABLE "RAW"."J"."T" ("ID" NUMBER(19,0))')
        one = lab.connect()
        one.sql("BEGIN").collect()
        one.sql(f"DELETE FROM {T}").collect()
        assert refused(lab.session, f"DELETE FROM {T}").startswith("000625 (57014) ")
        one.close()  # a closed connection releases its locks
        lab.sql(f"DELETE FROM {T}")


# --- installation --------------------------------------------------------------------------


@pytest.fixture
def installed(hollow_package):
    """The real `put.sql`, `install.sql` and `task.sql`, run as they are."""
    with Lab(databases=()) as made:
        made.install(hollow_package, task=True)
        yield made


def test_the_installation_runs_unchanged_and_again(installed, hollow_package):
    jobs = [f"{name}.json" for name in (*package.READY_MADE, "policy")]
    handler = [file.name for file in (package.PROCEDURES / "handler").glob("snowcat_*.py")]
    assert installed.files("@SNOWCAT.CODE.FILES") == sorted(
        [
            "engine.txt",
            *jobs,
            "snowcat.aarch64.default.cwasm",
            "snowcat.aarch64.limited.cwasm",
            "snowcat.pulley64.cwasm",
            "snowcat.wasm",
            "snowcat.x86_64.default.cwasm",
            "snowcat.x86_64.limited.cwasm",
            *handler,
        ]
    )
    installed.sql("ALTER SECRET SNOWCAT.CODE.JIRA_SUBDOMAIN SET SECRET_STRING = 'mine'")
    installed.install(hollow_package, task=True)
    assert installed.secrets["JIRA_SUBDOMAIN"].properties["SECRET_STRING"] == "mine"
    things = installed.account.objects.things
    assert things["PROCEDURE", ("SNOWCAT", "CODE", "P_LOAD_JIRA")].owner == "SNOWCAT_OWNER"
    assert things["TASK", ("SNOWCAT", "CODE", "T_LOAD_JIRA")].properties["STATE"] == "started"


def test_copy_grants_keeps_grants_on_a_procedure(installed, hollow_package):
    create = (
        "CREATE OR REPLACE PROCEDURE SNOWCAT.CODE.P() {} RETURNS VARCHAR LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        "PACKAGES = ('snowflake-snowpark-python') HANDLER = 'f' AS $$\ndef f(session):\n    return 'x'\n$$"
    )
    installed.sql(create.format(""))
    installed.sql("GRANT USAGE ON PROCEDURE SNOWCAT.CODE.P() TO ROLE SNOWCAT_CALLER")
    installed.sql(create.format("COPY GRANTS"))
    assert installed.call("CALL SNOWCAT.CODE.P()", role="SNOWCAT_CALLER") == "x"
    installed.sql(create.format(""))
    session = installed.connect("SNOWCAT_CALLER")
    assert "does not exist or not authorized" in refused(session, "CALL SNOWCAT.CODE.P()")
    session.close()
    # Repeated installation keeps the rights of callers.
    installed.sql("CREATE ROLE LOADER")
    for grant in ("DATABASE SNOWCAT", "SCHEMA SNOWCAT.CODE", "PROCEDURE SNOWCAT.CODE.P_LOAD(VARIANT)"):
        installed.sql(f"GRANT USAGE ON {grant} TO ROLE LOADER")
    installed.install(hollow_package)
    session = installed.connect("LOADER")
    # The call fails, because the package's component is empty.
    assert "Python Interpreter Error" in refused(session, "CALL SNOWCAT.CODE.P_LOAD('{}')")
    session.close()


@pytest.mark.parametrize(
    ("role", "sql", "error"),
    [
        ("SNOWCAT_CALLER", "CREATE SCHEMA RAW.X", "Database 'RAW' does not exist or not authorized"),
        ("SNOWCAT_CALLER", "LIST @SNOWCAT.CODE.FILES", "Stage 'SNOWCAT.CODE.FILES' does not exist or not authorized"),
        (
            "SNOWCAT_CALLER",
            "CREATE TABLE SNOWCAT.CODE.X (A VARCHAR)",
            "Insufficient privileges to operate on schema 'CODE'",
        ),
        ("SNOWCAT_CALLER", "EXECUTE TASK SNOWCAT.CODE.T_LOAD_JIRA", "does not exist or not authorized"),
        ("SNOWCAT_OWNER", "CREATE DATABASE X", "Insufficient privileges to operate on account"),
        (
            "SNOWCAT_OWNER",
            "CREATE TABLE SNOWCAT.CODE.X (A VARCHAR)",
            "Insufficient privileges to operate on schema 'CODE'",
        ),
        (
            "SNOWCAT_OWNER",
            "CREATE TABLE RAW.PUBLIC.X (A VARCHAR)",
            "Schema 'RAW.PUBLIC' does not exist or not authorized",
        ),
        ("SNOWCAT_OWNER", "DROP STAGE SNOWCAT.CODE.FILES", "Insufficient privileges to operate on stage 'FILES'"),
        ("SNOWCAT_OWNER", "ALTER SECRET SNOWCAT.CODE.JIRA_CREDS SET PASSWORD = 'x'", "Insufficient privileges"),
    ],
)
def test_roles_have_only_the_necessary_rights(installed, role, sql, error):
    session = installed.connect(role)
    assert error in refused(session, sql)
    session.close()


def test_owner_may_create_schemas(installed):
    session = installed.connect("SNOWCAT_OWNER")
    for statement in ('CREATE SCHEMA "RAW"."J"', f'CREATE TABLE {T} ("A" VARCHAR)', f"CREATE STAGE {STAGE}"):
        session.sql(statement).collect()
    assert "does not exist" in refused(installed.connect("SNOWCAT_CALLER"), f"SELECT * FROM {T}")
    session.close()


SECRETS = "import _snowflake\n"
NETWORK = "EXTERNAL_ACCESS_INTEGRATIONS = (SNOWCAT_JIRA) SECRETS = ('creds' = SNOWCAT.CODE.JIRA_CREDS)"


@pytest.mark.parametrize(
    ("body", "extra", "outcome"),
    [
        ("return _snowflake.get_username_password('creds').username", NETWORK, "you@example.com"),
        ("return _snowflake.get_generic_secret_string('creds')", NETWORK, "Secret creds is not of type GENERIC_STRING"),
        ("return _snowflake.get_username_password('other')", NETWORK, "Secret other does not exist or not authorized"),
        ("return _snowflake.get_username_password('creds')", "", "Secret creds does not exist or not authorized"),
        (
            "import concurrent.futures as f\nwith f.ThreadPoolExecutor() as p: "
            "return p.submit(_snowflake.get_username_password, 'creds').result()",
            NETWORK,
            "only be accessed from the main thread",
        ),
        (
            "import socket\nsocket.create_connection(('example.com', 443))",
            NETWORK,
            "[Errno 16] Device or resource busy",
        ),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 80))",
            NETWORK,
            "[Errno 16] Device or resou",
        ),
        ("import socket\nsocket.socket().connect(('127.0.0.1', 1))", NETWORK, "[Errno 16] Device or resource busy"),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 443))",
            "",
            "[Errno 16] Device or resource ",
        ),
        (
            "import socket\nsocket.create_connection(('your-site.atlassian.net', 443))",
            NETWORK,
            "no fake for your-site",
        ),
    ],
)
def test_secrets_and_network(installed, body, extra, outcome):
    installed.sql("USE DATABASE RAW")
    procedure(installed, SECRETS + body, extra=extra)
    if "@" in outcome:
        assert installed.call("CALL RAW.PUBLIC.P()") == outcome
    else:
        assert outcome in refused(installed.session, "CALL RAW.PUBLIC.P()")


def test_a_secret_must_be_allowed_by_the_integration(installed):
    installed.sql("CREATE SECRET SNOWCAT.CODE.OTHER TYPE = GENERIC_STRING SECRET_STRING = 'x'")
    with pytest.raises(SnowparkSQLException, match="ALLOWED_AUTHENTICATION_SECRETS"):
        procedure(installed, "return 1", extra=NETWORK.replace("JIRA_CREDS", "OTHER"))


def test_an_oauth_secret_gives_access_tokens(installed):
    installed.sql("USE DATABASE RAW")
    installed.sql(
        "CREATE SECRET SNOWCAT.CODE.OAUTH TYPE = OAUTH2 API_AUTHENTICATION = SOME_INTEGRATION OAUTH_REFRESH_TOKEN = 'r'"
    )
    installed.sql(
        "ALTER EXTERNAL ACCESS INTEGRATION SNOWCAT_JIRA SET ALLOWED_AUTHENTICATION_SECRETS = (SNOWCAT.CODE.OAUTH)"
    )
    extra = NETWORK.replace("JIRA_CREDS", "OAUTH")
    procedure(installed, SECRETS + "return _snowflake.get_oauth_access_token('creds')", extra=extra)
    assert installed.call("CALL RAW.PUBLIC.P()") == "access-for-r"
    procedure(installed, SECRETS + "return _snowflake.get_generic_secret_string('creds')", extra=extra)
    assert "is not of type GENERIC_STRING" in refused(installed.session, "CALL RAW.PUBLIC.P()")


def test_a_mapped_host_is_reached_through_tls(installed):
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    installed.hosts.map("your-site.atlassian.net:443", f"127.0.0.1:{server.server_port}")
    body = "import urllib.request\nreturn urllib.request.urlopen('https://your-site.atlassian.net/').read().decode()"
    installed.sql("USE DATABASE RAW")
    procedure(installed, body, extra=NETWORK)
    assert installed.call("CALL RAW.PUBLIC.P()") == "hello"
    installed.sql("ALTER NETWORK RULE SNOWCAT.CODE.JIRA_HOST SET VALUE_LIST = ('other.atlassian.net')")
    assert "Device or resource busy" in refused(installed.session, "CALL RAW.PUBLIC.P()")
    server.shutdown()


def test_a_task_runs_as_its_owner(lab):
    lab.script(
        "CREATE WAREHOUSE W; CREATE ROLE O; GRANT USAGE ON DATABASE RAW TO ROLE O; GRANT USAGE ON WAREHOUSE W TO ROLE O;"
        "GRANT USAGE, CREATE TASK ON SCHEMA RAW.PUBLIC TO ROLE O"
    )
    procedure(lab, "return session.sql('SELECT CURRENT_ROLE()').collect()[0][0]")
    session = lab.connect("O")
    session.sql(
        "CREATE TASK RAW.PUBLIC.K WAREHOUSE = W SCHEDULE = 'USING CRON 0 2 * * * UTC' AS CALL RAW.PUBLIC.P()"
    ).collect()
    assert "Insufficient privileges" in refused(session, "ALTER TASK RAW.PUBLIC.K RESUME")
    lab.sql("GRANT EXECUTE TASK ON ACCOUNT TO ROLE O")
    assert "does not exist or not authorized" in refused(session, "EXECUTE TASK RAW.PUBLIC.K")  # no USAGE on P
    lab.sql("GRANT USAGE ON PROCEDURE RAW.PUBLIC.P() TO ROLE O")
    session.sql("EXECUTE TASK RAW.PUBLIC.K").collect()
    assert lab.trace[-1].sql == "SELECT CURRENT_ROLE()" and lab.trace[-1].procedure == "P"


# --- the wire --------------------------------------------------------------------------------


def test_a_client_of_another_language_gets_json_and_can_put(lab):
    import urllib.request

    base = f"http://127.0.0.1:{lab.server.port}"

    def post(path: str, body: dict, token: str | None = None) -> dict:
        headers = {"content-type": "application/json"} | (
            {"authorization": f'Snowflake Token="{token}"'} if token else {}
        )
        request = urllib.request.Request(base + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    login = {"data": {"LOGIN_NAME": "x", "PASSWORD": "x", "ACCOUNT_NAME": "x", "CLIENT_APP_ID": "Snowcat"}}
    token = post("/session/v1/login-request?databaseName=RAW", login)["data"]["token"]

    def query(sql: str) -> dict:
        return post("/queries/v1/query-request?requestId=" + str(time.time()), {"sqlText": sql}, token)

    answer = query("SELECT 1, NULL, 'x', '2024-01-02'::DATE, 0.5::FLOAT, 1 = 1, '2024-01-02T00:00:00Z'::TIMESTAMP_LTZ")
    assert answer["success"] and answer["data"]["rowset"] == [
        ["1", None, "x", "19724", "0.5", "1", "1704153600.000000000 1440"]
    ]
    failed = query("SELECT * FROM RAW.J.NO")
    assert not failed["success"] and failed["code"] == "002003" and failed["data"]["sqlState"] == "42S02"
    query(f"CREATE STAGE {STAGE}")
    info = query(f"PUT 'file:///x/a.bin' '@{STAGE}/d' AUTO_COMPRESS=FALSE OVERWRITE=TRUE")["data"]["stageInfo"]
    request = urllib.request.Request(info["presignedUrl"], b"data", method="PUT")
    urllib.request.urlopen(request).close()
    assert lab.files(f"@{STAGE}") == ["d/a.bin"]
    assert query(f"DELETE FROM {T}")["code"] == "002003"
    assert not post("/queries/v1/query-request", {"sqlText": "SELECT 1"}, "nobody")["success"]


def test_temporary_table_belongs_to_one_session(lab):
    one, other = lab.connect(schema="J"), lab.connect(schema="J")
    one.sql("CREATE TEMPORARY TABLE mine_1 AS SELECT 1 AS A").collect()
    one.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))').collect()
    one.sql(f"INSERT INTO {T} SELECT 1 UNION ALL SELECT 2").collect()
    one.sql(f'DELETE FROM {T} WHERE "ID" IN (SELECT * FROM mine_1)').collect()
    assert [tuple(r) for r in lab.sql(f"SELECT * FROM {T}")] == [(2,)]
    assert "002003 (42S02)" in refused(other, "SELECT * FROM MINE_1")
    assert lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_NAME = 'MINE_1'") == []
    one.close()
    other.sql("CREATE TEMPORARY TABLE mine_1 AS SELECT 3 AS A").collect()
    assert [tuple(r) for r in other.sql("SELECT * FROM mine_1").collect()] == [(3,)]


def test_a_script_in_one_request(lab):
    import snowflake.connector

    with snowflake.connector.connect(**lab.parameters(database="RAW", schema="J")) as connection:
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE X (A NUMBER); INSERT INTO X SELECT 1;\nSELECT A, ';' FROM X", num_statements=0)
        found = [cursor.fetchall()]
        while cursor.nextset() is not None:
            found.append(cursor.fetchall())
        assert found == [[("Table X successfully created.",)], [(1,)], [(1, ";")]]
        with pytest.raises(Error, match="000008"):
            cursor.execute("SELECT 1; SELECT 2", num_statements=3)
        connection.autocommit(False)
        cursor.execute("INSERT INTO X SELECT 2")
        connection.rollback()
        connection.autocommit(True)
        assert cursor.execute("SELECT COUNT(*) FROM X").fetchall() == [(1,)]


@pytest.mark.parametrize("packed", [False, True])
def test_json_from_a_tables_own_stage(lab, tmp_path, packed):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "V" VARIANT, "AT" TIMESTAMP_LTZ, "B" BINARY, "OTHER" VARCHAR)')
    rows = (
        b'{"id": 1, "v": {"a": [1.5]}, "at": "2024-01-01T00:00:00.123456Z", "b": "AAE="}\n{"id": "2", "unknown": 1}\n'
    )
    file = tmp_path / "t.jsonl"
    file.write_bytes(gzip.compress(rows) if packed else rows)
    stage = '\'@"RAW"."J"."%T"/"1700000000.5"\''
    lab.sql(f"PUT 'file://{file}' {stage} OVERWRITE = TRUE, AUTO_COMPRESS = FALSE")
    assert lab.files('@"RAW"."J"."%T"') == ["1700000000.5/t.jsonl"]
    copied = lab.sql(
        f"COPY INTO {T} FROM {stage[:-1]}/t.jsonl' FILE_FORMAT = (TYPE = 'JSON', BINARY_FORMAT = 'BASE64') "
        "MATCH_BY_COLUMN_NAME='CASE_INSENSITIVE'"
    )
    assert copied[0][3] == 2
    found = lab.sql(f'SELECT "ID", "V":a[0]::VARCHAR, "AT"::VARCHAR, HEX_ENCODE("B"), "OTHER" FROM {T} ORDER BY 1')
    assert [(r[0], r[1], r[3], r[4]) for r in found] == [(1, "1.5", "0001", None), (2, None, None, None)]
    assert str(found[0][2]).startswith("2023-12-31 16:00:00.123456")  # the session is in Los Angeles
    lab.sql(f"DROP TABLE {T}")
    assert "does not exist" in refused(lab.session, f"LIST {stage}")
