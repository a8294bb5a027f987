"""A laptop Snowflake: DuckDB behind Snowflake's own wire protocol, with procedures, roles and their rules.

`Lab` is the way in; `python -m emulator serve` gives other programs a port.
What it does not do as the service does is listed in README.md.
"""

import warnings

from .errors import SqlError
from .lab import Lab

# fakesnow 0.12.1 fetches Arrow in a way that DuckDB 2 warns about.
warnings.filterwarnings("ignore", message="Arrow output on a DB-API")

__all__ = ["Lab", "SqlError"]
