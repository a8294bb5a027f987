"""Merges beyond the recorded cases: what dlt lacks, and what must not depend on repetition."""

from __future__ import annotations

import datetime as dt
import json
import pathlib
from typing import Any

import pytest
from conformance import cases
from conformance.emulated import Emulated
from conformance.job import job, pages
from snowcat_procedure import LoadError

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CASES = pathlib.Path(__file__).parents[1] / "data/conformance/cases"
# One case of each way to write, each with children.
REPLAYED = (
    "merge_delete_insert",
    "merge_delete_insert_pk_and_mk",
    "merge_hard_delete",
    "merge_upsert",
    "merge_upsert_skip_unchanged",
    "merge_upsert_hard_delete",
    "merge_insert_only",
    "merge_cdc",
    "merge_cdc_mk",
    "merge_cdc_scope",
    "merge_scd2",
    "merge_scd2_children",
    "merge_scd2_flat_mk",
    "merge_scd2_version_children",
    "merge_upsert_source_filter",
    "merge_di_source_filter",
    "replace_truncate",
    "replace_insert_from_staging",
    "switch_append_to_merge",
)


@pytest.fixture(scope="module")
def account():
    with Emulated(direct=True) as made:
        yield made


class Shop:
    """One table of a new dataset, loaded day after day."""

    def __init__(self, account: Emulated, guest: Any, **resource: Any) -> None:
        self.account, self.guest, self.resource, self.days = account, guest, resource, 0
        account.clear()

    def load(self, *rows: dict, **more: Any) -> dict:
        """One load of these records. Returns its report."""
        text = job({"table_name": "orders", **self.resource, **more})
        held = pages("\n".join(json.dumps(row) for row in rows))
        self.days += 1
        return self.account.load(text, held, START + dt.timedelta(days=self.days), self.guest, lambda _: None)

    def rows(self, columns: str, table: str = "ORDERS") -> list[tuple]:
        """The rows of the table."""
        return sorted((tuple(r) for r in self.account.lab.sql(f'SELECT {columns} FROM RAW."D"."{table}"')), key=repr)

    def children_are_whole(self, table: str = "ORDERS__K") -> bool:
        """Whether every nested row has its root, and every id exists once."""
        lost = f'SELECT COUNT(*) FROM RAW."D"."{table}" WHERE "_DLT_ROOT_ID" NOT IN (SELECT "_DLT_ID" FROM RAW."D"."ORDERS")'
        twice = f'SELECT COUNT(*) - COUNT(DISTINCT "_DLT_ID") FROM RAW."D"."{table}"'
        return [self.account.lab.sql(sql)[0][0] for sql in (lost, twice)] == [0, 0]


def merge(strategy: str, **options: Any) -> dict:
    return {"disposition": "merge", "strategy": strategy, **options}


def everything(account: Emulated) -> dict[str, list]:
    """All rows except columns of the load: a load without changes may still be recorded as the last one."""
    found = {}
    for (table,) in account.lab.sql("SELECT TABLE_NAME FROM RAW.INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'D'"):
        if table.startswith("_DLT"):
            continue
        names = account.lab.sql(
            f"SELECT COLUMN_NAME FROM RAW.INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = 'D' AND TABLE_NAME = '{table}'"
        )
        kept = [f'"{name}"' for (name,) in names if name[:4] != "_DLT" or name in ("_DLT_LIST_IDX", "_DLT_VALID_TO")]
        found[table] = sorted(
            (tuple(r) for r in account.lab.sql(f'SELECT {", ".join(kept)} FROM RAW."D"."{table}"')), key=repr
        )
    return found


@pytest.mark.parametrize("name", REPLAYED)
def test_repeated_load_changes_nothing(account, guest, name):
    runs = cases.Case.read(CASES / name).runs()
    account.clear()
    now = START
    seen = []
    for run in [*runs, runs[-1], runs[-1]]:
        now += dt.timedelta(days=1)
        account.load(job(run.config), pages(run.input.read_text(encoding="utf-8")), now, guest, lambda _: None)
        seen.append(everything(account))
    assert seen[-3] == seen[-2] == seen[-1]
    assert any(seen[-1].values())


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "cdc"])
def test_an_older_row_never_overwrites_a_newer_one(account, guest, strategy):
    shop = Shop(account, guest, primary_key="id", write_disposition=merge(strategy, newer_by="Rev"))
    shop.load({"id": 1, "Rev": 5, "v": "a", "k": [1, 2]}, {"id": 2, "Rev": 5, "v": "a", "k": [3]}, {"id": 3, "v": "a"})
    shop.load(
        {"id": 1, "Rev": 4, "v": "old", "k": [9, 9, 9]},
        {"id": 2, "Rev": 5, "v": "same", "k": [4]},
        {"id": 3, "Rev": 1, "v": "aged", "k": [5]},
        {"id": 4, "Rev": 2, "v": "newest", "k": [6]},
        {"id": 4, "Rev": 1, "v": "last", "k": [7]},
    )
    rows = [(1, 5, "a"), (2, 5, "same"), (3, 1, "aged"), (4, 2, "newest")]
    assert shop.rows('"ID", "REV", "V"') == rows
    assert shop.rows('"VALUE"', "ORDERS__K") == [(n,) for n in (1, 2, 4, 5, 6)]
    # A missing age is older than any.
    shop.load({"id": 2, "v": "ageless"}, {"id": 4, "Rev": 3, "v": "newer"})
    expected = [(2, "same"), (4, "newer")]
    # Only cdc deletes absent rows; an old row is present.
    assert shop.rows('"ID", "V"') == (
        expected if strategy == "cdc" else [(1, "a"), *expected[:1], (3, "aged"), *expected[1:]]
    )
    assert shop.children_are_whole()


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ({"write_disposition": merge("delete-insert", newer_by="v"), "merge_key": "g"}, "by their primary_key"),
        ({"write_disposition": merge("upsert", newer_by="w"), "primary_key": "id"}, "expected a column of the table"),
        ({"write_disposition": merge("upsert")}, "expected a primary_key"),
        ({"write_disposition": merge("upsert", source_filter="{table}.id = 1"), "primary_key": "id"}, "no placeholder"),
        (
            {"write_disposition": merge("cdc", destination_scope="{tabel}"), "primary_key": "id"},
            "{table} or {staging_table}",
        ),
        ({"write_disposition": merge("scd2", boundary_timestamp="soon")}, "a date or an instant as boundary_timestamp"),
        (
            {"write_disposition": "merge", "columns": {"v": {"hard_delete": True}, "g": {"hard_delete": True}}},
            "expected one column with hard_delete",
        ),
    ],
)
def test_incompatible_options_are_rejected(account, guest, resource, words):
    shop = Shop(account, guest, **resource)
    with pytest.raises(LoadError) as caught:
        shop.load({"id": 1, "v": 1, "g": 1})
    assert caught.value.details["kind"] == "config" and words in caught.value.details["message"]


