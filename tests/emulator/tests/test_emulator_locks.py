"""Locks, snapshots and scopes of the emulator, in the default interpretation and in each mode."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
from emulating import T, procedure, refused, rows
from snowflake.snowpark.exceptions import SnowparkSQLException

from emulator import Lab

FENCE = (
    f'MERGE INTO {T} d USING (SELECT \'p\' AS P, {{}} AS V) s ON d."NAME" = s.P AND d."VERSION" >= s.V '
    'WHEN NOT MATCHED THEN INSERT ("NAME", "VERSION") VALUES (s.P, s.V)'
)
TOUCH = f'UPDATE {T} SET "VERSION" = "VERSION" WHERE "NAME" = \'p\' AND "VERSION" >= {{}}'
MODES: dict[str, dict] = {
    "kind": {},
    "before_wait": {"snapshot": "before_wait"},
    "no lock without match": {"merge_without_match_locks": False},
    "rows": {"lock_unit": "rows"},
    "all": {"snapshot": "before_wait", "merge_without_match_locks": False, "lock_unit": "rows"},
}


@pytest.fixture(scope="module", params=MODES)
def every(request) -> Iterator[tuple[str, Lab]]:
    """A lab in each of the lock modes."""
    with Lab(lock_timeout=5.0, **MODES[request.param]) as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        yield request.param, lab


def table(lab: Lab, versions: list[int]) -> None:
    lab.sql(f'CREATE OR REPLACE TABLE {T} ("NAME" VARCHAR, "VERSION" NUMBER(19,0), "N" NUMBER(19,0))')
    for version in versions:
        lab.sql(f"INSERT INTO {T} SELECT 'p', {version}, 0")


def content(lab: Lab) -> list[tuple]:
    return rows(lab.session, f'SELECT "VERSION", COALESCE("N", 0) FROM {T} ORDER BY 1, 2')


class Second:
    """A session that runs statements in a thread: the result of each, and whether it had to wait."""

    def __init__(self, lab: Lab, statements: list[str]) -> None:
        self.session = lab.connect()
        self.seen: list = []
        self.thread = threading.Thread(target=self._run, args=(statements,))
        self.thread.start()
        deadline = time.monotonic() + 10
        while self.thread.is_alive() and not lab.locks.waiting() and time.monotonic() < deadline:
            time.sleep(0.005)
        self.waited = self.thread.is_alive()

    def _run(self, statements: list[str]) -> None:
        for statement in statements:
            try:
                self.seen.append(self.session.sql(statement).collect()[0][0])
            except SnowparkSQLException as error:
                self.seen.append(error.sql_error_code)

    def result(self) -> list:
        self.thread.join(15)
        assert not self.thread.is_alive()
        return [s for s in self.seen if not isinstance(s, str)]


def race(lab: Lab, first: list[str], second: list[str], then: list[str]) -> tuple[bool, list]:
    """The first session runs its statements, the second one begins its own, the first commits, and the second ends."""
    one = lab.connect()
    for statement in ("BEGIN", *first):
        one.sql(statement).collect()
    other = Second(lab, ["BEGIN", *second])
    one.sql("COMMIT").collect()
    seen = other.result()
    for statement in (*then, "COMMIT"):
        seen.append(other.session.sql(statement).collect()[0][0])
    one.close()
    other.session.close()
    return other.waited, [s for s in seen if not isinstance(s, str)]


# --- two transactions at once ------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "first", "second", "then", "expected"),
    [
        # The fence of a MERGE that only inserts: one row by default, two in every other mode.
        (
            [1],
            [FENCE.format(2)],
            [FENCE.format(2)],
            [],
            {
                "kind": (True, [0], [(1, 0), (2, 0)]),
                "before_wait": (True, [1], [(1, 0), (2, 0), (2, 0)]),
                "no lock without match": (False, [1], [(1, 0), (2, 0), (2, 0)]),
                "rows": (False, [1], [(1, 0), (2, 0), (2, 0)]),
                "all": (False, [1], [(1, 0), (2, 0), (2, 0)]),
            },
        ),
        # An UPDATE of a committed row waits in every mode, and the next statement sees what was committed meanwhile.
        (
            [1],
            [TOUCH.format(1), FENCE.format(2)],
            [TOUCH.format(1)],
            [TOUCH.format(2), FENCE.format(2)],
            dict.fromkeys(("before_wait", "all"), (True, [1, 1, 0], [(1, 0), (2, 0)]))
            | dict.fromkeys(("kind", "no lock without match"), (True, [2, 1, 0], [(1, 0), (2, 0)]))
            | {
                "rows": (True, [2, 1, 0], [(1, 0), (2, 0)]),
            },
        ),
        # No update is lost, whichever snapshot the second one was planned on.
        (
            [1],
            [f'UPDATE {T} SET "N" = "N" + 1'],
            [f'UPDATE {T} SET "N" = "N" + 10'],
            [],
            dict.fromkeys(MODES, (True, [1], [(1, 11)])),
        ),
        # A row that the first inserts is not deleted by a statement that began before the commit.
        (
            [1, 2],
            [f'UPDATE {T} SET "N" = 5', f"INSERT INTO {T} SELECT 'p', 3, 0"],
            [f"DELETE FROM {T}"],
            [],
            dict.fromkeys(("kind", "no lock without match", "rows"), (True, [3], []))
            | dict.fromkeys(("before_wait", "all"), (True, [2], [(3, 0)])),
        ),
        # A row that the first deletes is counted by a statement that saw it, and not created again.
        (
            [1, 2],
            [f'DELETE FROM {T} WHERE "VERSION" = 1'],
            [f'UPDATE {T} SET "N" = "N" + 1'],
            [],
            dict.fromkeys(("kind", "no lock without match", "rows"), (True, [1], [(2, 1)]))
            | dict.fromkeys(("before_wait", "all"), (True, [2], [(2, 1)])),
        ),
        # Different rows: only a table lock waits.
        (
            [1, 2],
            [f'UPDATE {T} SET "N" = 1 WHERE "VERSION" = 1'],
            [f'UPDATE {T} SET "N" = 2 WHERE "VERSION" = 2'],
            [],
            dict.fromkeys(("kind", "before_wait", "no lock without match"), (True, [1], [(1, 1), (2, 2)]))
            | dict.fromkeys(("rows", "all"), (False, [1], [(1, 1), (2, 2)])),
        ),
        # Without committed rows there is nothing to lock, unless the whole table is locked.
        (
            [1],
            [f'UPDATE {T} SET "N" = 1'],
            [f'DELETE FROM {T} WHERE "VERSION" = 9'],
            [],
            dict.fromkeys(("kind", "before_wait"), (True, [0], [(1, 1)]))
            | dict.fromkeys(("no lock without match", "rows", "all"), (False, [0], [(1, 1)])),
        ),
        # A MERGE of both kinds: the matched row in its current version, the inserted ones as planned.
        (
            [1],
            [f'UPDATE {T} SET "N" = 5', f"INSERT INTO {T} SELECT 'p', 2, 0"],
            [
                f'MERGE INTO {T} d USING (SELECT 1 AS V UNION ALL SELECT 2) s ON d."VERSION" = s.V '
                'WHEN MATCHED THEN UPDATE SET "N" = d."N" + 1 WHEN NOT MATCHED THEN INSERT ("VERSION", "N") VALUES (s.V, 7)'
            ],
            [],
            dict.fromkeys(("kind", "no lock without match", "rows"), (True, [0], [(1, 6), (2, 1)]))
            | dict.fromkeys(("before_wait", "all"), (True, [1], [(1, 6), (2, 0), (2, 7)])),
        ),
        # TRUNCATE removes the rows that it saw.
        (
            [1, 2],
            [f'UPDATE {T} SET "N" = 5', f"INSERT INTO {T} SELECT 'p', 3, 0"],
            [f"TRUNCATE TABLE {T}"],
            [],
            dict.fromkeys(("kind", "no lock without match", "rows"), (True, [], []))
            | dict.fromkeys(("before_wait", "all"), (True, [], [(3, 0)])),
        ),
    ],
)
def test_two_transactions_at_once(every, versions, first, second, then, expected):
    mode, lab = every
    table(lab, versions)
    waited, seen = race(lab, first, second, then)
    assert (waited, seen, content(lab)) == expected[mode]


def test_statement_outside_a_transaction_waits_too(every):
    mode, lab = every
    table(lab, [1])
    one = lab.connect()
    for statement in ("BEGIN", f'UPDATE {T} SET "N" = 1', FENCE.format(2)):
        one.sql(statement).collect()
    other = Second(lab, [f'UPDATE {T} SET "N" = "N" + 1'])
    one.sql("COMMIT").collect()
    assert (other.waited, other.result()) == (True, [1 if mode in ("before_wait", "all") else 2])
    assert content(lab) == [(1, 2), (2, 0)]
    assert not lab.sql("SHOW LOCKS")


def test_changes_survive_a_commit_of_another_and_a_failed_statement(every):
    _, lab = every
    table(lab, [1, 2, 3])
    one, other = lab.connect(), lab.connect()
    steps = [
        "BEGIN",
        f'DELETE FROM {T} WHERE "VERSION" = 1',
        f'UPDATE {T} SET "N" = 1 WHERE "VERSION" = 2',
        FENCE.format(9),
        f'UPDATE {T} SET "N" = 4 WHERE "VERSION" = 9',
    ]
    for statement in steps:
        one.sql(statement).collect()
    other.sql(f"INSERT INTO {T} SELECT 'p', 5, 0").collect()
    refused(one, f"INSERT INTO {T} SELECT 'p', 'x', 0")
    other.sql(f"INSERT INTO {T} SELECT 'p', 6, 0").collect()
    lab.sql(f'ALTER TABLE {T} ADD COLUMN "X" VARCHAR')
    assert rows(one, f'SELECT "VERSION", "N" FROM {T} ORDER BY 1') == [(2, 1), (3, 0), (5, 0), (6, 0), (9, 4)]
    one.sql("COMMIT").collect()
    assert content(lab) == [(2, 1), (3, 0), (5, 0), (6, 0), (9, 4)]
    one.close()
    other.close()


def test_changes_are_lost_with_a_dropped_table(every):
    _, lab = every
    table(lab, [1])
    one = lab.connect()
    for statement in ("BEGIN", f'UPDATE {T} SET "N" = 1'):
        one.sql(statement).collect()
    table(lab, [7])
    assert refused(one, f"SELECT * FROM {T}").startswith("002003 (42S02)")
    assert refused(one, "COMMIT").startswith("002003 (42S02)")
    assert content(lab) == [(7, 0)]
    one.close()


# --- the limits of waiting ------------------------------------------------------------------


def test_waiter_beyond_the_limit_fails_at_once():
    with Lab(most_waiters=1) as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        table(lab, [1])
        one = lab.connect()
        for statement in ("BEGIN", f"DELETE FROM {T}"):
            one.sql(statement).collect()
        waiting = Second(lab, [f"DELETE FROM {T}"])
        begun = time.monotonic()
        error = refused(lab.session, f"DELETE FROM {T}")
        assert time.monotonic() - begun < 5
        assert error.startswith("000625 (57014) Statement '") and "has locked table 'T' in transaction " in error
        assert "because the number of waiters for this lock exceeds the 1 statements limit." in error
        one.sql("ROLLBACK").collect()
        assert waiting.result() == [1]


def killed_in_a_transaction(lab: Lab) -> None:
    table(lab, [1])
    statements = ("BEGIN", f"DELETE FROM {T}", f"INSERT INTO {T} SELECT 'p', 2, 0")
    procedure(lab, "\n".join(f"session.sql({s!r}).collect()" for s in statements))
    with pytest.raises(SnowparkSQLException, match="killed after operation 3"):
        lab.call("CALL RAW.PUBLIC.P()", kill_after=3)


def test_locks_may_outlive_a_killed_session():
    with Lab(lock_timeout=0.1, lock_outlives_session=60) as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        killed_in_a_transaction(lab)
        assert content(lab) == [(1, 0)]
        assert "has locked table 'T'" in refused(lab.session, f"DELETE FROM {T}")
        (lock,) = lab.sql("SHOW LOCKS IN ACCOUNT")
        assert (lock["resource"], lock["type"], lock["status"]) == ("RAW.J.T", "PARTITIONS", "HOLDING")
        lab.sql(f"SELECT SYSTEM$ABORT_TRANSACTION({lock['transaction']})")
        assert lab.sql(f"DELETE FROM {T}")[0][0] == 1
    with Lab(lock_timeout=10, lock_outlives_session=0.5) as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        killed_in_a_transaction(lab)
        assert len(lab.sql("SHOW LOCKS")) == 1
        assert lab.sql(f"DELETE FROM {T}")[0][0] == 1


# --- looking at locks, and ending transactions ----------------------------------------------


def test_a_transaction_is_shown_and_aborted(lab):
    table(lab, [1])
    one = lab.connect()
    for statement in ("BEGIN", f'UPDATE {T} SET "N" = 1'):
        one.sql(statement).collect()
    waiting = Second(lab, [f'UPDATE {T} SET "N" = 2'])
    shown = {lock["status"]: lock for lock in lab.sql("SHOW LOCKS")}
    assert set(shown) == {"HOLDING", "WAITING"} and shown["HOLDING"]["resource"] == "RAW.J.T"
    victim = shown["HOLDING"]["transaction"]
    assert lab.sql(f"SELECT SYSTEM$ABORT_TRANSACTION({victim})")[0][0] == f"Aborted transaction id {victim}."
    assert waiting.result() == [1] and content(lab) == [(1, 2)]
    assert (
        refused(one, f"SELECT * FROM {T}")
        == f"000615 (57014) Transaction '{victim}' was aborted, SQL execution canceled."
    )
    assert rows(one, f"SELECT COUNT(*) FROM {T}") == [(1,)]
    assert "does not exist or has ended" in refused(lab.session, f"SELECT SYSTEM$ABORT_TRANSACTION({victim})")


def test_a_statement_that_waits_can_be_aborted(lab):
    table(lab, [1])
    one = lab.connect()
    for statement in ("BEGIN", f'UPDATE {T} SET "N" = 1'):
        one.sql(statement).collect()
    waiting = Second(lab, ["BEGIN", f'UPDATE {T} SET "N" = 2'])
    victim = next(lock["transaction"] for lock in lab.sql("SHOW LOCKS") if lock["status"] == "WAITING")
    lab.sql(f"SELECT SYSTEM$ABORT_TRANSACTION({victim})")
    assert waiting.result() == [604]
    one.sql("COMMIT").collect()
    assert content(lab) == [(1, 1)]


# --- a procedure inside the caller's transaction ---------------------------------------------


SCOPE = "Modifying a transaction that has started at a different scope is not allowed."


@pytest.mark.parametrize(
    ("body", "error", "left"),
    [
        # A statement of the procedure belongs to the caller's transaction, and sees its changes.
        ([f"INSERT INTO {T} SELECT 'p', 3, 0"], None, [(1, 0)]),
        # A transaction of the procedure is separate.
        (["BEGIN", f"INSERT INTO {T} SELECT 'p', 3, 0", "COMMIT"], None, [(1, 0), (3, 0)]),
        (["BEGIN", f"INSERT INTO {T} SELECT 'p', 3, 0"], "Scoped transaction started in stored procedure", [(1, 0)]),
        (["COMMIT"], SCOPE, [(1, 0)]),
        (["ROLLBACK"], SCOPE, [(1, 0)]),
        (['CREATE TABLE "RAW"."J"."X" ("A" VARCHAR)'], SCOPE, [(1, 0)]),
        (['CREATE STAGE "RAW"."J"."X"'], SCOPE, [(1, 0)]),
    ],
)
def test_a_call_inside_an_open_transaction(lab, body, error, left):
    table(lab, [1])
    lines = "\n".join(f"session.sql({s!r}).collect()" for s in body)
    count = f"return session.sql('SELECT COUNT(*) FROM {T}').collect()[0][0]"
    procedure(lab, f"{lines}\n{count}")
    lab.sql("BEGIN")
    lab.sql(f"INSERT INTO {T} SELECT 'p', 2, 0")
    if error is None:
        assert lab.call("CALL RAW.PUBLIC.P()") == "3"
    else:
        assert error in refused(lab.session, "CALL RAW.PUBLIC.P()")
    assert rows(lab.session, f'SELECT COUNT(*) FROM {T} WHERE "VERSION" = 2') == [(1,)]
    lab.sql("ROLLBACK")
    assert content(lab) == left


def test_a_procedure_waits_for_its_callers_locks():
    with Lab(lock_timeout=0.1) as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        table(lab, [1])
        procedure(lab, f"session.sql('BEGIN').collect()\nsession.sql('DELETE FROM {T}').collect()")
        lab.sql("BEGIN")
        lab.sql(f"DELETE FROM {T}")
        assert "has locked table 'T'" in refused(lab.session, "CALL RAW.PUBLIC.P()")


# --- the last commit of another session ------------------------------------------------------


def test_a_select_may_lag_one_commit_behind():
    with Lab(read_consistency="session") as lab:
        lab.sql('CREATE SCHEMA "RAW"."J"')
        table(lab, [1])
        one, other = lab.connect(), lab.connect()
        count = f"SELECT COUNT(*) FROM {T}"

        def counts(session) -> list[int]:
            return [rows(session, count)[0][0] for _ in range(2)]

        insert = f"INSERT INTO {T} SELECT 'p', 2, 0"
        one.sql(insert).collect()
        assert (counts(one), counts(other)) == ([2, 2], [1, 2])
        one.sql(insert).collect()
        assert counts(lab.connect()) == [2, 3]  # a session that logs in lags, too
        other.sql(f'DELETE FROM {T} WHERE "VERSION" = 9').collect()
        assert counts(other) == [3, 3]  # it has changed rows since
        procedure(lab, f"session.sql({insert!r}).collect()\nreturn session.sql('{count}').collect()[0][0]")
        assert lab.call("CALL RAW.PUBLIC.P()") == "4"
        assert (counts(lab.session), counts(one)) == ([4, 4], [3, 4])
        lab.sql('CREATE TABLE "RAW"."J"."NEW" AS SELECT 1 AS A')
        lab.sql(insert)
        assert rows(one, 'SELECT * FROM "RAW"."J"."NEW"') == [(1,)]


def test_unknown_mode_is_rejected():
    with pytest.raises(ValueError, match="expected one of 'after_wait', 'before_wait'"):
        Lab(snapshot="sometimes")
