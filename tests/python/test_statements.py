"""Every kind of statement of Snowcat (`tests/data/sql/statements.sql`), parsed by another parser and run."""

from __future__ import annotations

import datetime as dt
import decimal
import io
import pathlib
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlglot

from emulator import Lab
from emulator.text import split_script

SNAPSHOT = (pathlib.Path(__file__).parents[1] / "data/sql/statements.sql").read_text(encoding="utf-8")
STATEMENTS = split_script(SNAPSHOT)
# The headings; the first comment is that of the file.
PURPOSES = re.findall(r"^-- (.*)$", SNAPSHOT, re.MULTILINE)[1:]
SET = '"RAW"."MY ""DATA"".SET"'
STAGING = '"RAW"."MY ""DATA"".SET_STAGING"'
# Objects that the statements use and do not create.
BEFORE = [
    f"CREATE SCHEMA {STAGING}",
    f'CREATE TABLE {SET}."_DLT_PIPELINE_STATE" ("VERSION" NUMBER(19,0), "PIPELINE_NAME" VARCHAR, "STATE" VARCHAR, '
    '"CREATED_AT" TIMESTAMP_LTZ, "VERSION_HASH" VARCHAR, "_DLT_LOAD_ID" VARCHAR)',
    f'CREATE TABLE {SET}."_DLT_LOADS" ("LOAD_ID" VARCHAR, "STATUS" NUMBER(19,0), "VERSION" NUMBER(19,0), '
    '"PIPELINE_NAME" VARCHAR, "CREATED_AT" TIMESTAMP_LTZ, "VERSION_HASH" VARCHAR)',
    f'CREATE TABLE {SET}."_DLT_VERSION" ("VERSION" NUMBER(19,0), "VERSION_HASH" VARCHAR, "SCHEMA" VARCHAR, '
    '"SCHEMA_NAME" VARCHAR, "INSERTED_AT" TIMESTAMP_LTZ, "PIPELINE_NAME" VARCHAR, "CREATED_AT" TIMESTAMP_LTZ)',
    f'CREATE TABLE {SET}."SELECT__κόσμε" ("VALUE" VARIANT, "_DLT_ROOT_ID" VARCHAR, "_DLT_PARENT_ID" VARCHAR, '
    '"_DLT_ID" VARCHAR)',
    f'CREATE TABLE {STAGING}."_SNOWCAT__SELECT__κόσμε" ("VALUE" VARCHAR, "_DLT_ROOT_ID" VARCHAR, "_DLT_ID" VARCHAR, '
    '"_SNOWCAT_SEQ" NUMBER(19,0))',
    f"""INSERT INTO {STAGING}."_SNOWCAT__SELECT__κόσμε" SELECT * FROM VALUES ('"of old"', 'a', 'a0', 1),
    ('"of new"', 'b', 'b0', 2), ('"of two"', 'c', 'c0', 3), ('"of gone"', 'g', 'g0', 4)""",
    f"""INSERT INTO {SET}."SELECT__κόσμε" SELECT NULL, column1, column1, column2 FROM VALUES
    ('a', 'a0'), ('b', 'b1'), ('c', 'c0'), ('g', 'g0')""",
]
AFTER_TABLES = [
    f'ALTER TABLE {SET}."SELECT" ADD COLUMN "_DLT_VALID_FROM" TIMESTAMP_LTZ, "_DLT_VALID_TO" TIMESTAMP_LTZ',
]
# Statements on columns that the tables of this test do not have, and on a table before it is created.
ODD = {
    "restore: the columns of one table",
    "a longer column of a staging table",
    "append: a column of TIMESTAMP_TZ, and values beyond 16 MiB",
    "merge: copy the same to a staging table",
    "delete-insert: a column of TIMESTAMP_TZ",
    "upsert: a column of TIMESTAMP_TZ",
}
# The number of rows that each changes, in order: root rows a and b have one key, g is deleted at the source.
CHANGED = {
    "the seed row, committed before the transaction": 1,
    "the lock": 1,
    "the lock if the schema has no row": 1,
    "the check if the state is unchanged": 1,
    "the state, unless another load wrote one": 0,
    "delete the seed row": 0,
    "the lock of the schema": 0,
    "the schema, unless another load stored one": 1,
    "the first schema": 1,
    "replace: delete all rows": 0,
    "append: copy the files": 4,
    "merge: copy root rows to a staging table": 4,
    "merge, source_filter: delete staged rows outside the filter": 1,
    "merge, newer_by: delete staged rows older than existing rows": 0,
    "delete-insert: delete nested rows of replaced rows": 2,
    "delete-insert: delete replaced rows": 2,
    "delete-insert, destination_scope: delete nested rows": 1,
    "delete-insert, destination_scope: delete rows in the scope": 1,
    "delete-insert: insert the staged rows that are kept": 2,
    "delete-insert: insert all staged rows": 3,
    "delete-insert: delete nested rows of staged rows that are not kept": 0,
    "upsert: merge the staged rows that are kept": 4,
    "upsert: merge their nested rows": 1,
    "upsert, skip_unchanged_rows: delete removed nested rows": 0,
    "upsert, hard_delete and skip_unchanged_rows: merge the rows": 0,
    "upsert, skip_unchanged_rows: merge their nested rows": 0,
    "insert-only: insert new rows": 0,
    "insert-only, scd2: insert their nested rows": 0,
    "cdc: delete nested rows of absent rows": 1,
    "cdc: delete absent rows": 1,
    "cdc, merge_key: delete nested rows of absent rows": 0,
    "cdc, merge_key: delete absent rows": 0,
    "cdc, destination_scope: delete nested rows of absent rows": 0,
    "cdc, destination_scope: delete absent rows": 0,
    "scd2: retire absent versions": 3,
    "scd2: insert new versions": 1,
    "scd2, merge_key, active_record_timestamp: retire absent versions": 0,
    "scd2, destination_scope, active_record_timestamp: retire absent versions": 0,
    "scd2, active_record_timestamp: insert new versions": 2,
    "set missing root ids": 0,
    "set missing root ids one level down": 0,
    "row_key: set missing root ids": 0,
    "row_key, delete-insert: delete nested rows of replaced rows": 0,
    "a row of dlt's tables": 1,
    "refresh: delete the versions of the schema": 0,
    "slices: plan": 2,
    # The snapshot names a slice that this plan does not have.
    "slices: lock one": 0,
    "slices: assign one to a load": 0,
    "slices: those that are open": 2,
    "refresh: delete the slices of resources": 2,
    "refresh: delete all slices": 0,
}


