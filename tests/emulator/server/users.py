"""The users who may log in, and their credentials."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .protocol import Refused
from .switches import Switches

LONGEST_JWT = 3600


@dataclass
class User:
    """The credentials of a user. `expired` are OAuth tokens that were valid once."""

    name: str
    password: str | None = None
    passcode: str | None = None
    keys: list[rsa.RSAPublicKey] = field(default_factory=list)
    oauth: set[str] = field(default_factory=set)
    expired: set[str] = field(default_factory=set)
    access_tokens: set[str] = field(default_factory=set)
    service_tokens: set[str] = field(default_factory=set)


class Users:
    """The users of an account, and the checks of a login.

    A user that is not registered may log in with any password and any token, but not with a key; with `strict_login`
    not at all.
    """

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self.by_name: dict[str, User] = {}
        self.logins: list[dict] = []
        self.seen_jwts: set[str] = set()

    def register(self, given: dict[str, Any]) -> None:
        """Register a user, or replace the registered one.

        Keys: `name`; `password`, `passcode`; `public_key` (one PEM or a list); `oauth`, `expired`, `access_tokens` and
        `service_tokens` (lists of tokens).
        """
        known = {"name", "password", "passcode", "public_key", "oauth", "expired", "access_tokens", "service_tokens"}
        if not set(given) <= known or not isinstance(given.get("name"), str):
            raise ValueError(f"a user: expected `name` and any of {', '.join(sorted(known))}; found {sorted(given)}")
        pems = given.get("public_key") or []
        user = User(given["name"].upper(), given.get("password"), given.get("passcode"))
        for pem in [pems] if isinstance(pems, str) else pems:
            key = serialization.load_pem_public_key(pem.encode())
            if not isinstance(key, rsa.RSAPublicKey):
                raise ValueError("a user's `public_key`: expected an RSA key")
            user.keys.append(key)
        for name in ("oauth", "expired", "access_tokens", "service_tokens"):
            setattr(user, name, set(given.get(name) or []))
        self.by_name[user.name] = user

    def check(self, data: dict[str, Any]) -> str:
        """The name of the user whose credentials are in a login's data. Raises `Refused`."""
        kind = str(data.get("AUTHENTICATOR") or "SNOWFLAKE").upper()
        record = {"authenticator": kind, "user": data.get("LOGIN_NAME"), "spcs_token": data.get("SPCS_TOKEN")}
        self.logins.append(record)
        try:
            if kind == "SNOWFLAKE_JWT":
                return self._key_pair(data)
            if kind == "OAUTH":
                return self._oauth(data)
            if kind == "PROGRAMMATIC_ACCESS_TOKEN":
                return self._access_token(data)
            if kind in ("SNOWFLAKE", "USERNAME_PASSWORD_MFA"):
                return self._password(data)
            raise Refused(390144 if "JWT" in kind else 390100, f"emulator: the authenticator {kind} is not emulated")
        except Refused as error:
            record["refused"] = error.code
            raise

    def _named(self, data: dict[str, Any], code: int) -> User | None:
        name = data.get("LOGIN_NAME")
        found = self.by_name.get(str(name).upper()) if name else None
        if found is None and (self.switches.strict_login or not name):
            raise Refused(code)
        return found

    def _password(self, data: dict[str, Any]) -> str:
        user = self._named(data, 390100)
        given = data.get("PASSWORD")
        if not given or (
            user is not None and given not in (user.password, (user.password or "") + (user.passcode or ""))
        ):
            raise Refused(390100)
        wanted = user.passcode if user is not None and given == user.password else None
        if wanted is not None and data.get("PASSCODE") != wanted:
            raise Refused(390127, "Authentication attempt rejected: the passcode is missing or wrong.")
        return str(data["LOGIN_NAME"]).upper()

    def _oauth(self, data: dict[str, Any]) -> str:
        given = str(data.get("TOKEN") or "")
        if not data.get("LOGIN_NAME"):
            found = next((u for u in self.by_name.values() if given in u.service_tokens | u.oauth), None)
            if found is not None:
                return found.name
        if any(given in u.expired for u in self.by_name.values()):
            raise Refused(390318)
        user = self._named(data, 390303)
        if not given or (user is not None and given not in user.oauth | user.service_tokens):
            raise Refused(390303)
        return str(data["LOGIN_NAME"]).upper()

    def _access_token(self, data: dict[str, Any]) -> str:
        user = self._named(data, 394400)
        given = data.get("TOKEN") or data.get("PASSWORD")
        if not given or (user is not None and given not in user.access_tokens):
            raise Refused(394400)
        return str(data["LOGIN_NAME"]).upper()

    def _key_pair(self, data: dict[str, Any]) -> str:
        text = str(data.get("TOKEN") or "")
        try:
            user = self.by_name.get(str(data.get("LOGIN_NAME")).upper())
            proven(text, str(data.get("ACCOUNT_NAME") or ""), user, time.time() + self.switches.clock_skew)
        except Refused as error:
            if self.switches.jwt_codes == "general":
                raise Refused(390144) from error
            raise
        if text in self.seen_jwts:
            self.logins[-1]["jwt_used_before"] = True
        self.seen_jwts.add(text)
        return str(data["LOGIN_NAME"]).upper()


def fingerprint(key: rsa.RSAPublicKey) -> str:
    """The fingerprint of a public key, in the form of DESCRIBE USER."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def proven(text: str, account: str, user: User | None, now: float) -> None:
    """Check a JWT of key pair authentication. Raises `Refused` with the code of the error."""
    parts = text.split(".")
    try:
        header, claims = (json.loads(_decoded(part)) for part in parts[:2])
        signature = _decoded(parts[2])
        issuer, subject = str(claims["iss"]), str(claims["sub"])
        issued, expires = float(claims["iat"]), float(claims["exp"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise Refused(394306, "JWT token is invalid: the format.") from error
    if header.get("alg") != "RS256":
        raise Refused(394305, f"JWT token is invalid: the algorithm {header.get('alg')!r}; expected 'RS256'.")
    expected = f"{account.split('.')[0].upper()}.{user.name if user is not None else '?'}"
    if user is None or subject != expected or not issuer.startswith(f"{subject}."):
        raise Refused(
            394300, f"JWT token is invalid: expected the subject {expected!r}, found {subject!r} in {issuer!r}."
        )
    key = next((k for k in user.keys if issuer == f"{subject}.{fingerprint(k)}"), None)
    if key is None:
        raise Refused(394304, "JWT token is invalid: the fingerprint is not that of a key of the user.")
    if issued > now + 60:
        raise Refused(394302, "JWT token is invalid: it is not valid yet.")
    if expires <= now:
        raise Refused(394301, "JWT token is invalid: it has expired.")
    if expires - issued > LONGEST_JWT:
        raise Refused(394303, f"JWT token is invalid: it lives longer than {LONGEST_JWT} seconds.")
    try:
        key.verify(signature, ".".join(parts[:2]).encode(), padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature as error:
        raise Refused(390144) from error


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
