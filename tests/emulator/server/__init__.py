"""The account on a port: Snowflake's driver protocol, with switches and faults for tests of clients.

`Server` is made by `Lab`; README.md describes the switches, the faults and the control endpoint.
"""

from .faults import Fault, Faults
from .server import Server
from .switches import Switches

__all__ = ["Fault", "Faults", "Server", "Switches"]
