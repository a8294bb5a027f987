"""Types of the emulator: TIMESTAMP_TZ and the lengths of strings; and names of stages."""

from __future__ import annotations

import datetime as dt
import pathlib

import pyarrow as pa
import pytest
from emulating import FORMAT, STAGE, T, put, refused, rows

from emulator import Lab

AT = "'2024-01-02T03:04:05.678Z'"
UTC = f"CONVERT_TIMEZONE('UTC', {AT}::TIMESTAMP_LTZ)"


# --- numbers as instants -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "scale", "micros"),
    [
        (1, 0, 1_000_000),
        (-1, 3, -1000),
        (1_714_979_289_000_001, 6, 1_714_979_289_000_001),
        (1999, 9, 1),
        (-1, 9, -1),
        (253_402_300_799_999_999_999, 9, 253_402_300_799_999_999),
    ],
)
def test_numbers_are_instants_in_the_unit_of_the_scale(lab, number, scale, micros):
    instant = f"TO_TIMESTAMP_LTZ({number}::NUMBER(38,0), {scale})::TIMESTAMP_LTZ"
    (found,) = rows(lab.session, f"SELECT CONVERT_TIMEZONE('UTC', {instant})")
    assert found == (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros),)


# --- TIMESTAMP_TZ ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (f"{UTC}::VARCHAR", "2024-01-02 03:04:05.678 +0000"),
        (f"TO_VARCHAR({UTC})", "2024-01-02 03:04:05.678 +0000"),
        (f"{AT}::TIMESTAMP_LTZ::TIMESTAMP_TZ::VARCHAR", "2024-01-01 19:04:05.678 -0800"),
        ("'2024-07-02T03:04:05'::TIMESTAMP_TZ::VARCHAR", "2024-07-02 03:04:05.000 -0700"),
        ("'2024-01-02T03:04:05+05:30'::TIMESTAMP_TZ::VARCHAR", "2024-01-02 03:04:05.000 +0530"),
        ("'2024-01-02 03:04:05 -0330'::TIMESTAMP_TZ::VARCHAR", "2024-01-02 03:04:05.000 -0330"),
        ("TO_TIMESTAMP_TZ('2024-01-02 03:04:05 +02')::VARCHAR", "2024-01-02 03:04:05.000 +0200"),
        ("NULL::TIMESTAMP_TZ::VARCHAR", None),
        ("'2024-01-02'::DATE::TIMESTAMP_TZ::VARCHAR", "2024-01-02 00:00:00.000 -0800"),
        (f"DATE({UTC})", dt.date(2024, 1, 2)),
        (f"DATE({AT}::TIMESTAMP_LTZ::TIMESTAMP_TZ)", dt.date(2024, 1, 1)),
        (f"CONVERT_TIMEZONE('Asia/Kolkata', {AT}::TIMESTAMP_LTZ)::DATE", dt.date(2024, 1, 2)),
        (f"{UTC} = {AT}::TIMESTAMP_TZ", True),
        (f"TO_CHAR(CONVERT_TIMEZONE('Asia/Kolkata', {UTC}), 'YYYY-MM-DD HH24:MI TZH:TZM')", "2024-01-02 08:34 +05:30"),
        (UTC, dt.datetime(2024, 1, 2, 3, 4, 5, 678000, dt.UTC)),
    ],
)
def test_a_timestamp_tz_keeps_its_offset(lab, expression, expected):
    (found,) = rows(lab.session, f"SELECT {expression} AS x")
    assert found == (expected,)


def test_default_offset_is_that_of_the_session(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "AT" TIMESTAMP_TZ, "L" TIMESTAMP_LTZ)')
    kind = "SELECT DATA_TYPE FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE COLUMN_NAME = 'AT'"
    assert rows(lab.session, kind) == [("TIMESTAMP_TZ",)]
    for n, zone in enumerate(("UTC", "Asia/Tokyo")):
        session = lab.connect(parameters={"TIMEZONE": zone})
        session.sql(f"INSERT INTO {T} SELECT {n}, {AT}::TIMESTAMP_LTZ, {AT}::TIMESTAMP_LTZ").collect()
    asked = f'SELECT "AT"::VARCHAR, DATE("AT"), "AT" = "L", "AT" FROM {T} ORDER BY "ID"'
    first, second = rows(lab.session, asked)
    assert first[:3] == ("2024-01-02 03:04:05.678 +0000", dt.date(2024, 1, 2), True)
    assert second[:3] == ("2024-01-02 12:04:05.678 +0900", dt.date(2024, 1, 2), True)
    assert first[3] == second[3] and second[3].utcoffset() == dt.timedelta(hours=9)