HANDLER = """
import io
import snowcat_procedure

def main(session):
    counts = []
    warehouse = snowcat_procedure.Snowflake(session, snowcat_procedure.Http({{}}))
    for purpose, statement in {order!r}:
        ((affected, _),) = warehouse.sql([statement])
        if affected is not None and purpose:
            counts.append([purpose, affected])
        if statement.startswith("CREATE STAGE"):
            warehouse.upload({stage!r} + '."SNOWCAT__P__1_5"', "1.5/0.0.select/0.parquet", {data!r})
    return counts
"""


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda s: s[:40])
def test_another_parser_accepts_it(statement):
    parsed = sqlglot.parse_one(statement, read="snowflake")
    assert not isinstance(parsed, sqlglot.exp.Command)


def test_all_run_in_an_owners_rights_procedure():
    at = dt.datetime(2024, 1, 2, 3, 4, 5, 678901, tzinfo=dt.UTC)
    rows = pa.table(
        {
            "ID": [1, 1, 2, 3],
            "GROUP": ["old", "new", None, "b"],
            "κόσμε": pa.array([at] * 4, pa.timestamp("us", "UTC")),
            'a"quoted".name': ['{"a": 1}', '{"a": 2}', None, None],
            "BIN": [b"\x00", b"\x01", None, None],
            "L" * 255: pa.array([decimal.Decimal(1)] * 4, pa.decimal128(38, 9)),
            "_SNOWCAT_SEQ": [1, 2, 3, 4],
            "GONE?": [None, False, False, True],
            "_DLT_ID": ["a", "b", "c", "g"],
        }
    )
    file = io.BytesIO()
    pq.write_table(rows, file)
    first = next(i for i, s in enumerate(STATEMENTS) if s.startswith("CREATE SCHEMA"))
    order: list[tuple[str, str]] = [("", s) for s in (STATEMENTS[first], *BEFORE)]
    for purpose, statement in zip(PURPOSES, STATEMENTS, strict=True):
        if purpose in ODD:
            continue
        # JSON is staged as text; the snapshot shows the type of the final table.
        staging = statement.startswith("CREATE TRANSIENT")
        if statement.startswith("DROP TABLE"):
            order.append(("", f'CREATE TABLE {SET}."KEPT" AS SELECT * FROM {SET}."SELECT"'))
        order.append((purpose, statement.replace(" VARIANT", " VARCHAR") if staging else statement))
        order += [("", more) for more in AFTER_TABLES if staging]
    with Lab() as lab:
        lab.sql(
            "CREATE PROCEDURE RAW.PUBLIC.P() RETURNS VARIANT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
            "ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository PACKAGES = ('snowflake-snowpark-python') "
            f"HANDLER = 'main' EXECUTE AS OWNER AS $${HANDLER.format(order=order, stage=SET, data=file.getvalue())}$$"
        )
        counts = lab.call("CALL RAW.PUBLIC.P()")
        kept = lab.sql(f'SELECT "ID", "GROUP", "a""quoted"".name":"a"::VARCHAR FROM {SET}."KEPT" ORDER BY 1, 2')
        loads = lab.sql(f'SELECT COUNT(*) FROM {SET}."_DLT_PIPELINE_STATE"')
    assert counts == [[purpose, n] for purpose, n in CHANGED.items()]
    assert [tuple(r) for r in kept] == [(1, "new", "2")] * 4 + [(1, "old", "1")] * 2 + [(3, "b", None)] * 3
    assert [tuple(r) for r in loads] == [(1,)]
