"""The stand-in Jira of `tests/src/standin`, as a process: `with StandIn(issues=300) as jira: ...`."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
USER, TOKEN = "you@example.com", "your-api-token"  # as install.sql has them
SITE = "your-site.atlassian.net:443"


class StandIn:
    """A Jira on localhost with generated issues."""

    def __init__(self, issues: int, seed: int = 1, faults: str = "") -> None:
        self.command = [
            str(program()), "jira", "--port", "0", "--issues", str(issues), "--seed", str(seed),
            "--user", USER, "--token", TOKEN, *(["--faults", faults] if faults else []),
        ]  # fmt: skip

    def __enter__(self) -> StandIn:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            raise RuntimeError(f"the stand-in did not start: {line!r}")
        self.address = line.split("http://")[1].strip()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)

    def ask(self, path: str, body: object = None, method: str | None = None) -> object:
        """A control request, such as `jira.ask("/_control/edit", {"issues": ["10000"]})`."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://{self.address}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def ids(self) -> list[str]:
        """The ids of its issues."""
        return [issue["id"] for issue in self.ask("/_control/issues")["issues"]]

    def faults(self, spec: str) -> None:
        """What goes wrong from now on."""
        self.ask("/_control/faults", {"faults": spec})


def program() -> pathlib.Path:
    """The binary: `make component` builds it."""
    for place in (os.environ.get("SNOWCAT_STANDIN"), ROOT / "target/debug/standin", ROOT / "target/release/standin"):
        if place and pathlib.Path(place).exists():
            return pathlib.Path(place)
    raise RuntimeError("target/debug/standin is not there: run make component first")
