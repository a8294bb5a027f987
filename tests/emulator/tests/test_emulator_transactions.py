"""DML and transactions of the emulator."""

from __future__ import annotations

import threading
import time

from emulating import T, refused, rows

from emulator import Lab

# --- DML -----------------------------------------------------------------------------


def test_delete_and_insert(lab):
    lab.script(
        f'CREATE TABLE {T} ("ID" NUMBER(19,0), "U" NUMBER(19,0), "_DLT_ID" VARCHAR); '
        'CREATE TABLE "RAW"."J"."C" ("_DLT_ROOT_ID" VARCHAR); CREATE TABLE "RAW"."JS"."T" ("ID" NUMBER(19,0), "U" NUMBER(19,0), "_DLT_ID" VARCHAR);'
        f"INSERT INTO {T} VALUES (1, 1, 'a'), (2, 1, 'b'); INSERT INTO \"RAW\".\"J\".\"C\" VALUES ('a'), ('a'), ('b');"
        "INSERT INTO \"RAW\".\"JS\".\"T\" VALUES (1, 2, 'c'), (1, 3, 'd'), (1, NULL, 'e'), (3, 1, 'f')"
    )
    child = (
        'DELETE FROM "RAW"."J"."C" WHERE "_DLT_ROOT_ID" IN (SELECT d."_DLT_ID" FROM "RAW"."J"."T" d '
        'JOIN "RAW"."JS"."T" s ON d."ID" = s."ID")'
    )
    root = f'DELETE FROM {T} WHERE "ID" IN (SELECT "ID" FROM "RAW"."JS"."T")'
    insert = (
        f'INSERT INTO {T} ("ID", "U", "_DLT_ID") SELECT "ID", "U", "_DLT_ID" FROM "RAW"."JS"."T" '
        'QUALIFY ROW_NUMBER() OVER (PARTITION BY "ID" ORDER BY "U" DESC NULLS LAST, "_DLT_ID") = 1'
    )
    update = f'UPDATE {T} SET "U" = 9 WHERE "ID" = 3'
    assert [rows(lab.session, s)[0] for s in (child, root, insert, update)] == [(2,), (1,), (2,), (1, 0)]
    assert rows(lab.session, f"SELECT * FROM {T} ORDER BY 1") == [(1, 3, "d"), (2, 1, "b"), (3, 9, "f")]


def test_merge(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0), "DOC" VARIANT, "S" VARCHAR)')
    lab.sql('CREATE TABLE "RAW"."JS"."T" ("ID" NUMBER(19,0), "DOC" VARCHAR, "S" VARCHAR)')
    lab.sql("""INSERT INTO "RAW"."JS"."T" VALUES (1, '{"a":1}', 'x'), (2, NULL, 'y'), (2, '{"a":2}', 'z')""")
    merge = (
        f'MERGE INTO {T} d USING (SELECT "ID", PARSE_JSON("DOC") AS "DOC", "S" FROM "RAW"."JS"."T" '
        'QUALIFY ROW_NUMBER() OVER (PARTITION BY "ID" ORDER BY "S" DESC NULLS LAST) = 1) s ON d."ID" = s."ID" '
        "WHEN MATCHED AND s.\"S\" = 'gone' THEN DELETE "
        'WHEN MATCHED THEN UPDATE SET "DOC" = s."DOC", "S" = s."S" '
        'WHEN NOT MATCHED THEN INSERT ("ID", "DOC", "S") VALUES (s."ID", s."DOC", s."S")'
    )
    (first,) = lab.sql(merge)
    assert first.as_dict() == {"number of rows inserted": 2, "number of rows updated": 0, "number of rows deleted": 0}
    lab.sql('UPDATE "RAW"."JS"."T" SET "S" = \'gone\' WHERE "ID" = 1')
    assert tuple(lab.sql(merge)[0]) == (0, 1, 1)
    assert rows(lab.session, f'SELECT "ID", "DOC":"a"::NUMBER(19,0), "S" FROM {T}') == [(2, 2, "z")]
    double = f'MERGE INTO {T} d USING "RAW"."JS"."T" s ON d."ID" = s."ID" WHEN MATCHED THEN UPDATE SET "S" = s."S"'
    assert refused(lab.session, double).startswith("100090 (42P18) Duplicate row detected during DML action")
    text = f'MERGE INTO {T} d USING "RAW"."JS"."T" s ON d."ID" = s."ID" WHEN NOT MATCHED THEN INSERT ("DOC") VALUES (s."DOC")'
    assert "expecting VARIANT but got VARCHAR" in refused(lab.session, text)


FENCE = (
    f'MERGE INTO {T} d USING (SELECT \'p\' AS P, {{}} AS V) s ON d."NAME" = s.P AND d."VERSION" >= s.V '
    'WHEN NOT MATCHED THEN INSERT ("NAME", "VERSION") VALUES (s.P, s.V)'
)


