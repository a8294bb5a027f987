"""A Snowflake on one machine: DuckDB behind Snowflake's own wire protocol, with procedures, roles and their rules.

`Lab` is the entry point; `python -m emulator serve` gives other programs a port. README.md lists the differences from
the service.
"""

import warnings

from .errors import SqlError
from .lab import Lab

# fakesnow 0.12.1 fetches Arrow in a way that DuckDB 2 warns about.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API")

__all__ = ["Lab", "SqlError"]
