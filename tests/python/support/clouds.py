"""Clouds on this machine: moto for S3, Azurite for Azure's blobs, a fake of our own for Google's storage.

`python clouds.py s3|azure|gcs` serves one: the first line it prints is JSON with its kind and endpoint, as the
emulator's control endpoint takes it; it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from google_storage import GoogleStorage

ROOT = pathlib.Path(__file__).resolve().parents[3]
AZURITE = ROOT / "target/node/node_modules/azurite/dist/src/blob/main.js"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def _process(command: list[str], port: int) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start: status {process.poll()}")
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextlib.contextmanager
def s3() -> Iterator[dict]:
    """Moto, in a process of its own."""
    port = free_port()
    with _process([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], port):
        yield {"kind": "S3", "endpoint": f"http://127.0.0.1:{port}"}


def has_azurite() -> bool:
    """Returns `True` if Azurite is installed, by tests/setup/node.sh."""
    return AZURITE.exists() and shutil.which("node") is not None


@contextlib.contextmanager
def azure() -> Iterator[dict]:
    """Azurite's blob service."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="azurite_") as folder:
        command = ["node", os.fspath(AZURITE), "--silent", "--blobHost", "127.0.0.1", "--blobPort", str(port)]
        # Clients name newer versions of the API than it knows.
        with _process([*command, "--location", folder, "--skipApiVersionCheck", "--disableTelemetry"], port):
            yield {"kind": "AZURE", "endpoint": f"http://127.0.0.1:{port}"}


@contextlib.contextmanager
def gcs() -> Iterator[dict]:
    """The fake of Google's."""
    with GoogleStorage() as made:
        yield {"kind": "GCS", "endpoint": made.endpoint}


CLOUDS = {"s3": s3, "azure": azure, "gcs": gcs}


def main() -> None:
    with CLOUDS[sys.argv[1]]() as cloud:
        print(json.dumps(cloud), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
