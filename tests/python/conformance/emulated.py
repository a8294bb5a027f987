"""Snowcat on the emulator: runs a case's loads and reads the tables back.

Each load is a CALL of an owner's-rights procedure, so that whatever a procedure may not do is rejected; its handler is the
runner's own, and drives the guest with the loop of `procedures/handler/snowcat_procedure.py`.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import zlib
from typing import TYPE_CHECKING, Any

import snowcat_procedure as host
from snowflake.connector.errors import Error
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab

from . import canonical, physical
from .direct import Direct
from .job import DATABASE, DATASET, in_database, job, pages

if TYPE_CHECKING:
    from collections.abc import Callable

    from .cases import Run
    from .guests import Component, Library

PROCEDURE = f"""
CREATE PROCEDURE {DATABASE}.PUBLIC.P() RETURNS VARIANT LANGUAGE PYTHON RUNTIME_VERSION = '3.11'
ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository PACKAGES = ('snowflake-snowpark-python')
HANDLER = 'main' EXECUTE AS OWNER AS $$from conformance.emulated import handler as main$$"""
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

_work: list[Callable[[Any], Any]] = []


def handler(session: Any) -> Any:
    """The handler of the procedure."""
    return _work.pop()(session)


class Holding(host.Snowflake):
    """A procedure's session with input."""

    def __init__(self, session: Any, held: list[str]) -> None:
        super().__init__(session, host.Http({}))
        self.held = iter(held)

    def pull(self, _: str) -> str | None:
        """The next page."""
        return next(self.held, None)


class Emulated:
    """An emulated account in which cases run one after the other; `direct`: without the wire."""

    def __init__(self, direct: bool = False) -> None:
        self.lab = Lab(databases=(DATABASE,))
        self.direct = direct
        self.clean = True

    def __enter__(self) -> Emulated:
        self.lab.__enter__()
        if self.direct:
            account = self.lab.account
            account.snowpark = lambda frame: Direct(account, frame)
            self.lab._session = Direct(account, database=DATABASE)
        self.lab.sql(PROCEDURE)
        return self

    def __exit__(self, *error: object) -> None:
        self.lab.__exit__(*error)

    def run(self, runs: list[Run], guest: Component | Library) -> tuple[dict[str, Any], list[str]]:
        """The result of the loads in a new dataset in canonical form, and all statements of the guest."""
        self.clear()
        report, said, instants = [], [], []
        for number, run in enumerate(runs):
            now = START + dt.timedelta(days=number)
            entry: dict[str, Any] = {"load": number}
            try:
                done = self.load(job(run.config), pages(run.input.read_text(encoding="utf-8")), now, guest, said.append)
                entry["row_counts"] = {t["name"]: t["rows"] for t in sorted(done["tables"], key=lambda t: t["name"])}
                instants.append((done["load-id"], now))
            except host.LoadError as error:
                entry["error"] = {k: error.details[k] for k in ("kind", "message", "context")}
            report.append(entry)
        config = runs[-1].config
        return {**self.dataset(config, instants, len(runs)), "loads": report}, said

    def load(
        self, text: str, held: list[str], now: dt.datetime, guest: Component | Library, record: Callable[[str], Any]
    ) -> dict[str, Any]:
        """One load; a `LoadError` if it fails."""
        ended: list[dict | Exception] = []

        def work(session: Any) -> None:
            try:
                report, _ = host.run(guest, text, now.isoformat(), Holding(session, held), record)
                ended.append(report)
            except host.LoadError as error:
                ended.append(error)

        _work.append(work)
        try:
            self.lab.call(f"CALL {DATABASE}.PUBLIC.P()")
        except (SnowparkSQLException, Error) as error:
            raise host.LoadError("internal", f"the CALL failed: {error}") from error
        if isinstance(ended[0], Exception):
            raise ended[0]
        return ended[0]

    def clear(self) -> None:
        """Remove the dataset."""
        for (name,) in self.lab.sql(f"SELECT SCHEMA_NAME FROM {DATABASE}.INFORMATION_SCHEMA.SCHEMATA"):
            if name.upper().startswith(DATASET.upper()):
                self.lab.sql(f'DROP SCHEMA {DATABASE}."{name}" CASCADE')

    def dataset(self, config: dict[str, Any], loads: list[tuple[str, dt.datetime]], runs: int) -> dict[str, Any]:
        """The tables and the schema, in canonical form."""
        place = f'{DATABASE}."{in_database(DATASET, config)}"'
        found = physical.columns(self.lab, in_database(DATASET, config))
        version = in_database("_dlt_version", config)
        if version not in found:
            return {"tables": {}, "schema": {}}
        names = [in_database(name, config) for name in ("schema", "version", "_dlt_loads", "load_id", "inserted_at")]
        stored = self.lab.sql(f'SELECT "{names[0]}" FROM {place}."{version}" ORDER BY "{names[1]}" DESC LIMIT 1')
        if not stored:
            return {"tables": {}, "schema": {}}
        ids = {load_id for (load_id,) in self.lab.sql(f'SELECT "{names[3]}" FROM {place}."{names[2]}"')}
        known = {n: t for n, t in document(stored[0][0])["tables"].items() if not n.startswith("_dlt")}
        kept = [(load_id, now) for load_id, now in loads if load_id in ids]
        bounds = {now: number for number, (_, now) in enumerate(kept)}
        there = {name for name in known if in_database(name, config) in found}
        schema = canonical.schema(known, there)
        raw = {}
        for name in known:
            if name in there:
                raw[name] = self._rows(place, name, known[name], config, bounds)
        physical.check(known, found, lambda name: in_database(name, config), runs)
        rows = canonical.tables(raw, schema, [load_id for load_id, _ in kept], config.get("raw_ids", False))
        return {"tables": rows, "schema": schema}

    def _rows(self, place: str, table: str, known: dict, config: dict, bounds: dict) -> list[canonical.Row]:
        columns = [c for c in known["columns"].values() if "data_type" in c]
        listed = ", ".join(_quoted(in_database(c["name"], config)) for c in columns)
        rows = []
        for row in self.lab.sql(f"SELECT {listed} FROM {place}.{_quoted(in_database(table, config))}"):
            cells = zip(columns, row, strict=True)
            rows.append({c["name"]: _value(v, c["data_type"], bounds) for c, v in cells if v is not None})
        return rows


def document(stored: str) -> dict[str, Any]:
    """A stored schema: JSON, or JSON compressed and in base64."""
    return json.loads(stored if stored.startswith("{") else zlib.decompress(base64.b64decode(stored)))


def _value(given: Any, data_type: str, bounds: dict[dt.datetime, int]) -> Any:
    # A driver returns numbers without decimals as integers, whatever their declared type.
    if data_type in ("decimal", "wei") and isinstance(given, int):
        given = decimal.Decimal(given)
    elif data_type == "bigint" and isinstance(given, decimal.Decimal):
        given = int(given)
    return canonical.value(given, data_type, bounds)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
