"""HTTP for Snowcat's host inside Snowflake: it sends what the component asks for, with credentials it never sees.

A credential goes to the hosts that the job names for it, over TLS unless the host is this machine;
no redirect is followed, and no error and no answer quotes a secret (`snowcat_echo.py`). Connections
are in `snowcat_wire.py`, encodings in `snowcat_text.py`.
"""

import base64
import http.client
import io
import json
import math
import re
import ssl
import threading
import time
import urllib.parse
import zlib
from concurrent.futures import ThreadPoolExecutor

from snowcat_echo import LEAST, LEAST_IN_DATA, NOT_SHOWN, hide, hide_parameter, holds, shortened
from snowcat_text import Gzip, decoded, encoding
from snowcat_wire import LOCAL, PORTS, Connection

# For a whole request: connecting, sending, headers and body.
TOTAL = 120.0
PARALLEL = 8
LARGEST_BODY = 100 << 20
# A body in more pieces than these costs more than it says.
MEMBERS = 1000
NO_MEMORY = "the answer takes more memory than there is"
OWN_HEADERS = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
)
# How long a token holds where its server does not say, and how long before its end it is given up at most.
TOKEN_LASTS, TOKEN_MARGIN = 3600.0, 30.0
# The response headers that are none of a load's business. Any other can hold the next page's token.
COOKIES = ("set-cookie", "set-cookie2")


