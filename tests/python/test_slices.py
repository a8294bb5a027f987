"""A backfill in slices by several processes: each slice is loaded once, and the tables are those of one load, under every
interpretation of the locks.
"""

from __future__ import annotations

import concurrent.futures
import datetime as dt
import json
import pathlib
import signal
import subprocess
from typing import Any

import pytest
import racing
from racing import EVERYTHING, Load, Racer, alone, clear
from test_races import ALL, HOSTILE, LOST, lab_of, labs
from test_run import PROGRAM, START, environment

from emulator import Lab

__all__ = ["labs"]

SLICES = {"by": "window", "from": 0, "to": 80, "every": 10}
ROWS = [{"id": n, "at": n, "items": [{"v": n}, {"v": n + 1}]} for n in range(80)]
TABLES = {"ORDERS": '"ID", "AT"', "ORDERS__ITEMS": '"V"'}


def job(**resource: Any) -> dict[str, Any]:
    orders = {"name": "orders", "incremental": {"cursor_path": "at"}, "slices": SLICES, **resource}
    return {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [orders]}


def of_files(folder: pathlib.Path, rows: list[dict[str, Any]] = ROWS, **resource: Any) -> dict[str, Any]:
    """The job that reads the rows from a file."""
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return job(files="rows.jsonl", format="jsonl", **resource)


def command(folder: pathlib.Path, made: dict[str, Any], *step: str, seconds: int = 0) -> list[str]:
    """The command of a step."""
    (folder / "job.json").write_text(json.dumps(made))
    now = START + dt.timedelta(seconds=seconds)
    return [str(PROGRAM), "run", "job.json", "--json", "--now", now.isoformat(), *step]


def run(lab: Lab, folder: pathlib.Path, made: dict[str, Any], *step: str, **variables: str) -> Any:
    """One step by the command."""
    said = command(folder, made, *step, seconds=int(variables.pop("seconds", 0)))
    return subprocess.run(
        said, cwd=folder, capture_output=True, text=True, env=environment(lab, **variables), timeout=300
    )


def begun(lab: Lab, folder: pathlib.Path, made: dict[str, Any], *step: str, seconds: int = 0) -> subprocess.Popen:
    """A step by the command, which runs."""
    said = command(folder, made, *step, seconds=seconds)
    return subprocess.Popen(
        said, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(lab)
    )


def rows(lab: Lab) -> dict[str, list[str]]:
    """The rows of the tables, without ids."""
    found = {table: lab.sql(f'SELECT {columns} FROM RAW."D"."{table}"') for table, columns in TABLES.items()}
    return {table: sorted(repr(row.as_dict()) for row in of) for table, of in found.items()}


def slices(lab: Lab) -> dict[int, str | None]:
    """The load of each slice."""
    return {row[0]: row[1] for row in lab.sql("SELECT NUMBER, LOAD_ID FROM RAW.D._SNOWCAT_SLICES ORDER BY 1")}


def cursor(report: dict[str, Any]) -> Any:
    sources = json.loads(report["state"])["sources"]
    return sources["p"]["resources"]["orders"]["incremental"]["at"]["last_value"]


def test_eight_slices_by_four_processes_are_one_load(lab, tmp_path):
    with Lab() as one:
        whole = of_files(tmp_path)
        del whole["resources"][0]["slices"]
        done = run(one, tmp_path, whole)
        assert done.returncode == 0, done.stderr
        expected = rows(one)
    made = of_files(tmp_path)
    done = run(lab, tmp_path, made, "--plan-slices")
    assert done.returncode == 0, done.stderr
    assert list(slices(lab).values()) == [None] * 9
    early = run(lab, tmp_path, made, "--finish")
    assert early.returncode == 4
    assert "found 8 open: orders 0, orders 1" in early.stderr
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        shares = [
            pool.submit(run, lab, tmp_path, made, seconds=n, SNOWFLAKE_JOB_INDEX=str(n), SNOWFLAKE_JOBS_COUNT="4")
            for n in range(4)
        ]
    for share in shares:
        assert share.result().returncode == 0, share.result().stderr
    done = run(lab, tmp_path, made, "--finish")
    assert done.returncode == 0, done.stderr
    assert rows(lab) == expected
    loads = list(slices(lab).values())
    assert None not in loads
    assert len(set(loads)) == 9
    assert cursor(json.loads(done.stdout.splitlines()[-1])["report"]) == 80


