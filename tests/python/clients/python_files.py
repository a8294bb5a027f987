"""PUT of a file and GET of it, on each of the stages S and E, with snowflake-connector-python."""

import json
import sys

import snowflake.connector

given = json.loads(sys.argv[1])
with snowflake.connector.connect(
    user="tester",
    password="tester",
    account="emulator",
    host="127.0.0.1",
    port=given["port"],
    protocol="http",
    database="RAW",
    schema="J",
) as connection:
    cursor = connection.cursor()
    for stage in ("S", "E"):
        cursor.execute(f"PUT 'file://{given['file']}' @{stage}/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        cursor.execute(f"GET @{stage}/load/ 'file://{given['back']}/{stage}/'")
