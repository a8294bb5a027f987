"""Clients of the emulator other than the Python connector, scripts, and stages of tables."""

from __future__ import annotations

import gzip
import json
import time

import pytest
from emulating import STAGE, T, refused
from snowflake.connector.errors import Error


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
