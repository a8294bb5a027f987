#!/usr/bin/env python3
"""Records what dlt stores of its schemas and states: `*.json` here and in `../state`.

    pip install 'dlt[duckdb,parquet]==1.31.0' && python record.py

A schema's file is a list of `{"version", "version_hash", "schema"}`: the rows of `_dlt_version` after
each run of a pipeline. A state's file is a list of `{"version", "version_hash", "state", "decoded"}`: the
rows of `_dlt_pipeline_state`, and what is in them once more, readable. `old.json` holds schemas of
former dlt versions, and what dlt makes of each.
"""

import copy
import datetime as dt
import decimal
import json
import os
import pathlib
import tempfile
import uuid

os.environ.update(RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="CRITICAL")

import dlt
import duckdb
from dlt.common.json import json as dlt_json
from dlt.common.pendulum import pendulum
from dlt.common.schema import Schema
from dlt.common.schema.migrations import migrate_schema
from dlt.common.utils import compressed_b64decode

HERE = pathlib.Path(__file__).parent


def record(name, runs, states=False):
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            name,
            pipelines_dir=folder,
            destination=dlt.destinations.duckdb(f"{folder}/warehouse.duckdb"),
            dataset_name="d",
        )
        for data, options in runs:
            pipeline.run(data(), **options)
        with duckdb.connect(f"{folder}/warehouse.duckdb") as database:
            schemas = database.execute(
                "SELECT version, version_hash, schema FROM d._dlt_version ORDER BY inserted_at"
            ).fetchall()
            rows = database.execute(
                "SELECT version, version_hash, state FROM d._dlt_pipeline_state ORDER BY version"
            ).fetchall()
    write(HERE, name, [{"version": v, "version_hash": h, "schema": json.loads(s)} for v, h, s in schemas])
    if states:
        rows = [
            {"version": v, "version_hash": h, "state": s, "decoded": json.loads(compressed_b64decode(s))}
            for v, h, s in rows
        ]
        write(HERE.parent / "state", name, rows)


