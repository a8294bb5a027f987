"""The credentials of a job: what each of them adds to a request, and the secrets that it reads.

A credential is added to requests for the hosts that the job names for it. The job names a secret;
its value stays in this process: no answer, no error and no transcript may quote it.
"""

import base64
import json
import math
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass

from snowcat_echo import LEAST, hide
from snowcat_release import RELEASE
from snowcat_wire import Message, Origin, RequestError, target

USER_AGENT = f"snowcat/{RELEASE}"
ENCODINGS = "gzip, deflate"
HEADER_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
COOKIE_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
# Seconds that a token is valid if its server does not say.
TOKEN_LASTS = 3600.0
# Seconds before its end at which a token is fetched anew, at most.
TOKEN_MARGIN = 30.0


@dataclass(frozen=True, slots=True)
class Credential:
    """What a credential adds to a request: a header, or a parameter of the query."""

    # Its name in the job.
    name: str
    # The value of the header or, encoded, of the parameter.
    value: str
    # What no answer may quote; the first is the one that a link to the next page can hold.
    secrets: tuple[str, ...]
    header: str | None = "authorization"
    # The name of the parameter, encoded, if it is not a header.
    parameter: str | None = None
    # Whether a 401 means that the token has to be fetched anew.
    is_token: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, and until when (of `time.monotonic`) it is used."""

    value: str
    until: float


class Credentials:
    """The credentials of a job by name, with the secrets and tokens that were read for them."""

    def __init__(self, given, connections, largest_body):
        # The section `credentials` of the job, which the component has checked.
        self._given = given
        self._connections = connections
        self._largest_body = largest_body
        self._lock = threading.Lock()
        # Secrets by getter and name: each is read once.
        self._read = {}
        self._tokens = {}
        # Refresh tokens that a server gave in place of the secret's.
        self._refresh_tokens = {}
        # By credential and part: what no answer may quote.
        self._secrets = {}

    def known(self, own=()):
        """These secrets, and all that were read."""
        with self._lock:
            return list(dict.fromkeys([*own, *self._secrets.values()]))

    def scrub(self, text):
        """The text without any secret."""
        return hide(text, self.known())

    def credential(self, name, origin):
        """What the credential adds to a request for this origin."""
        given = self._given.get(name)
        if given is None:
            raise RequestError(f"expected a credential {name} in the job, found none")
        if not origin.is_among(given.get("hosts", ())):
            raise RequestError(f"the credential {name} is not for the host {origin}")
        # A key that is null counts as absent.
        given = {key: value for key, value in given.items() if value is not None}
        credential = self._made(name, given, given.get("secret", name))
        self._remember(name, **{str(at): secret for at, secret in enumerate(credential.secrets)})
        if credential.header is not None and not HEADER_VALUE.fullmatch(credential.value):
            raise RequestError("the credential cannot be sent in a header")
        return credential

    def expire(self, credential):
        """Forget the token of a credential, unless another thread has a newer one already."""
        with self._lock:
            token = self._tokens.get(credential.name)
            if token is not None and token.value == credential.secrets[0]:
                del self._tokens[credential.name]

    def _remember(self, credential, **parts):
        with self._lock:
            self._secrets |= {(credential, part): secret for part, secret in parts.items()}

    def _made(self, name, given, alias):
        kind = given.get("type")
        if kind == "http_basic":
            return _basic(name, self._secret("get_username_password", alias, name))
        if kind == "bearer":
            token = self._secret("get_generic_secret_string", alias, name)
            return Credential(name, f"Bearer {token}", (token,))
        if kind == "api_key":
            return _api_key(name, given, self._secret("get_generic_secret_string", alias, name))
        if kind in ("oauth2_client_credentials", "oauth2_refresh_token", "snowflake_oauth"):
            token = self._token(name, given, alias)
            return Credential(name, f"Bearer {token}", (token,), is_token=True)
        raise RequestError(f"this host cannot send a credential of type {kind!r}")

    def _secret(self, getter, alias, credential):
        if (getter, alias) not in self._read:
            self._read[getter, alias] = _read(getter, alias, credential)
        return self._read[getter, alias]

    def _token(self, name, given, alias):
        """The bearer token of a credential; fetched if there is none or it is about to expire."""
        token = self._tokens.get(name)
        if token is not None and time.monotonic() < token.until:
            return token.value
        if given["type"] == "snowflake_oauth":
            token = Token(_read("get_oauth_access_token", alias, name), math.inf)
        else:
            token = self._fetched(name, given, alias)
        self._tokens[name] = token
        return token.value

    def _fetched(self, name, given, alias):
        """A token from the credential's token server."""
        try:
            url = urllib.parse.urlsplit(given.get("access_token_url"))
            origin = Origin.of(url)
            if not origin.is_among(given["hosts"]):
                raise RequestError(f"the credential is not for the host {origin}")
            headers, form = self._token_request(name, given, alias)
            body = urllib.parse.urlencode(form).encode()
            message = Message(origin, "POST", target(url, url.query), headers, body)
            answer = self._connections.send(message)
            return self._accepted(name, answer.status, answer.text(self._largest_body))
        except ValueError:
            raise RequestError(f"the token of the credential {name}: not a URL") from None
        except RequestError as error:
            why = f"the token of the credential {name}: {self.scrub(str(error))}"
            raise RequestError(why, error.transient) from None

    def _token_request(self, name, given, alias):
        """Headers and form of the request for a token."""
        client = self._secret("get_username_password", alias, name)
        headers = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            "accept-encoding": ENCODINGS,
            "user-agent": USER_AGENT,
        }
        form = {"grant_type": "client_credentials"}
        if given["type"] == "oauth2_refresh_token":
            refresh_alias = given.get("refresh_secret", f"{alias}_refresh")
            refresh = self._secret("get_generic_secret_string", refresh_alias, name)
            refresh = self._refresh_tokens.get(name, refresh)
            form = {"grant_type": "refresh_token", "refresh_token": refresh}
            self._remember(name, refresh=refresh)
        self._remember(name, client=client.password)
        if given.get("client_authentication", "body") == "basic":
            parts = [
                urllib.parse.quote(text, safe="") for text in (client.username, client.password)
            ]
            pair = ":".join(parts)
            self._remember(name, coded=pair, quoted=parts[1])
            headers["authorization"] = f"Basic {_base64(pair)}"
        else:
            form |= {"client_id": client.username, "client_secret": client.password}
        more = given.get("access_token_request_data") or {}
        return headers, form | {key: it for key, it in more.items() if not key.startswith("//")}

    def _accepted(self, name, status, body):
        """The token in an answer of a token server. No error quotes it: it is the secret."""
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        if not 200 <= status < 300:
            word = answer.get("error")
            is_word = isinstance(word, str) and re.fullmatch("[a-z_]{1,40}", word)
            why = f"the server said {status}{f' ({word})' if is_word else ''}"
            raise RequestError(why, transient=status >= 500 or status == 429)
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise RequestError("expected an object with an access_token")
        refresh = answer.get("refresh_token")
        if isinstance(refresh, str):
            self._refresh_tokens[name] = refresh
            self._remember(name, refresh=refresh)
        lasts = _seconds(answer.get("expires_in"))
        return Token(token, time.monotonic() + lasts - min(TOKEN_MARGIN, lasts / 10))


