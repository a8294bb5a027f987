"""The fakes of `tests/rust/src/fakes`, as processes: `with FakeJira(issues=300) as jira`, `with fake("github") as it`."""

from __future__ import annotations

import functools
import json
import os
import pathlib
import subprocess
import urllib.request

import scripts

ROOT = pathlib.Path(__file__).resolve().parents[3]
USER, TOKEN = "you@example.com", "your-api-token"  # as install.sql has them
SITE = "your-site.atlassian.net:443"


class Service:
    """A service on localhost with generated data."""

    def __init__(self, name: str, **options: object) -> None:
        given = [part for key, value in options.items() if value != "" for part in (f"--{key}", str(value))]
        self.command = [str(program()), name, "--port", "0", *given]

    def __enter__(self) -> Service:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if not line.startswith("listening on http://"):
            raise RuntimeError(f"the fake did not start: {line!r}")
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

    def held(self, what: str) -> list[dict]:
        """The current items of a list."""
        return self.ask(f"/_control/{what}")

    def advance(self) -> dict:
        """Changes the data as time would, and returns what changed."""
        return self.ask("/_control/advance", {})

    def requests(self) -> list[dict]:
        """The requests since the last call. Clears the log."""
        found = self.ask("/_control/log")["requests"]
        self.ask("/_control/log", method="DELETE")
        return found

    def faults(self, spec: str) -> None:
        """Replaces the faults: the requests that fail from now on, and how."""
        self.ask("/_control/faults", {"faults": spec})


class FakeJira(Service):
    """A Jira on localhost with generated issues."""

    def __init__(self, issues: int, seed: int = 1, faults: str = "") -> None:
        super().__init__("jira", size=issues, seed=seed, secret=f"{USER}:{TOKEN}", faults=faults)

    def ids(self) -> list[str]:
        """The ids of its issues."""
        return [issue["id"] for issue in self.ask("/_control/issues")["issues"]]


JOBS = {job.name: job for job in scripts.jobs()}


def fake(job: str, size: int | None = None, **options: object) -> Service:
    """The fake of the service that a ready-made job loads from, with the secret of the job's worksheet."""
    known = JOBS[job]
    if known.uses:
        return FakeJira(size or 60, **options)
    secret = known.secret
    proof = secret.string if secret.string is not None else f"{secret.username}:{secret.password}"
    return Service(job, size="" if size is None else size, secret=proof, **options)


@functools.cache
def fakes() -> dict[str, dict]:
    """By name of each fake: `settings` (placeholders of its jobs) and `trials` (small loads)."""
    return json.loads(subprocess.run([program(), "list"], check=True, capture_output=True, text=True).stdout)


def settings(job: str) -> dict[str, str]:
    """The settings with which a job loads from its fake."""
    return {} if JOBS[job].uses else fakes()[job]["settings"]


def program() -> pathlib.Path:
    """The binary: `make component` builds it."""
    for place in (os.environ.get("SNOWCAT_FAKE"), ROOT / "target/debug/fake", ROOT / "target/release/fake"):
        if place and pathlib.Path(place).exists():
            return pathlib.Path(place)
    raise RuntimeError("target/debug/fake does not exist: run make component first")
