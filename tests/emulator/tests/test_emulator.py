"""The emulator behaves as Snowflake does, as far as Snowcat depends on it."""

from __future__ import annotations

import pytest
from emulating import T, procedure, refused, rows
from snowflake.snowpark.exceptions import SnowparkSQLException

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
