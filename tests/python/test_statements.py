"""Every kind of statement Snowcat says (`tests/sql/statements.sql`), read by a parser that is not ours and run."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot
from emulator import Lab
from emulator.text import split_script

STATEMENTS = split_script((pathlib.Path(__file__).parents[1] / "sql/statements.sql").read_text(encoding="utf-8"))
SET = '"RAW"."MY ""DATA"".SET"'
STAGING = '"RAW"."MY ""DATA"".SET_STAGING"'
# What the statements speak of and do not make themselves.
BEFORE = [
    f"CREATE SCHEMA {STAGING}",
    f'CREATE TABLE {SET}."_DLT_PIPELINE_STATE" ("VERSION" NUMBER(19,0), "PIPELINE_NAME" VARCHAR, "STATE" VARCHAR, '
    '"CREATED_AT" TIMESTAMP_LTZ, "VERSION_HASH" VARCHAR, "_DLT_LOAD_ID" VARCHAR)',
    f'CREATE TABLE {SET}."_DLT_LOADS" ("LOAD_ID" VARCHAR, "STATUS" NUMBER(19,0), "VERSION" NUMBER(19,0), '
    '"PIPELINE_NAME" VARCHAR, "CREATED_AT" TIMESTAMP_LTZ, "VERSION_HASH" VARCHAR)',
    f'CREATE TABLE {SET}."_DLT_VERSION" ("VERSION" NUMBER(19,0), "VERSION_HASH" VARCHAR, "SCHEMA" VARCHAR, '
    '"SCHEMA_NAME" VARCHAR, "INSERTED_AT" TIMESTAMP_LTZ)',
    f'CREATE TABLE {SET}."SELECT__κόσμε" ("VALUE" VARIANT, "_DLT_ROOT_ID" VARCHAR, "_DLT_ID" VARCHAR)',
    f'CREATE TABLE {STAGING}."_SNOWCAT__SELECT__κόσμε" ("VALUE" VARCHAR, "_DLT_ROOT_ID" VARCHAR, "_DLT_ID" VARCHAR, '
    '"_SNOWCAT_SEQ" NUMBER(19,0))',
]
AFTER_TABLES = [
    f'ALTER TABLE {SET}."SELECT" ADD COLUMN "_DLT_ID" VARCHAR',
    f'ALTER TABLE {STAGING}."_SNOWCAT__SELECT" ADD COLUMN "_DLT_ID" VARCHAR',
]


HANDLER = """
import io
import snowcat_procedure

def main(session):
    counts = []
    warehouse = snowcat_procedure.Snowflake(session, snowcat_procedure.Http({{}}))
    for statement in {order!r}:
        ((affected, _),) = warehouse.sql([statement])
        if affected is not None:
            counts.append([statement.split()[0], affected])
        if statement.startswith("CREATE STAGE"):
            warehouse.upload({stage!r} + '."SNOWCAT__P__1_5"', "1.5/0.0.select/0.parquet", {data!r})
    return counts
"""


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s[:40])
def test_another_parser_reads_it(statement):
    parsed = sqlglot.parse_one(statement, read="snowflake")
    assert not isinstance(parsed, sqlglot.exp.Command)


def test_all_of_them_run_in_an_owners_rights_procedure():
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    rows = pa.table({
        "ID": [1, 1, 2], "GROUP": ["old", "new", None], 'a"quoted".name': ['{"a": 1}', '{"a": 2}', None],
        "κόσμε": pa.array([at] * 3, pa.timestamp("us", "UTC")), "BIN": [b"\x00", b"\x01", None],
        "L" * 255: pa.array([decimal.Decimal(1)] * 3, pa.decimal128(38, 9)), "_SNOWCAT_SEQ": [1, 2, 3],
    })  # fmt: skip
    file = io.BytesIO()
    pq.write_table(rows, file)
    first = next(i for i, s in enumerate(STATEMENTS) if s.startswith("CREATE SCHEMA"))
    order: list[str] = [STATEMENTS[first], *BEFORE]
    for statement in STATEMENTS:
        # JSON waits as text; the snapshot shows the type of the final table.
        staging = statement.startswith("CREATE TRANSIENT")
        order += [statement.replace(" VARIANT", " VARCHAR"), *AFTER_TABLES] if staging else [statement]
    with Lab() as lab:
        lab.sql(
            "CREATE PROCEDURE RAW.PUBLIC.P() RETURNS VARIANT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
            "ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository PACKAGES = ('snowflake-snowpark-python') "
            f"HANDLER = 'main' EXECUTE AS OWNER AS $${HANDLER.format(order=order, stage=SET, data=file.getvalue())}$$"
        )
        counts = lab.call("CALL RAW.PUBLIC.P()")
        kept = lab.sql(f'SELECT "ID", "GROUP", "a""quoted"".name":"a"::VARCHAR FROM {SET}."SELECT" ORDER BY 1, 2')
        loads = lab.sql(f'SELECT COUNT(*) FROM {SET}."_DLT_PIPELINE_STATE"')
    # append 3, replace them, stage 3 of which one loses, insert 2, insert all 3, upsert what is there (5 rows, 2 keys)
    assert counts == [
        ["MERGE", 1], ["COPY", 3], ["DELETE", 3], ["COPY", 3], ["DELETE", 0], ["DELETE", 0], ["INSERT", 2], ["INSERT", 3],
        ["MERGE", 5], ["DELETE", 0], ["INSERT", 0], ["INSERT", 1],
    ]  # fmt: skip
    assert [tuple(r) for r in kept] == [(1, "new", "2")] * 3 + [(2, None, None)] * 2
    assert [tuple(r) for r in loads] == [(1,)]
