"""A load from start to end with nothing installed but Python packages: Jira and Snowflake are stand-ins on this machine.

Run by `make demo`. The package is the real one, put and installed by its own SQL; so are the component and the handler.
"""

from __future__ import annotations

import logging
import pathlib
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "procedures")]

import package  # noqa: E402
from emulator import Lab  # noqa: E402
from jira import Jira  # noqa: E402

CALL = "CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW', '[\"issues\", \"projects\"]', FALSE)"


def main() -> None:
    """Load, change an issue, load again, and show what is there."""
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder, Jira() as jira, Lab(databases=()) as lab:
        out = pathlib.Path(folder) / "package"
        package.package(ROOT / "target/component/snowcat.wasm", out)
        lab.install(out)
        lab.hosts.map("your-site.atlassian.net:443", jira.address)
        for n in range(1, 6):
            jira.put(n, f"2026-01-{n:02d}T09:00:00.000+0000", summary=f"Issue {n}", labels=["cat", f"tag{n % 2}"])
        load(lab, "first load")
        jira.put(2, "2026-01-09T09:00:00.000+0000", summary="Issue 2, groomed", labels=["cat"])
        load(lab, "after one issue has changed")
        show(lab, 'SELECT "KEY", "FIELDS__SUMMARY", "FIELDS__UPDATED"::DATE::VARCHAR FROM RAW.JIRA.ISSUES ORDER BY 1')
        show(lab, 'SELECT "VALUE", COUNT(*) FROM RAW.JIRA.ISSUES__FIELDS__LABELS GROUP BY 1 ORDER BY 1')


def load(lab: Lab, what: str) -> None:
    """One CALL, from a role that may do nothing else."""
    before = len(lab.statements("P_LOAD_JIRA"))
    result = lab.call(CALL, role="SNOWCAT_CALLER")
    print(f"\n-- {what}\n{CALL};")
    print(f"{result['status']}: rows {result['rows']}, {result['requests']} requests, {result['statements']} statements:")
    for statement in lab.statements("P_LOAD_JIRA")[before:]:
        print("   ", " ".join(statement.split())[:100])


def show(lab: Lab, query: str) -> None:
    """A query and its rows."""
    print(f"\n{query};")
    for row in lab.sql(query):
        print("   ", *row, sep="  ")


main()
