"""Accounts and sessions with unusual settings, and what a load does in each."""

from __future__ import annotations

from typing import Any

import pytest
from conformance.direct import Direct
from racing import EVERYTHING, Load, Racer, alone, tables

from emulator import Lab

MERGE = {"disposition": "merge", "strategy": "delete-insert"}


def job(**options: Any) -> dict[str, Any]:
    resource = {"name": "orders", "primary_key": "id", "write_disposition": MERGE}
    return {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": [resource], **options}


def order(number: int, value: str) -> dict[str, Any]:
    return {"id": number, "v": value, "at": "2024-07-01T12:00:00Z", "items": [value]}


def account(**modes: Any) -> Lab:
    return Lab(databases=("RAW",), **modes)


def load(lab: Lab, guest: Any, given: dict[str, Any], *records: dict[str, Any], **parameters: Any) -> Racer:
    racer = Racer(Load(given, list(records)), lab, guest)
    for name, value in parameters.items():
        racer.session.session.set_parameter(name, value)
    racer.advance(EVERYTHING)
    racer.finish()
    return racer


def rows(lab: Lab) -> tuple[list, list]:
    lab._session = lab._session or Direct(lab.account, database="RAW")
    found = tables(lab)
    return [(int(i), v) for i, v, _ in found["orders"]], [value for *_, value in found["items"]]


@pytest.mark.parametrize(
    ("modes", "options"),
    [
        ({}, {}),
        ({"information_schema": "refuses"}, {}),
        ({"information_schema": "lags"}, {}),
        ({"unquoted_stage_paths": "plain"}, {}),
        ({"unquoted_stage_paths": "plain"}, {"naming": "direct"}),
        ({"tri_secret_secure": True}, {"stage_encryption": "SNOWFLAKE_FULL"}),
        ({"quoted_identifiers_ignore_case": True}, {}),
    ],
    ids=str,
)
def test_a_merge_replaces_its_rows(guest, modes, options):
    with account(**modes) as lab:
        for records in ((order(1, "a"), order(2, "a")), (order(2, "b"), order(3, "b")), (order(3, "c"),)):
            done = load(lab, guest, job(**options), *records)
            assert done.error is None, done.error
        if options.get("naming") != "direct":
            assert rows(lab) == ([(1, "a"), (2, "b"), (3, "c")], ["a", "b", "c"])


@pytest.mark.parametrize(
    ("modes", "options", "parameters", "words"),
    [
        ({}, {}, {"ROWS_PER_RESULTSET": 3}, "ALTER SESSION SET ROWS_PER_RESULTSET = 0"),
        ({"information_schema": "refuses"}, {}, {"ROWS_PER_RESULTSET": 3}, "ROWS_PER_RESULTSET = 0"),
        ({"quoted_identifiers_ignore_case": True}, {"naming": "direct"}, {}, "QUOTED_IDENTIFIERS_IGNORE_CASE"),
        ({"tri_secret_secure": True}, {}, {}, "stage"),
    ],
    ids=str,
)
def test_settings_that_would_lose_rows_are_faults_with_a_remedy(guest, modes, options, parameters, words):
    with account(**modes) as lab:
        if parameters:
            assert load(lab, guest, job(**options), order(1, "a")).error is None
        done = load(lab, guest, job(**options), order(1, "b"), **parameters)
        assert done.error is not None and words.lower() in str(done.error).lower(), done.error
        if parameters:
            assert rows(lab) == ([(1, "a")], ["a"])


@pytest.mark.parametrize("disposition", ["append", MERGE, {"disposition": "merge", "strategy": "upsert"}], ids=str)
def test_timestamps_with_offset_have_that_of_utc(guest, disposition):
    """dlt before 1.27 created TIMESTAMP_TZ columns. The session is in another time zone."""
    with account() as lab:
        given = job(resources=[{"name": "orders", "primary_key": "id", "write_disposition": disposition}])
        assert load(lab, guest, given, order(1, "a")).error is None
        session = Direct(lab.account, database="RAW")
        for statement in (
            'ALTER TABLE RAW.D."ORDERS" DROP COLUMN "AT"',
            'ALTER TABLE RAW.D."ORDERS" ADD COLUMN "AT" TIMESTAMP_TZ',
        ):
            session.sql(statement).collect()
        done = load(lab, guest, given, order(2, "b"), TIMEZONE="America/Los_Angeles")
        assert done.error is None, done.error
        ((text,),) = session.sql('SELECT "AT"::VARCHAR FROM RAW.D."ORDERS" WHERE "ID" = 2').collect()
        assert text.startswith("2024-07-01 12:00:00") and text.replace(" ", "").endswith(("+00:00", "+0000", "Z")), text


def test_lock_of_a_killed_load_is_explained_and_ends(guest):
    with account(lock_timeout=0.05, most_waiters=20) as lab:
        assert load(lab, guest, job(), order(1, "a")).error is None
        killed = Racer(Load(job(), [order(2, "b")]), lab, guest)
        killed.advance(1)
        while not killed.said[-1].startswith("COPY"):
            killed.advance(1)
        # It holds the lock and does nothing else.
        other = load(lab, guest, job(), order(3, "c"))
        for words in ("SYSTEM$ABORT_TRANSACTION", "one that was killed", "Nothing of this one was written"):
            assert words in str(other.error), other.error
        killed.advance(EVERYTHING)
        killed.finish()
        assert alone(lab, guest, Load(job(), [order(3, "c")])).error is None
        assert rows(lab)[0] == [(1, "a"), (2, "b"), (3, "c")]


def test_denied_lock_is_requested_again(guest):
    with account(most_waiters=0) as lab:
        assert load(lab, guest, job(), order(1, "a")).error is None
        first = Racer(Load(job(), [order(2, "b")]), lab, guest)
        first.advance(1)
        while not first.said[-1].startswith("COPY"):
            first.advance(1)
        second = Racer(Load(job(), [order(3, "c")]), lab, guest)
        while second.said.count("ROLLBACK") < 2:
            second.advance(1)
        first.advance(EVERYTHING)
        first.finish()
        second.advance(EVERYTHING)
        second.finish()
        assert (first.error, second.error) == (None, None)
        assert rows(lab)[0] == [(1, "a"), (2, "b"), (3, "c")]
