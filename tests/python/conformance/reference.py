"""dlt's result of a case in canonical form: on DuckDB, with the statements for Snowflake.

dlt reads settings from the process's environment, which must have PYTHONHASHSEED=0 and TZ=UTC as in `record`.
"""

from __future__ import annotations

import copy
import datetime as dt
import json
import logging
import os
import re
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "LOAD__WORKERS": "1",
        "NORMALIZE__WORKERS": "1",
        "LOAD__RUN_SLEEP": "0",
        "NORMALIZE__RUN_SLEEP": "0",
        "LOAD__RAISE_ON_MAX_RETRIES": "1",
        "LOAD__RAISE_ON_FAILED_JOBS": "true",
        "DLT_TELEMETRY_DISABLED": "1",
    }
)
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import dlt
import duckdb
import orjson
from dlt.common.time import ensure_datetime_in_tz

from . import canonical, statements

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from .cases import Run

OF_THE_RESOURCE = (
    "table_name",
    "write_disposition",
    "primary_key",
    "merge_key",
    "columns",
    "schema_contract",
    "nested_hints",
    "references",
)
LIMIT = 255  # Snowflake's; DuckDB has none


def result(runs: list[Run], snowflake: bool = True) -> dict[str, Any]:
    """Tables, schema and loads of a case, and dlt's statements for Snowflake if requested."""
    with tempfile.TemporaryDirectory(prefix="reference_") as folder:
        made = {"dlt_version": dlt.__version__, **_on_duckdb(runs, folder)}
        if snowflake and runs[0].config.get("snowflake", True):
            made["snowflake"] = _for_snowflake(runs, folder)
        return made


def _on_duckdb(runs: list[Run], folder: str) -> dict[str, Any]:
    place = f"{folder}/dd/pipelines"
    limit = runs[0].config.get("max_identifier_length", LIMIT)
    # dlt opens and closes a file for every step of a load, which takes half of its time.
    database = duckdb.connect(":memory:")
    destination = dlt.destinations.duckdb(database, max_identifier_length=limit, max_column_identifier_length=limit)
    pipeline = None
    report, load_ids = [], []
    for number, run in enumerate(runs):
        _environment(run.config)
        pipeline = pipeline or dlt.pipeline("oracle", pipelines_dir=place, destination=destination, dataset_name="d")
        entry: dict[str, Any] = {"load": number}
        try:
            info = pipeline.run(_source(run), loader_file_format=run.config.get("loader_file_format", "parquet"))
            load_ids += [package.load_id for package in info.load_packages]
            normalized = pipeline.last_trace.last_normalize_info
            counts = normalized.row_counts if normalized else {}
            entry["row_counts"] = {k: v for k, v in sorted(counts.items()) if not k.startswith("_dlt")}
        except Exception as error:  # noqa: BLE001 - the error of dlt is recorded
            root = _root_of(error)
            message = _without_ids(str(root).split("\n")[0])[:300]
            entry["error"] = {"step": getattr(error, "step", None), "type": type(root).__name__, "message": message}
            _drop_pending(pipeline)
        entry["schema_version"] = pipeline.default_schema.version if pipeline.default_schema_name else None
        report.append(entry)
    tables, schema = _dataset(pipeline, database, load_ids, runs[0].config.get("raw_ids", False))
    return {"tables": tables, "schema": schema, "loads": report}


def _for_snowflake(runs: list[Run], folder: str) -> list[dict[str, Any]]:
    place = f"{folder}/sf/pipelines"
    statements.install()
    limit = runs[0].config.get("max_identifier_length")
    more = {} if limit is None else {"max_identifier_length": limit, "max_column_identifier_length": limit}
    destination = dlt.destinations.snowflake(credentials="snowflake://u:p@acct/MYDB?warehouse=WH&role=R", **more)
    pipeline = None
    recorded = []
    for run in runs:
        _environment(run.config)
        statements.LOG.clear()
        pipeline = pipeline or dlt.pipeline("oraclesf", pipelines_dir=place, destination=destination, dataset_name="d")
        entry = {}
        try:
            pipeline.run(_source(run), loader_file_format=run.config.get("loader_file_format", "parquet"))
        except Exception as error:  # noqa: BLE001 - the error of dlt is recorded
            entry["error"] = type(_root_of(error)).__name__
            _drop_pending(pipeline)
        recorded.append({**entry, **statements.classified()})
    return recorded


