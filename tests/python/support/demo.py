"""`make demo`: a stored procedure loads a Jira project twice, on this machine.

A Snowflake emulator and a fake Jira run here. The installation SQL and the procedure are those of a real account,
unchanged.
"""

from __future__ import annotations

import argparse
import pathlib
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]

import package
from fakes import SITE, FakeJira

from emulator import Lab

CALL = "CALL SNOWCAT.CODE.P_LOAD_JIRA('RAW')"
JOIN = """
SELECT i."KEY", i."FIELDS__STATUS__NAME", COUNT(*), MAX(c."AUTHOR__DISPLAY_NAME")
FROM RAW.JIRA.ISSUES AS i
JOIN RAW.JIRA.ISSUES__FIELDS__COMMENT__COMMENTS AS c ON c."_DLT_PARENT_ID" = i."_DLT_ID"
GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 5
"""


def main() -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=1000)
    issues = parser.parse_args().issues
    begun = time.monotonic()

    say("1. A Snowflake on this machine, and a Jira with", f"{issues:,} issues")
    folder = ROOT / "target/package"
    package.package(ROOT / "target/component/snowcat.wasm", folder)
    with FakeJira(issues) as jira, Lab(databases=(), longest_nap=None) as lab:
        lab.hosts.map(SITE, jira.address)
        say("2. procedures/install/install.sql, unchanged:", "roles, secrets, network rule, procedures")
        lab.install(folder)

        say("3.", CALL)
        first, seconds = timed(lab)
        show(first, seconds)
        tables(lab)

        edited = jira.ids()[:7]
        jira.ask("/_control/edit", {"issues": edited})
        jira.ask("/_control/create", {"count": 3})
        say("4. In Jira, 7 issues are edited and 3 are new. Again:", CALL)
        second, seconds = timed(lab)
        show(second, seconds)
        print(f"   It asked Jira for what changed since {second['incremental_config']['initial_date_used']}.")

        say("5. Issues with their comments:", "SELECT ... JOIN ... ON _DLT_PARENT_ID = _DLT_ID")
        for key, status, comments, author in lab.sql(JOIN):
            print(f"   {key:<10} {status:<14} {comments:>3} comments, one by {author}")

        left = lab.sql("SELECT STAGE_NAME FROM RAW.INFORMATION_SCHEMA.STAGES")
        refused = [
            e.sql for e in lab.trace if e.procedure and any(w in e.sql.upper() for w in (" TEMPORARY ", "@~", "@%"))
        ]
        say("6. Left behind:", f"{len(left)} stages; temporary objects used: {len(refused)}")
    print(f"\nAll of it took {time.monotonic() - begun:.0f} s.")


def timed(lab: Lab) -> tuple[dict, float]:
    """The procedure's result, and its duration."""
    started = time.monotonic()
    result = lab.call(CALL, role="SNOWCAT_CALLER")
    return result, time.monotonic() - started


def show(result: dict, seconds: float) -> None:
    """Print a short form of the result of a CALL."""
    rows = result["rows"]
    print(
        f"   {result['status']} in {seconds:.1f} s: {sum(rows.values()):,} rows in {len(rows)} tables, "
        f"{rows.get('issues', 0):,} issues; {result['requests']} requests, {result['statements']} SQL statements; "
        f"first statement after {result['time_to_first_statement_ms']:.0f} ms, engine {result['engine']}"
    )
    for warning in result["warnings"]:
        print(f"   warning: {warning}")


def tables(lab: Lab) -> None:
    """Rows by table."""
    names = lab.sql(
        "SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'JIRA' ORDER BY TABLE_NAME"
    )
    print()
    for (name,) in names:
        count = lab.sql(f'SELECT COUNT(*) FROM RAW.JIRA."{name}"')[0][0]
        print(f"   {count:>8,}  {name}")


def say(what: str, more: str) -> None:
    """Print a heading of the demo."""
    print(f"\n{what} {more}", flush=True)


if __name__ == "__main__":
    main()
