"""A hand-written `rest_api` source of dlt and the ready-made job make the same tables of the same service."""

from __future__ import annotations

from typing import Any

import dlt
import dlt_sources
import duckdb
import fakes
import local_jobs
import pytest
import snowcat_credentials
from conformance import compare, reference  # before dlt: it sets dlt's environment


def of_dlt(source: str, address: str, page: int, pipeline: Any) -> list[str]:
    """A run of dlt. Returns the ids of its loads."""
    info = pipeline.run(getattr(dlt_sources, source)(address, page), loader_file_format="parquet")
    return [package.load_id for package in info.load_packages]


@pytest.mark.parametrize("source", ["github", "pagerduty"])
def test_tables_are_those_of_dlt(guest, tmp_path, monkeypatch, source):
    monkeypatch.setattr(snowcat_credentials, "secret", local_jobs.secrets)
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "data"))
    database = str(tmp_path / "dlt.duckdb")
    destination = dlt.destinations.duckdb(database, max_identifier_length=255, max_column_identifier_length=255)
    pipeline = dlt.pipeline(source, pipelines_dir=str(tmp_path / "p"), destination=destination, dataset_name="d")
    loads: list[str] = []
    with fakes.fake(source, 24) as site, local_jobs.Local(guest, direct=True) as snowcat:
        job = local_jobs.job(source, site.address, 7)
        for turn in ("the first load", "the second, after something has changed"):
            loads += of_dlt(source, site.address, 7, pipeline)
            by_dlt = site.requests()
            snowcat.run_job(job)
            by_snowcat = site.requests()
            with duckdb.connect(database) as connection:
                tables, schema = reference._dataset(pipeline, connection, loads, False)
            found = snowcat.shown()
            assert sum(map(len, tables.values())) > 100
            differences = compare.differences({"tables": tables, "schema": schema}, found, ("schema", "tables"))
            assert not differences, f"{turn}:\n" + "\n".join(differences[:40])
            assert asked(by_dlt) == asked(by_snowcat), turn
            site.advance()


def asked(requests: list[dict]) -> list[tuple]:
    """The distinct requests."""
    return sorted({(r["path"], tuple(sorted(r["query"].items()))) for r in requests})
