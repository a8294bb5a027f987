"""The script of test_clients.py with adbc-driver-snowflake, which is the driver in Go; the first argument is its JSON."""

import hashlib
import json
import sys
import threading
import time
import urllib.request

import adbc_driver_manager
import adbc_driver_snowflake.dbapi as adbc

given = json.loads(sys.argv[1])
OPTIONS = {
    "username": "tester",
    "password": "tester",
    "adbc.snowflake.sql.account": "emulator",
    "adbc.snowflake.sql.uri.host": "127.0.0.1",
    "adbc.snowflake.sql.uri.port": str(given["port"]),
    "adbc.snowflake.sql.uri.protocol": "http",
    "adbc.snowflake.sql.db": "RAW",
    "adbc.snowflake.sql.schema": "J",
    "adbc.snowflake.sql.auth_type": "auth_snowflake",
    "adbc.snowflake.sql.client_option.tracing": "fatal",
}


def control(path: str, body: dict) -> None:
    url = f"http://127.0.0.1:{given['port']}/emulator/{path}"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).close()


def rows(cursor, sql: str) -> list:
    cursor.execute(sql)
    return cursor.fetchall()


def count(cursor) -> int:
    return int(rows(cursor, "SELECT COUNT(*) FROM T")[0][0])


def changed(cursor, sql: str) -> int:
    cursor.adbc_statement.set_sql_query(sql)
    return cursor.adbc_statement.execute_update()


def large(cursor) -> list:
    digest, total = hashlib.sha256(), 0
    for number, text in rows(cursor, given["large"]):
        digest.update(f"{number} {text}\n".encode())
        total += 1
    return [total, digest.hexdigest()]


def cancelled(connection) -> str:
    cursor = connection.cursor()
    timer = threading.Timer(1, cursor.adbc_cancel)
    timer.start()
    begun = time.monotonic()
    try:
        cursor.execute("SELECT SYSTEM$WAIT(60)")
        cursor.fetchall()
    except (adbc_driver_manager.Error, OSError):
        return "ABORTED" if time.monotonic() - begun < 30 else "LATE"
    return "SUCCESS"


def main() -> dict:
    found = {"version": adbc_driver_manager.__version__}
    with adbc.connect(db_kwargs=OPTIONS, autocommit=True) as connection, connection.cursor() as cursor:
        found["login"] = list(rows(cursor, "SELECT CURRENT_USER(), CURRENT_DATABASE(), CURRENT_SCHEMA()")[0])
        for sql in given["ddl"]:
            cursor.execute(sql)
        found["dml"] = [changed(cursor, sql) for sql in given["dml"]]
        found["large"] = large(cursor)
        found["long"] = rows(cursor, "SELECT SYSTEM$WAIT(3)")[0][0]
        found["cancel"] = cancelled(connection)
        cursor.execute(f"PUT 'file://{given['file']}' @S/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        cursor.execute(given["copy"])
        cursor.execute(f"PUT 'file://{given['file']}' @E/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        cursor.execute(f"GET @E/load/ 'file://{given['back']}/'")
        found["copy"] = count(cursor)
        found["transaction"] = []
        for end in ("ROLLBACK", "COMMIT"):
            cursor.execute("BEGIN")
            cursor.execute("INSERT INTO T SELECT 900, 'x'")
            found["transaction"].append(count(cursor))
            cursor.execute(end)
            found["transaction"].append(count(cursor))
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO T SELECT 901, 'x'")
        control("expire", {"what": "session"})
        cursor.execute("INSERT INTO T SELECT 902, 'x'")
        cursor.execute("COMMIT")
        found["expiry"] = count(cursor)
        try:
            cursor.execute("SELECT * FROM NO_TABLE")
        except adbc_driver_manager.Error as error:
            found["error"] = [error.vendor_code, error.sqlstate]
    return found


print(json.dumps(main()), flush=True)