def test_copy_update_and_merge_write_the_offset(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "AT" TIMESTAMP_TZ)')
    lab.sql(f"CREATE STAGE {STAGE}")
    at = dt.datetime(2024, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    put(lab, "d/a.parquet", pa.table({"ID": [1, 2], "AT": pa.array([at, None], pa.timestamp("us", "UTC"))}))

    def copied(value: str) -> list[tuple]:
        lab.sql(f"TRUNCATE TABLE {T}")
        lab.sql(f'COPY INTO {T} ("ID", "AT") FROM (SELECT $1:"ID"::NUMBER(19,0), {value} FROM @{STAGE}/d/) {FORMAT}')
        return rows(lab.session, f'SELECT "AT"::VARCHAR FROM {T} ORDER BY "ID"')

    here, there = "2024-01-01 19:04:05.000 -0800", "2024-01-02 03:04:05.000 +0000"
    assert copied('$1:"AT"::TIMESTAMP_LTZ(6)') == [(here,), (None,)]
    assert copied('$1:"AT"') == [(here,), (None,)]
    assert copied("CONVERT_TIMEZONE('UTC', $1:\"AT\"::TIMESTAMP_LTZ)") == [(there,), (None,)]
    lab.sql(f'UPDATE {T} SET "AT" = {AT}::TIMESTAMP_LTZ WHERE "AT" IS NULL')
    source = f"(SELECT 1 AS I, {UTC} AS A UNION ALL SELECT 3, CONVERT_TIMEZONE('Asia/Tokyo', {AT}::TIMESTAMP_LTZ))"
    merge = (
        f'MERGE INTO {T} d USING {source} s ON d."ID" = s.I AND d."AT" < s.A '
        'WHEN MATCHED THEN UPDATE SET "AT" = s.A WHEN NOT MATCHED THEN INSERT ("ID", "AT") VALUES (s.I, s.A)'
    )
    assert tuple(lab.sql(merge)[0]) == (1, 1)
    assert rows(lab.session, f'SELECT "ID", "AT"::VARCHAR FROM {T} ORDER BY 1') == [
        (1, "2024-01-02 03:04:05.678 +0000"),
        (2, "2024-01-01 19:04:05.678 -0800"),
        (3, "2024-01-02 12:04:05.678 +0900"),
    ]
    # Inside a transaction that another session's commit moves to a newer snapshot.
    lab.sql("BEGIN")
    lab.sql(f'DELETE FROM {T} WHERE "AT" = {AT}::TIMESTAMP_LTZ AND "ID" < 3')
    lab.sql(f'INSERT INTO {T} SELECT 4, "AT" FROM {T}')
    lab.connect().sql(f"INSERT INTO {T} SELECT 5, NULL").collect()
    lab.sql("COMMIT")
    tokyo = "2024-01-02 12:04:05.678 +0900"
    assert rows(lab.session, f'SELECT "ID", "AT"::VARCHAR FROM {T} ORDER BY 1') == [(3, tokyo), (4, tokyo), (5, None)]


# --- how long a text may be -----------------------------------------------------------------


LIMIT = 64


@pytest.fixture(scope="module")
def short():
    """Strings of 64 characters, 512 if declared; binaries of 32 bytes, 256."""
    with Lab(text_limit=LIMIT) as made:
        made.sql('CREATE SCHEMA "RAW"."J"')
        made.sql(
            f'CREATE TABLE {T} ("V" VARCHAR, "L" VARCHAR(134217728), "S" VARCHAR(3), "D" VARIANT, "B" BINARY, "W" BINARY(67108864))'
        )
        yield made


TOO_LONG = "is too long and would be truncated"


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("INSERT INTO {T} (\"V\") SELECT REPEAT('é', 64)", None),
        ("INSERT INTO {T} (\"V\") SELECT REPEAT('x', 65)", f"100078 (22000) String '{'x' * 65}' {TOO_LONG}"),
        ('INSERT INTO {T} ("V") VALUES (\'' + "x" * 65 + "')", f"100078 (22000) String '{'x' * 65}' {TOO_LONG}"),
        ("INSERT INTO {T} (\"L\") SELECT REPEAT('x', 512)", None),
        ("INSERT INTO {T} (\"L\") SELECT REPEAT('x', 513)", f"100078 (22000) String '{'x' * 200}...' {TOO_LONG}"),
        ("INSERT INTO {T} (\"S\") SELECT 'abc'", None),
        ("UPDATE {T} SET \"S\" = 'abcd'", f"100078 (22000) String 'abcd' {TOO_LONG}"),
        ("SELECT REPEAT('x', 65)::VARCHAR", f"100078 (22000) String '{'x' * 65}' {TOO_LONG}"),
        ("SELECT REPEAT('x', 512)::VARCHAR(134217728)", None),
        ("SELECT 'abcd'::VARCHAR(3)", f"100078 (22000) String 'abcd' {TOO_LONG}"),
        (
            "SELECT PARSE_JSON('{{\"a\": \"' || REPEAT('x', 65) || '\"}}'):a::VARCHAR",
            f"100078 (22000) String '{'x' * 65}' {TOO_LONG}",
        ),
        ("INSERT INTO {T} (\"D\") SELECT PARSE_JSON('\"' || REPEAT('x', 400) || '\"')", None),
        (
            "INSERT INTO {T} (\"D\") SELECT PARSE_JSON('\"' || REPEAT('x', 600) || '\"')",
            "100082 (22000) Max LOB size (512) exceeded",
        ),
        ("INSERT INTO {T} (\"B\") SELECT TO_BINARY(REPEAT('00', 32), 'HEX')", None),
        (
            "INSERT INTO {T} (\"B\") SELECT TO_BINARY(REPEAT('00', 33), 'HEX')",
            f"100078 (22000) Binary '{'00' * 33}...' {TOO_LONG}",
        ),
        ("INSERT INTO {T} (\"W\") SELECT TO_BINARY(REPEAT('00', 256), 'HEX')", None),
        (
            "CREATE TABLE RAW.J.X (A VARCHAR(134217729))",
            "002040 (42601) SQL compilation error:\ninvalid length 134217729",
        ),
        ("CREATE TABLE RAW.J.X (A BINARY(67108865))", "002040 (42601) SQL compilation error:\ninvalid length 67108865"),
    ],
)
def test_the_length_of_a_text_is_limited(short, sql, error):
    sql = sql.format(T=T)
    if error is None:
        short.sql(sql)
    else:
        assert refused(short.session, sql).startswith(error)


