"""Snowcat continues loads of dlt, and dlt those of Snowcat: the real dlt, on the emulator.

Each load returns what a source without a cursor returns: loaded rows among new ones. After each load the tables have
the rows of the source, no column was added, and no known schema was stored again.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

# Before dlt is imported, which reads these once.
os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "LOAD__WORKERS": "1",
        "LOAD__RAISE_ON_MAX_RETRIES": "1",
    }
)
import dlt
import snowcat_procedure
from conformance.direct import Direct
from dlt.common.versioned_state import decompress_state

from emulator import Lab

HINTS: dict[str, dict] = {
    "orders": {"primary_key": "id", "write_disposition": "merge", "columns": {"extra": {"data_type": "json"}}},
    "stock": {"primary_key": ["shop", "sku"], "write_disposition": {"disposition": "merge", "strategy": "upsert"}},
    "events": {"write_disposition": "append"},
    "prices": {"write_disposition": "replace"},
}
CURSOR = {"cursor_path": "updated", "initial_value": "2023-12-31T00:00:00Z"}


class Holding(snowcat_procedure.Snowflake):
    """The session of a procedure, with records for each resource."""

    def __init__(self, session: Any, records: dict[str, list]) -> None:
        super().__init__(session, snowcat_procedure.Http({}))
        self.pages = {name: [json.dumps(rows)] for name, rows in records.items()}

    def pull(self, pull: dict[str, Any]) -> str | None:
        """The only page, then the end."""
        pages = self.pages.get(pull["resource"])
        return pages.pop() if pages else None


def read_directly(*labs: Lab) -> None:
    """Only dlt speaks the protocol of the drivers; Snowcat and the test use sessions of this process."""
    for lab in labs:
        lab._session = Direct(lab.account, database="RAW")


class Loaders:
    """Both loaders, with the same resources, for the same dataset."""

    def __init__(self, lab: Lab, guest: Any, folder: Any, file_format: str | None, forgets: bool) -> None:
        self.lab, self.guest, self.folder = lab, guest, folder
        self.file_format, self.forgets = file_format, forgets
        self.settings: dict[str, dict] = {}
        self.runs = 0

    def dlt(self, records: dict[str, list], **options: Any) -> Any:
        """A run of dlt; with `forget`, on another machine each time."""
        self.runs += 1
        place = self.folder / (f"dlt{self.runs}" if self.forgets else "dlt")
        credentials = (
            f"snowflake://tester:tester@emulator/RAW?host=127.0.0.1&port={self.lab.server.port}&protocol=http"
            "&role=ACCOUNTADMIN&login_timeout=20"
        )
        pipeline = dlt.pipeline(
            "shop",
            pipelines_dir=str(place),
            dataset_name="shop",
            destination=dlt.destinations.snowflake(credentials=credentials),
        )

        def resource(name: str) -> Any:
            if name != "orders":
                return dlt.resource(records[name], name=name, **HINTS[name])

            @dlt.resource(name=name, **HINTS[name])
            def orders(updated: Any = dlt.sources.incremental(**CURSOR)) -> Iterator[Any]:
                yield records[name]

            return orders()

        @dlt.source(name="shop")
        def shop() -> list[Any]:
            return [resource(name) for name in records]

        source = shop()
        if self.settings:
            source.schema.update_preferred_types(self.settings["preferred_types"])
            source.schema.merge_hints(self.settings["default_hints"])
        pipeline.run(source, loader_file_format=self.file_format, **options)
        return pipeline

    def snowcat(self, records: dict[str, list], now: str | None = None, **options: Any) -> dict:
        """A run of Snowcat."""
        endpoint = {"source": "pull", "endpoint": {"data_selector": "$", "incremental": CURSOR}}
        resources = [{"name": name, **HINTS[name], **(endpoint if name == "orders" else {})} for name in records]
        job = {"pipeline": "shop", "database": "RAW", "dataset": "shop", "resources": resources, **options}
        now = now or datetime.datetime.now(datetime.UTC).isoformat()
        return snowcat_procedure.run(self.guest, json.dumps(job), now, Holding(self.lab.session, records))[0]

    # --- what is there -------------------------------------------------------

    def rows(self, table: str, columns: str, order: str = "1") -> list[tuple]:
        """Rows of a table of the dataset."""
        return [tuple(r) for r in self.lab.sql(f'SELECT {columns} FROM RAW.SHOP."{table}" ORDER BY {order}')]

    def columns(self) -> list[tuple]:
        """Every column of the dataset, in order."""
        return [
            tuple(r)
            for r in self.lab.sql(
                "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE, IS_NULLABLE "
                "FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'SHOP' ORDER BY TABLE_NAME, ORDINAL_POSITION"
            )
        ]

    def orders(self) -> dict[int, tuple]:
        """The orders with totals and lists, composed from three tables."""
        tags: dict[str, list] = {}
        for parent, value in self.rows(
            "ORDERS__ITEMS__TAGS", '"_DLT_PARENT_ID", "VALUE"', '"_DLT_PARENT_ID", "_DLT_LIST_IDX"'
        ):
            tags.setdefault(parent, []).append(value)
        items: dict[str, list] = {}
        listed = '"_DLT_PARENT_ID", "_DLT_ROOT_ID", "_DLT_ID", "SKU"'
        for parent, root, own, sku in self.rows("ORDERS__ITEMS", listed, '"_DLT_PARENT_ID", "_DLT_LIST_IDX"'):
            assert parent == root
            items.setdefault(parent, []).append((sku, tags.pop(own, [])))
        found = {}
        for own, number, total, extra in self.rows("ORDERS", '"_DLT_ID", "ID", "TOTAL", "EXTRA"::VARCHAR'):
            assert number not in found, f"order {number} is there twice"
            # dlt's Parquet leaves JSON as a string in the VARIANT.
            found[number] = (total, re.sub(r"\s", "", extra), items.pop(own, []))
        assert not items and not tags, "rows without a parent"
        return found

    def state(self) -> dict:
        """The last saved state."""
        return decompress_state(self.rows("_DLT_PIPELINE_STATE", '"_DLT_LOAD_ID", "STATE"', "1 DESC")[0][1])

    def cursor(self) -> dict:
        """The last saved cursor."""
        return self.state()["sources"]["shop"]["resources"]["orders"]["incremental"]["updated"]


def order(number: int, day: int, version: int = 1) -> dict:
    """An order, changed for the `version`th time."""
    return {
        "id": number,
        "updated": f"2024-01-{day:02d}T00:00:00Z",
        "total": number + version / 4,
        "extra": {"v": version},
        "items": [{"sku": f"s{i}", "tags": ["a"] * (version + i)} for i in range(3 - version % 2)],
    }


def expected(given: dict) -> tuple:
    """The same order as `Loaders.orders` returns it."""
    extra = json.dumps(given["extra"], separators=(",", ":"))
    return given["total"], extra, [(item["sku"], item["tags"]) for item in given["items"]]


def stock(sku: str, count: int) -> dict:
    return {"shop": 1, "sku": sku, "count": count, "places": [{"shelf": n} for n in range(count)]}


# The orders of the source in each load: those of the last day and of days before it. Some of the latter have changed
# since, but not their day, so that only the cursor shows that they are out of range: they must not be loaded.
LOADS: list[dict[str, list]] = [
    {"orders": [order(1, 1), order(2, 2), order(3, 2)], "stock": [stock("a", 2), stock("b", 1)]},
    {"orders": [order(1, 1, 9), order(2, 2, 9), order(3, 2, 9), order(4, 2), order(5, 3)], "stock": [stock("a", 1)]},
    {"orders": [order(4, 2, 9), order(5, 3, 9), order(6, 3), order(1, 4, 2), order(7, 4)], "stock": [stock("a", 3)]},
    {"orders": [order(6, 3, 9), order(1, 4, 9), order(7, 4, 9), order(8, 4), order(3, 5, 3)], "stock": [stock("b", 2)]},
]
WANTED: list[dict[int, dict]] = [
    {1: order(1, 1), 2: order(2, 2), 3: order(3, 2)},
    {4: order(4, 2), 5: order(5, 3)},
    {6: order(6, 3), 1: order(1, 4, 2), 7: order(7, 4)},
    {8: order(8, 4), 3: order(3, 5, 3)},
]
STOCK: list[dict[str, int]] = [{"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 3, "b": 1}, {"a": 3, "b": 2}]


@pytest.fixture
def loaders(guest, tmp_path, monkeypatch) -> Iterator[Callable[..., Loaders]]:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    with Lab() as lab:
        read_directly(lab)
        yield lambda file_format=None, forgets=False: Loaders(lab, guest, tmp_path, file_format, forgets)


@pytest.mark.parametrize(
    ("turns", "file_format", "forgets"),
    [
        ("dsds", "jsonl", False),
        ("dsds", "jsonl", True),
        ("dsds", "parquet", True),
        ("sdsd", None, True),
        ("sdds", None, False),
    ],
)
def test_each_loader_continues_loads_of_the_other(loaders, turns, file_format, forgets):
    both = loaders(file_format, forgets)
    there: dict[int, dict] = {}
    seen: list[list[tuple]] = []
    ids: dict[str, str] = {}
    for number, (turn, load) in enumerate(zip(turns, LOADS, strict=True)):
        records = {**load, "events": [{"n": number, "l": [number]}], "prices": [{"p": number, "h": [1, number]}]}
        (both.dlt if turn == "d" else both.snowcat)(records)
        there |= WANTED[number]
        where = f"after load {number + 1} of {turns}"
        assert both.orders() == {n: expected(o) for n, o in there.items()}, where
        assert both.rows("EVENTS", "N") == [(n,) for n in range(number + 1)], where
        assert both.rows("EVENTS__L", "VALUE") == [(n,) for n in range(number + 1)], where
        assert both.rows("PRICES", "P") == [(number,)], where
        assert sorted(both.rows("PRICES__H", "VALUE")) == sorted([(1,), (number,)]), where
        assert dict(both.rows("STOCK", 'SKU, "COUNT"')) == STOCK[number], where
        shelves = both.rows("STOCK__PLACES", '"SHELF"')
        assert len(shelves) == sum(STOCK[number].values()), where
        # An id that dlt made of the key is kept, whichever loader writes the row.
        for sku, own in both.rows("STOCK", 'SKU, "_DLT_ID"'):
            assert ids.setdefault(sku, own) == own, where
        last = max(o["updated"] for o in there.values())
        assert both.cursor()["last_value"] == last, where
        assert len(both.cursor()["unique_hashes"]) == sum(o["updated"] == last for o in there.values()), where
        seen.append(both.columns())
        assert len(both.rows("_DLT_VERSION", "VERSION")) == 1, where
        assert len(both.rows("_DLT_LOADS", "LOAD_ID")) == number + 1, where
    assert all(columns == seen[0] for columns in seen), set(seen[0]) ^ set(seen[-1])


def test_schema_settings_apply_to_columns_that_snowcat_adds(loaders):
    both = loaders()
    both.settings = {
        "preferred_types": {"re:_price$|^price": "decimal", "re:(?i)^LABEL": "text", "made": "date"},
        "default_hints": {"unique": ["re:_code$"], "sort": ["re:^(made|n)$", "none"]},
    }
    both.dlt({"events": [{"n": 1, "net_price": 1, "l": [{"x_code": "a"}]}]})
    more = {
        "n": 2,
        "net_price": 2,
        "price_of": 3,
        "label_2": 4,
        "made": "2024-01-02T03:04:05Z",
        "l": [{"a_price": 1, "b_code": 5}],
    }
    both.snowcat({"events": [more]})
    kinds = {(table, column): (kind, scale) for table, column, kind, _, scale, _ in both.columns()}
    for place, kind in {
        ("EVENTS", "NET_PRICE"): ("NUMBER", 9),
        ("EVENTS", "PRICE_OF"): ("NUMBER", 9),
        ("EVENTS", "LABEL_2"): ("TEXT", None),
        ("EVENTS", "MADE"): ("DATE", None),
        ("EVENTS__L", "A_PRICE"): ("NUMBER", 9),
        ("EVENTS__L", "B_CODE"): ("NUMBER", 0),
    }.items():
        assert kinds[place] == kind, place
    there = both.columns()
    # The schema is the one that dlt would have made.
    both.dlt({"events": [{**more, "n": 3}]})
    assert both.columns() == there
    assert len(both.rows("_DLT_VERSION", "VERSION")) == 2
    assert both.rows("EVENTS", '"N"') == [(1,), (2,), (3,)]


if __name__ == "__main__":
    sys.exit(pytest.main([__file__, "-q"]))
