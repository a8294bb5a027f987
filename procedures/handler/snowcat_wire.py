"""Connections whose requests end by a deadline: connecting, TLS, what is sent, headers and body together."""

import http.client
import io
import socket
import ssl
import time

PORTS = {"https": 443, "http": 80}
LOCAL = ("localhost", "127.0.0.1", "::1")
# For one attempt to connect or to read, where the deadline leaves as much.
PATIENCE = 60.0


class Connection(http.client.HTTPConnection):
    """A connection to this scheme, host and port. `begin` comes before each request."""

    def __init__(self, place, tls):
        scheme, host, port = place
        super().__init__(host, port)
        self.default_port, self._tls, self._until = (
            PORTS[scheme],
            tls if scheme == "https" else None,
            0.0,
        )

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
        for family, kind, protocol, _, address in socket.getaddrinfo(
            self.host, self.port, 0, socket.SOCK_STREAM
        ):
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
    """What `http.client` uses of a socket, each call with what is left of the time."""

    def __init__(self, plain, connection):
        self._plain, self._connection = plain, connection

    def sendall(self, data):
        rest = memoryview(data).cast("B")
        while rest:
            self._plain.settimeout(self._connection.left())
            rest = rest[self._plain.send(rest) :]

    def makefile(self, mode):
        return io.BufferedReader(_Reader(self._plain, self._connection))

    def close(self):
        self._plain.close()


class _Reader(io.RawIOBase):
    def __init__(self, plain, connection):
        self._plain, self._connection = plain, connection
        self._file = plain.makefile(
            "rb", buffering=0
        )  # which keeps the socket open until it is read

    def readable(self):
        return True

    def readinto(self, buffer):
        self._plain.settimeout(self._connection.left())
        return self._file.readinto(buffer)

    def close(self):
        if not self.closed:
            self._file.close()
        super().close()
