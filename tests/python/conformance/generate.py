"""Random cases: documents, a configuration and a sequence of loads. The same seed gives the same case.

What they hold is what dlt and Snowcat should treat alike. Keys do not collide unless a case is about that, and primary
keys are unique within a load unless a column tells which row counts: of two rows with one key dlt keeps one at random.
"""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

KEYS = (
    "id",
    "name",
    "fullName",
    "HTTPCode",
    "created at",
    "total",
    "is-active",
    "tags",
    "Lines",
    "meta",
    "a",
    "b",
    "c__d",
    "ünï",
    "$ref",
    "2nd",
    "x.y",
    "payload",
    "Größe",
    "select",
    "order",
    "value",
    "list",
    "_private",
    "trailing_",
    "MiXeD",
    "long" * 12,
    "日本",
    "@type",
    "a+b",
    "__dunder__",
    "ID2",
    "camelCaseKey",
    "x|y",
    "n*",
    "user__profile__id",
    "ends__",
    "Ünit_Nr",
)
TEXTS = (
    "",
    "x",
    "abc",
    "ÄÖÜ ß 日本",
    "1",
    "-17",
    "3.5",
    "true",
    "null",
    '{"a": 1}',
    "[1]",
    "O'Neil",
    'a\\b"c\n',
    "2024-02-29",
    "2024-02-29T10:20:30Z",
    "2024-02-29T10:20:30.123456+02:00",
    "2024-02-29 10:20:30",
    "12:30:00",
    "aGVsbG8=",
    "  pad ",
    "1e5",
    "0x1F",
    "1_000",
    "nan",
    "yes",
    "12:30",
    "20240229T102030Z",
    "2024-W09-4T10:00",
    "1709202030",
    "𝒳 surrogate",
    "\u0007 bell",
    "2024-02-30T00:00:00Z",
    "99999999999999999999",
    "a,b;c\t|",
    "'; --",
    "tab\there",
)
STAMPS_OF_ANY_FORM = (
    "2024-05-06T07:08:09Z",
    "2024-05-06T07:08:09.5Z",
    "2024-05-06T07:08:09.123456789Z",
    "2024-05-06T07:08:09+02:00",
    "2024-05-06T07:08:09-0330",
    "2024-05-06 07:08:09",
    "2024-05-06T07:08",
    "2024-127T07:08:09",
    "1969-12-31T23:59:59Z",
    "2024-05-06T07:08:09,25",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
)
INTEGERS = (0, 1, -1, 7, 42, 255, 65536, -2147483649, 9007199254740993, 2**63 - 1, -(2**63))
# dlt rounds smaller numbers to 0 for a column of decimals.
FLOATS = (0.5, -0.5, 1.0, -0.0, 3.25, 1e10, 1.5e-7, 123456.789, -2.0, 0.1, 1e300, 1e22)
SCALARS = ("int", "int", "float", "text", "text", "text", "bool", "null", "stamp", "instant")
HINTED = ("text", "bigint", "double", "bool", "timestamp", "date", "decimal", "json", "binary", "wei", "time")
CONVENTIONS = ("snake_case",) * 8 + ("sql_cs_v1", "sql_ci_v1", "duck_case", "direct")
DISPOSITIONS: tuple[Any, ...] = (
    "append",
    "append",
    "append",
    "replace",
    "replace",
    "merge",
    "merge",
    "merge",
    "merge",
    {"disposition": "merge", "strategy": "upsert"},
    {"disposition": "merge", "strategy": "upsert"},
    {"disposition": "merge", "strategy": "scd2"},
    {"disposition": "merge", "strategy": "scd2"},
    {"disposition": "merge", "strategy": "insert-only"},
    {"disposition": "merge", "strategy": "delete-insert", "deduplicated": True},
    {"disposition": "merge", "strategy": "upsert", "skip_unchanged_rows": True},
    {"disposition": "merge", "strategy": "cdc"},
    {"disposition": "merge", "strategy": "cdc", "skip_unchanged_rows": True},
)
REPLACES = ("truncate-and-insert", "insert-from-staging")
STAMPS = tuple(f"2024-01-{day:02}T00:00:00Z" for day in range(1, 10))
CONTRACTS = ("evolve", "discard_row", "discard_value", "freeze")


