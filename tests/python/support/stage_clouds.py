"""Stages in the storage of each cloud, for tests: moto for S3, Azurite for Azure, and `google_storage`.

A `Gate` stands between the program that uploads and the cloud: it answers for the PUT statements, records requests, and
lets a test decide what happens to them.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import hashlib
import hmac
import http.client
import http.server
import json
import pathlib
import re
import secrets
import socket
import sys
import threading
import urllib.parse
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass

import boto3
import botocore.config
import clouds
import google_storage
import requests

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = "stages/7/load"
# Azurite's account, whose key is public.
ACCOUNT = "devstoreaccount1"
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
SAS_VERSION = "2022-11-02"
# Of a connection, and not of a request.
HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding"}


@dataclass
class Stored:
    """A file that was read back."""

    data: bytes
    metadata: dict[str, str]
    content_type: str


@dataclass
class Asked:
    """A request that was received."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


class Gate(http.server.ThreadingHTTPServer):
    """A proxy for `cloud`, and the session that PUT statements are sent to."""

    daemon_threads = True

    def __init__(self, cloud: Cloud):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cloud = cloud
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.log: list[Asked] = []
        # Files that PUT statements named, with their paths below FOLDER.
        self.statements: list[str] = []
        # Returns a status and a body to answer with; "cut" to close the connection; "lost" to do so after the
        # request has done its work; a number to pass on so many bytes of a part only; or `None`.
        self.fault: Callable[[Asked], object] = lambda _: None
        # Changes what a PUT statement is answered; raises to fail it.
        self.answer: Callable[[dict], dict] = lambda data: data
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that disconnects is not an error; a defect of this server is printed."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def put(self, name: str) -> dict:
        """The `data` of the answer to a PUT statement of a file."""
        self.statements.append(name)
        return self.answer(
            {
                "command": "UPLOAD",
                "src_locations": [f"/snowcat/{name}"],
                "encryptionMaterial": None,
                "stageInfo": {"presignedUrl": None, "isClientSideEncrypted": False, **self.cloud.info(self.url, name)},
            }
        )


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Gate

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path.startswith("/locate/"):
            return self.answer(200, {}, json.dumps(self.server.put(url.path.removeprefix("/locate/load/"))).encode())
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, urllib.parse.unquote(url.path), query, headers, body)
        self.server.log.append(asked)
        match self.server.fault(asked):
            case None:
                return self.answer(*self.passed_on(asked))
            case "lost":
                self.passed_on(asked)
            case "cut":
                pass
            case int() as kept:
                first, _, total = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers["content-range"]).groups()
                asked.body = body[:kept]
                self.headers.replace_header("content-length", str(kept))
                span = f"{first}-{int(first) + kept - 1}" if kept else "*"
                self.headers.replace_header("content-range", f"bytes {span}/{total}")
                return self.answer(*self.passed_on(asked))
            case (status, data):
                return self.answer(status, {"retry-after": "0"}, data)
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        return None

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def passed_on(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        cloud = self.server.cloud
        connection = http.client.HTTPConnection(cloud.host, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in [*self.headers.items(), *cloud.passed_on(asked).items()]:
            if name.lower() not in HOP_BY_HOP:
                connection.putheader(name, value)
        connection.endheaders(asked.body)
        answer = connection.getresponse()
        data = answer.read()
        found = {n: v for n, v in answer.getheaders() if n.lower() not in (*HOP_BY_HOP, "date", "server")}
        if "location" in found:  # an upload in parts continues here
            found["location"] = found["location"].replace(f"http://{cloud.host}", self.server.url)
        connection.close()
        return answer.status, found, data

    def answer(self, status: int, headers: dict[str, str], body: bytes):
        self.send_response(status)
        length = {name: value for name, value in headers.items() if name.lower() == "content-length"}
        for name, value in {"Content-Length": str(len(body)), **headers, **length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Cloud:
    """One cloud's storage on this machine."""

    # Where a gate finds it.
    host = ""
    # How many bytes parts have at least.
    least = 1 << 20
    # What it says when credentials have expired.
    expired: tuple[int, bytes]
    # What it says to a request that will never succeed.
    forbidden: tuple[int, bytes]

    def info(self, url: str, name: str) -> dict:
        """A new `stageInfo` for FOLDER behind a gate."""
        raise NotImplementedError

    def passed_on(self, asked: Asked) -> dict[str, str]:
        """Headers that a request gets on its way from the gate."""
        return {}

    def read(self, name: str) -> Stored | None:
        """A file of the stage, if it exists."""
        raise NotImplementedError

    def leftovers(self) -> list[str]:
        """The unfinished parts of uploads."""
        return []

    def credential(self, asked: Asked) -> str:
        """The credentials of a request."""
        raise NotImplementedError

    def stop(self):
        """End it."""


class Amazon(Cloud):
    """S3: moto, which checks the signature of every request with botocore."""

    least = 5 << 20
    expired = (400, b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>")
    forbidden = (403, b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>")

    def __init__(self):
        from moto.server import ThreadedMotoServer

        self.server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        self.server.start()
        self.host = f"127.0.0.1:{self.server.get_host_and_port()[1]}"
        url = f"http://{self.host}"
        requests.post(f"{url}/moto-api/reset", timeout=20)

        def client(service: str, key: str, secret: str):
            once = botocore.config.Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"})
            given = {"aws_access_key_id": key, "aws_secret_access_key": secret}
            return boto3.client(service, region_name="us-west-2", endpoint_url=url, config=once, **given)

        iam = client("iam", "any", "any")
        everything = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Version": "2012-10-17"}
        iam.create_user(UserName="owner")
        iam.put_user_policy(UserName="owner", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName="owner")["AccessKey"]
        trusted = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}, "Resource": "*"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
        role = iam.create_role(RoleName="stage", AssumeRolePolicyDocument=trust)["Role"]
        iam.put_role_policy(RoleName="stage", PolicyName="all", PolicyDocument=json.dumps(everything))
        owner = (key["AccessKeyId"], key["SecretAccessKey"])
        self.s3, self.sts, self.role = client("s3", *owner), client("sts", *owner), role["Arn"]
        self.s3.create_bucket(Bucket="bucket", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
        # From now on every request is checked.
        requests.post(f"{url}/moto-api/reset-auth", data=b"0", timeout=20)

    def info(self, url: str, name: str) -> dict:
        given = self.sts.assume_role(RoleArn=self.role, RoleSessionName="load")["Credentials"]
        return {
            "locationType": "S3",
            "location": f"bucket/{FOLDER}/",
            "region": "us-west-2",
            "endPoint": url,
            "creds": {
                "AWS_KEY_ID": given["AccessKeyId"],
                "AWS_SECRET_KEY": given["SecretAccessKey"],
                "AWS_TOKEN": given["SessionToken"],
            },
        }

    def read(self, name: str) -> Stored | None:
        try:
            found = self.s3.get_object(Bucket="bucket", Key=f"{FOLDER}/{name}")
        except self.s3.exceptions.NoSuchKey:
            return None
        return Stored(found["Body"].read(), found["Metadata"], found["ContentType"])

    def leftovers(self) -> list[str]:
        return [upload["UploadId"] for upload in self.s3.list_multipart_uploads(Bucket="bucket").get("Uploads", [])]

    def credential(self, asked: Asked) -> str:
        return asked.headers["x-amz-security-token"]

    def stop(self):
        requests.post(f"http://{self.host}/moto-api/reset-auth", data=b"inf", timeout=20)
        self.server.stop()


class Azure(Cloud):
    """Azure Blob Storage: Azurite, which checks the signature of every request."""

    expired = (403, b"<Error><Code>AuthenticationFailed</Code><Message>Signature not valid</Message></Error>")
    forbidden = (400, b"<Error><Code>InvalidMetadata</Code><Message>No</Message></Error>")

    def __init__(self):
        self.running = contextlib.ExitStack()
        self.host = self.running.enter_context(clouds.azure())["endpoint"].removeprefix("http://")
        self.root = f"http://{self.host}/{ACCOUNT}/container"
        created = requests.put(self.root, params={"restype": "container", **self.owner()}, timeout=20)
        assert created.status_code == 201, created.text

    @staticmethod
    def _signature(fields: list[str]) -> str:
        key = base64.b64decode(ACCOUNT_KEY)
        return base64.b64encode(hmac.new(key, "\n".join(fields).encode(), hashlib.sha256).digest()).decode()

    @staticmethod
    def _expiry(seconds: float) -> str:
        return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def owner(self) -> dict[str, str]:
        """Parameters that allow everything in the account."""
        expiry = self._expiry(600)
        fields = [ACCOUNT, "rwdlac", "b", "sco", "", expiry, "", "https,http", SAS_VERSION, "", ""]
        given = {"sv": SAS_VERSION, "ss": "b", "srt": "sco", "sp": "rwdlac", "se": expiry, "spr": "https,http"}
        return {**given, "sig": self._signature(fields)}

    def info(self, url: str, name: str) -> dict:
        # Each differs from the one before.
        start, expiry = self._expiry(-60 - secrets.randbelow(80_000)), self._expiry(600)
        resource = f"/blob/{ACCOUNT}/container"
        fields = ["rcw", start, expiry, resource, "", "", "", SAS_VERSION, "c", "", "", "", "", "", "", ""]
        given = {"sv": SAS_VERSION, "sr": "c", "sp": "rcw", "st": start, "se": expiry, "sig": self._signature(fields)}
        return {
            "locationType": "AZURE",
            "location": f"container/{FOLDER}/",
            "storageAccount": ACCOUNT,
            "endPoint": f"{url}/{ACCOUNT}",
            "creds": {"AZURE_SAS_TOKEN": f"?{urllib.parse.urlencode(given)}"},
        }

    def read(self, name: str) -> Stored | None:
        found = requests.get(f"{self.root}/{FOLDER}/{urllib.parse.quote(name)}", params=self.owner(), timeout=60)
        if found.status_code == 404:
            return None
        assert found.status_code == 200, found.text
        prefix = "x-ms-meta-"
        metadata = {n.lower().removeprefix(prefix): v for n, v in found.headers.items() if n.lower().startswith(prefix)}
        return Stored(found.content, metadata, found.headers["content-type"])

    def leftovers(self) -> list[str]:
        """Blobs that are not committed belong to no file, but Azure deletes them only after a week."""
        query = {"restype": "container", "comp": "list", **self.owner()}
        tree = ET.fromstring(requests.get(self.root, params=query, timeout=60).text.lstrip("\ufeff"))
        return [name.text or "" for name in tree.iter("Name")]

    def credential(self, asked: Asked) -> str:
        return asked.query["sig"]

    def stop(self):
        self.running.close()


class Google(Cloud):
    """Google Cloud Storage, whose server was written here."""

    expired = (401, b"<Error><Code>AuthenticationRequired</Code></Error>")
    forbidden = (412, b"<Error><Code>PreconditionFailed</Code></Error>")
    least = 256 << 10

    def __init__(self, presigned: bool = False):
        self.presigned = presigned
        self.server = google_storage.GoogleStorage()
        self.host = self.server.endpoint.removeprefix("http://")

    def info(self, url: str, name: str) -> dict:
        self.server.tokens.add(token := f"ya29.{secrets.token_urlsafe(20)}")
        given = {"locationType": "GCS", "location": f"bucket/{FOLDER}/", "endPoint": url, "creds": {}}
        if not self.presigned:
            return given | {"creds": {"GCS_ACCESS_TOKEN": token}}
        signed = f"X-Goog-Credential=a%2Fb&X-Goog-Signature={token}"
        return given | {"presignedUrl": f"{url}/bucket/{FOLDER}/{urllib.parse.quote(name)}?{signed}"}

    def passed_on(self, asked: Asked) -> dict[str, str]:
        """The server knows tokens only: the signature of a URL is one."""
        return {"authorization": f"Bearer {self.credential(asked)}"} if self.presigned else {}

    def read(self, name: str) -> Stored | None:
        found = self.server.objects.get(f"bucket/{FOLDER}/{name}")
        if found is None:
            return None
        prefix = "x-goog-meta-"
        metadata = {n.removeprefix(prefix): value for n, value in found.headers.items() if n.startswith(prefix)}
        return Stored(found.data, metadata, found.headers.get("content-type", ""))

    def leftovers(self) -> list[str]:
        return [name for name, upload in self.server.uploads.items() if not upload.done]

    def credential(self, asked: Asked) -> str:
        return asked.query.get("X-Goog-Signature") or asked.headers.get("authorization", "").removeprefix("Bearer ")

    def stop(self):
        self.server.__exit__()