def test_copy_applies_the_limits(short):
    short.sql(f"CREATE OR REPLACE STAGE {STAGE}")
    put(short, "d/a.parquet", pa.table({"D": ['"' + "x" * 100 + '"']}))

    def copy(cast: str) -> str:
        return f'COPY INTO {T} ("D") FROM (SELECT PARSE_JSON($1:"D"::{cast}) FROM @{STAGE}/d/) {FORMAT}'

    assert refused(short.session, copy("VARCHAR")).startswith("100078 (22000) String '")
    assert short.sql(copy("VARCHAR(134217728)"))[0][3] == 1


def test_catalogue_has_the_declared_length(short):
    asked = (
        'SELECT "COLUMN_NAME", "CHARACTER_MAXIMUM_LENGTH", "CHARACTER_OCTET_LENGTH" FROM RAW.INFORMATION_SCHEMA.COLUMNS '
        "WHERE TABLE_NAME = 'T' ORDER BY ORDINAL_POSITION"
    )
    assert rows(short.session, asked) == [
        ("V", 16_777_216, 16_777_216),
        ("L", 134_217_728, 134_217_728),
        ("S", 3, 12),
        ("D", None, None),
        ("B", 8_388_608, 8_388_608),
        ("W", 67_108_864, 67_108_864),
    ]


# --- how a stage is named -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "any_", "plain"),
    [
        ("@{S}/d/t_1.x/", 1, 1),
        ("'@{S}/d/t_1.x/'", 1, 1),
        ("'@{S}/d/t-1.x/'", 1, 1),
        ("'@{S}/d/a--b/'", 1, 1),
        ("'@{S}/d/it''s/'", 1, 1),
        ("@{S}/d/t-1.x/", 1, "unexpected '-'"),
        ("@{S}/d/a--b/", 1, None),
    ],
)
def test_a_path_is_in_quotation_marks_or_plain(reference, any_, plain):
    for mode, expected in (("any", any_), ("plain", plain)):
        with Lab(unquoted_stage_paths=mode) as lab:
            lab.sql('CREATE SCHEMA "RAW"."J"')
            lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
            lab.sql(f"CREATE STAGE {STAGE}")
            put(lab, "a.parquet", pa.table({"ID": [1]}))
            (file,) = lab.account.engine.stages.files(next(iter(lab.account.engine.stages.by_name.values())))
            data = pathlib.Path(file.place).read_bytes()
            for folder in ("t_1.x", "t-1.x", "a--b", "it's"):
                lab.put(f"@{STAGE}", f"d/{folder}/a.parquet", data)
            place = reference.format(S=STAGE)
            statements = [
                f'COPY INTO {T} ("ID") FROM (SELECT $1:"ID"::NUMBER(19,0) FROM {place}) {FORMAT} FORCE = TRUE',
                f"COPY INTO {T} FROM {place} {FORMAT} MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE FORCE = TRUE",
                f"LIST {place}",
            ]
            for statement in statements:
                if isinstance(expected, int):
                    assert len(lab.sql(statement)) == expected
                elif expected is not None:
                    assert expected in refused(lab.session, statement)
                elif statement.startswith("LIST"):
                    assert len(lab.sql(statement)) == 1  # before the comment: d/a
                else:
                    assert refused(lab.session, statement)[:6] in ("001003", "099999")  # its end is a comment, too


def test_an_account_with_tri_secret_secure_refuses_server_side_encryption():
    with Lab(tri_secret_secure=True) as lab:
        create = "CREATE STAGE RAW.PUBLIC.S ENCRYPTION = (TYPE = '{}')"
        assert "Tri-Secret Secure" in refused(lab.session, create.format("SNOWFLAKE_SSE"))
        assert rows(lab.session, create.format("SNOWFLAKE_FULL")) == [("Stage area S successfully created.",)]
