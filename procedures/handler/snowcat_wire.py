"""Connections for Snowcat's host inside Snowflake, each request of which ends by a deadline.

The deadline covers connecting, TLS, sending, headers and body together. Connections are kept and
used again; no redirect is followed.
"""

import http.client
import io
import json
import re
import socket
import ssl
import threading
import time
import urllib.parse
import zlib
from dataclasses import dataclass

from snowcat_text import Gzip, decoded, encoding

PORTS = {"https": 443, "http": 80}
# The names of this machine: the only hosts that a request may reach without TLS.
LOCAL = ("localhost", "127.0.0.1", "::1")
# Seconds for one attempt to connect or to read, if the deadline leaves as much.
PATIENCE = 60.0
# The most members of a gzip body: each costs more time than the bytes it stands for.
MEMBERS = 1000


class RequestError(Exception):
    """A request that must not or cannot be sent. The message holds no secret."""

    def __init__(self, message, transient=False, code=""):
        super().__init__(message)
        self.transient = transient
        self.code = code


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a URL."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url):
        """The origin of a split URL; a `RequestError` if no request may be sent to it."""
        host = (url.hostname or "").lower()
        if not host:
            raise RequestError("expected a URL with a host")
        if "@" in url.netloc:
            raise RequestError("expected a URL without a user; name a credential instead")
        if url.scheme not in PORTS:
            raise RequestError("expected a URL with https")
        if url.scheme == "http" and host not in LOCAL:
            raise RequestError("expected https, for the host is not this machine")
        return cls(url.scheme, host, url.port or PORTS[url.scheme])

    def __str__(self):
        return self._name if self.port == PORTS[self.scheme] else f"{self._name}:{self.port}"

    def is_among(self, hosts):
        """Whether these hosts include this one; they may omit the port of the scheme."""
        known = [str(host).lower() for host in hosts]
        return f"{self._name}:{self.port}" in known or str(self) in known

    @property
    def _name(self):
        return f"[{self.host}]" if ":" in self.host else self.host


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it is sent."""

    origin: Origin
    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it was received; the names of headers are in lower case."""

    status: int
    headers: list[tuple[str, str]]
    data: bytes

    def text(self, limit):
        """The body as text, decompressed; a `RequestError` if it is larger than the limit."""
        try:
            return _text(self.data, dict(reversed(self.headers)), limit)
        except RequestError as error:
            raise RequestError(str(error), error.transient, str(self.status)) from None


def target(url, query):
    """The path of a split URL with this query, as a request line has it."""
    return urllib.parse.urlunsplit(("", "", url.path or "/", query, ""))


class Connections:
    """The connections of one client, which its threads share."""

    def __init__(self, largest_body, seconds):
        self._largest_body = largest_body
        self._seconds = seconds
        self._idle = {}
        self._tls = None
        self._lock = threading.Lock()

    def send(self, message):
        """The answer to a request. The text of a `RequestError` can quote what the server sent."""
        connection = self._kept(message.origin)
        # The server may have closed a kept connection: a GET is then sent once more.
        again = connection is not None and message.method == "GET"
        until = time.monotonic() + self._seconds
        code = ""
        while True:
            connection = connection or self._opened(message.origin)
            connection.begin(until)
            try:
                connection.request(message.method, message.target, message.body, message.headers)
                response = connection.getresponse()
                code = str(response.status)
                data = response.read(self._largest_body + 1)
                break
            except (OSError, EOFError, http.client.HTTPException) as error:
                connection.close()
                connection = None
                if again and not isinstance(error, TimeoutError):
                    again = False
                    continue
                why = f"{type(error).__name__}: {error}"
                raise RequestError(why, _is_transient(error), code) from None
            except ValueError:  # its text quotes the header, which may be the secret
                connection.close()
                why = f"a header for {message.origin.host} holds what HTTP forbids"
                raise RequestError(why) from None
        self._keep(message.origin, connection, response)
        headers = [(name.lower(), value) for name, value in response.getheaders()]
        return Answer(response.status, headers, data)

    def _kept(self, origin):
        with self._lock:
            idle = self._idle.setdefault(origin, [])
            return idle.pop() if idle else None

    def _keep(self, origin, connection, response):
        if response.will_close or not response.isclosed():
            connection.close()
            return
        with self._lock:
            self._idle[origin].append(connection)

    def _opened(self, origin):
        if origin.scheme == "http":
            return Connection(origin, None)
        with self._lock:
            self._tls = self._tls or _tls()
        unverified = origin.host in LOCAL
        return Connection(origin, ssl._create_unverified_context() if unverified else self._tls)


