"""Runs cases and corpora: `python -m conformance --cases FOLDER --corpus FOLDER`."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve()
ROOT = HERE.parents[3]

from conformance import canonical, cases, compare, corpora, guests, physical
from conformance.emulated import Emulated


def main() -> int:
    """The last line is the number of failures, which decides the exit code."""
    options = _options()
    made: list[guests.Component | guests.Library] = []
    if options.only != "component":
        made.append(guests.Library(options.library))
    if options.only != "native":
        made.append(guests.Component(options.wasm))
    failed = (
        []
        if options.match
        else [_corpus(file, guest) for file in sorted(options.corpus.glob("*.json")) for guest in made]
    )
    try:
        with Emulated() as account:
            for case in cases.named(cases.read(options.cases), options.match):
                if options.accept:
                    _accept(case, account, made[0], options.accept)
                lines, reason = check(case, account, made)
                why = f" (on purpose: {reason})" if reason and not lines else ""
                failed.append(_verdict(case.name, lines, why))
    finally:
        for guest in made:
            guest.close()
    print(f"{failed.count(False)} passed, {failed.count(True)} failed")
    return 1 if any(failed) or not failed else 0


def check(case: cases.Case, account: Emulated, made: list) -> tuple[list[str], str | None]:
    """The differences of a case, and the reason if the expected result is not dlt's."""
    expected, reason = case.expected()
    lines: list[str] = []
    transcripts = []
    for guest in made:
        try:
            found, said = account.run(case.runs(), guest)
            transcripts.append([line for line in said if not line.startswith('{"reply"')])
            reported = compare.differences(expected, found)
        except physical.Inconsistent as error:
            reported = [f"physical.{error}"]
        except Exception as error:  # noqa: BLE001 - a difference of one case; the others go on
            reported = [f"{type(error).__name__}: {error}"]
        lines += [f"{guest.name}: {line}" for line in reported if f"{made[0].name}: {line}" not in lines]
    if len(transcripts) == 2 and transcripts[0] != transcripts[1]:
        pairs = enumerate(zip(*transcripts, strict=False))
        first = next(((n, a, b) for n, (a, b) in pairs if a != b), (min(map(len, transcripts)), "", ""))
        lines.append(f"step {first[0]}: native {first[1][:200]}, component {first[2][:200]}")
    return lines, reason


def _corpus(file: pathlib.Path, guest: guests.Component | guests.Library) -> bool:
    if file.stem not in corpora.CHECKS:
        return _verdict(f"corpus {file.stem}", [f"expected one of {', '.join(corpora.CHECKS)}"])
    entries, lines = corpora.check(file, guest)
    return _verdict(f"corpus {file.stem}, {entries} entries, {guest.name}", lines)


def _accept(case: cases.Case, account: Emulated, guest: guests.Component | guests.Library, reason: str) -> None:
    """Write the result as the expected result of Snowcat: the parts that differ from dlt."""
    found, _ = account.run(case.runs(), guest)
    expected = json.loads((case.folder / "expected.json").read_text(encoding="utf-8"))
    parts = {k: found[k] for k in cases.COMPARED if compare.differences(expected, found, (k,))}
    if parts:
        text = canonical.written({"reason": reason, **parts})
        (case.folder / "expected.snowcat.json").write_text(text, encoding="utf-8")


def _verdict(name: str, lines: list[str], why: str = "") -> bool:
    """Print a verdict. Returns whether the case failed."""
    print(f"{name}: {f'FAILED ({len(lines)} differences)' if lines else f'passed{why}'}", flush=True)
    for line in lines:
        print(f"    {line}")
    return bool(lines)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    folder = ROOT / "tests/data/conformance"
    parser.add_argument("--cases", type=pathlib.Path, default=folder / "cases", help="a folder of cases, or one case")
    parser.add_argument("--corpus", type=pathlib.Path, default=folder / "corpus", help="a folder of corpora")
    parser.add_argument("--native", dest="only", action="store_const", const="native", help="the library only")
    parser.add_argument("--component", dest="only", action="store_const", const="component", help="the component only")
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "target/debug/library", help="the built library")
    parser.add_argument(
        "--wasm", type=pathlib.Path, default=ROOT / "target/component/snowcat.wasm", help="the built component"
    )
    parser.add_argument("--accept", metavar="REASON", help="write expected.snowcat.json of the cases that are named")
    parser.add_argument(
        "match", nargs="*", help="no corpora, and only the cases of these names, or whose names contain them"
    )
    options = parser.parse_args()
    if options.accept and not options.match:
        parser.error("--accept wants the names of cases")
    return options


if __name__ == "__main__":
    sys.exit(main())
