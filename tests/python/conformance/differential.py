"""Random sequences of loads through the installed dlt and through Snowcat: `python -m conformance.differential`.

A case that differs stays in `target/differential/<seed>`, with what dlt made of it as `expected.json`, so that
`python -m conformance --cases target/differential/<seed>` shows it again. Where dlt fails a load, the loads before it are
compared.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[3]

from conformance import cases, generate

# Reasons why dlt fails where Snowcat does not, or need not: parts of its messages.
KNOWN_FAILURES = (
    "Rescaling Decimal value",
    "Decimal type with precision",
    "does not fit into precision",
    "too large to convert",
    "out of range",
    "out of bounds for nanosecond",
    "declared non-nullable but contains nulls",
    "is not in the range",
    "overflow",
    "cannot be represented",
    "Value too large for defined data type",
    "Cannot coerce type",
    "does not have a column with name",
    "invalid characters found",
    "is not a valid decimal",
    "Parent table",
    "Parser Error: syntax error",
    "Cannot compare values of type",
)
SHOWN = 400
# Characters of the tag in a shortened name.
TAG = 6
# Messages that no document and no configuration may cause, whatever dlt does.
DEFECTS = ("destination", "internal", "protocol")


def main() -> int:
    """The last line has the counts; the exit code is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="the first; each sequence has one of its own")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "target/differential")
    parser.add_argument("--component", action="store_true", help="the component, too")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/debug/library")
    parser.add_argument("--wasm", type=pathlib.Path, default=ROOT / "target/component/snowcat.wasm")
    parser.add_argument("--processes", type=int, default=2, help="how many share the work")
    parser.add_argument("--reference", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference:
        return _serve()
    outcomes = _shared(options) if options.processes > 1 else _run(options)
    reported = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{options.sequences} sequences from seed {options.seed}: {reported}")
    return 1 if outcomes["different"] or outcomes.total() != options.sequences else 0


def _shared(options: argparse.Namespace) -> Counter[str]:
    """Run in several processes, each with a part of the seeds."""
    outcomes: Counter[str] = Counter()
    given = ["--folder", str(options.folder), "--library", str(options.library), "--wasm", str(options.wasm)]
    given += ["--component"] if options.component else []
    part, more = divmod(options.sequences, options.processes)
    seed, running = options.seed, []
    for number in range(options.processes):
        sequences = part + (number < more)
        command = [sys.executable, "-m", "conformance.differential", "--processes", "1", *given]
        command += ["--sequences", str(sequences), "--seed", str(seed)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8"))
        seed += sequences

    def follow(process: subprocess.Popen) -> None:
        for line in process.stdout:
            counted = re.match(r"\d+ sequences from seed \d+: (.*)", line)
            if counted is None:
                print(line, end="", flush=True)
            else:
                outcomes.update({outcome: int(count) for count, outcome in re.findall(r"(\d+) ([a-z ]+)", counted[1])})
        process.wait()

    with ThreadPoolExecutor(options.processes) as pool:
        list(pool.map(follow, running))
    return outcomes


def _run(options: argparse.Namespace) -> Counter[str]:
    """The counted outcomes of the sequences."""
    from conformance import guests
    from conformance.emulated import Emulated

    made: list[Any] = [guests.Library(options.library)]
    if options.component:
        made.append(guests.Component(options.wasm))
    outcomes: Counter[str] = Counter()
    ahead = 3
    seeds = range(options.seed, options.seed + options.sequences)
    reference = Reference()
    try:
        with Emulated(direct=True) as account:
            folders = [generate.write(seed, options.folder) for seed in seeds[:ahead]]
            for folder in folders:
                reference.ask(folder)
            for at in range(len(seeds)):
                # dlt works on the next ones meanwhile.
                if at + ahead < len(seeds):
                    folders.append(generate.write(seeds[at + ahead], options.folder))
                    reference.ask(folders[-1])
                outcome, lines = compared(cases.Case.read(folders[at]), reference, account, made)
                outcomes[outcome] += 1
                if lines:
                    print(f"{folders[at].name}: {len(lines)} differences")
                    print("".join(f"    {line[:SHOWN]}\n" for line in lines[:5]), end="", flush=True)
                else:
                    shutil.rmtree(folders[at])
    finally:
        reference.close()
        for guest in made:
            guest.close()
    return outcomes


def compared(case: cases.Case, reference: Reference, account: Any, made: list) -> tuple[str, list[str]]:
    """Whether dlt and Snowcat agree on the case, and the differences."""
    from conformance import canonical, compare, physical

    expected = reference.answer()
    failed = next((load for load in expected["loads"] if "error" in load), None)
    runs = case.runs()
    if failed is not None:
        if not any(words in failed["error"]["message"] for words in KNOWN_FAILURES):
            # Ours must fail as well.
            runs = runs[: failed["load"] + 1]
        else:
            lines = [line for guest in made for line in _defects(runs, account, guest)]
            if lines:
                (case.folder / "expected.json").write_text(canonical.written(expected), encoding="utf-8")
                return "different", lines
            runs = runs[: failed["load"]]
        if not runs:
            return "failed by dlt", []
        expected = reference.shortened(case, len(runs))
    lines = []
    for guest in made:
        try:
            found, _ = account.run(runs, guest)
            early = _fails_early(expected, found)
            if early == 0:
                return "failed by a contract", []
            if early is not None:
                runs = runs[:early]
                expected = reference.shortened(case, early)
                found, _ = account.run(runs, guest)
            wanted, found = explained(case, expected, found)
            lines += [f"{guest.name}: {line}" for line in compare.differences(wanted, found)]
        except physical.Inconsistent as error:
            lines.append(f"{guest.name}: physical.{error}")
    if lines:
        (case.folder / "expected.json").write_text(canonical.written(expected), encoding="utf-8")
        return "different", lines
    return "alike" if failed is None else "alike until dlt failed", []


def _defects(runs: list, account: Any, guest: Any) -> Iterator[str]:
    """Errors in loads of which dlt fails one: ours must succeed, or report an error of the data or the job."""
    from conformance import physical

    try:
        found, _ = account.run(runs, guest)
    except physical.Inconsistent as error:
        yield f"{guest.name}: physical.{error}"
        return
    for load in found["loads"]:
        if load.get("error", {}).get("kind") in DEFECTS:
            yield f"{guest.name}: loads.{load['load']}: {load['error']['message']}"


def _fails_early(expected: dict[str, Any], found: dict[str, Any]) -> int | None:
    """The first load that fails because the contract rejects the job's own hints; dlt detects it with a later
    record.
    """
    for wanted, got in zip(expected["loads"], found["loads"], strict=True):
        if got.get("error", {}).get("kind") == "contract" and not any(wanted.get("row_counts", {"": 1}).values()):
            return got["load"]
    return None


def explained(
    case: cases.Case, expected: dict[str, Any], found: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is expected and what is found, without what differs on purpose.

    Nested rows of scd2 know their root, integers in JSON keep their digits, and so does a zero its sign: dlt loses that
    where the file has the other zero, too. A name that dlt normalises for a second time is no second column.
    """
    for rows in found["tables"].values():
        for row in rows:
            row |= {name: {"$json": _rounded(value["$json"])} for name, value in row.items() if _is_json(value)}
    expected, found = _unsigned(expected), _unsigned(found)
    if "max_table_nesting" in json.dumps(case.config):
        # dlt loses with each load that the table has had rows: it does not report that no row was staged, but records
        # the load; and it does not truncate a table that is replaced by nothing.
        last = next((load["row_counts"] for load in reversed(expected["loads"][1:]) if "row_counts" in load), {"": 1})
        if not any(last.values()) and '"replace"' in json.dumps(case.config):
            expected["tables"] = found["tables"] = {}
        for load in [*expected["loads"], *found["loads"]]:
            load["row_counts"] = {table: count for table, count in load.get("row_counts", {}).items() if count}
        _renumber(expected["tables"])
        _renumber(found["tables"])
    if any("error" in load and load["error"].get("step") == "load" for load in expected["loads"]):
        # The tables that dlt created for a load that failed afterwards stay; here a load is checked before it creates
        # any.
        for name, table in found["schema"].items():
            if not table["in_db"] and name in expected["schema"] and not expected["tables"].get(name):
                expected["schema"][name]["in_db"] = False
                expected["tables"].pop(name, None)
    limit = case.config.get("max_identifier_length")
    for name, table in expected["schema"].items():
        known = {c["name"] for c in found["schema"].get(name, {"columns": []})["columns"]}
        filled = {column for row in expected["tables"].get(name, []) for column in row}
        kept = [c for c in table["columns"] if c["name"] in known | filled or not _is_ghost(c["name"], known, limit)]
        table["columns"] = kept
    disposition = case.config["write_disposition"]
    if isinstance(disposition, dict) and disposition["strategy"] == "scd2" and not case.config.get("root_key"):
        for table in found["schema"].values():
            table["columns"] = [column for column in table["columns"] if not column.get("root_key")]
        for rows in found["tables"].values():
            for row in rows:
                row.pop("_dlt_root_id", None)
    return expected, found


def _renumber(tables: dict[str, list[dict]]) -> None:
    """Number the loads that have rows."""
    rows = [row for rows in tables.values() for row in rows]
    labels = sorted({row["_dlt_load_id"] for row in rows if "_dlt_load_id" in row})
    for row in rows:
        if "_dlt_load_id" in row:
            row["_dlt_load_id"] = f"L{labels.index(row['_dlt_load_id'])}"
    bounds = sorted({value["$boundary"] for row in rows for value in row.values() if _is_bound(value)})
    for row in rows:
        row |= {
            name: {"$boundary": bounds.index(value["$boundary"])} for name, value in row.items() if _is_bound(value)
        }


def _is_bound(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"$boundary"}


def _is_ghost(name: str, known: set[str], limit: int | None) -> bool:
    """Whether dlt has made it of one of these names, by bringing what was a column's name already to its convention.

    The blank parts of a path are gone then, and where names are shortened, it is another shortening: only its tag differs.
    """
    if any(name == "__".join(part for part in k.split("__") if part) for k in known):
        return True
    if limit is None or len(name) != limit:
        return False
    head = (limit - TAG + 1) // 2
    return any(len(k) == limit and (k[:head], k[head + TAG :]) == (name[:head], name[head + TAG :]) for k in known)


def _unsigned(value: Any) -> Any:
    """The same value without negative zeros."""
    if isinstance(value, dict):
        return {key: _unsigned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unsigned(inner) for inner in value]
    return 0.0 if isinstance(value, float) and value == 0 else value


def _is_json(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"$json"}


def _rounded(value: Any) -> Any:
    """JSON as dlt stores it: its parser makes doubles of integers beyond 64 bits."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    beyond = isinstance(value, int) and not -(2**63) <= value < 2**64
    return float(value) if beyond else value


class Reference:
    """dlt in a separate process."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC"}
        # dlt writes many small files.
        if os.access("/dev/shm", os.W_OK):
            environment["TMPDIR"] = "/dev/shm"
        command = [sys.executable, "-m", "conformance.differential", "--reference"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
        )
        self.waiting: list[dict] = []
        self.asked = 0

    def ask(self, folder: pathlib.Path) -> None:
        """Start with a case."""
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        self.asked += 1

    def answer(self) -> dict[str, Any]:
        """The result of the case that was started first."""
        return self.waiting.pop(0) if self.waiting else self._read()

    def shortened(self, case: cases.Case, loads: int) -> dict[str, Any]:
        """The result of the first loads of a case; it is a shorter case from now on."""
        config = {**case.config, "loads": case.config["loads"][:loads]}
        (case.folder / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
        self.ask(case.folder)
        while self.asked > 1:
            self.waiting.append(self._read())
        return self._read()

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait(60)

    def _read(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("dlt's process has ended")
        self.asked -= 1
        return json.loads(line)


def _serve() -> int:
    """Answer folders with results, one per line."""
    from conformance import reference

    out = sys.stdout
    sys.stdout = sys.stderr
    for line in sys.stdin:
        case = cases.Case.read(pathlib.Path(line.strip()))
        out.write(json.dumps(reference.result(case.runs(), snowflake=False), ensure_ascii=False) + "\n")
        out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
