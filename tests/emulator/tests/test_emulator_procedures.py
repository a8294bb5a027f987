"""Arguments, packages and the machine of the emulator's procedures."""

from __future__ import annotations

import importlib.metadata
import json
import platform

import pytest
from emulating import procedure

from emulator import Lab

REPOSITORY = "ARTIFACT_REPOSITORY = snowflake.snowpark.pypi_shared_repository"


def create(
    lab: Lab, arguments: str, body: str, packages: str = "'snowflake-snowpark-python'", repository: str = REPOSITORY
) -> None:
    """`RAW.PUBLIC.P(arguments)`, whose body is one expression."""
    names = ", ".join(argument.split()[0].lower() for argument in arguments.split(",") if argument)
    lab.sql(
        f"CREATE OR REPLACE PROCEDURE RAW.PUBLIC.P({arguments}) RETURNS VARIANT LANGUAGE PYTHON RUNTIME_VERSION = '3.11' "
        f"{repository} PACKAGES = ({packages}) HANDLER = 'main' AS $$\ndef main(session, {names}):\n    return {body}\n$$"
    )


# --- arguments ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kind", "strict"),
    [
        ("PARSE_JSON('1.5')", 1.5, "1.5"),
        ("PARSE_JSON('7')", 7, 7),
        ("PARSE_JSON('1e300')", 1e300, 1e300),
        (
            'PARSE_JSON(\'{"b": 0.5, "a": [1.25, {"d": true, "c": null}]}\')',
            [["b", "a"], ["d", "c"], 0.5],
            [["a", "b"], ["c", "d"], "0.5"],
        ),
        ("TO_VARIANT('{\"b\": 0.5}')", '{"b": 0.5}', '{"b": 0.5}'),
        ("PARSE_JSON('null')", None, None),
        ("NULL", None, "SQL NULL"),
    ],
)
def test_variant_arguments(given, kind, strict):
    body = (
        "'SQL NULL' if getattr(v, 'is_sql_null', False) else "
        "[list(v), list(v['a'][1]), v['b']] if isinstance(v, dict) else v"
    )
    for mode, expected in ((False, kind), (True, strict)):
        with Lab(variant_decimals_as_text=mode) as lab:
            create(lab, "V VARIANT", body)
            answer = lab.sql(f"CALL RAW.PUBLIC.P({given})")[0][0]
            assert (None if answer is None else json.loads(answer)) == expected


def test_a_sql_null_is_not_false():
    with Lab(variant_decimals_as_text=True) as lab:
        create(lab, "V VARIANT, T VARCHAR", "[bool(v), repr(v), t]")
        assert lab.call("CALL RAW.PUBLIC.P(NULL, NULL)") == [True, "SqlNull()", None]


# --- packages and machine -------------------------------------------------------------------


HERE = {name: importlib.metadata.version(name) for name in ("snowflake-snowpark-python", "pyarrow", "wasmtime")}
PINNED = ", ".join(f"'{name}=={version}'" for name, version in HERE.items())
NOT_THERE = "100357 (P0000) Cannot create a Python function with the specified packages. Please check your packages"


@pytest.mark.parametrize(
    ("packages", "repository", "modes", "error"),
    [
        ("'snowflake-snowpark-python', 'pyarrow'", "", {}, None),
        ("'snowflake-snowpark-python', 'wasmtime'", REPOSITORY, {}, None),
        ("'snowflake-snowpark-python', 'wasmtime'", "", {}, NOT_THERE),
        (PINNED, "", {}, NOT_THERE),
        (PINNED, REPOSITORY, {"strict_packages": True}, None),
        (
            "'snowflake-snowpark-python'",
            REPOSITORY,
            {"strict_packages": True},
            "099999 (0A000) emulator: PACKAGES names",
        ),
        (
            f"'snowflake-snowpark-python=={HERE['snowflake-snowpark-python']}', 'pyarrow'",
            "",
            {"strict_packages": True},
            "099999 (0A000) emulator: PACKAGES names 'pyarrow' without a version",
        ),
        ("'pyarrow'", "", {}, "001003 (42000) SQL compilation error:\nPACKAGES must name snowflake-snowpark-python"),
    ],
)
def test_packages_come_from_a_repository_or_the_channel(packages, repository, modes, error):
    with Lab(**modes) as lab:
        if error is None:
            create(lab, "", "1", packages, repository)
            assert lab.call("CALL RAW.PUBLIC.P()") == "1"
            return
        with pytest.raises(Exception) as caught:  # noqa: PT011 - the text is compared below
            create(lab, "", "1", packages, repository)
        number, _, message = error.partition(") ")
        text = str(caught.value)
        assert number in text and message in text


@pytest.mark.parametrize("machine", [None, "aarch64"])
def test_a_handler_sees_the_machine(machine):
    before = platform.machine()
    with Lab(machine=machine) as lab:
        body = (
            "import platform, concurrent.futures as f\n"
            "with f.ThreadPoolExecutor() as p:\n    return [platform.machine(), p.submit(platform.machine).result()]"
        )
        procedure(lab, body)
        assert lab.call("CALL RAW.PUBLIC.P()") == [machine or before] * 2
        assert platform.machine() == before
