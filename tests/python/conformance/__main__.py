"""Runs cases and corpora: `python -m conformance --cases FOLDER --corpus FOLDER`."""

from __future__ import annotations

import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve()
TESTS, ROOT = HERE.parents[2], HERE.parents[3]
sys.path[:0] = [str(TESTS), str(ROOT / "procedures")]

from conformance import cases, compare, guests, physical  # noqa: E402
from conformance.emulated import Emulated  # noqa: E402


def main() -> int:
    """The number of failures is the last line, and decides the exit code."""
    options = _options()
    made = []
    if options.only != "component":
        made.append(guests.Library(options.library))
    if options.only != "native":
        made.append(guests.Component(options.component))
    passed, failed = 0, 0
    with Emulated() as account:
        for case in cases.read(options.cases):
            if options.match and not any(word in case.name for word in options.match):
                continue
            lines, reason = check(case, account, made)
            failed, passed = failed + bool(lines), passed + (not lines)
            what = f"FAILED ({len(lines)} differences)" if lines else "passed"
            why = f" (on purpose: {reason})" if reason and not lines else ""
            print(f"{case.name}: {what}{why}", flush=True)
            for line in lines:
                print(f"    {line}")
    for guest in made:
        guest.close()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def check(case: cases.Case, account: Emulated, made: list) -> tuple[list[str], str | None]:
    """The differences of a case, and the reason where what is expected is not dlt's."""
    expected, reason = case.expected()
    lines: list[str] = []
    transcripts = []
    for guest in made:
        try:
            found, said = account.run(case.runs(), guest)
            transcripts.append([line for line in said if not line.startswith('{"reply"')])
            told = compare.differences(expected, found)
        except physical.Inconsistent as error:
            told = [f"physical.{error}"]
        except Exception as error:  # noqa: BLE001: of one case; the others go on
            told = [f"{type(error).__name__}: {error}"]
        lines += [f"{guest.name}: {line}" for line in told if f"{made[0].name}: {line}" not in lines]
    if len(transcripts) == 2 and transcripts[0] != transcripts[1]:
        pairs = enumerate(zip(*transcripts, strict=False))
        first = next(((n, a, b) for n, (a, b) in pairs if a != b), (min(map(len, transcripts)), "", ""))
        lines.append(f"step {first[0]}: native {first[1][:200]}, component {first[2][:200]}")
    return lines, reason


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    folder = TESTS / "conformance"
    parser.add_argument("--cases", type=pathlib.Path, default=folder / "cases", help="a folder of cases, or one case")
    parser.add_argument("--corpus", type=pathlib.Path, default=folder / "corpus", help="a folder of corpora")
    parser.add_argument("--native", dest="only", action="store_const", const="native", help="the library only")
    parser.add_argument("--component", dest="only", action="store_const", const="component", help="the component only")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/debug/library", help="the built library")
    parser.add_argument("--wasm", dest="component_file", type=pathlib.Path, default=ROOT / "target/component/snowcat.wasm")
    parser.add_argument("match", nargs="*", help="only cases whose names contain one of these words")
    options = parser.parse_args()
    options.component = options.component_file
    return options


if __name__ == "__main__":
    sys.exit(main())
