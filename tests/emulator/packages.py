"""PACKAGES of a procedure: their repository and versions."""

from __future__ import annotations

import importlib.metadata
from typing import TYPE_CHECKING

from .errors import SqlError, syntax

if TYPE_CHECKING:
    from .modes import Modes

SNOWPARK = "snowflake-snowpark-python"
# The packages of a procedure without ARTIFACT_REPOSITORY: some of Snowflake's Anaconda channel.
CHANNEL = {SNOWPARK, "certifi", "cryptography", "numpy", "pandas", "pyarrow", "requests", "urllib3"}


def check(packages: list[str], repository: object, modes: Modes) -> None:
    """Check that the packages exist in their repository in the requested version; with `strict_packages` all must be
    pinned.
    """
    split = [(package, *package.partition("==")[::2]) for package in packages]
    if SNOWPARK not in {name for _, name, _ in split}:
        raise syntax(f"PACKAGES must name {SNOWPARK}")
    for package, name, version in split:
        if repository is None and name not in CHANNEL:
            raise SqlError(
                100357,
                "P0000",
                "Cannot create a Python function with the specified packages. Please check your packages specification and "
                "try again.",
            )
        if modes.strict_packages and not version:
            raise SqlError(99999, "0A000", f"emulator: PACKAGES names {package!r} without a version (strict_packages)")
        here = importlib.metadata.version(name)
        if version and here != version:
            raise SqlError(99999, "0A000", f"emulator: {package} is asked for, {here} is installed here")
