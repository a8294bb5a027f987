"""The two forms of the guest, for `snowcat_procedure.run` to drive: the component, and the library natively."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import snowcat_procedure as host
from snowcat_engine import to_plain, to_record
from wasmtime.component import Record, Variant

if TYPE_CHECKING:
    import pathlib


class Component(host.Guest):
    """The component as the procedure runs it, compiled once for many loads."""

    name = "component"

    def __init__(self, file: pathlib.Path) -> None:
        if not file.exists():
            raise FileNotFoundError(f"{file}: build the component first (make component)")
        super().__init__(str(file.parent))

    def close(self) -> None:
        """Nothing is open."""


class Library:
    """The library in a separate process (`tests/rust/src/bin/library.rs`), with the component's functions."""

    name = "native"

    def __init__(self, program: pathlib.Path) -> None:
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")

    def start(self, job: str, now: str) -> Record | str:
        """Begin a load."""
        return self._ask({"start": {"job": job, "now": now}}, "native")

    def resume(self, _: str, reply: Variant) -> Record | Variant:
        """Pass the answer to the last step. Returns the next step."""
        given = to_plain(reply.payload)
        if reply.tag == "responses":
            given = [{one.tag: to_plain(one.payload)} for one in given]
        step = self._ask({"resume": reply.tag if given is None else {reply.tag: given}})
        if isinstance(step, Record):
            return step
        ((tag, detail),) = step.items()
        return Variant(tag, to_record(detail))

    def payload(self, _: str) -> Record | str:
        """The bytes of the pending upload, base64."""
        return self._ask({"payload": None})

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(10)

    def _ask(self, ask: dict, given: Any = None) -> Any:
        self.process.stdin.write(json.dumps(ask) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the library's process ended with {self.process.wait(10)}: a panic")
        answer = json.loads(line)
        if "fault" in answer:
            return to_record(answer["fault"])
        return given if answer["ok"] is None else answer["ok"]
