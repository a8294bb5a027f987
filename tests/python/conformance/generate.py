"""Random cases: documents, a configuration and a sequence of loads. The same seed gives the same case.

What they hold is what dlt and Snowcat should treat alike. Keys do not collide unless a case is about that, and primary
keys are unique within a load: of two rows with one key dlt keeps one at random.
"""

from __future__ import annotations

import json
import pathlib
import random
from typing import Any

KEYS = (
    "id", "name", "fullName", "HTTPCode", "created at", "total", "is-active", "tags", "Lines", "meta", "a", "b", "c__d", "ünï",
    "$ref", "2nd", "x.y", "payload", "Größe", "select", "order", "value", "list", "_private", "trailing_", "MiXeD", "long" * 12,
)  # fmt: skip
TEXTS = (
    "", "x", "abc", "ÄÖÜ ß 日本", "1", "-17", "3.5", "true", "null", "{\"a\": 1}", "[1]", "O'Neil", "a\\b\"c\n", "2024-02-29",
    "2024-02-29T10:20:30Z", "2024-02-29T10:20:30.123456+02:00", "2024-02-29 10:20:30", "12:30:00", "aGVsbG8=", "  pad ", "1e5",
)  # fmt: skip
INTEGERS = (0, 1, -1, 7, 42, 255, 65536, -2147483649, 9007199254740993, 2**63 - 1, -(2**63))
FLOATS = (0.5, -0.5, 1.0, 3.25, 1e10, 1.5e-7, 123456.789, -2.0, 0.1)
SCALARS = ("int", "int", "float", "text", "text", "text", "bool", "null", "stamp")
HINTED = ("text", "bigint", "double", "bool", "timestamp", "date", "decimal", "json", "binary", "wei", "time")
CONVENTIONS = ("snake_case",) * 8 + ("sql_cs_v1", "sql_ci_v1", "duck_case", "direct")
DISPOSITIONS: tuple[Any, ...] = (
    "append", "append", "append", "replace", "merge", "merge", "merge",
    {"disposition": "merge", "strategy": "upsert"}, {"disposition": "merge", "strategy": "scd2"},
    {"disposition": "merge", "strategy": "insert-only"},
    {"disposition": "merge", "strategy": "upsert", "skip_unchanged_rows": True},
)  # fmt: skip
STAMPS = tuple(f"2024-01-{day:02}T00:00:00Z" for day in range(1, 10))


class Generator:
    """One case."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        pick = self.random
        self.keys = pick.sample(KEYS[1:], pick.randint(2, 9))
        # What a key's values are, most of the time.
        self.habits = {key: pick.choice([*SCALARS, "object", "list", "objects"]) for key in self.keys}
        self.wild = pick.choice([0.0, 0.05, 0.3])

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
        if strategy == "scd2" and pick.random() < 0.5:
            config["write_disposition"] = {**disposition, "active_record_timestamp": "9999-12-31T00:00:00Z"}
        if strategy == "scd2" and pick.random() < 0.3:
            config["merge_key"] = "id"
        if pick.random() < 0.25:
            config["naming"] = pick.choice(CONVENTIONS)
        if pick.random() < 0.25:
            config["max_table_nesting"] = pick.randint(0, 3)
        if pick.random() < 0.1:
            config["max_identifier_length"] = pick.randint(24, 60)
        if pick.random() < 0.1 and not keyed:
            config["root_key"] = pick.random() < 0.5
        if pick.random() < 0.3:
            config["columns"] = self._hints()
        deletes = disposition == "merge" and pick.random() < 0.25
        if deletes:
            config.setdefault("columns", {})["gone"] = {"hard_delete": True, "data_type": "bool"}
        if disposition == "merge" and not deletes and pick.random() < 0.2:
            config["merge_key"] = "part"
        stamped = pick.random() < 0.2
        if stamped:
            config["incremental"] = self._incremental()
        loads, files = [], []
        known: list[int] = []
        for number in range(pick.choice([1, 2, 2, 3])):
            fresh = pick.sample(range(1, 1000), pick.randint(1, 6))
            again = pick.sample(known, min(len(known), pick.randint(0, 3))) if keyed else []
            ids = list(dict.fromkeys([*again, *fresh]))
            known = list(dict.fromkeys([*known, *ids]))
            pick.shuffle(ids)
            records = [{"id": n, "part": n % 3, **self._object(0)} for n in ids]
            for record in records:
                if stamped and pick.random() < 0.95:
                    record["seen"] = pick.choice(STAMPS)
                if deletes:
                    record["gone"] = pick.choice([True, False, None])
            loads.append(records)
            entry: dict[str, Any] = {"file": f"input{number}.ndjson"}
            if number and pick.random() < 0.25:
                entry["schema_contract"] = self._contract()
            files.append(entry)
        return {**config, "loads": files}, loads

    def _incremental(self) -> dict[str, Any]:
        pick = self.random
        made: dict[str, Any] = {"cursor_path": "seen", "on_cursor_value_missing": pick.choice(["include", "exclude", "raise"])}
        if pick.random() < 0.5:
            made["initial_value"] = STAMPS[1]
        if pick.random() < 0.2:
            made["range_start"] = "open"
        if pick.random() < 0.2:
            made["lag"] = 86400.0
        return made

    def _contract(self) -> dict[str, str]:
        pick = self.random
        parts = pick.sample(["tables", "columns", "data_type"], pick.randint(1, 3))
        return {part: pick.choice(["evolve", "discard_row", "discard_value", "freeze"]) for part in parts}

    def _hints(self) -> dict[str, Any]:
        pick = self.random
        plain = [key for key in self.keys if key.isidentifier() and key.islower() and key.isascii() and not key.endswith("_")]
        hints = {}
        for key in pick.sample(plain, min(len(plain), 2)):
            hints[key] = pick.choice([
                {"data_type": pick.choice(HINTED)}, {"cluster": True}, {"unique": True}, {"sort": True},
                {"data_type": "timestamp", "timezone": False}, {"data_type": "decimal", "precision": 38, "scale": 4},
            ])  # fmt: skip
        return hints

    def _object(self, depth: int) -> dict[str, Any]:
        pick = self.random
        chosen = [key for key in self.keys if pick.random() < (0.75 if depth == 0 else 0.4)]
        if pick.random() < 0.1:
            pick.shuffle(chosen)
        return {key: self._value(self.habits[key], depth) for key in chosen}

    def _value(self, habit: str, depth: int) -> Any:  # noqa: ANN401
        pick = self.random
        if pick.random() < self.wild:
            habit = pick.choice([*SCALARS, "object", "list", "objects"])
        if habit == "object":
            return self._object(depth + 1) if depth < 3 else {}
        if habit == "objects":
            return [self._object(depth + 1) for _ in range(pick.randint(0, 3))] if depth < 3 else []
        if habit == "list":
            kind = pick.choice(SCALARS)
            inner = [self._scalar(kind) for _ in range(pick.randint(0, 3))]
            return [inner] if pick.random() < 0.15 else inner
        return self._scalar(habit)

    def _scalar(self, kind: str) -> Any:  # noqa: ANN401
        pick = self.random
        if kind == "int":
            return pick.choice(INTEGERS)
        if kind == "float":
            return pick.choice(FLOATS)
        if kind == "bool":
            return pick.random() < 0.5
        if kind == "stamp":
            return f"2024-0{pick.randint(1, 9)}-1{pick.randint(0, 9)}T0{pick.randint(0, 9)}:00:00{pick.choice(['Z', '+02:00', ''])}"
        return None if kind == "null" else pick.choice(TEXTS)


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