def _environment(config: dict[str, Any]) -> None:
    for variable, key in (("SCHEMA__NAMING", "naming"), ("DESTINATION__REPLACE_STRATEGY", "replace_strategy")):
        os.environ.pop(variable, None)
        if config.get(key):
            os.environ[variable] = config[key]


def _source(run: Run) -> Any:
    config = run.config
    given = {key: copy.deepcopy(config[key]) for key in OF_THE_RESOURCE if key in config}
    if "nested_hints" in given:
        given["nested_hints"] = {tuple(k.split("/")) if "/" in k else k: v for k, v in given["nested_hints"].items()}
    records = list(_records(run.input, config.get("json_parser", "orjson")))
    resource = dlt.resource(
        records, name=config["table_name"], max_table_nesting=config.get("max_table_nesting"), **given
    )
    if "incremental" in config:
        resource.add_step(dlt.sources.incremental(**config["incremental"]))

    @dlt.source(name="src", root_key=bool(config.get("root_key")))
    def src() -> Any:
        return resource

    source = src()
    if "root_key" not in config:
        # The default: only if merging needs it.
        settings = source.schema._normalizers_config["json"].get("config")
        if settings:
            settings.pop("root_key_propagation", None)
    return source


def _records(path: pathlib.Path, parser: str) -> Iterator[Any]:
    with path.open("rb") as file:
        for line in map(bytes.strip, file):
            if line:
                yield orjson.loads(line) if parser == "orjson" else json.loads(line)


def _dataset(pipeline: Any, database: Any, load_ids: list[str], raw_ids: bool) -> tuple[dict, dict]:
    if not pipeline.default_schema_name:
        return {}, {}
    stored = pipeline.default_schema
    known = {n: t for n, t in stored.tables.items() if not n.startswith(stored._dlt_tables_prefix)}
    names = {stored.naming.normalize_identifier(name): name for name in canonical.SYSTEM}
    bounds = _boundaries(pipeline, load_ids)
    raw: dict[str, list] = {}
    with database.cursor() as connection:
        connection.execute("SET TimeZone='UTC'")
        types: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'd'"
        ).fetchall():
            types.setdefault(table, {})[column] = kind
        schema = canonical.schema(known, set(types))
        for name, table in schema.items():
            for column in table["columns"]:
                if column["name"] in types.get(name, {}):
                    column["db_type"] = types[name][column["name"]]
            if name in types:
                cursor = connection.execute(f'SELECT * FROM d."{name}"')
                columns = [described[0] for described in cursor.description]
                data_types = {c["name"]: c.get("data_type") for c in table["columns"]}
                raw[name] = [
                    {
                        names.get(c, c): canonical.value(v, data_types.get(c), bounds)
                        for c, v in zip(columns, row, strict=True)
                        if v is not None
                    }
                    for row in cursor.fetchall()
                ]
    return canonical.tables(raw, schema, load_ids, raw_ids), schema


def _boundaries(pipeline: Any, load_ids: list[str]) -> dict[dt.datetime, int]:
    """The instants at which the packages were created, at which versions of scd2 begin and end."""
    packages = pipeline._get_load_storage().loaded_packages
    bounds = {}
    for number, load_id in enumerate(load_ids):
        try:
            made = packages.get_load_package_state(load_id)["created_at"]
        except FileNotFoundError:
            continue
        bounds[ensure_datetime_in_tz(made, dt.UTC)] = number
    return bounds


def _drop_pending(pipeline: Any) -> None:
    if pipeline.has_pending_data:
        pipeline.drop_pending_packages()


def _root_of(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def _without_ids(message: str) -> str:
    message = re.sub(r"job_id=[\w.]+-?[\w.]*", "job_id=<JOB>", message)
    message = re.sub(r"\b\d{10}\.\d+", "<LOAD_ID>", message)
    message = re.sub(re.escape(tempfile.gettempdir()) + r"/reference_[^/]+", "<TMP>", message)
    message = re.sub(r"Offending data item:.*", "Offending data item: <ITEM>", message)
    return re.sub(r"\.[0-9a-f]{10}\.", ".<FID>.", message)
