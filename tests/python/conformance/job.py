"""A case's configuration as a job of Snowcat."""

from __future__ import annotations

import json
from typing import Any

DATABASE, DATASET = "RAW", "d"
OF_THE_JOB = ("naming", "max_identifier_length", "max_columns", "root_key")
OF_THE_RESOURCE = (
    "write_disposition",
    "primary_key",
    "merge_key",
    "max_table_nesting",
    "columns",
    "schema_contract",
    "incremental",
    "references",
    "on_type_conflict",
)
# These conventions keep names unchanged in the database; those of the others are in upper case there.
CASE_SENSITIVE = ("direct", "duck_case", "sql_cs_v1")


def job(config: dict[str, Any]) -> str:
    """The job of one run, whose records are input of the host."""
    resource = {"name": config["table_name"], "source": "pull"}
    resource |= {key: config[key] for key in OF_THE_RESOURCE if key in config}
    if "nested_hints" in config:
        resource["nested_hints"] = {_path(k): hints for k, hints in config["nested_hints"].items()}
    if config.get("replace_strategy") and resource.get("write_disposition") == "replace":
        resource["write_disposition"] = {"disposition": "replace", "strategy": config["replace_strategy"]}
    made = {"pipeline": "oracle", "schema_name": "src", "database": DATABASE, "dataset": DATASET}
    made |= {key: config[key] for key in OF_THE_JOB if key in config}
    return json.dumps({**made, "resources": [resource]}, ensure_ascii=False)


def _path(keys: str) -> str:
    """The path of nested hints: with dots, and brackets around keys that contain dots."""
    parts = [f"['{key}']" if "." in key else f".{key}" for key in keys.split("/")]
    return "".join(parts).removeprefix(".")


def in_database(name: str, config: dict[str, Any]) -> str:
    """A name as stored in the database."""
    return name if config.get("naming") in CASE_SENSITIVE else name.upper()


def pages(text: str, records: int = 7) -> list[str]:
    """The input in pages of a few lines, as a host would pass it."""
    # Not `splitlines`, which splits texts at a U+2028.
    lines = [line for line in text.split("\n") if line.strip()]
    return ["\n".join(lines[at : at + records]) for at in range(0, len(lines), records)]