def write(folder, name, rows):
    lines = ",\n".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    (folder / f"{name}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def plain():
    """Append, a value of another type, then merge: no source, no config."""
    table = {"table_name": "orders"}
    merge = table | {"write_disposition": "merge", "primary_key": "id"}
    record(
        "plain",
        [
            (lambda: [{"id": 1, "x": 1.5, "lines": [{"a": 1}]}], table),
            (lambda: [{"id": 2, "y": "q", "lines": [{"a": "no number"}]}], table),
            (lambda: [{"id": 2, "y": "r"}], merge),
        ],
    )


def naming():
    """Names that keep their case, and one that is long in bytes."""
    os.environ["SCHEMA__NAMING"] = "sql_cs_v1"
    row = {"camelCase": 1, "Ünïcødé🙂": [[1], [{"Z": None}]], "select": "2024-01-01T00:00:00Z"}
    record("naming", [(lambda: [row], {"table_name": "Order", "primary_key": "camelCase"})])
    del os.environ["SCHEMA__NAMING"]


def hints():
    """What resources can say of their tables."""

    @dlt.source(name="hinted", max_table_nesting=2, root_key=True)
    def source(new=False):
        @dlt.resource(
            name="Big Orders",
            primary_key=("Id", "shopId"),
            merge_key="day",
            write_disposition={
                "disposition": "merge",
                "strategy": "upsert",
                "skip_unchanged_rows": True,
                "row_version_column_name": "ver",
            },
            columns={
                "Amount": {
                    "data_type": "decimal",
                    "precision": 10,
                    "scale": 2,
                    "description": 'how "much" é',
                },
                "day": {"data_type": "date", "cluster": True, "nullable": True},
                "seq": {"dedup_sort": "desc"},
                "wall": {"data_type": "timestamp", "timezone": False, "precision": 3},
                "gone": {"hard_delete": True},
                "x": {"x-custom": {"b": 1e20, "a": [1e-7, None]}, "sort": True, "partition": True},
            },
            nested_hints={
                "items": dlt.mark.make_nested_hints(primary_key="sku", write_disposition="merge"),
                "lines": dlt.mark.make_nested_hints(columns=[{"name": "no", "data_type": "text"}]),
                ("lines", "parts"): dlt.mark.make_nested_hints(columns=[{"name": "qty", "data_type": "bigint"}]),
            },
            references=[{"referenced_table": "Shops", "columns": ["shopId"], "referenced_columns": ["Id"]}],
            max_table_nesting=3,
        )
        def orders(upd=dlt.sources.incremental("updatedAt", initial_value="2024-01-01T00:00:00Z")):
            row = {
                "Id": 1,
                "shopId": 2,
                "day": "2024-01-01",
                "Amount": "1.50",
                "ver": 1,
                "seq": 3,
                "wall": "2024-01-01T00:00:00Z",
                "gone": None,
                "x": "q",
                "updatedAt": "2024-01-02T00:00:00Z",
                "items": [{"sku": "a"}],
                "lines": [{"no": "1", "parts": [{"qty": 1, "deep": [{"z": 1}]}]}],
            }
            yield row | ({"fresh": True, "updatedAt": "2024-01-03T00:00:00Z"} if new else {})

        @dlt.resource(
            write_disposition={
                "disposition": "merge",
                "strategy": "scd2",
                "validity_column_names": ["from", "to"],
                "active_record_timestamp": "9999-12-31",
                "row_version_column_name": "hashId",
            }
        )
        def history():
            yield {"hashId": "a", "k": [1, 2]}

        @dlt.resource(
            schema_contract={"columns": "discard_value"},
            columns=[
                {"name": "a b", "data_type": "text"},
                {"name": "a_b", "nullable": False, "unique": True},
            ],
        )
        def strict():
            yield {"a b": "x", "o": {"p": [1]}}

        return orders, history, strict

    def hinted(new=False):
        made = source(new)
        made.schema.update_preferred_types({"re:_at$": "timestamp", "Num": "double"})
        made.schema.merge_hints({"not_null": ["Id"], "cluster": ["re:^sort_"]})
        return made

    record("hints", [(hinted, {}), (lambda: hinted(True), {})])


def cursors():
    """Cursors of every type, and what else a state can hold."""
    utc = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    starts = {
        "aware": (utc, lambda n: utc + dt.timedelta(days=n, microseconds=n)),
        "pendulum": (pendulum.datetime(2024, 1, 1), lambda n: pendulum.datetime(2024, 1, 1 + n)),
        "naive": (dt.datetime(2024, 1, 1), lambda n: dt.datetime(2024, 1, 1 + n)),
        "date": (dt.date(2024, 1, 1), lambda n: dt.date(2024, 1, 1 + n)),
        "decimal": (decimal.Decimal("0.10"), lambda n: decimal.Decimal("1.50") + n),
        "float": (1e-7, lambda n: 1e20 + n * 1e18),
        "text": ("2024-01-01T00:00:00Z", lambda n: f"2024-01-0{1 + n}T00:00:00Z"),
        "none": (None, lambda n: n),
    }

    @dlt.source(name="cursors")
    def source(step):
        def resource(name, start, value):
            @dlt.resource(name=name, primary_key="id")
            def rows(at=dlt.sources.incremental("at", initial_value=start)):
                yield [{"id": n, "at": value(n)} for n in range(2 + step)]

            return rows

        @dlt.resource
        def other(at=dlt.sources.incremental("a.b[0].c")):
            dlt.current.resource_state()["mine"] = {
                "é\U0001f600\u2028": [None, True, 0.1, b"\x00\xff", dt.time(10, 0, 1), "\u0001", 1e16]
            }
            dlt.current.source_state()["more"] = {"n": 2**64 - 1, "uuid": uuid.UUID(int=5)}
            yield [{"id": 1, "a": {"b": [{"c": step}]}}]

        @dlt.resource
        def bounded(at=dlt.sources.incremental("at", initial_value=1, end_value=3)):
            yield [{"at": n} for n in range(5)]

        return *(resource(name, *rest) for name, rest in starts.items()), other, bounded

    record("cursors", [(lambda: source(0), {}), (lambda: source(1), {})], states=True)


def old():
    """Schemas of former versions. The newer ones are the older ones, taken one step further."""
    text = {"data_type": "text", "nullable": False}
    row_id = text | {"unique": True}
    columns = {
        "id": {"data_type": "bigint", "nullable": True},
        "doc": {"data_type": "complex", "nullable": True},
        "nothing": {"nullable": True, "x-normalizer": {"seen-null-first": True}},
        "late": {"data_type": "text", "nullable": True, "x-normalizer": {"seen-null-first": True}},
        "_dlt_load_id": text,
        "_dlt_id": row_id,
    }
    nested = {
        "value": text | {"nullable": True},
        "_dlt_parent_id": text | {"foreign_key": True},
        "_dlt_list_idx": {"data_type": "bigint", "nullable": False},
        "_dlt_id": row_id,
    }
    default_hints = {"not_null": ["_dlt_id"], "foreign_key": ["_dlt_parent_id"], "unique": ["_dlt_id"]}
    relational = {
        "module": "dlt.common.normalizers.json.relational",
        "config": {"generate_dlt_id": True, "max_nesting": 5},
    }
    own = json.loads(dlt_json.dumps(Schema("old").to_dict()))["tables"]
    seven = {
        "version": 3,
        "version_hash": "",
        "engine_version": 7,
        "name": "old",
        "tables": own
        | {
            "orders": {"columns": columns, "write_disposition": "append"},
            "orders__tags": {"columns": nested, "parent": "orders"},
        },
        "settings": {
            "detections": ["iso_timestamp"],
            "default_hints": default_hints,
            "preferred_types": {"re:^doc": "complex", "n": "bigint"},
        },
        "normalizers": {"names": "snake_case", "json": relational},
    }
    rows, stored = [], seven
    for engine in range(7, 12):
        migrated = Schema.from_dict(copy.deepcopy(stored)).to_dict()
        rows.append(json.loads(dlt_json.dumps({"stored": stored, "migrated": migrated})))
        if engine < 11:
            stored = migrate_schema(copy.deepcopy(stored), engine, engine + 1)
    write(HERE, "old", rows)


if __name__ == "__main__":
    plain()
    naming()
    hints()
    cursors()
    old()
