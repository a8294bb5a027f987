"""Session and master tokens: their lifetimes, and the responses to requests with them."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ..session import Session
from .protocol import Refused
from .switches import Switches


@dataclass(eq=False)
class Login:
    """One session's tokens. After a renewal the old session token has expired; older master tokens stay valid."""

    session: Session
    sticky: str
    number: int
    token: str = ""
    expires: float = 0.0
    master_expires: float = 0.0
    tokens: set[str] = field(default_factory=set)
    masters: set[str] = field(default_factory=set)


class Tokens:
    """The logins of a server."""

    def __init__(self, switches: Switches, drop: Callable[[Session], None], alive: Callable[[Session], bool]) -> None:
        self.switches = switches
        self.logins: list[Login] = []
        # For each renewal, `True` if a transaction was open.
        self.renewals: list[bool] = []
        self._drop = drop
        self._alive = alive
        self._guard = threading.Lock()

    def login(self, session: Session) -> dict:
        """The tokens of a new session, in the form of the login's response."""
        made = Login(session, secrets.token_urlsafe(12), int(session.id[:12], 16))
        with self._guard:
            self._fresh(made)
            self.logins.append(made)
        return {
            "token": made.token,
            "masterToken": next(iter(made.masters)),
            "validityInSeconds": int(self.switches.session_life),
            "masterValidityInSeconds": int(self.switches.master_life),
            "sessionId": made.number,
        }

    def of(self, token: str, sticky: str | None = None) -> Login:
        """The login of a session token. A request without the required sticky header finds no session."""
        found = next((m for m in self.logins if token in m.tokens), None)
        if found is None:
            if any(token in m.masters for m in self.logins):
                raise Refused(390104)
            raise Refused(390111)
        if self._ended(found):
            raise Refused(390112)  # the renewal reports that the master token has expired too
        if not self._alive(found.session) or (self.switches.sticky and sticky != found.sticky):
            raise Refused(390111)
        if token != found.token or time.monotonic() >= found.expires:
            raise Refused(390112)
        return found

    def renew(self, master: str, old: str) -> dict:
        """New tokens for a master token that is valid."""
        found = next((m for m in self.logins if master in m.masters), None)
        if found is None:
            raise Refused(390115 if any(master in m.tokens for m in self.logins) else 390113)
        if self._ended(found):
            raise Refused(390114)
        if not self._alive(found.session):
            raise Refused(390111)
        if old not in found.tokens:
            raise Refused(390115, "The old session token is not of this session.")
        with self._guard:
            self.renewals.append(found.session.transaction is not None)
            master = self._fresh(found)
        return {
            "sessionToken": found.token,
            "validityInSecondsST": int(self.switches.session_life),
            "masterToken": master,
            "validityInSecondsMT": int(self.switches.master_life),
            "sessionId": found.number,
        }

    def heartbeat(self, login: Login) -> None:
        """Extend the lifetime of the master token."""
        login.master_expires = time.monotonic() + self.switches.master_life

    def forget(self, login: Login) -> None:
        """Remove the tokens of an ended session."""
        with self._guard:
            self.logins = [m for m in self.logins if m is not login]

    def expire(self, what: str) -> int:
        """Expire every session token, or every master token. Returns the number."""
        if what not in ("session", "master"):
            raise ValueError(f"expected 'session' or 'master', found {what!r}")
        for login in self.logins:
            login.expires = 0.0
            if what == "master":
                login.master_expires = 0.0
        return len(self.logins)

    def _ended(self, login: Login) -> bool:
        """Returns `True` if the master token has expired, which ends the session."""
        if time.monotonic() < login.master_expires:
            return False
        self._drop(login.session)
        return True

    def _fresh(self, login: Login) -> str:
        login.token, master = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        login.tokens.add(login.token)
        login.masters.add(master)
        now = time.monotonic()
        login.expires, login.master_expires = now + self.switches.session_life, now + self.switches.master_life
        return master
