"""The arguments of a procedure, and the JSON of a failed load."""

from __future__ import annotations

import json
import pathlib

import pytest
import snowcat_procedure as host
from snowcat_fault import LONGEST, LoadError
from snowcat_job import AS_TEXT, Given, filled, settings, variant

PLACEHOLDERS = json.loads((pathlib.Path(__file__).parents[1] / "data/placeholders.json").read_text("utf-8"))


class SqlNull:
    """SQL NULL within a VARIANT, as Snowflake passes it."""

    is_sql_null = True


# --- a job ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1.5}', {"a": 1.5}),
        ({"a": SqlNull(), "b": [SqlNull(), 1]}, {"a": None, "b": [None, 1]}),
        ({"a": (1, 2)}, {"a": [1, 2]}),
    ],
)
def test_a_job_is_text_or_an_object(given, expect):
    made = Given(given)
    assert made.job == expect and json.loads(made.text) == expect


def test_job_given_as_text_is_unchanged():
    text = '{"b": 1.50, "a": 12345678901234567890123}'
    assert Given(text).text == text


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (None, "a job is an object, not NULL"),
        (SqlNull(), "a job is an object, not NULL"),
        ("null", "a job is an object, not NULL"),
        ([1], "a job is an object, not a list"),
        (1, "a job is an object, not a int"),
        ("[]", "a job is an object, not a list"),
        ("{", "the job is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ("", "the job is not JSON: Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_invalid_jobs_are_faults(given, message):
    with pytest.raises(LoadError) as caught:
        host.load(None, given)
    reported = json.loads(str(caught.value))
    assert (reported["kind"], reported["message"]) == ("config", message)


# Snowflake passes 1.5 in PARSE_JSON('..') as '1.5'.
LAG = {"resources": [{"incremental": {"lag": "1.5", "name": "1.5"}, "//": "1.5"}]}


@pytest.mark.parametrize(
    ("given", "message", "explained"),
    [
        (LAG, 'expected a number, found "1.5"', True),
        (LAG, 'expected a number, found "soon"', False),
        (LAG, "the table is gone", False),
        (json.dumps(LAG), 'expected a number, found "1.5"', False),
        ({"lag": "x"}, 'expected a number, found "2"', False),
    ],
)
def test_number_passed_as_string_is_explained(given, message, explained):
    assert Given(given).explained(message) == (f"{message}. {AS_TEXT}" if explained else message)


@pytest.mark.parametrize(
    ("given", "places"),
    [
        (LAG, ['resources[0].incremental.lag = "1.5"', 'resources[0].incremental.name = "1.5"']),
        (json.dumps(LAG), []),
        ({"a": "1e400", "b": "-0.5", "c": "7", "d": "1.2.3", "e": "v1.5", "f": 1}, ['a = "1e400"', 'b = "-0.5"']),
        ({}, []),
    ],
)
def test_string_that_may_have_been_a_number_is_a_warning(given, places):
    warnings = Given(given).warnings()
    assert len(warnings) == bool(places)
    for warning in warnings:
        assert AS_TEXT in warning and [place for place in places if place not in warning] == []


@pytest.mark.parametrize(
    ("given", "expect"),
    [
        (None, {}),
        (SqlNull(), {}),
        ("null", {}),
        ({"a": "b"}, {"a": "b"}),
        ('{"a": "b"}', {"a": "b"}),
    ],
)
def test_settings(given, expect):
    assert settings(given) == expect


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": SqlNull()}, "letters, digits"),
        ({"a": "."}, "letters, digits"),
        ({'a}}", "b": "{{a': "x"}, "the name of a setting"),
        ({"a": "../b"}, "letters, digits"),
        ([], "not a list"),
        ("{", "settings is not JSON"),
    ],
)
def test_invalid_settings_are_rejected(given, message):
    with pytest.raises(LoadError, match=message):
        settings(given)


@pytest.mark.parametrize("case", PLACEHOLDERS, ids=lambda case: case["name"])
def test_placeholders(case):
    """The Rust host runs the same cases (`host/src/cli/placeholders.rs`)."""
    if "error" in case:
        with pytest.raises(LoadError) as caught:
            filled(case["job"], case["settings"])
        details = caught.value.details
        assert (details["kind"], details["message"], details["context"]) == ("config", case["error"], ["settings"])
    else:
        text = filled(case["job"], case["settings"])
        assert json.loads(text) == case["filled"] and list(json.loads(text)) == list(case["filled"])


def test_only_sql_null_is_null():
    assert variant({"is_sql_null": True}) == {"is_sql_null": True}


# --- the JSON of a fault --------------------------------------------------------------------


@pytest.mark.parametrize("text", ["x", "é", '"', "\n", "\x01", "\ud800", "😀"])
@pytest.mark.parametrize(
    ("size", "items", "each"), [(0, 0, 0), (7000, 2, 10), (200_000, 3, 5000), (10, 400, 3000), (50_000, 1000, 50)]
)
def test_the_json_of_a_fault_is_short(text, size, items, each):
    made = LoadError(
        "data", f"begin {text * size} end", [f"a{text * each}z"] * items, dataset_name={"k": text * 9000}, database=None
    )
    shown = str(made)
    assert len(shown.encode()) <= LONGEST
    reported = json.loads(shown)
    assert list(reported) == ["status", "kind", "message", "context", "dataset_name", "database"] == list(made.details)
    assert (
        reported["message"].startswith("begin ")
        and reported["message"].endswith(" end")
        and reported["database"] is None
    )
    assert made.details["message"] == f"begin {text * size} end", "all of it is kept for the host"
    if reported["message"] != made.details["message"]:
        head, omitted, tail = reported["message"].partition(" characters omitted] ")
        head, _, count = head.rpartition(" [")
        assert omitted and len(head) + int(count) + len(tail) == len(made.details["message"])


def test_short_fault_is_complete():
    message = "x" * 7000
    assert json.loads(str(LoadError("data", message, ["a", "b"])))["message"] == message
