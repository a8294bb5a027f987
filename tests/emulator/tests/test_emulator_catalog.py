"""The catalogue of the emulator: INFORMATION_SCHEMA, SHOW, the answers of DDL, and future grants."""

from __future__ import annotations

import json

import pytest
from emulating import STAGE, T, refused, rows

from emulator import Lab

NAMES = "SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES ORDER BY 1"
COLUMNS = "SELECT COLUMN_NAME FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'J' ORDER BY ORDINAL_POSITION"


def role(lab: Lab, name: str = "R") -> object:
    """A role that may use RAW.J and create tables and stages in it."""
    lab.script(
        f"CREATE ROLE {name}; GRANT USAGE ON DATABASE RAW TO ROLE {name};"
        f"GRANT USAGE, CREATE TABLE, CREATE STAGE ON SCHEMA RAW.J TO ROLE {name}"
    )
    return lab.connect(name)


# --- INFORMATION_SCHEMA --------------------------------------------------------------------


def test_a_role_sees_what_it_has_a_privilege_on(lab):
    session = role(lab)
    lab.sql(f'CREATE TABLE {T} ("A" VARCHAR)')
    lab.sql(f"CREATE STAGE {STAGE}")
    stages = "SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES"
    schemata = "SELECT SCHEMA_NAME FROM RAW.INFORMATION_SCHEMA.SCHEMATA ORDER BY 1"
    shows = [NAMES, COLUMNS, stages, "SHOW TABLES IN SCHEMA RAW.J", "SHOW COLUMNS IN SCHEMA RAW.J"]
    assert [rows(session, sql) for sql in shows] == [[]] * 5
    assert rows(session, schemata) == [("J",)] and rows(lab.session, schemata) == [("J",), ("JS",), ("PUBLIC",)]
    assert rows(lab.session, NAMES) == [("T",)]
    assert "does not exist" in refused(session, "SHOW COLUMNS IN TABLE RAW.J.T")
    lab.sql("GRANT INSERT ON TABLE RAW.J.T TO ROLE R")
    lab.sql("GRANT READ ON STAGE RAW.J.SNOWCAT TO ROLE R")
    assert [rows(session, sql) for sql in shows[:3]] == [[("T",)], [("A",)], [("SNOWCAT",)]]
    assert [len(rows(session, sql)) for sql in shows[3:]] == [1, 1]
    lab.sql("REVOKE INSERT ON TABLE RAW.J.T FROM ROLE R")
    session.sql('CREATE TABLE "RAW"."J"."OWN" ("B" VARCHAR)').collect()
    assert rows(session, NAMES) == [("OWN",)]


def test_create_of_an_invisible_table_has_no_effect(lab):
    session = role(lab)
    lab.sql(f'CREATE TABLE {T} ("A" VARCHAR)')
    create = f'CREATE TABLE IF NOT EXISTS {T} ("B" VARCHAR)'
    assert rows(session, create) == [("T already exists, statement succeeded.",)]
    assert rows(lab.session, COLUMNS) == [("A",)]


def test_information_schema_may_fail():
    with Lab(information_schema="refuses") as lab:
        error = "090030 (22000) Information schema query returned too much data. Please repeat query with more selective predic"
        for sql in (NAMES, COLUMNS, f"INSERT INTO RAW.PUBLIC.T {NAMES}"):
            lab.sql("CREATE TABLE IF NOT EXISTS RAW.PUBLIC.T (A VARCHAR)")
            assert refused(lab.session, sql).startswith(error)
        assert len(lab.sql("SHOW COLUMNS IN SCHEMA RAW.PUBLIC")) == 1


def test_information_schema_may_lag():
    with Lab(information_schema="lags") as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        lab.sql(f'CREATE TABLE {T} ("A" VARCHAR)')
        assert [rows(lab.session, NAMES) for _ in range(4)] == [[], [], [], [("T",)]]
        lab.sql(f'ALTER TABLE {T} ADD COLUMN "B" VARCHAR')
        assert rows(lab.session, COLUMNS) == [("A",)]
        assert [r[2] for r in rows(lab.session, "SHOW COLUMNS IN TABLE RAW.J.T")] == ["A", "B"]
        for _ in range(2):
            lab.sql("SELECT 1")
        assert rows(lab.session, COLUMNS) == [("A",), ("B",)]