def test_the_fence(lab):
    lab.sql(f'CREATE TABLE {T} ("NAME" VARCHAR, "VERSION" NUMBER(19,0))')
    assert [lab.sql(FENCE.format(v))[0][0] for v in (3, 3, 4, 2)] == [1, 0, 1, 0]


# --- transactions -----------------------------------------------------------------------


def test_transactions(lab):
    session = lab.session
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    insert, count = f'INSERT INTO {T} ("ID") SELECT 1', f"SELECT COUNT(*) FROM {T}"

    def check(statements: list[str], expect: int) -> None:
        for statement in statements:
            session.sql(statement).collect()
        session.sql("ROLLBACK").collect()
        assert rows(session, count) == [(expect,)], statements
        session.sql(f"DELETE FROM {T}").collect()

    check(["BEGIN TRANSACTION", insert], 0)
    check(["BEGIN", insert, "COMMIT"], 1)
    check(["BEGIN", insert, "BEGIN", insert], 0)  # BEGIN inside BEGIN is ignored
    check(["BEGIN", insert, f'ALTER TABLE {T} ADD COLUMN IF NOT EXISTS "X" VARCHAR'], 1)  # DDL commits
    check(
        ["BEGIN", insert, 'CREATE SCHEMA IF NOT EXISTS "RAW"."J"', insert], 2
    )  # and later statements are separate transactions
    check(["COMMIT", "ROLLBACK", insert], 1)
    check(["BEGIN", f"TRUNCATE TABLE {T}", insert, "COMMIT"], 1)


def test_a_failed_statement_does_not_end_the_transaction(lab):
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    lab.sql("BEGIN")
    lab.sql(f"INSERT INTO {T} SELECT 1")
    for bad in ("SELECT 1/0 + 'x'", f"INSERT INTO {T} SELECT 'x'", f'SELECT "NO" FROM {T}'):
        refused(lab.session, bad)
    lab.sql(f"INSERT INTO {T} SELECT 2")
    lab.sql("COMMIT")
    assert rows(lab.session, f"SELECT * FROM {T} ORDER BY 1") == [(1,), (2,)]


def test_each_statement_sees_what_is_committed(lab):
    """READ COMMITTED: not the snapshot of BEGIN."""
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    one, two = lab.connect(), lab.connect()
    count = f"SELECT COUNT(*) FROM {T}"
    one.sql("BEGIN").collect()
    assert rows(one, count) == [(0,)]
    two.sql("BEGIN").collect()
    two.sql(f"INSERT INTO {T} SELECT 1").collect()
    assert rows(one, count) == [(0,)]
    one.sql(f"INSERT INTO {T} SELECT 2").collect()
    two.sql("COMMIT").collect()
    assert rows(one, count) == [(2,)]
    lab.sql(f'ALTER TABLE {T} ADD COLUMN "X" VARCHAR')
    one.sql(f"INSERT INTO {T} SELECT 3, 'x'").collect()
    one.sql("COMMIT").collect()
    assert rows(two, count) == [(3,)]


def test_of_two_racing_loads_one_passes_the_fence(lab):
    lab.sql(f'CREATE TABLE {T} ("NAME" VARCHAR, "VERSION" NUMBER(19,0))')
    lab.sql('CREATE TABLE "RAW"."J"."D" ("ID" NUMBER(19,0))')
    one, two = lab.connect(), lab.connect()
    for session in (one, two):
        session.sql("BEGIN").collect()
        session.sql('INSERT INTO "RAW"."J"."D" SELECT 1').collect()
    assert one.sql(FENCE.format(1)).collect()[0][0] == 1
    seen: list[int] = []
    second = threading.Thread(target=lambda: seen.append(two.sql(FENCE.format(1)).collect()[0][0]))
    second.start()
    time.sleep(0.3)
    assert not seen, "the second writer must wait for the first"
    one.sql("COMMIT").collect()
    second.join(10)
    assert seen == [0]
    two.sql("ROLLBACK").collect()
    assert rows(lab.session, 'SELECT COUNT(*) FROM "RAW"."J"."D"') == [(1,)]


def test_a_writer_that_waits_too_long_fails():
    with Lab(lock_timeout=0.2) as lab:
        lab.script('CREATE SCHEMA "RAW"."J"; CREATE TABLE "RAW"."J"."T" ("ID" NUMBER(19,0))')
        one = lab.connect()
        one.sql("BEGIN").collect()
        one.sql(f"DELETE FROM {T}").collect()
        assert refused(lab.session, f"DELETE FROM {T}").startswith("000625 (57014) ")
        one.close()  # a closed connection releases its locks
        lab.sql(f"DELETE FROM {T}")
