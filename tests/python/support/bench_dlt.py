#!/usr/bin/env python3
"""dlt's side of the benchmark: one NDJSON file through extract and normalize, to Parquet for Snowflake.

    python bench_dlt.py FILE [--table NAME] [--nesting N] [--keep DIR]

Prints one JSON object. One run, one worker, one process: the benchmark starts a fresh process for each
run and takes the median, since dlt keeps caches. `seconds` is extract plus normalize, without what
starting Python and importing dlt take (`import_seconds`): the kinder figure for dlt.
Nothing is loaded and no connection is opened; Snowflake's capabilities decide names, types and file format.
"""

import argparse
import json
import os
import resource
import shutil
import sys
import tempfile
import time

STARTED = time.perf_counter()

os.environ.update(
    {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
        "NORMALIZE__WORKERS": "1",
        "EXTRACT__WORKERS": "1",
        "TZ": "UTC",
    }
)

import dlt
import orjson

IMPORTED = time.perf_counter()

# The size of the component's pages.
PAGE_BYTES = 4 << 20


def pages(path):
    """Lists of records, as a paged source would yield them."""
    page, size = [], 0
    with open(path, "rb", buffering=1 << 20) as lines:
        for line in lines:
            page.append(orjson.loads(line))
            size += len(line)
            if size >= PAGE_BYTES:
                yield page
                page, size = [], 0
    if page:
        yield page


def staged(directory):
    """The size and number of the Parquet files below a directory."""
    size = count = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            if name.endswith(".parquet"):
                size += os.path.getsize(os.path.join(folder, name))
                count += 1
    return size, count


def run(path, table, nesting, directory):
    """Extracts and normalizes. Returns the measurements."""
    pipeline = dlt.pipeline(
        "bench",
        pipelines_dir=directory,
        # Never connected to: extract and normalize only ask for its capabilities.
        destination=dlt.destinations.snowflake(credentials="snowflake://user:unused@account/BENCH?warehouse=WH&role=R"),
        dataset_name="bench",
    )
    records = dlt.resource(pages(path), name=table, write_disposition="append", max_table_nesting=nesting)
    begin = time.perf_counter()
    pipeline.extract(records, loader_file_format="parquet")
    extracted = time.perf_counter()
    normalized_info = pipeline.normalize(workers=1)
    normalized = time.perf_counter()

    tables = pipeline.default_schema.data_tables()
    rows = {name: count for name, count in normalized_info.row_counts.items() if not name.startswith("_dlt_")}
    if not rows.get(table):
        sys.exit(f"expected rows in table {table}, dlt reports {rows}")
    size, files = staged(directory)
    return {
        "dlt_version": dlt.__version__,
        "extract_seconds": round(extracted - begin, 4),
        "normalize_seconds": round(normalized - extracted, 4),
        "seconds": round(normalized - begin, 4),
        "import_seconds": round(IMPORTED - STARTED, 4),
        "records": rows[table],
        "rows": rows,
        "row_count": sum(rows.values()),
        "tables": len(rows),
        # Columns without a type never had a value: they exist in no table.
        "columns": sum(sum(1 for column in found["columns"].values() if "data_type" in column) for found in tables),
        "parquet_bytes": size,
        "parquet_files": files,
        # Kilobytes on Linux.
        "peak_memory_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="NDJSON, one record a line")
    parser.add_argument("--table", default="records", help="the root table's name")
    parser.add_argument("--nesting", type=int, help="levels of nested tables; no limit by default")
    parser.add_argument("--keep", help="leave dlt's working directory here")
    options = parser.parse_args()
    directory = options.keep or tempfile.mkdtemp(prefix="bench_dlt_")
    try:
        print(json.dumps(run(options.file, options.table, options.nesting, directory)))
    finally:
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
