"""Two loads that race, under every behaviour that the documentation of the service leaves open: no row is lost or
duplicated.

Every interpretation of the locks is a mode of the emulator (`emulator/modes.py`). After a race the tables have the rows
of the successful loads run one after the other.
"""

from __future__ import annotations

import itertools
import json
import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import racing
from conformance.direct import Direct
from racing import EVERYTHING, Load, alone, clear, race, tables

from emulator import Lab
from emulator.saved import Saved

SCHEMA = json.loads((pathlib.Path(__file__).parents[2] / "procedures/jobs/job.schema.json").read_text("utf-8"))
REPLACE = ("truncate-and-insert", "insert-from-staging", "staging-optimized")
STRATEGIES = SCHEMA["definitions"]["disposition_with_options"]["properties"]["strategy"]["enum"]
MERGE = {strategy: {"disposition": "merge", "strategy": strategy} for strategy in STRATEGIES if strategy not in REPLACE}
DISPOSITIONS: dict[str, Any] = {"append": "append", "replace": "replace", **MERGE}
REFRESHES = ("drop_data", "drop_resources", "drop_sources")
# The faults of a load that lost. A load that can no longer commit may find its stage dropped, and objects that a
# refresh drops are missing for a load that knew them.
LOST = re.compile(
    r"another load of the pipeline p committed|another load stored the schema|does not exist or not authorized"
    r"|expected COPY to load|expected a state of the pipeline|invalid identifier"
)
# Every interpretation of what the documentation leaves open, alone and all together: arguments of `Lab`.
HOSTILE: dict[str, dict[str, Any]] = {
    "kind": {},
    "snapshot before the wait": {"snapshot": "before_wait"},
    "no lock without a match": {"merge_without_match_locks": False},
    "locks of rows": {"lock_unit": "rows"},
    "all of them": {"snapshot": "before_wait", "lock_unit": "rows", "merge_without_match_locks": False},
}
# All pairs of steps take hours: `make races`. Here the loads alternate at some of the steps.
ALL = os.environ.get("SNOWCAT_RACES") == "all"


def order(number: int, value: str, day: int, **more: Any) -> dict[str, Any]:
    return {
        "id": number,
        "v": value,
        "updated": f"2024-01-{day:02d}T00:00:00Z",
        "items": [f"{value}1", f"{value}2"],
        **more,
    }


def job(disposition: Any, cursor: bool, **options: Any) -> dict[str, Any]:
    resource: dict[str, Any] = {"name": "orders", "primary_key": "id", "write_disposition": disposition}
    if cursor:
        resource["incremental"] = {"cursor_path": "updated"}
    return {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [resource], **options}


BASE = [order(1, "a", 1), order(2, "a", 2), order(3, "a", 3)]
# Both change the same row and add one; the second adds a column as well.
FIRST, SECOND = [order(2, "b", 4), order(4, "b", 5)], [order(2, "c", 6, more=1), order(5, "c", 7)]
LATER = [order(9, "z", 9)]


def scenarios() -> Iterator[tuple[str, dict[str, Any], dict[str, Any], bool]]:
    """Each with the jobs of the two loads, and whether the dataset exists before."""
    for name, disposition in DISPOSITIONS.items():
        for cursor in (False, True):
            said = f"{name}{', cursor' if cursor else ''}"
            yield said, job(disposition, cursor), job(disposition, cursor), True
    for refresh in REFRESHES:
        for cursor in (False, True):
            said = f"{refresh}{', cursor' if cursor else ''}"
            yield said, job("append", cursor, refresh=refresh), job("append", cursor), True
    yield (
        "drop_sources, merge",
        job(MERGE["delete-insert"], False, refresh="drop_sources"),
        job(MERGE["delete-insert"], False),
        True,
    )
    yield "first loads", job(MERGE["delete-insert"], False), job(MERGE["delete-insert"], False), False
    yield "first loads, cursor", job("append", True), job("append", True), False


SCENARIOS = {name: rest for name, *rest in scenarios()}


@pytest.fixture(scope="module")
def labs() -> Iterator[dict[str, Lab]]:
    made: dict[str, Lab] = {}
    yield made
    for lab in made.values():
        lab.__exit__()


def lab_of(labs: dict[str, Lab], mode: str) -> Lab:
    if mode not in labs:
        modes = HOSTILE.get(mode, {"read_consistency": "session"})
        labs[mode] = Lab(databases=("RAW",), **modes).__enter__()
        labs[mode]._session = Direct(labs[mode].account, database="RAW")
    return labs[mode]


def prepared(lab: Lab, guest: Any, first: dict[str, Any], there: bool) -> Saved:
    """The dataset before the loads; `restore` brings it back before each race."""
    clear(lab)
    if there:
        before = {key: value for key, value in first.items() if key != "refresh"}
        assert alone(lab, guest, Load(before, BASE)).error is None
    return lab.save("RAW", "D")


