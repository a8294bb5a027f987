"""The script of test_clients.py with snowflake-connector-python; the first argument is its JSON."""

import hashlib
import json
import sys
import threading
import time
import urllib.request

import snowflake.connector

given = json.loads(sys.argv[1])
parameters = {
    "user": "tester",
    "password": "tester",
    "account": "emulator",
    "host": "127.0.0.1",
    "port": given["port"],
    "protocol": "http",
    "database": "RAW",
    "schema": "J",
}


def control(path: str, body: dict) -> None:
    url = f"http://127.0.0.1:{given['port']}/emulator/{path}"
    urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode())).close()


def count(cursor) -> int:
    return cursor.execute("SELECT COUNT(*) FROM T").fetchall()[0][0]


def changed(cursor, sql: str) -> int:
    return cursor.execute(sql).rowcount


def large(cursor) -> list:
    digest, total = hashlib.sha256(), 0
    for number, text in cursor.execute(given["large"]):
        digest.update(f"{number} {text}\n".encode())
        total += 1
    return [total, digest.hexdigest()]


def cancelled(connection) -> str:
    cursor = connection.cursor()
    cursor.execute_async("SELECT SYSTEM$WAIT(60)")
    query = cursor.sfqid
    connection.cursor().execute(f"SELECT SYSTEM$CANCEL_QUERY('{query}')")
    deadline = time.monotonic() + 20
    while connection.is_still_running(connection.get_query_status(query)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return connection.get_query_status(query).name


def timed_out(connection) -> int:
    """The connector's own timer sends the abort."""
    try:
        connection.cursor().execute("SELECT SYSTEM$WAIT(60)", timeout=1)
    except snowflake.connector.errors.Error as error:
        return error.errno
    return 0


def main() -> dict:
    found = {"version": snowflake.connector.__version__}
    with snowflake.connector.connect(**parameters) as connection:
        cursor = connection.cursor()
        found["login"] = list(
            cursor.execute("SELECT CURRENT_USER(), CURRENT_DATABASE(), CURRENT_SCHEMA()").fetchall()[0]
        )
        for sql in given["ddl"]:
            cursor.execute(sql)
        found["dml"] = [changed(cursor, sql) for sql in given["dml"]]
        found["large"] = large(cursor)
        found["long"] = cursor.execute("SELECT SYSTEM$WAIT(3)").fetchall()[0][0]
        found["cancel"] = cancelled(connection)
        if found["version"].startswith("4."):  # version 5 takes no notice of the argument
            found["timeout"] = timed_out(connection)
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
        except snowflake.connector.errors.ProgrammingError as error:
            found["error"] = [error.errno, error.sqlstate]
    return found


# A driver may leave threads behind that wait for ever.
threading.excepthook = lambda *_: None
print(json.dumps(main()), flush=True)
