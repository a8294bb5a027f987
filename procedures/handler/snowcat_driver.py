"""The loop of a load: a step of the component, then this host's reply to it.

`wit/loads.wit` defines the steps and replies.
"""

import base64
import dataclasses
import hashlib
import json
import re
import time

from snowcat_engine import Record, Variant, to_plain, to_record
from snowcat_fault import Failed, LoadError

# The steps that end a run; each holds the report.
REPORTS = ("finished", "examined", "found")
# The stages and paths that the component may upload to. The Rust host has the same bounds.
STAGE = re.compile(r'"(?:[^"\0]|"")+"(?:\."(?:[^"\0]|"")+"){0,2}')
PATH = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")
# Seconds that the component may wait at once.
LONGEST_WAIT = 900.0


@dataclasses.dataclass(slots=True)
class Measured:
    """What the host measures of a load, in milliseconds."""

    first_statement: float | None = None
    # By the path of the file.
    uploads: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a step: as the component takes it, and as the transcript shows it."""

    value: Variant
    shown: object


def run(component, job_text, now, warehouse, record=None, start=None):
    """Drive one load to its report (a dict, WIT names) and return it with the host's measurements.

    `warehouse` does the steps: `sql`, `fetch`, `pull`, `upload`, `wait`. `record` is called with
    every line of the transcript. `start` is called in place of `component.start`: it begins a load
    within a policy, an examination or a search.
    """
    driver = _Driver(component, warehouse, record)
    handle = driver.accepted((start or component.start)(job_text, now))
    return driver.drive(handle), driver.measured


class _Driver:
    """The loop of one load: a step of the component, then the reply to it."""

    def __init__(self, component, warehouse, record):
        self._component = component
        self._warehouse = warehouse
        self._record = record
        self._begun = time.monotonic()
        self.measured = Measured()

    def drive(self, handle):
        """The report of the load."""
        reply = Reply(Variant("start"), "start")
        while True:
            self._note({"reply": reply.shown})
            step = self.accepted(self._component.resume(handle, reply.value))
            detail = to_plain(step.payload)
            if step.tag in REPORTS:
                self._note({"step": {step.tag: detail}})
                return detail
            reply = self._replied(handle, step.tag, detail)

    def accepted(self, result):
        """The result of a call of the component; a fault is raised."""
        if isinstance(result, Record):
            fault = to_plain(result)
            self._note({"fault": fault})
            raise LoadError(fault["kind"], fault["message"], fault["context"])
        return result

    def _note(self, line):
        if self._record is not None:
            compact = (",", ":")
            self._record(json.dumps(line, ensure_ascii=False, sort_keys=True, separators=compact))

    def _replied(self, handle, tag, detail):
        data = None
        if tag == "upload":
            data = base64.b64decode(self.accepted(self._component.payload(handle)))
            _check_upload(detail, data)
        self._note({"step": {tag: _shown(tag, detail, data)}})
        started = time.monotonic()
        if tag == "sql" and self.measured.first_statement is None:
            self.measured.first_statement = milliseconds(self._begun)
        try:
            return _done(tag, detail, data, self._warehouse)
        except Failed as error:
            return Reply(Variant("failed", to_record(error.failure)), {"failed": error.failure})
        finally:
            if tag == "upload":
                self.measured.uploads[detail["path"]] = milliseconds(started)


def _shown(tag, detail, data):
    """A step as the transcript shows it."""
    if tag == "upload":
        digest = hashlib.sha256(data).hexdigest()
        return {key: detail[key] for key in ("path", "size", "stage")} | {"sha256": digest}
    if tag == "fetch":
        # A transcript has neither the resource of a request nor the fields of its parent.
        hidden = ("parent", "resource")
        requests = detail["requests"]
        return [{key: it[key] for key in it if key not in hidden} for it in requests]
    if tag == "pull" and detail.get("encoding") is None:
        return {key: value for key, value in detail.items() if key != "encoding"}
    return detail


def _done(tag, detail, data, warehouse):
    """Do a step, and return the reply to it."""
    if tag == "sql":
        answers = warehouse.sql(detail["statements"])
        outcomes = [{"affected": affected, "rows": rows} for affected, rows in answers]
        return Reply(Variant("outcomes", list(map(to_record, outcomes))), {"outcomes": outcomes})
    if tag == "fetch":
        answers = warehouse.fetch(detail["requests"])
        shown = {"responses": [{case: answer} for case, answer in answers]}
        return Reply(Variant("responses", [_response(*answer) for answer in answers]), shown)
    if tag == "pull":
        page = warehouse.pull(detail)
        if page is None:
            return Reply(Variant("end"), "end")
        if isinstance(page, list):
            return Reply(Variant("columns", list(map(to_record, page))), {"columns": page})
        return Reply(Variant("page", page), {"page": page})
    if tag == "upload":
        warehouse.upload(detail["stage"], detail["path"], data)
    elif tag == "wait":
        if not 0 <= detail["seconds"] <= LONGEST_WAIT:
            raise LoadError("protocol", f"the component asks to wait {detail['seconds']} seconds")
        warehouse.wait(detail["seconds"])
    else:
        raise LoadError("protocol", f"this host does not know the step {tag!r}")
    return Reply(Variant("done"), "done")


def _response(case, answer):
    """An answer to a request, as the component takes it."""
    if case == "ok":
        answer = {**answer, "headers": [tuple(header) for header in answer["headers"]]}
    return Variant(case, to_record(answer))


def _check_upload(upload, data):
    """Raise a `LoadError` if a file's place, name or size is not what the interface promises."""
    stage, path, size = upload["stage"], upload["path"], upload["size"]
    if not STAGE.fullmatch(stage) or not PATH.fullmatch(path):
        raise LoadError("protocol", f"the component puts a file at {path!r} on {stage!r}")
    if len(data) != size:
        found = f"{path} was announced with {size} bytes, found {len(data)}"
        raise LoadError("protocol", found)


def milliseconds(since):
    """The time since a reading of `time.monotonic`, rounded for people."""
    return round(1000 * (time.monotonic() - since), 1)
