"""Loads by the command `snowcat run`, of a small API on this machine into an emulated account."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import pathlib
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from emulator import Lab

PROGRAM = pathlib.Path(os.environ.get("SNOWCAT_PLAN", pathlib.Path(__file__).parents[3] / "target/debug/snowcat"))
RECORDS = {
    "orders": [{"id": 1, "items": [{"sku": "A"}, {"sku": "B"}]}, {"id": 2, "items": []}],
    "events": [{"n": 1}, {"n": 2}, {"n": 3}],
    "users": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
}
# Rows of each table after so many loads.
ROWS = {"ORDERS": lambda _: 2, "ORDERS__ITEMS": lambda _: 2, "EVENTS": lambda loads: 3 * loads, "USERS": lambda _: 2}
DISPOSITIONS = {
    "orders": {"write_disposition": "merge", "primary_key": "id"},
    "users": {"write_disposition": "replace"},
}


class Source(BaseHTTPRequestHandler):
    """An API with one page for each resource."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps(RECORDS[self.path.strip("/").partition("?")[0]]).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def connection_variables(lab: Lab, user: str, password: str) -> dict[str, str]:
    """The variables of a connection to the lab."""
    connection = {
        "ACCOUNT": "emulator",
        "HOST": "127.0.0.1",
        "PORT": str(lab.server.port),
        "PROTOCOL": "http",
        "USER": user,
        "PASSWORD": password,
    }
    return {f"SNOWFLAKE_{key}": value for key, value in connection.items()}


@contextlib.contextmanager
def opened(folder: pathlib.Path, source: type[Source] = Source) -> Iterator[Account]:
    """An account, and the API that its loads read."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with Lab() as lab:
        yield Account(lab, f"http://127.0.0.1:{server.server_port}/", folder)
    server.shutdown()
    server.server_close()


class Account:
    """A lab, and loads into datasets of it."""

    def __init__(self, lab: Lab, address: str, folder: pathlib.Path) -> None:
        self.lab, self.address, self.folder, self.datasets = lab, address, folder, 0

    def dataset(self) -> str:
        self.datasets += 1
        return f"d{self.datasets}"

    def run(self, dataset: str, day: int) -> subprocess.CompletedProcess[str]:
        """One load, by the command."""
        process = self.begin(dataset, day)
        try:
            out, err = process.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def begin(self, dataset: str, day: int, *more: str) -> subprocess.Popen[str]:
        """Begin a load, by the command, with `more` arguments."""
        resources = [
            {
                "name": name,
                "endpoint": {"path": name, "paginator": {"type": "single_page"}},
                **DISPOSITIONS.get(name, {}),
            }
            for name in RECORDS
        ]
        job = {
            "pipeline": "walk",
            "database": "RAW",
            "dataset": dataset,
            "client": {"base_url": self.address},
            "resources": resources,
        }
        place = self.folder / f"{dataset}.json"
        place.write_text(json.dumps(job))
        return subprocess.Popen(
            [PROGRAM, "run", place, "--json", "--now", f"2026-01-0{day}T00:00:00Z", *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **self.variables()},
        )

    def variables(self) -> dict[str, str]:
        """The variables of the connection."""
        return connection_variables(self.lab, "tester", "tester")

    def loads(self, dataset: str) -> int:
        """The number of complete loads. Fails if a table has other rows than they leave."""
        rows = self.rows(dataset)
        loads = rows.get("_DLT_LOADS", 0)
        found = {name: rows.get(name, 0) for name in ROWS}
        assert found == {name: rule(loads) if loads else 0 for name, rule in ROWS.items()}, (loads, rows)
        return loads

    def rows(self, dataset: str) -> dict[str, int]:
        schema = dataset.upper()
        sql = f"SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{schema}'"
        return {
            name: self.lab.sql(f'SELECT COUNT(*) FROM "RAW"."{schema}"."{name}"')[0][0] for (name,) in self.lab.sql(sql)
        }

    def executed(self, begun: int, dataset: str) -> collections.Counter:
        """How often each statement was executed since then. The stored schema names the dataset, in base64."""
        found = collections.Counter()
        for entry in self.lab.trace[begun:]:
            text = entry.sql.replace(dataset.upper(), "D")
            found[re.sub(r"(?s)(MERGE INTO \S+_DLT_).*", r"\1", text)] += 1
        return found
