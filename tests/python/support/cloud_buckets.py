"""Buckets of Amazon, Azure and Google on this machine: servers that implement the APIs and verify credentials."""

from __future__ import annotations

import base64
import collections
import hashlib
import hmac
import http.server
import json
import re
import threading
import urllib.parse
import xml.sax.saxutils

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SECRET = base64.b64encode(b"a secret of thirty-two characters").decode()
WRONG = base64.b64encode(b"not the secret of thirty-two char").decode()
# More than a part of 8 MiB.
LONG = b"id,v\n" + b"".join(b"%d,%s\n" % (n, b"x" * 90) for n in range(100_000))
FILES = {
    "a/1.csv": b"id,v\n1,x\n",
    "a/2 + \u00e9%20'&.csv": b"id,v\n2,y\n",
    "a/3.csv": b"id,v\n",
    "a/4.csv": b"id,v\n4,z\n",
    "a/b": b"",
    "a/b/5.csv": b"id,v\n5,z\n",
    "a/b.txt": b"no",
    "a/c/": b"",
    "c/long.csv": LONG,
    "e/empty.csv": b"",
}


class Bucket(http.server.ThreadingHTTPServer):
    """A bucket of one cloud on this machine."""

    def __init__(self, cloud: type[Cloud], files: dict[str, bytes] = FILES):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.cloud, self.files = cloud(self.url), dict(files)
        # The requests: list, about or read, and their object.
        self.log: list[str] = []
        # The effects on the next requests: a status, "cut", a function to call first, or nothing.
        self.faults: collections.deque = collections.deque()
        self.versions = collections.Counter()
        self.tokens = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def tag(self, key: str) -> str:
        return self.cloud.tag(key, self.versions[key])


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        form = {name: values[0] for name, values in form.items()}
        self.server.log.append("token")
        if why := self.server.cloud.no_token(form):
            return self.answer(400, json.dumps({"error": "invalid_grant", "why": why}).encode())
        self.server.tokens += 1
        token = {"access_token": f"a-token-of-the-cloud-{self.server.tokens}", "expires_in": 3600}
        return self.answer(200, json.dumps(token).encode())

    def do_GET(self):
        bucket, cloud = self.server, self.server.cloud
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        name, key = cloud.parts(url.path)
        about = self.command == "HEAD" or (isinstance(cloud, Google) and query.get("alt") != "media")
        bucket.log.append("list" if not key else f"{'about' if about else 'read'} {key}")
        fault = bucket.faults.popleft() if bucket.faults else None
        if callable(fault):
            fault = fault()
        if isinstance(fault, int):
            return self.answer(fault, b"<Error><Code>SlowDown</Code></Error>", **{"Retry-After": "0"})
        if why := cloud.refusal(self, url):
            # As S3 does: the signed text is quoted, including tokens.
            status, reported = why
            quoted = xml.sax.saxutils.escape(str(self.headers) + self.path)
            return self.answer(
                status, f"<Error><Code>Refused</Code><Message>{reported} {quoted}</Message></Error>".encode()
            )
        if name != "bucket":
            return self.answer(404, cloud.error("NoSuchBucket"))
        if not key:
            return self.answer(200, self.listed(query).encode(), cut=fault == "cut")
        if key not in bucket.files:
            return self.answer(404, cloud.error("NoSuchKey"))
        data, tag = bucket.files[key], bucket.tag(key)
        if about:
            return self.answer(200, *cloud.about(key, len(data), tag))
        if (wanted := cloud.condition(self, query)) and wanted != tag:
            return self.answer(412, cloud.error("PreconditionFailed"))
        # An empty file is not requested.
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or self.headers.get("x-ms-range"))
        start, end = int(span[1]), int(span[2]) + 1
        assert start < end <= len(data)
        more = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}", "ETag": tag}
        return self.answer(206, data[start:end], more, cut=fault == "cut")

    do_HEAD = do_GET

    def listed(self, query: dict) -> str:
        """Two names per page."""
        keys = sorted((key for key in self.server.files if key.startswith(query.get("prefix", ""))), key=str.encode)
        start = int(next((query[name] for name in ("continuation-token", "marker", "pageToken") if name in query), "0"))
        more = str(start + 2) if start + 2 < len(keys) else ""
        entries = [(key, len(self.server.files[key]), self.server.tag(key)) for key in keys[start : start + 2]]
        return self.server.cloud.page(entries, more)

    def answer(self, status: int, body: bytes, headers: dict | None = None, cut: bool = False, **more):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {}), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = cut


class Cloud:
    root: str

    def __init__(self, url: str):
        self.url = url

    def parts(self, path: str) -> tuple[str, str]:
        """The bucket and the key in the path of a URL."""
        name, _, key = path.lstrip("/").partition("/")
        return name, urllib.parse.unquote(key)

    def tag(self, key: str, version: int) -> str:
        return f'"{hashlib.md5(key.encode()).hexdigest()}-{version}"'

    def error(self, code: str) -> bytes:
        return f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>The words for it.</Message></Error>'.encode()

    def about(self, key: str, size: int, tag: str) -> tuple[bytes, dict]:
        return b"", {"Content-Length": str(size), "ETag": tag}

    def condition(self, request, query: dict) -> str | None:
        return request.headers.get("if-match")

    def no_token(self, form: dict) -> str | None:
        return f"nobody asks for tokens here, but {form}"


