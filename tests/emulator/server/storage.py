"""Stages in the buckets of a cloud: the bucket, the response to a PUT, and the files that COPY reads.

A backend is a server with a cloud's API: moto for S3, Azurite for Azure, a fake of Google's. Clients reach it through
`storage_gate`, which checks their credentials. Before a stage's files are read they are fetched into the stage's
folder.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import http.client
import os
import secrets
import threading
import time
import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ..errors import SqlError
from .sealed import Sealed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..stages import Stage, Stages

KINDS = ("S3", "AZURE", "GCS")
REGION = "us-east-1"
# Azurite's account, whose key is public.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SAS_VERSION = "2022-11-02"


@dataclass
class Issued:
    """The credentials for a PUT. They are valid for one folder, for a limited time."""

    prefix: str
    expires: float
    secret: str = ""
    token: str = ""


@dataclass
class Object:
    """A file in a bucket."""

    key: str
    tag: str
    metadata: dict[str, str] = field(default_factory=dict)


class Backend:
    """One cloud's API at `endpoint` (`http://host:port`), with the emulator's own requests."""

    kind = ""
    below = ""  # the part of every path before the bucket

    def __init__(self, endpoint: str, bucket: str) -> None:
        self.endpoint, self.bucket = endpoint.rstrip("/"), bucket
        self.host = self.endpoint.partition("://")[2]

    def call(self, method: str, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        """One request as the owner of the bucket."""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def asked(self, method: str, key: str = "", query: dict[str, str] | None = None) -> tuple[dict[str, str], bytes]:
        """The response to a request that must succeed."""
        status, headers, body = self.call(*self.signed(method, key, query or {}))
        if status not in (200, 201, 202, 204, 206):
            raise SqlError(99999, "XX000", f"emulator: {self.kind} {method} {key!r}: status {status}: {body[:300]!r}")
        return headers, body

    def signed(self, method: str, key: str, query: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """Method, path and headers of a signed request of the owner."""
        raise NotImplementedError

    def listed(self, prefix: str) -> Iterator[Object]:
        """The objects below a prefix."""
        raise NotImplementedError

    def info(self, folder: str, life: float) -> tuple[dict, Issued]:
        """The `stageInfo` of this cloud for a PUT, with credentials for the folder."""
        raise NotImplementedError

    def create(self) -> None:
        """Create the bucket, if it does not exist."""
        self._created(*self.signed("PUT", "", {}))

    def _created(self, method: str, path: str, headers: dict[str, str]) -> None:
        status, _, body = self.call(method, path, headers)
        if status not in (200, 201, 409):
            raise ValueError(f"the bucket {self.bucket!r} cannot be created: status {status}: {body[:300]!r}")


class Amazon(Backend):
    """S3, by path."""

    kind = "S3"

    def signed(self, method: str, key: str, query: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """Signed by botocore."""
        path = f"/{self.bucket}/{urllib.parse.quote(key)}".rstrip("/") + (
            f"?{urllib.parse.urlencode(query)}" if query else ""
        )
        request = AWSRequest(method, self.endpoint + path, headers={"host": self.host})
        S3SigV4Auth(Credentials("owner", "owner"), "s3", REGION).add_auth(request)
        return method, path, dict(request.headers.items())

    def listed(self, prefix: str) -> Iterator[Object]:
        """ListObjectsV2, page by page."""
        query = {"list-type": "2", "prefix": prefix}
        while True:
            tree = ET.fromstring(self.asked("GET", "", query)[1])
            space = tree.tag.partition("}")[0] + "}"
            for item in tree.iter(f"{space}Contents"):
                yield Object(item.findtext(f"{space}Key", ""), item.findtext(f"{space}ETag", ""))
            more = tree.findtext(f"{space}NextContinuationToken")
            if not more:
                return
            query["continuation-token"] = more

    def info(self, folder: str, life: float) -> tuple[dict, Issued]:
        """Temporary credentials, as of STS."""
        issued = Issued(folder, time.time() + life, secrets.token_urlsafe(30), secrets.token_urlsafe(60))
        key = f"ASIA{secrets.token_hex(8).upper()}"
        return {
            "region": REGION,
            "useS3RegionalUrl": False,
            "creds": {"AWS_KEY_ID": key, "AWS_SECRET_KEY": issued.secret, "AWS_TOKEN": issued.token},
        }, issued


class Azure(Backend):
    """Blobs, by path: the account's name is part of it."""

    kind = "AZURE"
    below = f"/{AZURE_ACCOUNT}"

    def create(self) -> None:
        """Create the container, if it does not exist."""
        self._created("PUT", f"/{AZURE_ACCOUNT}/{self.bucket}?restype=container&{self._account_sas(600)}", {})

    def sas(self, permissions: str, life: float) -> str:
        """A signature for the blobs of the container."""
        expiry = _when(life)
        canonical = f"/blob/{AZURE_ACCOUNT}/{self.bucket}"
        fields = [permissions, "", expiry, canonical, "", "", "", SAS_VERSION, "c", "", "", "", "", "", "", ""]
        return urllib.parse.urlencode(
            {"sv": SAS_VERSION, "sr": "c", "sp": permissions, "se": expiry, "sig": _hmac("\n".join(fields))}
        )

    def _account_sas(self, life: float) -> str:
        expiry = _when(life)
        fields = [AZURE_ACCOUNT, "rwdlac", "b", "sco", "", expiry, "", "https,http", SAS_VERSION, "", ""]
        return urllib.parse.urlencode(
            {
                "sv": SAS_VERSION,
                "ss": "b",
                "srt": "sco",
                "sp": "rwdlac",
                "se": expiry,
                "spr": "https,http",
                "sig": _hmac("\n".join(fields)),
            }
        )

    def signed(self, method: str, key: str, query: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """With a signature of the account's in the query."""
        path = f"/{AZURE_ACCOUNT}/{self.bucket}/{urllib.parse.quote(key)}".rstrip("/")
        text = "&".join(p for p in (urllib.parse.urlencode(query), self._account_sas(600)) if p)
        return method, f"{path}?{text}", {"x-ms-version": SAS_VERSION}

    def listed(self, prefix: str) -> Iterator[Object]:
        """List Blobs, page by page."""
        query = {"restype": "container", "comp": "list", "prefix": prefix}
        while True:
            tree = ET.fromstring(self.asked("GET", "", query)[1])
            for item in tree.iter("Blob"):
                yield Object(item.findtext("Name", ""), item.findtext("Properties/Etag", ""))
            more = tree.findtext("NextMarker")
            if not more:
                return
            query["marker"] = more

    def info(self, folder: str, life: float) -> tuple[dict, Issued]:
        """A signature that may create and write."""
        sas = self.sas("rcw", life)
        given = {"region": "westeurope", "storageAccount": AZURE_ACCOUNT, "creds": {"AZURE_SAS_TOKEN": f"?{sas}"}}
        return given, Issued(folder, time.time() + life, token=urllib.parse.parse_qs(sas)["sig"][0])


class Google(Backend):
    """The XML API, with a bearer token."""

    kind = "GCS"

    def __init__(self, endpoint: str, bucket: str) -> None:
        super().__init__(endpoint, bucket)
        self.owner = "owner"

    def signed(self, method: str, key: str, query: dict[str, str]) -> tuple[str, str, dict[str, str]]:
        """With the owner's token."""
        path = f"/{self.bucket}/{urllib.parse.quote(key)}".rstrip("/")
        text = f"{path}?{urllib.parse.urlencode(query)}" if query else path
        return method, text, {"authorization": f"Bearer {self.owner}"}

    def listed(self, prefix: str) -> Iterator[Object]:
        """List objects, page by page."""
        query = {"list-type": "2", "prefix": prefix}
        while True:
            tree = ET.fromstring(self.asked("GET", "", query)[1])
            for item in tree.iter("Contents"):
                yield Object(item.findtext("Key", ""), item.findtext("ETag", ""))
            more = tree.findtext("NextContinuationToken")
            if not more:
                return
            query["continuation-token"] = more

    def info(self, folder: str, life: float) -> tuple[dict, Issued]:
        """A token for the folder."""
        token = f"ya29.{secrets.token_urlsafe(40)}"
        given = {"region": "US", "useRegionalUrl": False, "useVirtualUrl": False, "creds": {"GCS_ACCESS_TOKEN": token}}
        return given, Issued(folder, time.time() + life, token=token)


class Storage:
    """The cloud with the account's stages; none at first."""

    def __init__(self, stages: Stages, sealed: Sealed) -> None:
        self.stages, self.sealed = stages, sealed
        self.backend: Backend | None = None
        self.gate = ""
        self.issued: dict[str, Issued] = {}
        self._tags: dict[str, str] = {}
        self._guard = threading.Lock()

    def use(self, kind: str, endpoint: str, bucket: str = "stages") -> None:
        """Keep the files of every stage in this bucket from now on."""
        classes = {"S3": Amazon, "AZURE": Azure, "GCS": Google}
        if kind not in classes:
            raise ValueError(f"a storage's kind: expected one of {', '.join(KINDS)}, found {kind!r}")
        backend = classes[kind](endpoint, bucket)
        backend.create()
        self.backend, self.stages.fetch, self.stages.removed = backend, self.fetch, self.remove

    def stop(self) -> None:
        """Keep the files in local folders again."""
        self.backend, self.stages.fetch, self.stages.removed = None, None, None

    def info(self, folder: str, life: float) -> dict:
        """The `stageInfo` of a PUT or a GET."""
        backend = self.backend
        assert backend is not None
        given, issued = backend.info(folder, life)
        name = given["creds"].get("AWS_KEY_ID") or issued.token
        with self._guard:
            self.issued[name] = issued
        return {
            "locationType": backend.kind,
            "location": f"{backend.bucket}/{folder}",
            "path": folder,
            "region": None,
            "storageAccount": None,
            "endPoint": self.gate + backend.below,
            "presignedUrl": None,
            "isClientSideEncrypted": False,
            "ciphers": None,
            "credExpiryTime": int(issued.expires * 1000),
            "volumeEncryptionMode": None,
            **given,
        }

    def fetch(self, stage: Stage) -> None:
        """Fetch the files of the bucket into the stage's folder."""
        backend = self.backend
        assert backend is not None
        with self._guard:
            found: dict[str, str] = {}
            for item in backend.listed(f"{stage.key}/"):
                if not item.key.endswith("/"):
                    found[item.key] = item.tag
            for key, tag in found.items():
                if self._tags.get(key) != tag:
                    headers, data = backend.asked("GET", key)
                    self.sealed.store(stage, key.partition("/")[2], data, headers)
                    self._tags[key] = tag
            for file in self.stages.local(stage):
                key = f"{stage.key}/{file.path}"
                if key not in found and key in self._tags:
                    os.remove(file.place)
                    del self._tags[key]

    def remove(self, stage: Stage, path: str) -> None:
        """Delete a file of a stage from the bucket, if it was uploaded there."""
        key = f"{stage.key}/{path}"
        if self.backend is not None and self._tags.pop(key, None) is not None:
            self.backend.asked("DELETE", key)


def _hmac(text: str) -> str:
    key = base64.b64decode(AZURE_KEY)
    return base64.b64encode(hmac.new(key, text.encode(), hashlib.sha256).digest()).decode()


def _when(life: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=life + 1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