def serial(lab: Lab, guest: Any, jobs: list, before: Saved) -> tuple[dict[tuple[str, ...], dict], dict[str, int]]:
    """The tables after each order of successful loads, and the number of steps of each load. After a refresh that
    failed half-way ("F") the tables are empty, and the cursors are reset.
    """
    loads = {"A": Load(jobs[0], FIRST), "B": Load(jobs[1], SECOND)}
    half = Load({**jobs[0], "refresh": jobs[0].get("refresh")}, [])
    found, steps = {}, {}
    orders: list[tuple[str, ...]] = [(), ("A",), ("B",), ("A", "B"), ("B", "A")]
    if jobs[0].get("refresh") in ("drop_resources", "drop_sources"):
        orders += [("F",), ("F", "B")]
    for names in orders:
        before.restore()
        for name in names:
            done = alone(lab, guest, half if name == "F" else loads[name])
            assert done.error is None, (names, done.error)
            steps.setdefault(name, done.steps)  # of the orders in which it is the first
        found[names] = tables(lab)
    return found, steps


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_result_of_a_race_is_that_of_some_serial_order(labs, guest, scenario):
    first, second, there = SCENARIOS[scenario]
    # The result without a race, and the number of steps of each load, are the same in all modes.
    plain = lab_of(labs, "kind")
    before = prepared(plain, guest, first, there)
    expected, steps = serial(plain, guest, [first, second], before)
    races: list[bool] = []
    for mode in HOSTILE:
        of_mode: list[bool] = []
        lab = lab_of(labs, mode)
        for i, j in pairs(steps["A"], steps["B"], mode + scenario):
            place = f"{mode}: {scenario}: {i}, {j}"
            before.restore(lab.account.engine)
            one, other = race(lab, guest, Load(first, FIRST), Load(second, SECOND), i, j)
            of_mode.append(check(lab, expected, one, other, place))
            later = alone(lab, guest, Load(second, LATER))
            assert later.error is None, f"{place}: the next load: {later.error}"
            assert (9, "z", True) in tables(lab)["orders"]
        if ALL:
            assert overlaps(of_mode, scenario, there), mode
        races += of_mode
    assert overlaps(races, scenario, there)


def overlaps(both: list[bool], scenario: str, there: bool) -> bool:
    """Loads that are unaware of one another both succeed somewhere; a few races alone do not show it."""
    return any(both) or "cursor" in scenario or "drop" in scenario or not there or len(both) < 5


def pairs(steps: int, others: int, name: str) -> list[tuple[int, int]]:
    """The steps of the two loads at which they alternate. `name` spreads the samples over modes and scenarios."""
    offset = sum(map(ord, name))
    if ALL:
        return [(i, j) for i in range(1, steps + 1) for j in [*range(1, others + 1), EVERYTHING]]
    i = offset % steps + 1
    return [(i, EVERYTHING if offset % 2 else (7 * i + offset) % others + 1)]


@pytest.mark.parametrize("cursor", [False, True])
@pytest.mark.parametrize("disposition", DISPOSITIONS)
def test_load_that_reads_before_the_last_commit_detects_it(labs, guest, disposition, cursor):
    """READ_CONSISTENCY_MODE = SESSION: a SELECT may be older than the last commit of another session."""
    lab = lab_of(labs, "reads of the session")
    load = job(DISPOSITIONS[disposition], cursor)
    kind = lab_of(labs, "kind")
    found = []
    for account in (kind, lab):
        clear(account)
        for records in (BASE, FIRST, SECOND, LATER):
            done = alone(account, guest, Load(load, records))
            if done.error is not None:
                assert account is lab and LOST.search(str(done.error)), done.error
                done = alone(account, guest, Load(load, records), later=True)
                assert done.error is None, done.error
        found.append(tables(account))
    assert found[0] == found[1]


def check(lab: Lab, expected: dict, one: racing.Racer, other: racing.Racer, place: str) -> bool:
    """The tables have the result of the successful loads in some order. Returns whether both succeeded."""
    for racer in (one, other):
        assert racer.error is None or LOST.search(str(racer.error)), f"{place}: {racer.error}"
    won = {name for name, racer in (("A", one), ("B", other)) if racer.error is None}
    # In any order of the successful loads; a refresh that failed may have emptied the tables before.
    orders = [names for names in expected if set(names) - {"F"} == won and ("F" not in names or "A" not in won)]
    found = tables(lab)
    assert any(found == expected[names] for names in orders), (
        f"{place}: won: {sorted(won)}; {one.error}; {other.error}\nfound {found}\n"
        + "\n".join(f"{names}: {expected[names]}" for names in orders)
    )
    return len(won) == 2


def test_schedule_is_exact(labs, guest):
    """The harness itself: two loads that stop where the test states, and one that waits for the other's lock."""
    lab = lab_of(labs, "kind")
    first, second, there = SCENARIOS["append"]
    prepared(lab, guest, first, there)
    one, other = racing.Racer(Load(first, FIRST), lab, guest), racing.Racer(Load(second, SECOND), lab, guest)
    one.advance(3)
    assert (one.steps, one.state) == (3, "gate")
    locked = next(n for n in itertools.count(1) if one.advance(1) or one.said[-1].startswith("UPDATE"))
    assert locked and one.said[-2].startswith("BEGIN")
    other.advance(EVERYTHING)
    assert other.state == "running" and other.said[-1].startswith("UPDATE")
    one.advance(EVERYTHING)
    one.finish()
    other.finish()
    assert (one.error, other.error) == (None, None)
