"""Pages that are requested at once, by the program, from an API with a latency.

Run it with `-s` to see the requests per second.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import planning

LATENCY = 0.05
PAGES = 65
SIZE = 100


class Api(ThreadingHTTPServer):
    """An API with numbered pages, each after a latency."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.lock = threading.Lock()
        self.open = self.most = self.requests = 0
        self.first = self.last = 0.0

    def enter(self) -> None:
        with self.lock:
            self.requests += 1
            self.open += 1
            self.most = max(self.most, self.open)
            self.first = self.first or time.monotonic()

    def leave(self) -> None:
        with self.lock:
            self.open -= 1
            self.last = time.monotonic()


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Else the body waits for the acknowledgement of the head.
    wbufsize = -1

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.enter()
        time.sleep(LATENCY)
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        page = int(query["page"][0])
        records = [{"id": page * SIZE + n, "name": f"record {n}", "at": "2026-01-01T00:00:00Z"} for n in range(SIZE)]
        body = json.dumps({"records": records, "pages": PAGES}).encode()
        self.server.leave()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def load(folder: pathlib.Path, at_once: int) -> tuple[Api, str]:
    """A plan with so many pages at once. Returns the API, which has counted, and what the program printed."""
    with Api() as api:
        threading.Thread(target=api.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{api.server_port}/"
        paginator = {"type": "page_number", "total_path": "pages", "parallel": at_once}
        endpoint = {"data_selector": "records", "paginator": paginator}
        job = {
            "pipeline": "p",
            "database": "RAW",
            "dataset": "d",
            "client": {"base_url": address},
            "resources": [{"name": "records", "endpoint": endpoint}],
        }
        (folder / "job.json").write_text(json.dumps(job))
        run = subprocess.run(
            [planning.PROGRAM, "plan", "job.json", "--now", "2026-01-01T00:00:00Z"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            env=os.environ,
        )
        api.shutdown()
    assert run.returncode == 0, run.stderr
    # Without times.
    return api, re.sub(r"[\d.]+ s\b", "", run.stdout)


def test_pages_at_once_are_requested_at_once(tmp_path):
    one, expected = load(tmp_path, 1)
    assert one.most == 1
    assert one.requests == PAGES
    for at_once in (4, 16):
        api, printed = load(tmp_path, at_once)
        assert api.most == at_once
        # The total number is known: no page behind the last one is requested.
        assert api.requests == PAGES
        assert printed == expected
        print(f"{at_once} at once: {rate(api)}")
    print(f"1 at once: {rate(one)}")


def rate(api: Api) -> str:
    seconds = api.last - api.first
    return f"{api.requests} requests in {seconds:.2f} s, {api.requests / seconds:.0f} per second"
