"""The passes of fakesnow that the emulator omits change nothing: each statement is translated as by all of them."""

from __future__ import annotations

import pathlib
import re

import pytest
from fakesnow.cursor import FakeSnowflakeCursor
from sqlglot.errors import ParseError

from emulator import dialect, passes
from emulator.errors import SqlError
from emulator.text import head, split_script

STATEMENTS = pathlib.Path(__file__).parents[2] / "data/sql/statements.sql"
# One statement for each kind of pass that the statements of the core do not need.
OTHERS = """
SELECT IDENTIFIER('T'); SELECT * FROM IDENTIFIER('T'); SELECT CURRENT_VERSION(); SELECT SPLIT(A, ',') FROM T;
SELECT TRIM(A), A[0], A['b']::VARCHAR, UPPER(A:b), A:b.c::INT FROM T; SELECT V.VALUE::VARCHAR FROM T, LATERAL FLATTEN(A) V;
SELECT REGEXP_REPLACE(A, 'b', 'c'), REGEXP_SUBSTR(A, 'b') FROM T; SELECT * FROM TABLE(RESULT_SCAN('id'));
SELECT S.NEXTVAL; SELECT * FROM (VALUES (1, 'a')) ; SELECT TO_DATE(A), TO_NUMBER(A, 10, 2), TO_TIMESTAMP(A), A::TIMESTAMP FROM T;
SELECT '2026-01-01 10:00:00 +09:00'::TIMESTAMP_TZ; SELECT TO_VARIANT(A), OBJECT_CONSTRUCT('a', A), OBJECT_CONSTRUCT(*) FROM T;
SELECT A::FLOAT, A::INT, A::NUMBER(38, 0), A::VARIANT, A::TIMESTAMP_NTZ, TRY_PARSE_JSON(A) FROM T;
SELECT * FROM T SAMPLE (10); SELECT ARRAY_SIZE(A), RANDOM(), ARRAY_CONSTRUCT(1, 2), ARRAY_CONSTRUCT_COMPACT(1) FROM T;
SELECT ARRAY_AGG(A) WITHIN GROUP (ORDER BY A), OBJECT_AGG(A, B), SUM(A), AVG(A), MEDIAN(A), STDDEV(A), COUNT(*), MAX(A) FROM T;
SELECT DATEADD(DAY, 1, A::DATE), DATEADD(DAY, 1, '2026-01-01'), DATEDIFF(DAY, '2026-01-01', A) FROM T;
SELECT HAVERSINE(1, 2, 3, 4), X'AB', SHA2(A), SHA2_BINARY(A) FROM T;
SELECT A AS X, B FROM T JOIN U ON X = U.Y WHERE X > 1 AND B IN (SELECT C FROM W);
SELECT DATABASE_NAME FROM D.INFORMATION_SCHEMA.DATABASES; SELECT * FROM INFORMATION_SCHEMA.VIEWS;
CREATE TABLE T (A VARCHAR(10) COMMENT 'a', B VARIANT) COMMENT = 'b'; ALTER TABLE T ADD COLUMN C NUMBER(38, 0);
ALTER TABLE T ALTER COLUMN A COMMENT 'c'; COMMENT ON TABLE T IS 'd'; DROP SCHEMA S; USE SCHEMA S; USE ROLE R;
CREATE TABLE U (A, B) AS SELECT 1, 2; CREATE TABLE U CLONE T; ALTER TABLE T CLUSTER BY (A); ALTER TABLE T DROP CLUSTERING KEY;
SHOW TABLES; SHOW SCHEMAS; SHOW DATABASES; SHOW COLUMNS IN TABLE T; SHOW PRIMARY KEYS; SHOW USERS; SHOW WAREHOUSES;
UPDATE T SET A = 1 FROM U WHERE T.B = U.B; DELETE FROM T USING U WHERE T.B = U.B; INSERT INTO T (A) SELECT A FROM U
"""


@pytest.fixture(scope="module")
def cursor():
    from emulator import Lab

    with Lab() as lab:
        session = lab.account.connect()
        session.use("RAW", "PUBLIC")
        yield session.cursor()


def parsed(text: str):
    try:
        return dialect.parse(text)
    except (SqlError, ParseError):
        return None  # no statement for fakesnow


def outcome(translate, cursor: FakeSnowflakeCursor, text: str) -> str:
    """The translation, with what fakesnow attaches to it, or its failure."""
    try:
        done = translate(cursor, dialect.parse(text), None)
    except Exception as error:  # noqa: BLE001 (all passes and those that are needed fail alike)
        return repr(error)
    attached = sorted((key, str(value)) for key, value in done.args.items())
    # A stage is translated into a row with the time.
    return re.sub(r"\d{4}-\d\d-\d\dT[\d:.+]+", "now", f"{done.sql(dialect='duckdb')} {attached}")


def test_statement_is_translated_as_by_all_passes(cursor):
    read = [*split_script(STATEMENTS.read_text("utf-8")), *split_script(OTHERS)]
    texts = [text for text in read if head(text)[:1] != ["COPY"] and parsed(text) is not None]
    assert len(texts) > 100, len(texts)
    omitted = 0
    for text in texts:
        every = outcome(lambda cursor, e, params: cursor._transform(e, params), cursor, text)
        assert outcome(passes.translated, cursor, text) == every, text
        kinds = frozenset(map(type, dialect.parse(text).dfs()))
        omitted += sum(not passes.needed(name, kinds) for name in passes.KINDS)
    assert omitted > len(texts) * len(passes.KINDS) / 2


def test_every_listed_pass_is_one_of_fakesnow():
    import inspect

    source = inspect.getsource(FakeSnowflakeCursor._transform)
    assert set(passes.KINDS) <= set(re.findall(r"transforms\.(\w+)", source))
