"""The network of a procedure: the hosts of its integration's network rules, and nothing else.

A procedure runs in a thread of this process. Inside it, name look-up, `connect` and `sleep` go through `Guard`;
elsewhere they are unchanged. A host that a test maps to a server is reached through `Terminator`: real TLS, with a
certificate for the real name from a CA made for the test.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import socket
import ssl
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from .procedure import Frame

_frames = threading.local()


def current() -> Frame | None:
    """The procedure call of this thread."""
    return getattr(threading.current_thread(), "_emulator_frame", None)


def enter(frame: Frame | None) -> None:
    """This thread, and the threads that it starts, belong to the call from now on."""
    threading.current_thread()._emulator_frame = frame  # type: ignore[attr-defined]


class Guard:
    """Patches `socket`, `threading.Thread.start` and `time.sleep` once for the process."""

    installed = False

    @classmethod
    def install(cls) -> None:
        """Apply the patches; a second call has no effect."""
        if cls.installed:
            return
        cls.installed = True
        look_up, connect, start, sleep = socket.getaddrinfo, socket.socket.connect, threading.Thread.start, time.sleep

        def guarded_look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> list:
            frame = current()
            if frame is None:
                return look_up(host, port, *args, **kwargs)
            text = host.decode() if isinstance(host, bytes) else str(host)
            mapped = frame.route(text, int(port or 0))
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", mapped)]

        def guarded_connect(self: socket.socket, address: Any) -> None:
            frame = current()
            if frame is not None and self.family in (socket.AF_INET, socket.AF_INET6):
                frame.check(address)
            connect(self, address)

        def shortened_sleep(seconds: float) -> None:
            frame = current()
            sleep(seconds if frame is None else frame.nap(seconds))

        def inheriting_start(self: threading.Thread) -> None:
            self._emulator_frame = current()  # type: ignore[attr-defined]
            start(self)

        socket.getaddrinfo = guarded_look_up
        socket.socket.connect = guarded_connect  # type: ignore[method-assign]
        threading.Thread.start = inheriting_start  # type: ignore[method-assign]
        time.sleep = shortened_sleep


class Authority:
    """A certificate authority that lives as long as the test."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Emulator test CA")])
        self.certificate = self._sign(self.name, self.key, None)
        self.path = os.path.join(folder, "ca.pem")
        with open(self.path, "wb") as file:
            file.write(self.certificate.public_bytes(serialization.Encoding.PEM))

    def context(self, host: str) -> ssl.SSLContext:
        """A server context with a certificate for the host."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = self._sign(subject, key, host)
        with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".pem", delete=False) as file:
            file.write(
                key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
            )
            file.write(certificate.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file.name)
        return context

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, host: str | None) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        usage = x509.KeyUsage(True, False, False, False, False, host is None, host is None, False, False)
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=host is None, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if host is not None:
            try:
                names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(host))]
            except ValueError:
                names = [x509.DNSName(host)]
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return built.sign(self.key, hashes.SHA256())


class Terminator:
    """Terminates TLS for a host on a separate port, and passes the bytes to a plain-text server."""

    def __init__(self, context: ssl.SSLContext, backend: tuple[str, int]) -> None:
        self.backend = backend
        self.connections = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._one, "127.0.0.1", 0, ssl=context))
        self.address: tuple[str, int] = self._server.sockets[0].getsockname()[:2]
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, close the connections, and end the thread."""
        asyncio.run_coroutine_threadsafe(self._hang_up(), self._loop).result(5)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    async def _hang_up(self) -> None:
        self._server.close()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            back_reader, back_writer = await asyncio.open_connection(*self.backend)
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pump(reader, back_writer), _pump(back_reader, writer))
        except asyncio.CancelledError:
            return  # `close`; asyncio of Python 3.11 would complain about a handler that was cancelled


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass  # one side has closed: the other is closed below
    finally:
        writer.close()
