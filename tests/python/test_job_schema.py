"""The JSON schema of a job for editors, `procedures/jobs/job.schema.json`.

It must accept every job of the project, and whatever it rejects must be rejected by the load, too: an editor must not
mark a valid job. (`guest/src/job/tests/schema.rs` tests that keys and words are the parser's, in both directions.) It
is deliberately stricter in one point: null has no effect, so it is rejected unless it differs from a missing key.
"""

from __future__ import annotations

import copy
import json
import pathlib
import random

import jsonschema
import pytest
from wasmtime.component import Record

JOBS = pathlib.Path(__file__).resolve().parents[2] / "procedures/jobs"
SCHEMA = json.loads((JOBS / "job.schema.json").read_text("utf-8"))
SHIPPED = sorted(file for file in JOBS.glob("*.json") if file.name != "job.schema.json")
VALUES = [True, 0, -1, 1.5, "", "x", "~~ ~~", [], {}, [[1]], {"~~": 1}, [1, None], 10**12]
NOW = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def validator():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    return jsonschema.Draft7Validator(SCHEMA)


def whole(file: pathlib.Path) -> dict:
    """The job with values for what is filled in at installation."""
    text = file.read_text("utf-8")
    while "{{" in text:
        start = text.index("{{")
        text = f"{text[:start]}snowcat{text[text.index('}}', start) + 2 :]}"
    return json.loads(text)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_shipped_jobs_match_the_schema(file, validator):
    for job in (json.loads(file.read_text("utf-8")), whole(file)):
        assert [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(job)] == []


def test_jobs_that_the_schema_rejects_are_rejected_by_the_load(guest, validator):
    refused, wrong = 0, []
    for job in specimens():
        assert not list(validator.iter_errors(job)), job
        started = guest.start(json.dumps(job), NOW)
        assert not isinstance(started, Record), (vars(started), job)
        for changed, what in mutations(job):
            if validator.is_valid(changed):
                continue
            refused += 1
            if not isinstance(guest.start(json.dumps(changed), NOW), Record):
                wrong.append(what)
    assert wrong == []
    assert refused > 1000


def test_comments_are_allowed_everywhere(guest, validator):
    def commented(value):
        if isinstance(value, dict):
            return {"//": ["why"], **{key: commented(inner) for key, inner in value.items()}}
        return [commented(inner) for inner in value] if isinstance(value, list) else value

    for job in map(commented, specimens()):
        assert not list(validator.iter_errors(job)), job
        assert not isinstance(guest.start(json.dumps(job), NOW), Record), job


def specimens() -> list[dict]:
    """Small jobs that together have most keys of a job, and the shipped ones."""
    base = {"pipeline": "p", "database": "D", "dataset": "s", "client": {"base_url": "https://x.net/"}}

    def job(resource: dict, **more) -> dict:
        return {**base, "resources": [{"name": "items", **resource}], **more}

    cursor = {
        "cursor_path": "at",
        "initial_value": 1,
        "end_value": 2,
        "lag": 1,
        "row_order": "asc",
        "range_end": "closed",
        "start_param": "a",
        "end_param": "b",
        "convert": {"truncate": 10, "template": "{value}"},
    }
    oauth = {
        "type": "oauth2_client_credentials",
        "hosts": ["x.net"],
        "access_token_url": "https://x.net/token",
        "access_token_request_data": {"scope": "a"},
        "client_authentication": "basic",
        "secret": "s",
    }
    paginators = [
        "auto",
        {"type": "single_page"},
        {"type": "cursor", "cursor_path": "a.b", "cursor_param": "c", "has_more_path": "d"},
        {"type": "offset", "limit": 5, "total_path": None, "maximum_offset": 10},
        {"type": "page_number", "base_page": 1},
        *(
            example
            for name, definition in SCHEMA["definitions"].items()
            if name.startswith("paginator_")
            for example in definition["examples"]
        ),
    ]
    return [
        job(
            {"endpoint": "items", "primary_key": ["a", "b"], "merge_key": "c", "selected": True, "max_table_nesting": 2}
        ),
        job(
            {"columns": {"a": {"data_type": "text", "precision": 5, "dedup_sort": "desc"}}, "unnest": ["a.*"]},
            schema_contract={"columns": "freeze"},
            interval={"start": "2026-01-01", "end": "2026-01-02"},
            naming="direct",
            refresh="drop_data",
        ),
        job(
            {
                "columns": [{"name": "a", "cluster": True}],
                "nested_hints": {"a.b": {"primary_key": "id"}},
                "source": "pull",
            }
        ),
        job({"write_disposition": {"disposition": "merge", "strategy": "upsert", "skip_unchanged_rows": True}}),
        job({"endpoint": {"params": {"since": {"type": "incremental", "cursor_path": "at"}, "n": [1, "a"]}}}),
        job(
            {
                "endpoint": {
                    "path": "a",
                    "method": "POST",
                    "json": {"a": [1]},
                    "headers": {"x": "y"},
                    "incremental": cursor,
                    "response_actions": [{"status_code": 404, "action": "ignore"}],
                }
            }
        ),
        {
            **base,
            "resources": [
                "posts",
                {
                    "name": "items",
                    "include_from_parent": ["id"],
                    "endpoint": {
                        "path": "p/{id}/x",
                        "params": {"id": {"type": "resolve", "resource": "posts", "field": "id"}},
                    },
                },
            ],
        },
        job(
            {
                "processing_steps": [
                    {
                        "filter": {
                            "path": "a",
                            "equals": 1,
                            "in": [1, None],
                            "above": 0,
                            "contains": "x",
                            "exists": True,
                        }
                    },
                    {"filter": {"any": [{"path": "a", "at_most": "x"}], "not": True}},
                    {"rename": {"a.b": "c"}},
                    {"exclude": ["a"]},
                    {"include": ["l[*].b"]},
                ]
            }
        ),
        job(
            {"endpoint": {"data_selector": "a"}},
            credentials={"c": oauth, "//": 1},
            resource_defaults={"primary_key": "id"},
        ),
        job(
            {"endpoint": {"auth": "c"}},
            credentials={"c": {"type": "api_key", "hosts": ["x.net"], "location": "cookie"}},
        ),
        {
            **base,
            "resources": [
                {"name": "parents", "endpoint": "parents"},
                {
                    "name": "items",
                    "include_from_parent": ["a"],
                    "endpoint": {
                        "path": "a/{x}/b",
                        "params": {"x": {"type": "resolve", "resource": "parents", "field": "id"}},
                    },
                },
            ],
        },
        *(job({"endpoint": {"paginator": paginator}}) for paginator in paginators),
        *map(whole, SHIPPED),
    ]


def mutations(job: dict):
    """The job with one change: a key removed, an unknown key added, or another value; and a description of the
    change.
    """
    places = list(walk(job))
    random.Random(1).shuffle(places)
    for place in places[:40]:
        for value in [..., *VALUES]:
            changed = copy.deepcopy(job)
            parent = changed
            for key in place[:-1]:
                parent = parent[key]
            if value is ...:
                del parent[place[-1]]
            else:
                parent[place[-1]] = value
            yield changed, (place, value)
        changed = copy.deepcopy(job)
        target = changed
        for key in place:
            target = target[key]
        if isinstance(target, dict):
            target["~~"] = 1
            yield changed, (place, "an unknown key")


def walk(value, place=()):
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*place, key)
        yield from walk(inner, (*place, key))