def test_skipped_resource_is_not_read(account, guest):
    shop = Shop(account, guest, write_disposition="append")
    shop.load({"id": 1})
    assert "was not read" in shop.load({"id": 2}, write_disposition="skip")["warnings"][0]
    assert shop.rows('"ID"') == [(1,)]


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "insert-only", "cdc"])
def test_null_is_a_key_value(account, guest, strategy):
    hints = {"id": {"nullable": True}, "part": {"nullable": True}}
    shop = Shop(account, guest, primary_key=["id", "part"], columns=hints, write_disposition=merge(strategy))
    shop.load({"id": 1, "v": 1, "k": [1]}, {"id": 1, "part": "a", "v": 1}, {"part": "b", "v": 1, "k": [2]})
    shop.load(
        {"id": 1, "v": 2, "k": [3, 4]}, {"id": 1, "part": "a", "v": 2}, {"id": None, "part": "b", "v": 2, "k": [5]}
    )
    new = 1 if strategy == "insert-only" else 2
    assert shop.rows('"ID", "PART", "V"') == [(1, "a", new), (1, None, new), (None, "b", new)]
    # Where nothing is replaced, new elements of a list are still new.
    assert shop.rows('"VALUE"', "ORDERS__K") == [(1,), (2,), (4,)] if new == 1 else [(3,), (4,), (5,)]
    assert shop.children_are_whole()


@pytest.mark.parametrize("strategy", ["delete-insert", "upsert", "insert-only", "cdc", "scd2"])
def test_deleted_rows_never_appear(account, guest, strategy):
    keys = {"merge_key": "id"} if strategy == "scd2" else {"primary_key": "id"}
    shop = Shop(account, guest, columns={"gone": {"hard_delete": True}}, write_disposition=merge(strategy), **keys)
    shop.load({"id": 1, "gone": False, "k": [1]}, {"id": 2, "k": [2]}, {"id": 3, "gone": True, "k": [3]})
    shop.load({"id": 1, "gone": True, "k": [1]}, {"id": 2, "gone": None, "k": [2]}, {"id": 4, "gone": True, "k": [4]})
    active = ' WHERE "_DLT_VALID_TO" IS NULL' if strategy == "scd2" else ""
    there = [(1,), (2,)] if strategy == "insert-only" else [(2,)]
    assert sorted(map(tuple, account.lab.sql(f'SELECT "ID" FROM RAW."D"."ORDERS"{active}'))) == there
    # Two versions of the second row: the later one is not deleted.
    children = {"insert-only": [(1,), (2,)], "scd2": [(1,), (2,), (2,)]}.get(strategy, [(2,)])
    assert shop.rows('"VALUE"', "ORDERS__K") == children
    assert shop.children_are_whole()


def test_statements_have_the_ranges_of_the_keys(account, guest):
    shop = Shop(
        account,
        guest,
        primary_key=["id", "day", "name"],
        write_disposition=merge("upsert"),
        columns={"day": {"data_type": "date"}},
    )
    rows = [{"id": n, "day": f"2024-01-{n:02d}", "name": f"it's {n}", "k": [n]} for n in range(1, 10)]
    shop.load(*rows)
    seen: list[str] = []
    account.lab.on_statement(lambda entry: seen.append(entry.sql))
    shop.load(*rows[3:6])
    account.lab.on_statement(None)
    bounds = (
        "d.\"DAY\" BETWEEN TO_DATE('2024-01-04', 'YYYY-MM-DD') AND TO_DATE('2024-01-06', 'YYYY-MM-DD') AND "
        "d.\"ID\" BETWEEN 4 AND 6 AND d.\"NAME\" BETWEEN 'it''s 4' AND 'it''s 6'"
    )
    assert len([sql for sql in seen if bounds in sql]) == 2
    assert len(shop.rows('"ID"')) == 9


def test_comments_clusters_and_keys_of_new_tables(account, guest):
    shop = Shop(account, guest, primary_key="id", columns={"v": {"cluster": True, "description": "it's v"}})
    seen: list[str] = []
    account.lab.on_statement(lambda entry: seen.append(entry.sql))
    shop.load({"id": 1, "v": 1})
    shop.load({"id": 1, "v": 1, "w": 2})
    account.lab.on_statement(None)
    (made,) = [sql for sql in seen if sql.startswith("CREATE TABLE") and '"ORDERS"' in sql]
    assert made.endswith('CLUSTER BY ("V")') and "COMMENT 'it''s v'" in made
    assert not any("CLUSTER" in sql for sql in seen if sql.startswith("ALTER"))
