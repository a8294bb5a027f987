"""Snowflake's drivers in this process, without work that repeats with every statement and has no effect here."""

from __future__ import annotations

import importlib.util
import logging
import mimetypes
import sys


def prepare() -> None:
    """Prepare the drivers of this process; their results stay the same."""
    logging.getLogger("snowflake").setLevel(logging.CRITICAL)
    # Each request imports it. If it is not installed, the import then fails at once.
    if importlib.util.find_spec("opentelemetry") is None:
        sys.modules.setdefault("opentelemetry", None)  # type: ignore[arg-type]
    # Each upload reads the files of the system's MIME types, and needs only how a file is compressed, which they omit.
    mimetypes.knownfiles.clear()


# A driver looks for the proxy of a host with every request, unless the host has none; and at each login it asks the
# metadata services of three clouds on which machine it runs.
ENVIRONMENT = {"NO_PROXY": "127.0.0.1,localhost", "SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"}
