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
import shutil
import subprocess
import sys
from collections import Counter
from typing import Any

HERE = pathlib.Path(__file__).resolve()
TESTS, ROOT = HERE.parents[2], HERE.parents[3]
sys.path[:0] = [str(TESTS), str(ROOT / "procedures")]

from conformance import cases, generate  # noqa: E402

# Why dlt fails where Snowcat does not, or need not: parts of its messages.
KNOWN_FAILURES = (
    "Rescaling Decimal value", "Decimal type with precision", "does not fit into precision", "too large to convert",
    "out of range", "declared non-nullable but contains nulls", "is not in the range", "overflow", "cannot be represented",
    "Value too large for defined data type", "Cannot coerce type", "does not have a column with name",
    "invalid characters found",
)  # fmt: skip
SHOWN = 400


def main() -> int:
    """The last line counts; exit code 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1, help="the first; each sequence has one of its own")
    parser.add_argument("--folder", type=pathlib.Path, default=ROOT / "target/differential")
    parser.add_argument("--component", action="store_true", help="the component, too")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/debug/library")
    parser.add_argument("--wasm", type=pathlib.Path, default=ROOT / "target/component/snowcat.wasm")
    parser.add_argument("--reference", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reference:
        return _serve()
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
        with Emulated() as account:
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
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    print(f"{len(seeds)} sequences from seed {options.seed}: {told}")
    return 1 if outcomes["different"] else 0


def compared(case: cases.Case, reference: Reference, account: Any, made: list) -> tuple[str, list[str]]:  # noqa: ANN401
    """Whether dlt and Snowcat agree on the case, and the differences."""
    from conformance import canonical, compare, physical

    expected = reference.answer()
    failed = next((load for load in expected["loads"] if "error" in load), None)
    runs = case.runs()
    if failed is not None:
        if not any(words in failed["error"]["message"] for words in KNOWN_FAILURES):
            # Ours has to fail as well.
            runs = runs[: failed["load"] + 1]
        else:
            runs = runs[: failed["load"]]
        if not runs:
            return "failed by dlt", []
        expected = reference.shortened(case, len(runs))
    lines = []
    for guest in made:
        try:
            found, _ = account.run(runs, guest)
            lines += [f"{guest.name}: {line}" for line in compare.differences(expected, explained(case, found))]
        except physical.Inconsistent as error:
            lines.append(f"{guest.name}: physical.{error}")
    if lines:
        (case.folder / "expected.json").write_text(canonical.written(expected), encoding="utf-8")
        return "different", lines
    return "alike" if failed is None else "alike until dlt failed", []


def explained(case: cases.Case, found: dict[str, Any]) -> dict[str, Any]:
    """What is found, without what is Snowcat's on purpose.

    Nested rows of scd2 know their root, and integers in JSON keep their digits.
    """
    for rows in found["tables"].values():
        for row in rows:
            row |= {name: {"$json": _rounded(value["$json"])} for name, value in row.items() if _is_json(value)}
    disposition = case.config["write_disposition"]
    if isinstance(disposition, dict) and disposition["strategy"] == "scd2" and not case.config.get("root_key"):
        for table in found["schema"].values():
            table["columns"] = [column for column in table["columns"] if not column.get("root_key")]
        for rows in found["tables"].values():
            for row in rows:
                row.pop("_dlt_root_id", None)
    return found


def _is_json(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, dict) and value.keys() == {"$json"}


def _rounded(value: Any) -> Any:  # noqa: ANN401
    """JSON as dlt has it, whose parser makes doubles of integers beyond 64 bits."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    beyond = isinstance(value, int) and not -(2**63) <= value < 2**64
    return float(value) if beyond else value


class Reference:
    """dlt, in a process of its own."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONHASHSEED": "0", "TZ": "UTC"}
        command = [sys.executable, "-m", "conformance.differential", "--reference"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", env=environment
        )
        self.waiting: list[dict] = []
        self.asked = 0

    def ask(self, folder: pathlib.Path) -> None:
        """Begin with a case."""
        self.process.stdin.write(f"{folder}\n")
        self.process.stdin.flush()
        self.asked += 1

    def answer(self) -> dict[str, Any]:
        """The result of the case that was asked for first."""
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
    """Answer folders with results, a line each."""
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
