"""The ready-made jobs, pointed at fakes on this machine and run by the procedure's own loop, on the emulator."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
from types import SimpleNamespace
from typing import Any

import fakes
import snowcat_procedure as host
from conformance.emulated import START, Emulated

JOBS = pathlib.Path(__file__).resolve().parents[3] / "procedures/jobs"
LARGEST = 1 << 20  # of a page, in bytes


def job(name: str, address: str, page: int, resources: tuple[str, ...] = ()) -> dict[str, Any]:
    """A job of the repository for a service at this address, with small pages."""
    text = (JOBS / f"{name}.json").read_text("utf-8")
    for setting, value in fakes.settings(name).items():
        text = text.replace("{{" + setting + "}}", value)
    made = turned(name, text, address)
    for params in _all(made, "params"):
        for size in ("per_page", "$top"):
            if size in params:
                params[size] = page
    for paginator in _all(made, "paginator"):
        if "limit" in paginator:
            paginator["limit"] = page
    if resources:
        made["selected"] = list(resources)
    return made


def turned(name: str, text: str, address: str) -> dict[str, Any]:
    """The text of a job, with its hosts replaced by this address."""
    for known in fakes.JOBS[name].hosts:
        text = text.replace(f"https://{known}", f"http://{address}").replace(f'"{known}"', f'"{address}"')
    return json.loads(text) | {"database": "RAW", "dataset": "d"}


def secrets(getter: str, alias: str) -> Any:
    """Replaces `snowcat_credentials.secret`."""
    (secret,) = (job.secret for job in fakes.JOBS.values() if job.secret and job.secret.name == alias)
    return secret.string or SimpleNamespace(username=secret.username, password=secret.password)


class Patient(host.Snowflake):
    """A procedure's session that records waits instead of waiting."""

    def __init__(self, session: Any, credentials: dict[str, Any]) -> None:
        super().__init__(session, host.Http(credentials, largest_body=LARGEST))
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        """Record the wait."""
        self.waits.append(seconds)


class Local(Emulated):
    """An emulated account in which jobs run."""

    def __init__(self, guest: Any, direct: bool = False) -> None:
        super().__init__(direct)
        self.guest = guest
        self.began: list[tuple[str, dt.datetime]] = []
        self.waits: list[float] = []
        self.days = 0

    def run_job(self, made: dict[str, Any]) -> dict[str, Any]:
        """One load; a `LoadError` if it fails."""
        now = START + dt.timedelta(days=self.days)
        self.days += 1
        warehouse = Patient(self.lab.session, made["credentials"])
        self.waits = warehouse.waits
        report, _ = host.run(self.guest, json.dumps(made), now.isoformat(), warehouse)
        self.began.append((report["load-id"], now))
        return report

    def restart(self) -> None:
        """Remove the dataset and its loads."""
        self.clear()
        self.began = []

    def shown(self) -> dict[str, Any]:
        """The tables and their schema, in canonical form."""
        return self.dataset({}, self.began, len(self.began))

    def stages(self) -> list[str]:
        """The stages that loads left behind."""
        return [name for (name,) in self.lab.sql("SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES")]


def _all(value: Any, key: str) -> list[dict]:
    """Every object under this key, at any depth."""
    if isinstance(value, list):
        return [found for item in value for found in _all(item, key)]
    if not isinstance(value, dict):
        return []
    own = [value[key]] if isinstance(value.get(key), dict) else []
    return own + [found for name, item in value.items() if name != key for found in _all(item, key)]