class Connection(http.client.HTTPConnection):
    """A connection to an origin. `begin` comes before each request."""

    def __init__(self, origin, tls):
        super().__init__(origin.host, origin.port)
        self.default_port = PORTS[origin.scheme]
        self._tls = tls
        self._until = 0.0

    def begin(self, until):
        """Set the deadline (of `time.monotonic`) of the request that follows."""
        self._until = until

    def left(self):
        """Seconds that the next wait may take."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the request took longer than it may")
        return min(left, PATIENCE)

    def connect(self):
        """Connect to the first of the host's addresses that answers."""
        failed = OSError("the host has no address")
        addresses = socket.getaddrinfo(self.host, self.port, 0, socket.SOCK_STREAM)
        for family, kind, protocol, _, address in addresses:
            plain = socket.socket(family, kind, protocol)
            try:
                plain.settimeout(self.left())
                plain.connect(address)
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls is not None:
                    plain.settimeout(self.left())
                    plain = self._tls.wrap_socket(plain, server_hostname=self.host)
                self.sock = _Socket(plain, self)
                return
            except OSError as error:
                plain.close()
                failed = error
                if isinstance(error, ssl.SSLError):
                    break
        raise failed


class _Socket:
    """The methods of a socket that `http.client` calls; each waits no longer than the deadline."""

    def __init__(self, plain, connection):
        self._plain = plain
        self._connection = connection

    def sendall(self, data):
        rest = memoryview(data).cast("B")
        while rest:
            self._plain.settimeout(self._connection.left())
            rest = rest[self._plain.send(rest) :]

    def makefile(self, _mode):
        return io.BufferedReader(_Reader(self._plain, self._connection))

    def close(self):
        self._plain.close()


class _Reader(io.RawIOBase):
    """The receiving side of a socket; each read waits no longer than the deadline."""

    def __init__(self, plain, connection):
        self._plain = plain
        self._connection = connection
        # It keeps the socket open until the response is read.
        self._file = plain.makefile("rb", buffering=0)

    def readable(self):
        return True

    def readinto(self, buffer):
        self._plain.settimeout(self._connection.left())
        return self._file.readinto(buffer)

    def close(self):
        if not self.closed:
            self._file.close()
        super().close()


def _tls():
    """A context that trusts the system's authorities, and those of certifi if it is installed."""
    context = ssl.create_default_context()
    try:
        import certifi
    except ImportError:
        return context
    context.load_verify_locations(certifi.where())
    return context


def _is_transient(error):
    """Whether another attempt can succeed. A line that is too long is as long the next time."""
    permanent = (ssl.SSLCertVerificationError, http.client.InvalidURL, http.client.LineTooLong)
    # The bare exception is raised for more than a hundred headers.
    return not isinstance(error, permanent) and type(error) is not http.client.HTTPException


def _text(data, headers, limit):
    data = _decompressed(data, headers.get("content-encoding", "").strip().lower(), limit)
    label = re.search(
        r";\s*charset\s*=\s*(\"[^\"]*\"|[^\s;]+)", headers.get("content-type", ""), re.IGNORECASE
    )
    label = label[1].strip("\"' ") if label else "utf-8"
    name = encoding(label)
    if name is None:
        found = json.dumps(label)
        raise RequestError(f"expected a body in a charset that this host knows, found {found}")
    try:
        return decoded(data, name)
    except UnicodeDecodeError as error:
        shown = name.upper() if name.startswith("utf") else name
        raise RequestError(
            f"expected a body in {shown}, found other bytes at {error.start}"
        ) from None


def _decompressed(data, coding, limit):
    """The bytes of a body. A few bytes can stand for many: no more than the limit are unpacked."""
    too_large = f"the body is larger than the limit of {limit} bytes"
    if len(data) > limit:
        raise RequestError(too_large)
    if not data or coding in ("", "identity"):
        return data
    try:
        if coding in ("gzip", "x-gzip"):
            data = Gzip(io.BytesIO(data), MEMBERS).take(limit + 1)
        elif coding == "deflate":
            data = _inflated(data, limit)
        else:
            expected = "a body compressed with gzip, deflate or not"
            raise RequestError(f'expected {expected}, found "{coding}"')
    except (EOFError, OverflowError, zlib.error) as error:
        transient = not isinstance(error, OverflowError)
        raise RequestError(f"the body cannot be decompressed: {error}", transient) from None
    if len(data) > limit:
        raise RequestError(too_large)
    return data


def _inflated(data, limit):
    """The bytes of `deflate`: zlib's format by the standard, the bare one from some servers."""
    is_zlib = data[0] & 0x0F == 8
    member = zlib.decompressobj(zlib.MAX_WBITS if is_zlib else -zlib.MAX_WBITS)
    found = member.decompress(data, limit + 1)
    if len(found) <= limit and not member.eof:
        raise EOFError("it ends too early")
    return found