class Generator:
    """The generator of one case."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        pick = self.random
        self.keys = pick.sample(KEYS[1:], pick.randint(2, 9))
        # The usual values of each key.
        self.habits = {key: pick.choice([*SCALARS, "object", "list", "objects", "objects"]) for key in self.keys}
        self.wild = pick.choice([0.0, 0.05, 0.3])
        # Additional keys of records, with their possible values.
        self.more: dict[str, tuple[Any, ...]] = {}
        # The number of records so far, for a column that contains it.
        self.serial: int | None = None

    def case(self) -> tuple[dict[str, Any], list[list[Any]]]:
        """A configuration and the records of its loads."""
        pick = self.random
        disposition = pick.choice(DISPOSITIONS)
        config: dict[str, Any] = {"table_name": pick.choice(["t", "orders", "Line Items", "HTTPLog"])}
        config["write_disposition"] = disposition
        strategy = disposition.get("strategy") if isinstance(disposition, dict) else None
        keyed = disposition not in ("append", "replace")
        if keyed and strategy != "scd2":
            config["primary_key"] = pick.choice(["id", "id", "id", ["id"], ["id", "part"]])
        if strategy == "scd2":
            self._history(config, disposition)
        if disposition == "replace":
            config["replace_strategy"] = pick.choice(REPLACES)
        self._names(config)
        if pick.random() < 0.3:
            config["columns"] = self._hints()
        repeats = self._columns_of_merging(config, strategy)
        if config.get("primary_key") in ("id", ["id"]) and not repeats and pick.random() < 0.1:
            config.setdefault("columns", {})["id"] = {"row_key": True}
        if strategy == "cdc" and pick.random() < 0.3:
            config["merge_key"] = "part"
        if pick.random() < 0.15:
            config["nested_hints"] = self._nested_hints(config, keyed)
        if pick.random() < 0.15:
            config["schema_contract"] = self._contract()
            # dlt ignores it for a new table with a contract.
            config.pop("max_table_nesting", None)
        stamped = pick.random() < 0.2
        if stamped:
            config["incremental"] = self._incremental()
            config["schema_contract"] = _with_tables(config.get("schema_contract", {}))
        loads, files = [], []
        known: list[int] = []
        for number in range(pick.choice([1, 2, 2, 3])):
            fresh = pick.sample(range(1, 1000), pick.randint(1, 6))
            again = pick.sample(known, min(len(known), pick.randint(0, 3))) if keyed else []
            ids = list(dict.fromkeys([*again, *fresh]))
            known = list(dict.fromkeys([*known, *ids]))
            if repeats:
                ids += pick.choices(ids, k=pick.randint(0, 2))
            pick.shuffle(ids)
            if number and pick.random() < 0.05:
                ids = []
            records = [self._record(n) for n in ids]
            for record in records:
                if stamped and pick.random() < 0.95:
                    record["seen"] = pick.choice(STAMPS)
            if not keyed and pick.random() < 0.05:
                records += [pick.choice([5, "text", None, 2.5, {}, True]) for _ in range(2)]
            loads.append(records)
            files.append(self._entry(number, config, strategy))
        config["loads"] = files
        if "discard_row" in json.dumps(config):
            # dlt discards a row for a null, too, if another row had a value for the column before.
            loads = [[_without_nulls(record) for record in records] for records in loads]
        return config, loads

    def _record(self, number: int) -> dict[str, Any]:
        pick = self.random
        record = {"id": number, "part": number % 3, **self._object(0)}
        record |= {name: pick.choice(values) for name, values in self.more.items()}
        if self.serial is not None:
            record["rev"] = self.serial
            self.serial += 1
        return record

    def _entry(self, number: int, config: dict[str, Any], strategy: str | None) -> dict[str, Any]:
        """The options of one load."""
        pick = self.random
        entry: dict[str, Any] = {"file": f"input{number}.ndjson"}
        if not number:
            return entry
        if pick.random() < 0.25:
            contract = self._contract()
            entry["schema_contract"] = _with_tables(contract) if "incremental" in config else contract
        if pick.random() < 0.1 and strategy is None and "nested_hints" not in config:
            entry["write_disposition"] = pick.choice(["append", "replace", "replace"])
        if pick.random() < 0.1:
            # A column keeps its type.
            reported = {
                k: {h: v for h, v in hints.items() if h not in ("data_type", "precision", "scale", "timezone")}
                for k, hints in self._hints().items()
            }
            entry["columns"] = {**reported, **config.get("columns", {})}
        contract = config.get("schema_contract", "evolve")
        tables = contract.get("tables", "evolve") if isinstance(contract, dict) else contract
        if pick.random() < 0.05 and tables == "evolve":
            # dlt ignores it if a table is new and has a contract; here it may be new in every load.
            entry["max_table_nesting"] = pick.randint(0, 3)
        return entry

    def _names(self, config: dict[str, Any]) -> None:
        pick = self.random
        if pick.random() < 0.25:
            config["naming"] = pick.choice(CONVENTIONS)
            if config["naming"].startswith("sql_") and {"x.y", "x|y"} <= set(self.keys):
                # There both are x_y.
                self.keys.remove("x|y")
        if pick.random() < 0.25:
            config["max_table_nesting"] = pick.randint(0, 3)
        if pick.random() < 0.1:
            config["max_identifier_length"] = pick.randint(24, 60)
        if pick.random() < 0.1:
            config["root_key"] = pick.random() < 0.5

    def _history(self, config: dict[str, Any], disposition: dict[str, Any]) -> None:
        """Options of scd2."""
        pick = self.random
        more: dict[str, Any] = {}
        if pick.random() < 0.4:
            more["active_record_timestamp"] = "9999-12-31T00:00:00Z"
        if pick.random() < 0.2:
            more["validity_column_names"] = ["since", "until"]
        if pick.random() < 0.15:
            more["boundary_timestamp"] = "2025-05-05T05:05:05Z"
        config["write_disposition"] = {**disposition, **more}
        if pick.random() < 0.3:
            config["merge_key"] = pick.choice(["id", ["id", "part"], "part"])

    def _columns_of_merging(self, config: dict[str, Any], strategy: str | None) -> bool:
        """Columns that mark deleted rows and rank duplicates; whether keys may repeat in a load."""
        pick = self.random
        merging = config["write_disposition"] == "merge"
        deletes = (merging or strategy in ("upsert", "cdc")) and pick.random() < 0.25
        if deletes:
            kind = pick.choice(["bool", "bool", "timestamp", "bigint"])
            config.setdefault("columns", {})["gone"] = {"hard_delete": True, "data_type": kind}
            values = {"bool": (True, False, None), "timestamp": (STAMPS[0], None), "bigint": (1, 0, None)}[kind]
            # dlt inserts rows that are marked as deleted, except with delete-insert.
            self.more["gone"] = values if merging else (None,)
        if merging and not deletes and pick.random() < 0.2:
            config["merge_key"] = pick.choice(["part", "part", ["part"]])
        sorts = merging and pick.random() < 0.25
        if sorts:
            config.setdefault("columns", {})["rev"] = {"dedup_sort": pick.choice(["asc", "desc"])}
            self.serial = 0
        return sorts

    def _nested_hints(self, config: dict[str, Any], keyed: bool) -> dict[str, Any]:
        """Hints for tables of lists."""
        pick = self.random
        lists = [key for key in self.keys if self.habits[key] == "objects"]
        made = {}
        for key in pick.sample(lists, min(len(lists), pick.randint(1, 2))):
            hints: dict[str, Any] = {
                "columns": {name: {"name": name, **reported} for name, reported in self._hints().items()}
            }
            if pick.random() < 0.3:
                # If new tables are not allowed, dlt does not apply the hints before the second load.
                hints["schema_contract"] = {
                    "tables": "evolve",
                    "columns": pick.choice(CONTRACTS),
                    "data_type": pick.choice(CONTRACTS),
                }
            if pick.random() < 0.2 and not keyed and config.get("replace_strategy") != REPLACES[1]:
                hints["write_disposition"] = pick.choice(["append", "replace"])
            made[key] = hints
            if pick.random() < 0.3:
                made[f"{key}/{pick.choice(lists)}"] = {"columns": {}, **hints}
        return made

    def _incremental(self) -> dict[str, Any]:
        pick = self.random
        made: dict[str, Any] = {
            "cursor_path": "seen",
            "on_cursor_value_missing": pick.choice(["include", "exclude", "raise"]),
        }
        if pick.random() < 0.5:
            made["initial_value"] = STAMPS[1]
        if pick.random() < 0.2:
            made["range_start"] = "open"
        if pick.random() < 0.2:
            made["lag"] = 86400.0
        if "initial_value" in made and pick.random() < 0.2:
            made["end_value"] = STAMPS[6]
            if pick.random() < 0.5:
                made["range_end"] = "closed"
        return made

    def _contract(self) -> Any:
        pick = self.random
        if pick.random() < 0.2:
            return pick.choice(CONTRACTS)
        parts = pick.sample(["tables", "columns", "data_type"], pick.randint(1, 3))
        return {part: pick.choice(CONTRACTS) for part in parts}

    def _hints(self) -> dict[str, Any]:
        pick = self.random
        plain = [
            key for key in self.keys if key.isidentifier() and key.islower() and key.isascii() and not key.endswith("_")
        ]
        objects = [key for key in plain if self.habits[key] == "object"]
        plain += [f"{key}__{pick.choice(plain)}" for key in objects]
        hints = {}
        for key in pick.sample(plain, min(len(plain), 2)):
            hints[key] = pick.choice(
                [
                    {"data_type": pick.choice(HINTED)},
                    {"data_type": pick.choice(HINTED)},
                    {"cluster": True},
                    {"unique": True},
                    {"sort": True},
                    {"partition": True},
                    {"x-mine": {"a": [1]}, "description": "about it"},
                    {"nullable": True},
                    {"data_type": "timestamp", "timezone": False},
                    {"data_type": "decimal", "precision": 38, "scale": 4},
                    {"data_type": "timestamp", "precision": pick.choice([0, 3, 9])},
                    {"data_type": "text", "precision": 200},
                    {"data_type": "bigint", "precision": 64},
                    {"nullable": True},
                    {"data_type": "json", "nullable": True},
                ]
            )
        return hints

    def _object(self, depth: int) -> dict[str, Any]:
        pick = self.random
        chosen = [key for key in self.keys if pick.random() < (0.75 if depth == 0 else 0.4)]
        if pick.random() < 0.1:
            pick.shuffle(chosen)
        return {key: self._value(self.habits[key], depth) for key in chosen}

    def _value(self, habit: str, depth: int) -> Any:
        pick = self.random
        if pick.random() < self.wild:
            habit = pick.choice([*SCALARS, "object", "list", "objects"])
        if habit == "object":
            return self._object(depth + 1) if depth < 3 else {}
        if habit == "objects":
            return [self._object(depth + 1) for _ in range(pick.randint(0, 3))] if depth < 3 else []
        if habit == "list":
            kind = pick.choice(SCALARS)
            inner: list[Any] = [self._scalar(kind) for _ in range(pick.randint(0, 3))]
            if pick.random() < 0.1 and depth < 3:
                inner.append(self._object(depth + 1))
            return [inner] if pick.random() < 0.15 else inner
        return self._scalar(habit)

    def _scalar(self, kind: str) -> Any:
        pick = self.random
        if kind == "int":
            return pick.choice(INTEGERS)
        if kind == "float":
            return pick.choice(FLOATS)
        if kind == "bool":
            return pick.random() < 0.5
        if kind == "stamp":
            return f"2024-0{pick.randint(1, 9)}-1{pick.randint(0, 9)}T0{pick.randint(0, 9)}:00:00{pick.choice(['Z', '+02:00', ''])}"
        if kind == "instant":
            return pick.choice(STAMPS_OF_ANY_FORM)
        return None if kind == "null" else pick.choice(TEXTS)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def write(seed: int, folder: pathlib.Path) -> pathlib.Path:
    """The case of a seed, as a folder."""
    config, loads = Generator(seed).case()
    place = folder / str(seed)
    place.mkdir(parents=True, exist_ok=True)
    (place / "config.json").write_text(json.dumps(config, ensure_ascii=False, indent=1), encoding="utf-8")
    for entry, records in zip(config["loads"], loads, strict=True):
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (place / entry["file"]).write_text(text, encoding="utf-8")
    return place


def _with_tables(contract: Any) -> Any:
    """The same without new tables: dlt moves the cursor over records whose table it discards."""
    return {**contract, "tables": "evolve"} if isinstance(contract, dict) else "evolve"
