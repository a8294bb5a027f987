"""The catalogue of the cases: `python -m conformance.catalog` writes `cases/README.md` from their configurations."""

from __future__ import annotations

import json
from typing import Any

from conformance import cases

FILE = cases.OWN / "README.md"
HEAD = """\
# Conformance cases

Recorded from dlt: each folder is a configuration, its input, and the tables and schema that dlt makes of it. The format is
described in `tests/python/conformance/cases.py`. Run one case natively:

    cargo test --test conformance NAME

`make conformance` runs all of them, natively and through the component. `make record CASES=<folder>` records a case anew.
This page is printed by `python -m conformance.catalog`.

"""
# Options whose value matters, not only their presence.
SHOWN = (
    "naming",
    "replace_strategy",
    "max_table_nesting",
    "max_identifier_length",
    "json_parser",
    "loader_file_format",
)
# Keys that are not a subject of a case.
SILENT = ("table_name", "note", "loads", "write_disposition", "snowflake", "raw_ids", "file", *SHOWN)


def text() -> str:
    """The page."""
    found = cases.read(cases.OWN)
    differing = sum(case.expected()[1] is not None for case in found)
    lines = [f"{len(found)} cases; in {differing} of them Snowcat differs from dlt on purpose.\n"]
    lines += [
        "| case | disposition | loads | uses | what it shows | Snowcat differs, because |",
        "|---|---|---|---|---|---|",
    ]
    for case in found:
        cells = (
            case.name,
            _disposition(case),
            str(len(case.runs())),
            _uses(case),
            case.config.get("note") or case.name.replace("_", " "),
        )
        row = (*cells, case.expected()[1] or "")
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |")
    return HEAD + "\n".join(lines) + "\n"


def _disposition(case: cases.Case) -> str:
    """The write dispositions of its loads, in order."""
    said = [_one_disposition(run.config.get("write_disposition", "append")) for run in case.runs()]
    return ", then ".join(dict.fromkeys(said))


def _one_disposition(value: Any) -> str:
    if isinstance(value, str):
        return value
    strategy = value.get("strategy")
    return value["disposition"] + (f" ({strategy})" if strategy else "")


def _uses(case: cases.Case) -> str:
    """The options of its loads."""
    configs = [run.config for run in case.runs()]
    named = sorted({key for config in configs for key in config if key not in SILENT})
    valued = [f"{key}={json.dumps(config[key])}" for key in SHOWN for config in configs if key in config]
    return ", ".join([*named, *dict.fromkeys(valued)])


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
