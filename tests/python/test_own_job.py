"""The chapter "Run your own job in an account" of the book: its steps, from the page, on the emulator.

The API is a server on this machine that the emulator maps to the chapter's host.
"""

from __future__ import annotations

import json
import pathlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from test_book import BOOK, blocks

from emulator import Lab
from emulator.text import split_script

CHAPTER = BOOK / "src/own-job.md"
PLACEHOLDER = '$${"pipeline": "shop", ..}$$'


class Orders(BaseHTTPRequestHandler):
    """Two orders for whoever has the token."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "Bearer your-token" and self.path.startswith("/v1/orders")
        found = {"data": [{"id": 1}, {"id": 2, "items": [{"sku": "A-1"}]}], "next": None}
        body = json.dumps(found if allowed else {"error": "no"}).encode()
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """No log."""


@pytest.fixture
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def copied(package: pathlib.Path, changed: str) -> str:
    """The statement of `P_LOAD` with the lines that the chapter changes."""
    statements = split_script((package / "install.sql").read_text())
    statement = next(s for s in statements if "PROCEDURE SNOWCAT.CODE.P_LOAD(" in s)
    for line in changed.splitlines():
        begin = re.match(r" *(CREATE OR REPLACE PROCEDURE|\w+ =)", line)[0]
        statement, times = re.subn(rf"^{re.escape(begin)}.*$", lambda _, line=line: line, statement, flags=re.MULTILINE)
        assert times == 1, line
    return statement


def test_steps_of_the_chapter_load_the_orders(built_package, address):
    files: dict[str, str] = {}
    with Lab() as lab:
        lab.install(built_package)
        lab.sql("CREATE USER SOMEONE")
        lab.hosts.map("api.example.com:443", address)
        session, made = lab.connect(), ""
        for block in blocks(CHAPTER):
            name = re.search(r",file=(\S+)", block.kind)
            if name:
                files[name[1]] = block.text
            elif block.kind == "sh":
                lab.put("@SNOWCAT.CODE.FILES", "policy.json", files["policy.json"].encode())
            elif block.kind == "sql,procedure":
                made = copied(built_package, block.text)
            elif block.kind.startswith("sql"):
                text = block.text.replace("-- here the copied statement", f"{made};")
                text = text.replace(PLACEHOLDER, f"$${files['orders.json']}$$")
                for statement in split_script(text):
                    rows = session.sql(statement).collect()
                    if block.kind == "sql,call" and statement.startswith("CALL"):
                        result = json.loads(rows[0][0])
        assert result["status"] == "success"
        assert {k: v for k, v in result["rows"].items() if not k.startswith("_dlt")} == {
            "orders": 2,
            "orders__items": 1,
        }
        session.sql("USE ROLE SNOWCAT_AUTHOR").collect()
        assert [tuple(row) for row in session.sql("SELECT ID FROM RAW.SHOP.ORDERS ORDER BY ID").collect()] == [
            (1,),
            (2,),
        ]
        session.close()
