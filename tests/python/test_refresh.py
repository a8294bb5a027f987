"""Refresh modes, compared with dlt's on the emulator; and that no row is lost or duplicated at any moment."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import snowcat_procedure
from conformance.emulated import Emulated
from test_adoption import HINTS, Loaders, read_directly

from emulator import Lab

MODES = ("drop_data", "drop_resources", "drop_sources")
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def order(number: int, day: int, total: Any, **more: Any) -> dict:
    return {"id": number, "updated": f"2024-01-{day:02d}T00:00:00Z", "total": total, "items": [{"sku": "a"}], **more}


# A column is removed, one returns with another type; then an ordinary load; then one without records.
FIRST = {"orders": [order(1, 1, 1.5, gone="x"), order(2, 2, 2.5, tags=["t"])], "events": [{"n": 1, "l": [1]}]}
RELOAD = [order(2, 2, 7.5, fresh=True)]
TYPED = [order(2, 2, "seven", fresh=True)]
LATER = {"orders": [order(2, 2, 9.5), order(3, 3, 3.5)]}


def dataset(both: Loaders) -> dict[str, Any]:
    """The parts of a dataset that must be equal, whichever loader wrote it."""
    found: dict[str, Any] = {"columns": [c for c in both.columns() if not c[0].startswith("_DLT")]}
    for table in sorted({c[0] for c in found["columns"]}):
        names = [c[1] for c in found["columns"] if c[0] == table and (c[1][:4] != "_DLT" or c[1] == "_DLT_LIST_IDX")]
        rows = both.rows(table, ", ".join(f'"{name}"' for name in names))
        found[table] = sorted(map(repr, rows))
    found["state"] = both.state()["sources"]["shop"]
    found["loads"] = len(both.rows("_DLT_LOADS", "LOAD_ID"))
    # dlt finds a schema by its hash, so no stored schema may have other columns than the tables.
    found["schemas"] = len(set(both.rows("_DLT_VERSION", "VERSION_HASH")))
    return found


@pytest.fixture
def pair(guest, tmp_path, monkeypatch) -> Iterator[tuple[Loaders, Loaders]]:
    """dlt and Snowcat, each with a separate account."""
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    with Lab() as one, Lab() as other:
        read_directly(one, other)
        yield Loaders(one, guest, tmp_path, None, False), Loaders(other, guest, tmp_path, None, False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("records", [RELOAD, TYPED, []], ids=["again", "typed", "nothing"])
def test_refresh_has_the_result_of_dlt(pair, mode, records):
    theirs, ours = pair
    theirs.dlt(FIRST)
    ours.snowcat(FIRST)
    assert dataset(ours) == dataset(theirs)
    theirs.dlt({"orders": records}, refresh=mode)
    report = ours.snowcat({"orders": records}, refresh=mode)
    assert report["warnings"] == []
    expected, found = dataset(theirs), dataset(ours)
    # Dropping is a separate load, which saves the state without cursors before anything is dropped.
    expected["loads"] += mode != "drop_data"
    assert found == expected
    theirs.dlt(LATER)
    ours.snowcat(LATER)
    later = dataset(theirs)
    later["loads"] += mode != "drop_data"
    if mode == "drop_sources":
        later.pop("schemas"), (again := dataset(ours)).pop("schemas")
        assert again == later
    else:
        assert dataset(ours) == later


@pytest.mark.parametrize("mode", MODES)
def test_dlt_continues_after_a_refresh_by_snowcat(pair, mode):
    both, _ = pair
    both.dlt(FIRST)
    # dlt reads the schema again if the state has changed.
    both.snowcat({"orders": [order(2, 3, "seven")]}, refresh=mode)
    before = both.columns()
    both.dlt({"orders": [order(2, 3, "eight"), order(3, 4, "nine")]})
    assert both.columns() == before
    total = '"TOTAL__V_TEXT"' if mode == "drop_data" else '"TOTAL"'
    assert both.rows("ORDERS", f'"ID", {total}') == [(2, "seven"), (3, "nine")]
    assert len(both.rows("ORDERS__ITEMS", "SKU")) == 2


def test_refresh_of_a_missing_dataset(guest):
    with Lab() as lab:
        for mode in MODES:
            ours = Loaders(lab, guest, None, None, False)
            ours.snowcat({"orders": FIRST["orders"]}, refresh=mode)
            assert len(ours.rows("ORDERS", "ID")) == 2
            assert len(ours.rows("_DLT_LOADS", "LOAD_ID")) == 1
            lab.sql("DROP SCHEMA RAW.SHOP CASCADE")
            lab.sql("DROP SCHEMA IF EXISTS RAW.SHOP_STAGING CASCADE")


# --- whenever it dies ----------------------------------------------------------


def job(**options: Any) -> str:
    resource = {
        "name": "events",
        "write_disposition": "append",
        "incremental": {"cursor_path": "n"},
        "primary_key": "n",
    }
    return json.dumps({"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [resource], **options})


def events(*numbers: int) -> list[str]:
    return [json.dumps([{"n": n, "l": [n, n]} for n in numbers])]


def there(lab: Lab, session: Any = None) -> tuple[list[int], list[int]]:
    """The rows of the tables; empty for missing ones."""
    sql = lambda text: (session or lab.session).sql(text).collect()
    names = {n for (n,) in sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'D'")}
    read = lambda table, column: sorted(r[0] for r in sql(f'SELECT "{column}" FROM RAW.D."{table}"'))
    return tuple(read(t, c) if t in names else [] for t, c in (("EVENTS", "N"), ("EVENTS__L", "VALUE")))


# All six take minutes: the one with the most steps, or all of them if SNOWCAT_LONG is set.
DYING = [(m, a) for m in MODES for a in (True, False)] if os.environ.get("SNOWCAT_LONG") else [("drop_sources", True)]


@pytest.mark.parametrize(("mode", "again"), DYING)
def test_refresh_killed_at_any_step_loses_and_duplicates_nothing(guest, mode, again):
    """The next load, a refresh or not, leaves each row of the source once."""
    everything = ([1, 2, 3, 4], [1, 1, 2, 2, 3, 3, 4, 4])
    died = 0
    with Emulated(direct=True) as emulated:
        while True:
            died += 1
            emulated.clear()
            emulated.load(job(), events(1, 2, 3), NOW, guest, None)
            before = there(emulated.lab)
            emulated.lab.kill_after(died)
            try:
                emulated.load(job(refresh=mode), events(1, 2, 3, 4), NOW + dt.timedelta(1), guest, None)
                break
            except snowcat_procedure.LoadError as error:
                assert f"killed after operation {died}" in str(error)
            finally:
                emulated.lab.account.procedures.kill_after = None
            assert there(emulated.lab) in (before, ([], []), everything), f"half a load after operation {died}"
            more = {"refresh": mode} if again else {}
            emulated.load(job(**more), events(1, 2, 3, 4), NOW + dt.timedelta(2), guest, None)
            assert there(emulated.lab) == everything, f"after dying at operation {died}"
        assert there(emulated.lab) == everything
        assert died > 15
        stages = emulated.lab.sql("SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES WHERE STAGE_SCHEMA = 'D'")
        assert stages == []


def test_rows_are_deleted_in_the_transaction_that_inserts_new_ones(guest):
    """drop_data: a reader between any two statements finds the old rows or the new ones."""
    with Emulated() as emulated:
        emulated.load(job(), events(1, 2, 3), NOW, guest, None)
        seen, reader = set(), emulated.lab.connect()

        def look(entry: Any) -> None:
            if entry.procedure:
                seen.add(tuple(there(emulated.lab, reader)[0]))

        emulated.lab.on_statement(look)
        emulated.load(job(refresh="drop_data"), events(4, 5), NOW + dt.timedelta(1), guest, None)
        emulated.lab.on_statement(None)
        assert seen | {tuple(there(emulated.lab)[0])} == {(1, 2, 3), (4, 5)}


# --- the rest ------------------------------------------------------------------


def test_development_mode_has_a_separate_dataset(guest):
    with Emulated() as emulated:
        for hour, dataset_name in ((3, "D_20260101030000"), (15, "D_20260101150000")):
            done = emulated.load(job(dev_mode=True), events(1), NOW + dt.timedelta(hours=hour), guest, None)
            assert done["dataset"] == dataset_name.lower()
            found = emulated.lab.sql(f"SELECT N FROM RAW.{dataset_name}.EVENTS")
            assert [tuple(r) for r in found] == [(1,)]


def test_skip_reads_nothing_and_resets_nothing(guest):
    with Lab() as lab:
        ours = Loaders(lab, guest, None, None, False)
        ours.snowcat({"events": FIRST["events"]})
        before = dataset_of_events(ours)
        resources = [
            {"name": "events", "write_disposition": "skip"},
            {"name": "prices", **HINTS["prices"]},
        ]
        report = ours.snowcat({"events": [{"n": 2}], "prices": [{"p": 1}]}, resources=resources)
        assert report["warnings"] == ["resource events: its write disposition is skip, so it was not read"]
        assert dataset_of_events(ours) == before
        assert ours.rows("PRICES", "P") == [(1,)]


def dataset_of_events(ours: Loaders) -> Any:
    schema = json.loads(ours.rows("_DLT_VERSION", "INSERTED_AT, SCHEMA", "1 DESC")[0][1])
    return ours.rows("EVENTS", "N"), schema["tables"]["events"]


def test_newest_schema_is_the_last_stored_despite_a_late_clock(guest):
    with Lab() as lab:
        ours = Loaders(lab, guest, None, None, False)
        for day, record in ((3, {"a": 1}), (2, {"b": 1}), (1, {"c": 1})):
            ours.snowcat({"events": [record]}, now=f"2026-01-0{day}T00:00:00Z")
        versions = ours.rows("_DLT_VERSION", "VERSION, INSERTED_AT", "2")
        assert [v[0] for v in versions] == [1, 2, 3]
        columns = {c[1] for c in ours.columns() if c[0] == "EVENTS"}
        assert columns == {"A", "B", "C", "_DLT_ID", "_DLT_LOAD_ID"}
        loads = [r[0] for r in ours.rows("_DLT_LOADS", "LOAD_ID")]
        assert loads == ["1767398400.000000", "1767398400.000001", "1767398400.000002"]


def test_dataset_with_another_schema_name_is_found(guest):
    """dlt's schema has the name of its source; a job without a schema name continues with the pipeline's default."""
    with Lab() as lab:
        ours = Loaders(lab, guest, None, None, False)
        ours.snowcat({"events": [{"a": 1}]}, schema_name="my_source")
        ours.snowcat({"events": [{"b": 1}]})
        assert set(ours.rows("_DLT_VERSION", "SCHEMA_NAME")) == {("my_source",)}