# --- SHOW -----------------------------------------------------------------------------------


def test_show_columns(lab):
    lab.sql(
        f'CREATE TABLE {T} ("N" NUMBER(19,0) NOT NULL, "V" VARCHAR COMMENT \'c\', "W" VARCHAR(134217728), "F" FLOAT, '
        '"L" TIMESTAMP_LTZ(6), "Z" TIMESTAMP_TZ, "TI" TIME, "D" DATE, "BO" BOOLEAN, "BI" BINARY, "DOC" VARIANT)'
    )
    lab.sql('CREATE TABLE "RAW"."J"."A b" ("x" VARCHAR(3))')
    found = lab.sql('SHOW COLUMNS IN SCHEMA "RAW"."J"')
    assert list(found[0].as_dict()) == [
        "table_name",
        "schema_name",
        "column_name",
        "data_type",
        "null?",
        "default",
        "kind",
        "expression",
        "comment",
        "database_name",
        "autoincrement",
        "schema_evolution_record",
    ]
    assert [(r["table_name"], r["column_name"]) for r in found][:2] == [("A b", "x"), ("T", "N")]
    types = {r["column_name"]: json.loads(r["data_type"]) for r in found}
    null = {"nullable": True}
    assert types == {
        "x": {"type": "TEXT", "length": 3, "byteLength": 12, "fixed": False} | null,
        "N": {"type": "FIXED", "precision": 19, "scale": 0, "nullable": False},
        "V": {"type": "TEXT", "length": 16_777_216, "byteLength": 16_777_216, "fixed": False} | null,
        "W": {"type": "TEXT", "length": 134_217_728, "byteLength": 134_217_728, "fixed": False} | null,
        "F": {"type": "REAL"} | null,
        "L": {"type": "TIMESTAMP_LTZ", "precision": 0, "scale": 6} | null,
        "Z": {"type": "TIMESTAMP_TZ", "precision": 0, "scale": 9} | null,
        "TI": {"type": "TIME", "precision": 0, "scale": 9} | null,
        "D": {"type": "DATE"} | null,
        "BO": {"type": "BOOLEAN"} | null,
        "BI": {"type": "BINARY", "length": 8_388_608, "byteLength": 8_388_608, "fixed": True} | null,
        "DOC": {"type": "VARIANT"} | null,
    }
    assert [(r["null?"], r["comment"]) for r in lab.sql(f"SHOW COLUMNS IN TABLE {T}")][:2] == [
        ("false", ""),
        ("true", "c"),
    ]
    assert [r["column_name"] for r in lab.sql(f"SHOW COLUMNS LIKE 'b%' IN {T}")] == ["BO", "BI"]
    assert refused(lab.session, "SHOW COLUMNS IN SCHEMA RAW.NO").startswith("002003 (02000)")


def test_show_returns_ten_thousand_rows(lab):
    for table in "ABC":
        listed = ", ".join(f"C{i} BOOLEAN" for i in range(3400))
        lab.sql(f"CREATE TABLE RAW.J.{table} ({listed})")
    assert len(lab.sql("SHOW COLUMNS IN SCHEMA RAW.J")) == 10_000
    assert len(lab.sql("SHOW COLUMNS IN TABLE RAW.J.C")) == 3400


