"""The conformance runner itself: its catalogue is current, names select cases, and every entry of a corpus is handled."""

from __future__ import annotations

import pytest
from conformance import cases, catalog, corpora


def test_catalogue_is_current():
    assert catalog.FILE.read_text("utf-8") == catalog.text(), "python -m conformance.catalog prints it anew"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], ["upsert", "upsert_late", "upsert_twice"]),
        (["upsert"], ["upsert"]),
        (["upsert_"], ["upsert_late", "upsert_twice"]),
        (["upsert", "late"], ["upsert", "upsert_late"]),
        (["other"], []),
    ],
)
def test_name_selects_one_case_or_those_that_contain_it(tmp_path, names, expected):
    for name in ("upsert", "upsert_late", "upsert_twice"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text('{"table_name": "t"}')
    assert [case.name for case in cases.named(cases.read(tmp_path), names)] == expected


@pytest.mark.parametrize(
    ("given", "dlt", "expected"),
    [
        ("1.5", "1.5", {"$dec": "1.500000000"}),
        ("nan", "NaN", None),
        ("inf", "Infinity", None),
        ("-inf", "-Infinity", None),
        ("snan", "sNaN", None),
        ("1e400", "1E+400", None),
        ("1e999999", "1E+999999", None),
        ("1e-999999", "1E-999999", None),
        ("1e28", "1E+28", {"$dec": "10000000000000000000000000000.000000000"}),
        ("1e29", "1E+29", None),
    ],
)
def test_expectations_for_decimals_of_dlt(given, dlt, expected):
    """Every number is handled: one outside the range of NUMBER goes to a column of its own."""
    entry = {"from": "text", "to": "decimal", "in": given, "out": {"$dec": dlt}}
    assert corpora._coerced(entry) == expected