class Http:
    """HTTP with kept connections, no redirects, and credentials for their own hosts only."""

    def __init__(self, credentials, largest_body=LARGEST_BODY, total=TOTAL):
        self._given, self._tokens, self._refresh, self._read = credentials, {}, {}, {}
        # By credential and part: what no answer may bring into the load.
        self._secrets = {}
        self._idle, self._lock, self._tls, self._largest, self._total = (
            {},
            threading.Lock(),
            None,
            largest_body,
            total,
        )

    def fetch(self, requests):
        """Send the requests; `("ok", response)` or `("err", failure)` for each."""
        # Secrets can be read from the main thread only: here, not where the requests are sent.
        prepared = [self._prepare(request) for request in requests]
        if len(prepared) == 1:
            return [self._answer(*prepared[0])]
        with ThreadPoolExecutor(min(PARALLEL, len(prepared))) as pool:
            return list(pool.map(lambda one: self._answer(*one), prepared))

    def scrub(self, text):
        """The text without any secret."""
        return hide(text, self._known())

    def _known(self, own=()):
        """The secrets that this client has read, and these."""
        with self._lock:
            return list(dict.fromkeys([*own, *self._secrets.values()]))

    def _learn(self, credential, **parts):
        with self._lock:
            self._secrets |= {(credential, part): secret for part, secret in parts.items()}

    def _prepare(self, request):
        """What is sent, and what of it an answer must not quote; or why it is not sent."""
        shown = f"{request['method']} {_shown(request['url'])}"
        try:
            parts = urllib.parse.urlsplit(request["url"])
            place = _place(parts)
            headers, query, own = {}, parts.query, None
            for name, value in request["headers"]:
                if name.lower() in OWN_HEADERS:
                    raise Refused(f"the header {name} is the client's own")
                if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
                    raise Refused(f"{name!r} is not the name of a header")
                if not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", value):
                    raise Refused(f"the value of the header {name} is not valid")
                headers[name.lower()] = value
            if request["auth"] is not None:
                own = self._credential(request["auth"], place)
                if own["header"] in headers:
                    raise Refused(f"the header {own['header']} is the credential's")
                if own["header"] is not None:
                    headers[own["header"]] = own["value"]
                else:
                    kept = [
                        p
                        for p in query.split("&")
                        if p and p.split("=")[0] != own["pair"].split("=")[0]
                    ]
                    query = "&".join([*kept, own["pair"]])
            headers |= {"accept-encoding": "gzip, deflate", "user-agent": "snowcat/0.1.0"}
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", query, ""))
            body = None if request["body"] is None else request["body"].encode()
            return shown, (place, request["method"], target, headers, body), own
        except Refused as error:
            return shown, error, None
        except ValueError:  # of a URL that is none
            return shown, Refused("not a URL"), None
        except MemoryError:  # of the answer of a token's server
            return shown, Refused(NO_MEMORY), None

    def _answer(self, shown, sent, own):
        try:
            if isinstance(sent, Refused):
                raise sent
            status, headers, data = self._send(*sent)
            if status == 401 and own is not None and own["renews"]:
                with self._lock:  # only this one: another thread may have a newer one
                    if self._tokens.get(own["name"], ("",))[0] == own["secrets"][0]:
                        del self._tokens[own["name"]]
            try:
                body = _text(data, headers, self._largest)
            except Refused as error:
                # It quotes headers of the answer.
                raise Refused(self.scrub(str(error)), error.transient, str(status)) from None
            return "ok", self._cleaned(
                status, [h for h in headers if h[0] not in COOKIES], body, own
            )
        except Refused as error:
            return "err", {
                "code": error.code,
                "message": f"{shown}: {error}",
                "transient": error.transient,
            }
        except MemoryError:
            return "err", {"code": "", "message": f"{shown}: {NO_MEMORY}", "transient": False}

    def _cleaned(self, status, headers, body, own):
        """The response without a secret: nothing of what quotes one is shown, and as data it is refused."""
        secrets = self._known(() if own is None else own["secrets"])
        if own is not None and own["pair"] is not None:
            # A link to the next page may have the key: the host adds it again.
            name, key = own["pair"].split("=")[0], own["secrets"][0]
            body = hide_parameter(body, name, key)
            headers = [(header, hide_parameter(value, name, key)) for header, value in headers]
        if not 200 <= status < 300:
            secrets = shortened(secrets)
            headers = [
                (header, "***" if holds(value, secrets, LEAST) else value)
                for header, value in headers
            ]
            return {
                "body": NOT_SHOWN if holds(body, secrets, LEAST) else body,
                "headers": list(map(list, headers)),
                "status": status,
            }
        quoting = next(
            (header for header, value in headers if holds(value, secrets, LEAST_IN_DATA)), None
        )
        if quoting is not None:
            raise Refused(
                f"the header {quoting} of the answer quotes a credential, which must not enter the load",
                code=str(status),
            )
        if holds(body, secrets, LEAST_IN_DATA):
            raise Refused(
                "the answer quotes a credential, which must not enter the load", code=str(status)
            )
        return {"body": body, "headers": list(map(list, headers)), "status": status}

    def _credential(self, name, place):
        """The header or parameter that a credential adds to a request to this place."""
        given = self._given.get(name)
        if given is None:
            raise Refused(f"expected a credential {name} in the job, found none")
        if not _is_for(given.get("hosts", ()), place):
            raise Refused(f"the credential {name} is not for the host {_host(place)}")
        # What is null is as if it were not there.
        given = {key: value for key, value in given.items() if value is not None}
        kind, alias = given.get("type"), given.get("secret", name)
        own = {"name": name, "header": "authorization", "pair": None, "renews": False}

        def read(getter, secret=alias):
            return self._secret(getter, secret, name)

        if kind == "http_basic":
            pair = read("get_username_password")
            coded = base64.b64encode(f"{pair.username}:{pair.password}".encode()).decode()
            # A short password says that the name is the key.
            secret = pair.password if len(pair.password) >= LEAST else pair.username
            own |= {
                "value": f"Basic {coded}",
                "secrets": [f"{pair.username}:{pair.password}", secret],
            }
        elif kind == "bearer":
            token = read("get_generic_secret_string")
            own |= {"value": f"Bearer {token}", "secrets": [token]}
        elif kind == "api_key":
            key, field = read("get_generic_secret_string"), given.get("name", "Authorization")
            location = given.get("location", "header")
            if location in ("query", "param"):
                coded = urllib.parse.quote(key, safe="")
                own |= {
                    "header": None,
                    "pair": f"{urllib.parse.quote(field, safe='')}={coded}",
                    "secrets": [key],
                }
            elif location == "cookie":
                if not re.fullmatch(r"[!#-+\--:<-\[\]-~]*", key):
                    raise Refused(f"the credential {name} cannot be sent in a cookie")
                own |= {"header": "cookie", "value": f"{field}={key}", "secrets": [key]}
            else:
                own |= {"header": field.lower(), "value": key, "secrets": [key]}
        elif kind in ("oauth2_client_credentials", "oauth2_refresh_token", "snowflake_oauth"):
            token = self._token(name, given, alias)
            own |= {"value": f"Bearer {token}", "secrets": [token], "renews": True}
        else:
            raise Refused(f"this host cannot send a credential of type {kind!r}")
        self._learn(name, **{str(number): secret for number, secret in enumerate(own["secrets"])})
        if own["header"] is not None and not re.fullmatch(r"[\t\x20-\x7e\x80-\xff]*", own["value"]):
            raise Refused("the credential cannot be sent in a header")
        return own

    def _secret(self, getter, alias, credential):
        """A secret, read once."""
        if (getter, alias) not in self._read:
            self._read[getter, alias] = _read_secret(getter, alias, credential)
        return self._read[getter, alias]

    def _token(self, name, given, alias):
        """The bearer token of a credential, fetched when there is none or it is about to expire."""
        kept = self._tokens.get(name)
        if kept is not None and time.monotonic() < kept[1]:
            return kept[0]
        if given["type"] == "snowflake_oauth":
            token = _read_secret("get_oauth_access_token", alias, name)
            self._tokens[name] = (token, float("inf"))
            return token
        url = given.get("access_token_url")
        try:
            parts = urllib.parse.urlsplit(url)
            place = _place(parts)
            if not _is_for(given["hosts"], place):
                raise Refused(f"the credential is not for the host {_host(place)}")
            client, form = (
                self._secret("get_username_password", alias, name),
                {"grant_type": "client_credentials"},
            )
            headers = {
                "accept": "application/json",
                "content-type": "application/x-www-form-urlencoded",
                "accept-encoding": "gzip, deflate",
                "user-agent": "snowcat/0.1.0",
            }
            if given["type"] == "oauth2_refresh_token":
                own = self._secret(
                    "get_generic_secret_string",
                    given.get("refresh_secret", f"{alias}_refresh"),
                    name,
                )
                # A server may give another one in its place.
                form = {
                    "grant_type": "refresh_token",
                    "refresh_token": self._refresh.get(name, own),
                }
                self._learn(name, refresh=form["refresh_token"])
            self._learn(name, client=client.password)
            if given.get("client_authentication", "body") == "basic":
                coded = ":".join(
                    urllib.parse.quote(text, safe="") for text in (client.username, client.password)
                )
                self._learn(name, coded=coded, quoted=coded.partition(":")[2])
                headers["authorization"] = f"Basic {base64.b64encode(coded.encode()).decode()}"
            else:
                form |= {"client_id": client.username, "client_secret": client.password}
            form |= {
                k: v
                for k, v in (given.get("access_token_request_data") or {}).items()
                if not k.startswith("//")
            }
            target = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
            status, found, data = self._send(
                place, "POST", target, headers, urllib.parse.urlencode(form).encode()
            )
            return self._accept_token(name, status, _text(data, found, self._largest))
        except ValueError:
            raise Refused(f"the token of the credential {name}: not a URL") from None
        except Refused as error:
            raise Refused(
                f"the token of the credential {name}: {self.scrub(str(error))}", error.transient
            ) from None

    def _accept_token(self, name, status, body):
        try:
            answer = json.loads(body)
        except (
            ValueError,
            RecursionError,
        ):  # its text would quote the answer, and the answer is the secret
            answer = None
        answer = answer if isinstance(answer, dict) else {}
        if not 200 <= status < 300:
            word = answer.get("error")
            why = (
                f" ({word})" if isinstance(word, str) and re.fullmatch("[a-z_]{1,40}", word) else ""
            )
            raise Refused(
                f"the server said {status}{why}", transient=status >= 500 or status == 429
            )
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise Refused("expected an object with an access_token")
        lasts = _seconds(answer.get("expires_in"))
        if isinstance(answer.get("refresh_token"), str):
            self._refresh[name] = answer["refresh_token"]
            self._learn(name, refresh=answer["refresh_token"])
        self._tokens[name] = (token, time.monotonic() + lasts - min(TOKEN_MARGIN, lasts / 10))
        return token

    def _send(self, place, method, target, headers, body):
        """Status, headers and the body's bytes."""
        with self._lock:
            kept = self._idle.setdefault(place, [])
            connection = kept.pop() if kept else None
        again = connection is not None and method == "GET"
        until, code = time.monotonic() + self._total, ""
        while True:
            connection = connection or self._connect(place)
            connection.begin(until)
            try:
                connection.request(method, target, body, headers)
                response = connection.getresponse()
                code = str(response.status)
                data = response.read(self._largest + 1)
                break
            except (OSError, EOFError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if again and not isinstance(
                    error, TimeoutError
                ):  # the server had closed a kept connection: once more
                    again = False
                    continue
                raise Refused(
                    self.scrub(f"{type(error).__name__}: {error}"), _may_pass(error), code
                ) from None
            except ValueError:  # its text quotes the header, which may be the secret
                connection.close()
                raise Refused(f"a header for {place[1]} holds what HTTP forbids") from None
        if response.will_close or not response.isclosed():
            connection.close()
        else:
            with self._lock:
                self._idle[place].append(connection)
        return (
            response.status,
            [(name.lower(), value) for name, value in response.getheaders()],
            data,
        )

    def _connect(self, place):
        scheme, host, _ = place
        if scheme == "http":
            return Connection(place, None)
        with self._lock:
            self._tls = self._tls or _tls()
        return Connection(place, ssl._create_unverified_context() if host in LOCAL else self._tls)


class Refused(Exception):
    """A request that must not be sent, or cannot be: the message says why, and holds no secret."""

    def __init__(self, message, transient=False, code=""):
        super().__init__(message)
        self.transient, self.code = transient, code


def _seconds(value):
    """How long a token holds, as its server says it; some write the number as a text."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (OverflowError, TypeError, ValueError):
        number = math.nan
    return number if math.isfinite(number) and number >= 0 else TOKEN_LASTS


def _may_pass(error):
    """Whether another attempt may do. What a server says too much of, it says again."""
    if isinstance(
        error, (ssl.SSLCertVerificationError, http.client.InvalidURL, http.client.LineTooLong)
    ):
        return False
    return type(error) is not http.client.HTTPException  # of more than a hundred headers


def _place(parts):
    """Scheme, host and port of a URL, if a request may go there."""
    host = (parts.hostname or "").lower()
    if not host:
        raise Refused("expected a URL with a host")
    if "@" in parts.netloc:
        raise Refused("expected a URL without a user; name a credential instead")
    if parts.scheme not in PORTS:
        raise Refused("expected a URL with https")
    if parts.scheme == "http" and host not in LOCAL:
        raise Refused("expected https, for the host is not this machine")
    return parts.scheme, host, parts.port or PORTS[parts.scheme]


def _host(place):
    scheme, host, port = place
    name = f"[{host}]" if ":" in host else host
    return name if port == PORTS[scheme] else f"{name}:{port}"


def _shown(url):
    """A URL as an error tells of it: without the query, where people put keys, and without a user."""
    scheme, mark, rest = re.split("[?#]", url, maxsplit=1)[0].rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"


def _is_for(hosts, place):
    scheme, host, port = place
    name = f"[{host}]" if ":" in host else host
    known = [str(h).lower() for h in hosts]
    return f"{name}:{port}" in known or (port == PORTS[scheme] and name in known)


def secret(getter, alias):
    """A secret of the procedure, by the getter that Snowflake has for its type."""
    try:
        import _snowflake as source
    except ImportError:
        from snowflake.snowpark import secrets as source
    return getattr(source, getter)(alias)


def _read_secret(getter, alias, credential):
    try:
        return secret(getter, alias)
    except Exception as error:  # noqa: BLE001 - whatever it is that Snowflake raises
        why = f"the secret {alias!r} cannot be read: {type(error).__name__}"
        raise Refused(f"the credential {credential}: {why}") from None


def _tls():
    """Certificates are checked against the system's authorities and certifi's, where there are such."""
    context = ssl.create_default_context()
    try:
        import certifi
    except ImportError:
        return context
    context.load_verify_locations(certifi.where())
    return context


def _text(data, headers, limit):
    """The text of a body, decompressed; a few bytes can stand for many, so no more are unpacked than may be."""
    coding = next(
        (value.strip().lower() for name, value in headers if name == "content-encoding"), ""
    )
    if len(data) > limit:
        raise Refused(f"the body is larger than the limit of {limit} bytes")
    if data and coding not in ("", "identity"):
        try:
            if coding in ("gzip", "x-gzip"):
                data = Gzip(io.BytesIO(data), MEMBERS).take(limit + 1)
            elif coding == "deflate":
                data = _inflated(data, limit)
            else:
                raise Refused(
                    f'expected a body compressed with gzip, deflate or not, found "{coding}"'
                )
        except (EOFError, OverflowError, zlib.error) as error:
            broken = not isinstance(error, OverflowError)
            raise Refused(f"the body cannot be decompressed: {error}", transient=broken) from None
        if len(data) > limit:
            raise Refused(f"the body is larger than the limit of {limit} bytes")
    kind = next((value for name, value in headers if name == "content-type"), "")
    label = re.search(r";\s*charset\s*=\s*(\"[^\"]*\"|[^\s;]+)", kind, re.IGNORECASE)
    label = label[1].strip("\"' ") if label else "utf-8"
    name = encoding(label)
    if name is None:
        raise Refused(
            f"expected a body in a charset that this host knows, found {json.dumps(label)}"
        )
    try:
        return decoded(data, name)
    except UnicodeDecodeError as error:
        shown = name.upper() if name.startswith("utf") else name
        raise Refused(f"expected a body in {shown}, found other bytes at {error.start}") from None


def _inflated(data, limit):
    """By the book deflate is zlib's format; some send it bare."""
    member = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
    found = member.decompress(data, limit + 1)
    if len(found) <= limit and not member.eof:
        raise EOFError("it ends too early")
    return found