class Amazon(Cloud):
    root = "s3://bucket"

    def environment(self, secret=SECRET):
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "AKID",
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_SESSION_TOKEN": "a-session-token",
            "AWS_REGION": "eu-central-1",
        }

    def refusal(self, request, url):
        """Amazon's own signer signs the request, and must compute the same signature."""
        form = r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-central-1/s3/aws4_request, ?SignedHeaders=(\S+), ?Signature=(\w+)"
        given = re.fullmatch(form, request.headers.get("authorization", ""))
        if not given or request.headers.get("x-amz-security-token") != "a-session-token":
            return 403, "no signature"
        names = given[1].split(";")
        assert {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} <= set(names)
        headers = {name: request.headers[name] for name in names}
        signed = AWSRequest(request.command, f"{self.url}{request.path}", headers)
        signed.context["timestamp"] = request.headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials("AKID", SECRET), "s3", "eu-central-1")
        expect = signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed)
        return None if expect == given[2] else (403, "another signature")

    def page(self, entries, more):
        contents = "".join(
            f"<Contents><Key>{urllib.parse.quote_plus(key, safe='/')}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>"
            f"<ETag>{xml.sax.saxutils.escape(tag)}</ETag><Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, size, tag in entries
        )
        token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
        return (
            f'<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name>'
            f"<KeyCount>{len(entries)}</KeyCount><EncodingType>url</EncodingType>"
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{token}{contents}</ListBucketResult>"
        )


class Azure(Cloud):
    root = "az://bucket"

    def environment(self, secret=SECRET):
        return {"AZURE_STORAGE_ENDPOINT": self.url, "AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_KEY": secret}

    def refusal(self, request, url):
        """Signed as specified by "Authorize with Shared Key"."""
        head = {name.lower(): value for name, value in request.headers.items()}
        names = (
            "content-encoding",
            "content-language",
            "content-length",
            "content-md5",
            "content-type",
            "date",
            "if-modified-since",
            "if-match",
            "if-none-match",
            "if-unmodified-since",
            "range",
        )
        lines = [request.command, *(head.get(name, "").strip() for name in names)]
        lines += sorted(f"{name}:{value.strip()}" for name, value in head.items() if name.startswith("x-ms-"))
        lines += [f"/acc{url.path}"]
        lines += sorted(f"{k.lower()}:{v}" for k, v in urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        expect = base64.b64encode(hmac.digest(base64.b64decode(SECRET), "\n".join(lines).encode(), "sha256")).decode()
        assert head["x-ms-version"] >= "2021"
        return None if head.get("authorization") == f"SharedKey acc:{expect}" else (403, "another signature")

    def page(self, entries, more):
        blobs = "".join(
            f"<Blob><Name>{xml.sax.saxutils.escape(key)}</Name><Properties><Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified>"
            f"<Etag>{tag.strip(chr(34))}</Etag><Content-Length>{size}</Content-Length><Content-Type>text/csv</Content-Type></Properties></Blob>"
            for key, size, tag in entries
        )
        return (
            f'\ufeff<?xml version="1.0"?><EnumerationResults ContainerName="bucket"><Blobs>{blobs}</Blobs>'
            f"<NextMarker>{more}</NextMarker></EnumerationResults>"
        )


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Google(Cloud):
    root = "gs://bucket"

    def environment(self, secret=SECRET):
        key = KEY if secret == SECRET else OTHER
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        account = {
            "type": "service_account",
            "private_key": pem.decode(),
            "private_key_id": "k",
            "client_email": "me@example.com",
            "token_uri": f"{self.url}/token",
        }
        return {"STORAGE_EMULATOR_HOST": self.url, "GOOGLE_APPLICATION_CREDENTIALS": account}

    def parts(self, path):
        found = re.fullmatch(r"/storage/v1/b/([^/]+)/o(?:/([^/]+))?", path)
        return found[1], urllib.parse.unquote(found[2] or "")

    def tag(self, key, version):
        return str(1000 + version)

    def error(self, code):
        return json.dumps({"error": {"code": 404, "message": code}}).encode()

    def about(self, key, size, tag):
        return json.dumps({"name": key, "size": str(size), "generation": tag}).encode(), {}

    def condition(self, request, query):
        assert request.headers["accept-encoding"] == "gzip"
        return query["ifGenerationMatch"]

    def no_token(self, form):
        """The account's own assertion, signed with its key."""
        text, _, signature = form["assertion"].rpartition(".")
        bytes_of = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        try:
            KEY.public_key().verify(bytes_of(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception:  # noqa: BLE001
            return "another signature"
        head, claims = (json.loads(bytes_of(part)) for part in text.split("."))
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer" and head["alg"] == "RS256"
        assert claims["scope"].endswith("devstorage.read_only") and claims["exp"] - claims["iat"] == 3600
        return (
            None
            if (claims["iss"], claims["aud"]) == ("me@example.com", f"{self.url}/token")
            else f"wrong claims {claims}"
        )

    def refusal(self, request, url):
        known = re.fullmatch(r"Bearer a-token-of-the-cloud-\d+", request.headers.get("authorization") or "")
        return None if known else (401, "no token")

    def page(self, entries, more):
        items = [{"name": key, "size": str(size), "generation": tag} for key, size, tag in entries]
        return json.dumps({"items": items} | ({"nextPageToken": more} if more else {}))


def environment(folder, bucket, **more) -> dict:
    """The variables, with the content of a file in one of them; without those of this machine."""
    found = bucket.cloud.environment() | more
    for name, value in found.items():
        if isinstance(value, dict):
            file = folder / "credentials.json"
            file.write_text(json.dumps(value))
            found[name] = str(file)
    return found
