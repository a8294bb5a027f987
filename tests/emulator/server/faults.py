"""Faults on demand: the effect on the n-th request of an endpoint."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Any

KINDS = (
    "refuse",
    "reset_before",
    "reset_after",
    "half_body",
    "status",
    "code",
    "redirect",
    "slow",
    "runs",
    "expired_credentials",
)
ENDPOINTS = (
    "login",
    "renew",
    "heartbeat",
    "close",
    "query",
    "result",
    "abort",
    "monitoring",
    "chunk",
    "upload",
    "storage",
    "any",
)
# The responses of each cloud when the credentials of a stage have expired.
EXPIRED = {
    "S3": (400, b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"),
    "AZURE": (403, b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid: expired</Message></Error>"),
    "GCS": (401, b"<Error><Code>AuthenticationRequired</Code><Message>Authentication required.</Message></Error>"),
    "PRESIGNED": (400, b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>"),
}


@dataclass
class Fault:
    """A fault: `kind` happens to the requests `nth` to `nth + times - 1` of `endpoint` from now on.

    `times=0` has no end. With `match`, a regular expression, only requests whose SQL text or path contains a match
    count. With `after` the request is executed first, and then the client gets the status, the code or the delay.
    `runs` makes a statement run `seconds` longer, unless it is aborted.
    """

    kind: str
    endpoint: str = "query"
    nth: int = 1
    times: int = 1
    match: str | None = None
    after: bool = False
    seconds: float = 0.0
    status: int = 503
    code: int = 390112
    headers: dict[str, str] = field(default_factory=dict)
    to: str | None = None
    seen: int = 0
    hit: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"a fault's kind: expected one of {', '.join(KINDS)}, found {self.kind!r}")
        if self.endpoint not in ENDPOINTS:
            raise ValueError(f"a fault's endpoint: expected one of {', '.join(ENDPOINTS)}, found {self.endpoint!r}")

    @staticmethod
    def of(given: dict[str, Any]) -> Fault:
        """The fault that a JSON object describes."""
        known = {f.name for f in fields(Fault)} - {"seen", "hit"}
        if "kind" not in given or not set(given) <= known:
            raise ValueError(f"a fault: expected `kind` and any of {', '.join(sorted(known))}; found {sorted(given)}")
        return Fault(**given)

    def happens(self, endpoint: str, text: str) -> bool:
        """Count this request, and return `True` if the fault happens to it."""
        if self.endpoint not in (endpoint, "any"):
            return False
        if self.match is not None and re.search(self.match, text, re.I | re.S) is None:
            return False
        self.seen += 1
        happens = self.seen >= self.nth and (not self.times or self.seen < self.nth + self.times)
        self.hit += happens
        return happens


class Faults:
    """The faults of a server, in the order in which they were added."""

    def __init__(self) -> None:
        self.table: list[Fault] = []
        self._guard = threading.Lock()

    def add(self, kind: str, endpoint: str = "query", **given: Any) -> Fault:
        """Add a fault; see `Fault`."""
        made = Fault(kind, endpoint, **given)
        with self._guard:
            self.table.append(made)
        return made

    def clear(self) -> None:
        """Remove every fault."""
        with self._guard:
            self.table = []

    def of(self, endpoint: str, text: str) -> Fault | None:
        """Return the first fault that happens to this request. Every fault counts the request."""
        with self._guard:
            happening = [fault for fault in self.table if fault.happens(endpoint, text)]
        return happening[0] if happening else None

    def shown(self) -> list[dict]:
        """The faults for the control endpoint."""
        return [asdict(fault) for fault in self.table]