def test_killed_process_leaves_open_slices_for_the_next_run(lab, tmp_path):
    made = of_files(tmp_path)
    assert run(lab, tmp_path, made, "--plan-slices").returncode == 0
    known = set(lab.account.sessions)
    killed = begun(lab, tmp_path, made, "--slice", "0/1")
    commits = 0

    def kill(said: Any) -> None:
        """Kills the process at its third COMMIT."""
        nonlocal commits
        commits += str(said).startswith("COMMIT") or getattr(said, "sql", "").startswith("COMMIT")
        if commits == 3:
            killed.send_signal(signal.SIGKILL)

    lab.on_statement(kill)
    killed.wait(timeout=120)
    lab.on_statement(None)
    # The service goes on with the statement; later it ends the session.
    for statement in lab.server.statements.all():
        statement.future.result(timeout=20)
    for name in set(lab.account.sessions) - known:
        lab.account.drop(lab.account.sessions[name])
    before = slices(lab)
    assert len([load for load in before.values() if load]) in (2, 3)
    done = run(lab, tmp_path, made, "--slice", "0/1", seconds="1")
    assert done.returncode == 0, done.stderr
    after = slices(lab)
    # The slices of the first run stay as they are.
    assert {number: load for number, load in before.items() if load} == {n: after[n] for n in before if before[n]}
    done = run(lab, tmp_path, made, "--finish")
    assert done.returncode == 0, done.stderr
    assert lab.sql("SELECT COUNT(*), COUNT(DISTINCT ID) FROM RAW.D.ORDERS")[0] == (80, 80)


