"""A case: a folder with a configuration, its input, and what dlt made of it.

`config.json`, every key optional but `table_name`:

    table_name            the resource and its table, in the source's spelling
    write_disposition     "append" | "replace" | "merge" | {"disposition": .., "strategy": .., ..}
    primary_key, merge_key, columns, schema_contract, nested_hints, references, incremental
                          as `dlt.resource` takes them (a path of nested_hints has slashes)
    max_table_nesting     how deep records are unnested
    naming                a naming convention (snake_case)
    max_identifier_length 255, as Snowflake has it
    loads                 files, or {"file": .., any key above to override}; each is one run (["input.ndjson"])
    json_parser           what dlt reads the input with: "orjson", or "python"
    raw_ids               show the literal `_dlt_id` too, where ids are made of keys
    replace_strategy      truncate-and-insert | insert-from-staging | staging-optimized
    loader_file_format    what dlt writes (parquet)
    root_key              whether nested tables get a `_dlt_root_id`; by default, if merge needs it
    max_columns, on_type_conflict
                          options of Snowcat's that dlt does not have
    snowflake             false: dlt's statements for Snowflake are not recorded
    note                  for people

`expected.json` is what dlt made of it, in the form of `canonical`. `expected.snowcat.json` has what is right for Snowcat
where it differs on purpose, under the same keys, and a `reason` of one line; it holds for copies of the case in other
folders, too.
"""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any

COMPARED = ("tables", "schema", "loads")
# The project's own cases.
OWN = pathlib.Path(__file__).parents[2] / "data/conformance/cases"


@dataclass
class Run:
    """One load of a case."""

    config: dict[str, Any]
    input: pathlib.Path


@dataclass
class Case:
    """A folder."""

    folder: pathlib.Path
    config: dict[str, Any]

    @classmethod
    def read(cls, folder: pathlib.Path) -> Case:
        """The case of a folder."""
        return cls(folder, json.loads((folder / "config.json").read_text(encoding="utf-8")))

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder.name

    def runs(self) -> list[Run]:
        """The loads, each with its own configuration."""
        runs = []
        for load in self.config.get("loads") or ["input.ndjson"]:
            own = {"file": load} if isinstance(load, str) else load
            config = {**self.config, **own}
            del config["file"]
            runs.append(Run(config, self.folder / own["file"]))
        return runs

    def expected(self) -> tuple[dict[str, Any], str | None]:
        """The expected result, and the reason if it is not dlt's."""
        expected = json.loads((self.folder / "expected.json").read_text(encoding="utf-8"))
        ours = self.folder / "expected.snowcat.json"
        if not ours.exists() and self._is(OWN / self.name):
            ours = OWN / self.name / ours.name
        if not ours.exists():
            return expected, None
        given = json.loads(ours.read_text(encoding="utf-8"))
        if not isinstance(given.get("reason"), str) or "\n" in given["reason"].strip():
            raise ValueError(f"{ours}: expected a reason of one line")
        return {**expected, **{key: given[key] for key in COMPARED if key in given}}, given["reason"].strip()

    def _is(self, other: pathlib.Path) -> bool:
        """Whether it is the other case in another folder."""
        if not (other / "config.json").exists() or Case.read(other).config != self.config:
            return False
        return all(run.input.read_bytes() == (other / run.input.name).read_bytes() for run in self.runs())


def read(folder: pathlib.Path) -> list[Case]:
    """The cases of a folder, or the case that it is."""
    if (folder / "config.json").exists():
        return [Case.read(folder)]
    return [Case.read(path.parent) for path in sorted(folder.glob("*/config.json"))]


def named(found: list[Case], names: list[str]) -> list[Case]:
    """All cases without names. Otherwise those of the given names; a name that no case has selects those that contain it."""
    if not names:
        return found
    exact = {case.name for case in found}.intersection(names)
    parts = set(names) - exact
    return [case for case in found if case.name in exact or any(part in case.name for part in parts)]