def secret(getter, alias):
    """A secret of the procedure, by the getter that Snowflake has for its type."""
    try:
        import _snowflake as source
    except ImportError:
        from snowflake.snowpark import secrets as source
    return getattr(source, getter)(alias)


def _read(getter, alias, credential):
    try:
        return secret(getter, alias)
    except Exception as error:  # noqa: BLE001 - Snowflake does not document what it raises
        why = f"the secret {alias!r} cannot be read: {type(error).__name__}"
        raise RequestError(f"the credential {credential}: {why}") from None


def _basic(name, login):
    pair = f"{login.username}:{login.password}"
    # With a password this short, such as `X`, the name is the key.
    key = login.password if len(login.password) >= LEAST else login.username
    return Credential(name, f"Basic {_base64(pair)}", (pair, key))


def _api_key(name, given, key):
    field = given.get("name", "Authorization")
    location = given.get("location", "header")
    if location in ("query", "param"):
        parameter = urllib.parse.quote(field, safe="")
        value = urllib.parse.quote(key, safe="")
        return Credential(name, value, (key,), header=None, parameter=parameter)
    if location == "cookie":
        if not COOKIE_VALUE.fullmatch(key):
            raise RequestError(f"the credential {name} cannot be sent in a cookie")
        return Credential(name, f"{field}={key}", (key,), header="cookie")
    return Credential(name, key, (key,), header=field.lower())


def _base64(text):
    return base64.b64encode(text.encode()).decode()


def _seconds(value):
    """How long a token is valid by its server, which may write the number as a string."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    return number if math.isfinite(number) and number >= 0 else TOKEN_LASTS