def test_show_tables(lab):
    lab.sql(f'CREATE TRANSIENT TABLE {T} ("N" NUMBER(19,0)) CLUSTER BY ("N")')
    lab.sql(f"INSERT INTO {T} SELECT 1")
    lab.sql('CREATE TABLE "RAW"."JS"."U" ("N" NUMBER(19,0))')
    (found,) = lab.sql("SHOW TABLES IN SCHEMA RAW.J")
    assert list(found.as_dict())[:11] == [
        "created_on",
        "name",
        "database_name",
        "schema_name",
        "kind",
        "comment",
        "cluster_by",
        "rows",
        "bytes",
        "owner",
        "retention_time",
    ]
    assert tuple(found)[1:8] == ("T", "RAW", "J", "TRANSIENT", "", "LINEAR(N)", 1) and found["retention_time"] == "0"
    assert [r["name"] for r in lab.sql("SHOW TABLES IN DATABASE RAW")] == ["T", "U"]
    assert [r["name"] for r in lab.sql("SHOW TABLES LIKE 'u' IN ACCOUNT")] == ["U"]


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("CREATE SCHEMA IF NOT EXISTS RAW.NEW", "Schema NEW successfully created."),
        ("CREATE SCHEMA IF NOT EXISTS RAW.J", "J already exists, statement succeeded."),
        ("CREATE TABLE IF NOT EXISTS RAW.J.NEW (A VARCHAR)", "Table NEW successfully created."),
        ("CREATE TABLE IF NOT EXISTS RAW.J.T (A VARCHAR)", "T already exists, statement succeeded."),
        ("CREATE OR REPLACE TABLE RAW.J.T (A VARCHAR)", "Table T successfully created."),
        ("ALTER TABLE RAW.J.T ADD COLUMN IF NOT EXISTS B VARCHAR", "Statement executed successfully."),
        ("CREATE STAGE IF NOT EXISTS RAW.J.NEW", "Stage area NEW successfully created."),
        ("CREATE STAGE IF NOT EXISTS RAW.J.S", "S already exists, statement succeeded."),
        ("DROP STAGE IF EXISTS RAW.J.S", "S successfully dropped."),
        ("DROP TABLE IF EXISTS RAW.J.NO", "Drop statement executed successfully."),
    ],
)
def test_results_of_ddl(lab, sql, answer):
    lab.script("CREATE TABLE RAW.J.T (A VARCHAR); CREATE STAGE RAW.J.S")
    assert rows(lab.session, sql) == [(answer,)]


# --- future grants --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grants", "owner"),
    [
        ([], "R"),
        (["GRANT OWNERSHIP ON FUTURE TABLES IN SCHEMA RAW.PUBLIC TO ROLE X"], "X"),
        (["GRANT OWNERSHIP ON FUTURE TABLES IN DATABASE RAW TO ROLE X"], "X"),
        (
            [
                "GRANT OWNERSHIP ON FUTURE TABLES IN DATABASE RAW TO ROLE X",
                "GRANT OWNERSHIP ON FUTURE TABLES IN SCHEMA RAW.PUBLIC TO ROLE Y",
            ],
            "Y",
        ),
        (
            [
                "GRANT OWNERSHIP ON FUTURE TABLES IN SCHEMA RAW.PUBLIC TO ROLE X",
                "REVOKE OWNERSHIP ON FUTURE TABLES IN SCHEMA RAW.PUBLIC FROM ROLE X",
            ],
            "R",
        ),
        (["GRANT OWNERSHIP ON FUTURE VIEWS IN SCHEMA RAW.PUBLIC TO ROLE X"], "R"),
    ],
)
def test_future_grant_of_ownership_transfers_new_tables(lab, grants, owner):
    lab.script("CREATE ROLE R; CREATE ROLE X; CREATE ROLE Y; GRANT USAGE ON DATABASE RAW TO ROLE R")
    lab.sql("GRANT USAGE, CREATE TABLE ON SCHEMA RAW.PUBLIC TO ROLE R")
    session = lab.connect("R")
    session.sql("CREATE TABLE RAW.PUBLIC.OLD (A VARCHAR)").collect()
    for grant in grants:
        lab.sql(grant)
    session.sql("CREATE TABLE RAW.PUBLIC.T (A VARCHAR)").collect()
    owners = {r["name"]: r["owner"] for r in lab.sql("SHOW TABLES IN SCHEMA RAW.PUBLIC")}
    assert owners == {"OLD": "R", "T": owner}
    session.sql("ALTER TABLE RAW.PUBLIC.OLD ADD COLUMN B VARCHAR").collect()
    alter = "ALTER TABLE RAW.PUBLIC.T ADD COLUMN B VARCHAR"
    if owner == "R":
        session.sql(alter).collect()
    else:
        assert "does not exist or not authorized" in refused(session, alter)
        assert "does not exist or not authorized" in refused(session, "DELETE FROM RAW.PUBLIC.T")
