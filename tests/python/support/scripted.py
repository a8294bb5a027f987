"""A component that returns the steps of a test, and a session that answers them."""

from __future__ import annotations

from wasmtime.component import Record, Variant


def record(**fields) -> Record:
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


REPORT = {
    "load_id": "1.5",
    "pipeline": "p",
    "database": "RAW",
    "dataset": "jira",
    "statements": 9,
    "requests": 3,
    "pages": 2,
    "tables": [record(name="issues", resource="issues", rows=2), record(name="issues__c", resource="issues", rows=5)],
    "files": [record(path="1.5/0.issues/0.parquet", table="issues", rows=2, bytes=77)],
    "cursors": [record(resource="issues", path="u", start="2024", last="2025")],
    "state": "{}",
    "warnings": [],
}


class Scripted:
    """A component that returns these steps regardless of the replies, and records the replies."""

    engine, load_ms = "scripted", 0.0

    def __init__(self, *steps, payload: str = "") -> None:
        self.steps = list(steps)
        self.data = payload
        self.heard: list[Variant] = []

    def start(self, job, now):
        return "handle"

    def resume(self, handle, reply):
        self.heard.append(reply)
        return self.steps.pop(0) if self.steps else Variant("finished", record(**REPORT))

    def payload(self, handle):
        return self.data


def fetch(url: str, **more) -> Variant:
    request = {"method": "GET", "url": url, "headers": [], "auth": None, "body": None} | more
    return Variant("fetch", record(requests=[record(**request)]))


def upload(stage: str, path: str, size: int = 3) -> Variant:
    return Variant("upload", record(stage=stage, path=path, size=size))


def sql(*statements: str) -> Variant:
    return Variant("sql", record(statements=list(statements), order="serial"))


class Warehouse:
    """Answers as the test states; an exception is raised."""

    def __init__(self, **answers) -> None:
        self.answers = answers

    def __getattr__(self, name):
        def do(*arguments):
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer(*arguments) if callable(answer) else answer

        return do
