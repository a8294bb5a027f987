"""`python -m emulator serve --port N`: a server for programs of any language."""

from __future__ import annotations

import argparse
import json
import signal
import threading

from .lab import Lab


def main() -> None:
    """Serve until interrupted; the first line printed is JSON with the connection parameters."""
    parser = argparse.ArgumentParser(prog="emulator", description=__doc__)
    parser.add_argument("command", choices=["serve"])
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--database", action="append", help="create this database (may be repeated; default RAW)")
    parser.add_argument("--timezone", default="America/Los_Angeles", help="the sessions' TIMEZONE")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="a switch (may be repeated)")
    given = parser.parse_args()
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with Lab(
        databases=tuple(given.database or ["RAW"]), timezone=given.timezone, port=given.port, longest_nap=None
    ) as lab:
        for switch in given.set:
            name, _, value = switch.partition("=")
            lab.server.switches.set({name: json.loads(value)})
        shown = {**lab.parameters(), "url": f"http://127.0.0.1:{lab.server.port}", "database": lab.databases[0]}
        print(json.dumps(shown), flush=True)
        done.wait()


main()
