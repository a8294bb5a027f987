"""Records cases with the installed dlt: `python -m conformance.record FOLDER [NAME ..] [--check]`.

Writes `expected.json` of every case of the folder, or reports which would change.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from conformance import canonical, cases

# Makes the order of sets, and times without a time zone, equal everywhere.
FIXED = {"PYTHONHASHSEED": "0", "TZ": "UTC"}


def main() -> int:
    """The exit code is 1 if `--check` found changes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="a folder of cases, or one case")
    parser.add_argument("match", nargs="*", help="only the cases of these names, or whose names contain them")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--workers", type=int, default=2, help="cases at once")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        from conformance import reference

        sys.stdout.write(canonical.written(reference.result(cases.Case.read(options.folder).runs())))
        return 0
    chosen = cases.named(cases.read(options.folder), options.match)
    with ThreadPoolExecutor(options.workers) as pool:
        changed = sum(pool.map(lambda case: _record(case, options.check), chosen))
    print(f"{len(chosen)} cases, {changed} changed")
    return 1 if changed and options.check else 0


def result(folder: pathlib.Path) -> str:
    """dlt's result of a case, computed in a separate process: the text of `expected.json`."""
    command = [sys.executable, "-m", "conformance.record", str(folder), "--one"]
    ended = subprocess.run(
        command, env={**os.environ, **FIXED}, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if ended.returncode:
        raise RuntimeError(f"{folder}: {ended.stderr[-2000:]}")
    json.loads(ended.stdout)
    return ended.stdout


def _record(case: cases.Case, check: bool) -> bool:
    text = result(case.folder)
    file = case.folder / "expected.json"
    if file.exists() and file.read_text(encoding="utf-8") == text:
        return False
    print(f"{case.name}: {'would change' if check else 'recorded'}", flush=True)
    if not check:
        file.write_text(text, encoding="utf-8")
    return True


if __name__ == "__main__":
    sys.exit(main())