def test_two_complete_runs_load_no_slice_twice(lab, tmp_path):
    made = of_files(tmp_path)
    both = [begun(lab, tmp_path, made, "--slice", "0/1", seconds=n) for n in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert run(lab, tmp_path, made, "--finish").returncode == 0
    assert lab.sql("SELECT COUNT(*), COUNT(DISTINCT ID) FROM RAW.D.ORDERS")[0] == (80, 80)
    assert lab.sql("SELECT COUNT(*) FROM RAW.D.ORDERS__ITEMS")[0][0] == 160
    again = run(lab, tmp_path, made, "--finish")
    assert again.returncode == 0, again.stderr


def test_ordinary_load_goes_on_behind_the_backfill(lab, tmp_path):
    made = of_files(tmp_path)
    assert run(lab, tmp_path, made, "--slice", "0/2").returncode == 0
    early = run(lab, tmp_path, made, seconds="1")
    assert early.returncode == 4
    assert "expected a backfill that has ended, found 4 open slices" in early.stderr
    changed = of_files(tmp_path)
    changed["resources"][0]["slices"] = {**SLICES, "every": 20}
    other = run(lab, tmp_path, changed, "--slice", "1/2", seconds="2")
    assert other.returncode == 4
    assert "found another definition" in other.stderr
    assert run(lab, tmp_path, made, "--slice", "1/2", seconds="3").returncode == 0
    assert run(lab, tmp_path, made, "--finish", seconds="4").returncode == 0
    more = [*ROWS, {"id": 80, "at": 80, "items": []}, {"id": 81, "at": 95, "items": [{"v": 1}]}]
    done = run(lab, tmp_path, of_files(tmp_path, more), seconds="5")
    assert done.returncode == 0, done.stderr
    assert lab.sql("SELECT COUNT(*), COUNT(DISTINCT ID) FROM RAW.D.ORDERS")[0] == (82, 82)
    assert cursor(json.loads(done.stdout.splitlines()[-1])["report"]) == 95


def test_failed_slice_does_not_stop_the_others(lab, tmp_path):
    # Slice 2 of the second column fails by the contract.
    made = of_files(tmp_path, schema_contract={"data_type": "freeze"})
    assert run(lab, tmp_path, made, "--slice", "0/8").returncode == 0
    odd = [{**row, "id": "text"} if row["at"] == 25 else row for row in ROWS]
    made = of_files(tmp_path, odd, schema_contract={"data_type": "freeze"})
    done = run(lab, tmp_path, made, "--slice", "0/1", seconds="1")
    assert done.returncode == 5, done.stderr
    assert "slice 2 of orders" in done.stderr
    assert "1 slices of the share 0/1 failed, and 6 are loaded" in done.stderr
    assert [number for number, load in slices(lab).items() if load is None] == [2, 8]


def test_slices_by_files_load_each_file_once(lab, tmp_path):
    for n in range(12):
        (tmp_path / f"{n}.jsonl").write_text(f'{{"id": {n}, "at": {n}}}\n')
    made = job(files="*.jsonl", format="jsonl", slices={"by": "files", "count": 4})
    del made["resources"][0]["incremental"]
    for share in range(2):
        done = run(lab, tmp_path, made, "--slice", f"{share}/2", seconds=str(share))
        assert done.returncode == 0, done.stderr
    done = run(lab, tmp_path, made, "--finish", seconds="2")
    assert done.returncode == 0, done.stderr
    assert lab.sql("SELECT COUNT(*), COUNT(DISTINCT ID) FROM RAW.D.ORDERS")[0] == (12, 12)
    # No cursor is behind them: an ordinary load would append all files again.
    done = run(lab, tmp_path, made, seconds="3")
    assert done.returncode == 4 and "append would load them again" in done.stderr, done.stderr
    assert lab.sql("SELECT COUNT(*) FROM RAW.D.ORDERS")[0] == (12,)


def test_host_that_reads_an_input_once_loads_no_slice_empty(labs, guest):
    lab = lab_of(labs, "kind")
    clear(lab)
    done = alone(lab, guest, Load({**job(slices=FEW), "slice": "0/1"}, RECORDS))
    assert "expected the input from its beginning for (slice 1), found its end" in str(done.error)
    assert [number for number, load in slices(lab).items() if load is None] == [1, 2]


class Rereading(racing.Gated):
    """A session that reads its input anew for each slice."""

    def __init__(self, session: Any, held: list[str], gate: Any) -> None:
        super().__init__(session, held, gate)
        self.pages, self.named = held, None

    def pull(self, pull: Any) -> str | None:
        """The next page of this slice."""
        if self.named != pull["resource"]:
            self.named, self.held = pull["resource"], iter(self.pages)
        return next(self.held, None)


FEW = {"by": "window", "from": 0, "to": 4, "every": 2}
RECORDS = [{"id": n, "v": "a", "at": n, "items": [f"a{n}"]} for n in range(4)]
DISPOSITIONS = {
    "append": {},
    "merge": {"write_disposition": "merge", "primary_key": "id"},
    "upsert": {"write_disposition": {"disposition": "merge", "strategy": "upsert"}, "primary_key": "id"},
}


@pytest.mark.parametrize("disposition", DISPOSITIONS)
@pytest.mark.parametrize("mode", HOSTILE)
def test_racing_runs_load_each_slice_once(labs, guest, monkeypatch, mode, disposition):
    monkeypatch.setattr(racing, "Gated", Rereading)
    lab = lab_of(labs, mode)
    made = job(slices=FEW, **DISPOSITIONS[disposition])
    step = lambda name: Load({**made, "slice": name}, RECORDS)
    offset = sum(map(ord, mode + disposition))
    for planned, i in enumerate(range(1 + offset % 23, 60, 5 if ALL else 37)):
        clear(lab)
        if planned % 2:
            assert alone(lab, guest, step("plan")).error is None
        one, other = Racer(step("0/1"), lab, guest), Racer(step("0/1"), lab, guest)
        one.advance(i)
        other.advance((7 * i) % 50)
        one.advance(EVERYTHING)
        other.advance(EVERYTHING)
        one.finish()
        other.finish()
        for racer in (one, other):
            assert racer.error is None or LOST.search(str(racer.error)), racer.error
        assert alone(lab, guest, step("0/1")).error is None
        finish = alone(lab, guest, step("finish"))
        assert finish.error is None, finish.error
        found = racing.tables(lab)
        assert [row[0] for row in found["orders"]] == [0, 1, 2, 3], (i, found)
        assert [row[2] for row in found["items"]] == ["a0", "a1", "a2", "a3"]
        assert found["waiting"] == []


@pytest.mark.parametrize("mode", HOSTILE)
def test_refresh_and_slices_leave_each_row_once(labs, guest, monkeypatch, mode):
    monkeypatch.setattr(racing, "Gated", Rereading)
    lab = lab_of(labs, mode)
    made = job(slices=FEW)
    step = lambda name: Load({**made, "slice": name}, RECORDS)
    plain = json.loads(json.dumps(made))
    del plain["resources"][0]["slices"]
    offset = sum(map(ord, mode))
    for n, i in enumerate(range(1 + offset % 11, 60, 5 if ALL else 21), offset):
        clear(lab)
        assert alone(lab, guest, step("0/2")).error is None
        refresh = ("drop_data", "drop_resources", "drop_sources")[n % 3]
        one, other = Racer(step("1/2"), lab, guest), Racer(Load({**plain, "refresh": refresh}, []), lab, guest)
        one.advance(i)
        other.advance((7 * i) % 30)
        one.advance(EVERYTHING)
        other.advance(EVERYTHING)
        one.finish()
        other.finish()
        assert alone(lab, guest, Load(plain | {"refresh": refresh}, [])).error is None
        for name in ("0/1", "finish"):
            done = alone(lab, guest, step(name))
            assert done.error is None, done.error
        assert [row[0] for row in racing.tables(lab)["orders"]] == [0, 1, 2, 3], (refresh, i)
