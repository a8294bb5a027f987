"""HTTP for Snowcat's host inside Snowflake: sends the requests of the component.

A request names a credential, which the component never sees. `_prepared` adds it, for the hosts
that the job names for it only, and over TLS unless the host is this machine. No error and no answer
quotes a secret (`snowcat_echo.py`). Credentials are in `snowcat_credentials.py`, connections in
`snowcat_wire.py`, encodings in `snowcat_text.py`.
"""

import re
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from snowcat_credentials import ENCODINGS, HEADER_VALUE, USER_AGENT, Credential, Credentials
from snowcat_echo import LEAST, LEAST_IN_DATA, NOT_SHOWN, hide_parameter, holds, shortened
from snowcat_wire import Connections, Message, Origin, RequestError, target

# Seconds for a whole request: connecting, sending, headers and body.
TOTAL = 120.0
PARALLEL = 8
LARGEST_BODY = 100 << 20
NO_MEMORY = "the answer takes more memory than there is"
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# The headers that the client sets itself.
OWN_HEADERS = (
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
)
# The response headers that no load needs. Any other can hold the token of the next page.
COOKIES = ("set-cookie", "set-cookie2")
QUOTES = "quotes a credential, which must not enter the load"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that can be sent."""

    message: Message
    credential: Credential | None


class Http:
    """HTTP with kept connections, no redirects, and credentials for their own hosts only."""

    def __init__(self, credentials, largest_body=LARGEST_BODY, total=TOTAL):
        self._largest_body = largest_body
        self._connections = Connections(largest_body, total)
        self._credentials = Credentials(credentials, self._connections, largest_body)

    def fetch(self, requests):
        """Send the requests; `("ok", response)` or `("err", failure)` for each."""
        # Secrets can be read from the main thread only: here, not where the requests are sent.
        prepared = [self._prepared(request) for request in requests]
        if len(prepared) == 1:
            return [self._answered(requests[0], prepared[0])]
        with ThreadPoolExecutor(min(PARALLEL, len(prepared))) as pool:
            return list(pool.map(self._answered, requests, prepared))

    def scrub(self, text):
        """The text without any secret."""
        return self._credentials.scrub(text)

    def _prepared(self, request):
        """The request with its credential; or the `RequestError` for which it is not sent."""
        try:
            url = urllib.parse.urlsplit(request["url"])
            origin = Origin.of(url)
            headers = _checked(request["headers"])
            query = url.query
            credential = None
            if request["auth"] is not None:
                credential = self._credentials.credential(request["auth"], origin)
                query = _added(credential, headers, query)
            headers |= {"accept-encoding": ENCODINGS, "user-agent": USER_AGENT}
            body = None if request["body"] is None else request["body"].encode()
            message = Message(origin, request["method"], target(url, query), headers, body)
            return Prepared(message, credential)
        except RequestError as error:
            return error
        except ValueError:
            return RequestError("not a URL")
        except MemoryError:  # for the answer of a token server
            return RequestError(NO_MEMORY)

    def _answered(self, request, prepared):
        try:
            if isinstance(prepared, RequestError):
                raise prepared
            return "ok", self._response(prepared)
        except RequestError as error:
            why, transient, code = str(error), error.transient, error.code
        except MemoryError:
            why, transient, code = NO_MEMORY, False, ""
        message = f"{request['method']} {_shown(request['url'])}: {why}"
        return "err", {"code": code, "message": message, "transient": transient}

    def _response(self, prepared):
        """The response of the interface to a request that is sent now."""
        credential = prepared.credential
        try:
            answer = self._connections.send(prepared.message)
            if answer.status == 401 and credential is not None and credential.is_token:
                self._credentials.expire(credential)
            body = answer.text(self._largest_body)
        except RequestError as error:
            # Its text can quote headers of the answer.
            raise RequestError(self.scrub(str(error)), error.transient, error.code) from None
        headers = [header for header in answer.headers if header[0] not in COOKIES]
        headers, body = self._cleaned(answer.status, headers, body, credential)
        return {"body": body, "headers": list(map(list, headers)), "status": answer.status}

    def _cleaned(self, status, headers, body, credential):
        """Headers and body without a secret; a `RequestError` if data quotes one."""
        secrets = self._credentials.known(() if credential is None else credential.secrets)
        if credential is not None and credential.parameter is not None:
            # A link to the next page may hold the key: the host adds it again.
            name, key = credential.parameter, credential.secrets[0]
            body = hide_parameter(body, name, key)
            headers = [(header, hide_parameter(value, name, key)) for header, value in headers]
        if not 200 <= status < 300:
            secrets = shortened(secrets)
            headers = [
                (it, "***" if holds(value, secrets, LEAST) else value) for it, value in headers
            ]
            return headers, NOT_SHOWN if holds(body, secrets, LEAST) else body
        for header, value in headers:
            if holds(value, secrets, LEAST_IN_DATA):
                raise RequestError(f"the header {header} of the answer {QUOTES}", code=str(status))
        if holds(body, secrets, LEAST_IN_DATA):
            raise RequestError(f"the answer {QUOTES}", code=str(status))
        return headers, body


def _checked(given):
    """The headers of a request by name, in lower case."""
    headers = {}
    for name, value in given:
        if name.lower() in OWN_HEADERS:
            raise RequestError(f"the header {name} is the client's own")
        if not HEADER_NAME.fullmatch(name):
            raise RequestError(f"{name!r} is not the name of a header")
        if not HEADER_VALUE.fullmatch(value):
            raise RequestError(f"the value of the header {name} is not valid")
        headers[name.lower()] = value
    return headers


def _added(credential, headers, query):
    """The query, with the credential if it is a parameter; a header is put into `headers`."""
    if credential.parameter is None:
        if credential.header in headers:
            raise RequestError(f"the header {credential.header} is the credential's")
        headers[credential.header] = credential.value
        return query
    others = [it for it in query.split("&") if it and it.split("=")[0] != credential.parameter]
    return "&".join([*others, f"{credential.parameter}={credential.value}"])


def _shown(url):
    """A URL as errors show it: without a user, and without the query, which can hold keys."""
    scheme, mark, rest = re.split("[?#]", url, maxsplit=1)[0].rpartition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{mark}{authority.rpartition('@')[2]}{slash}{path}"
