"""Files in buckets, read by the Rust host: against small servers that speak the APIs and check every signature."""

from __future__ import annotations

import base64
import collections
import hashlib
import hmac
import http.server
import io
import json
import os
import re
import threading
import urllib.parse
import xml.sax.saxutils

import planning
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

pytestmark = pytest.mark.skipif("SNOWCAT_BUCKETS" not in os.environ, reason="make buckets builds the program for it")
SECRET = base64.b64encode(b"a secret of thirty-two characters").decode()
LONG = b"id,v\n" + b"".join(b"%d,%s\n" % (n, b"x" * 90) for n in range(100_000))
PARQUET = io.BytesIO()
pq.write_table(pa.table({"id": range(5000)}), PARQUET, row_group_size=700)
FILES = {
    "a/1.csv": b"id,v\n1,x\n",
    "a/2 + \u00e9%20'&.csv": b"id,v\n2,y\n",
    "a/3.csv": b"id,v\n",
    "a/4.csv": b"id,v\n4,z\n",
    "a/b/5.csv": b"id,v\n5,z\n",
    "a/b.txt": b"no",
    "c/long.csv": LONG,
    "d/rows.parquet": PARQUET.getvalue(),
    "e/empty.csv": b"",
}


class Bucket(http.server.ThreadingHTTPServer):
    """A bucket of one cloud on this machine."""

    def __init__(self, cloud: type[Cloud]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.cloud, self.files = cloud(self.url), dict(FILES)
        self.log: list[str] = []
        self.faults: collections.deque = collections.deque()
        self.versions = collections.Counter()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        bucket, cloud = self.server, self.server.cloud
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        name, _, key = urllib.parse.unquote(url.path).lstrip("/").partition("/")
        bucket.log.append(f"{self.command} {key or 'list'} {self.headers.get('range', '')}".strip())
        if bucket.faults and (fault := bucket.faults.popleft()):
            return self.answer(fault, b"<Error><Code>SlowDown</Code></Error>")
        if why := cloud.refusal(self, url):
            # As S3 does: what was signed is quoted, tokens among it.
            return self.answer(403, f"<Error><Code>SignatureDoesNotMatch</Code>{why} {self.headers}</Error>".encode())
        if name != "bucket":
            return self.answer(404, b"<Error><Code>NoSuchBucket</Code></Error>")
        if not key:
            return self.answer(200, self.listed(query).encode())
        if key not in bucket.files:
            return self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        data, status, more = bucket.files[key], 200, {}
        if span := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range") or self.headers.get("x-ms-range") or ""):
            start, end = int(span[1]), min(int(span[2]) + 1, len(data))
            more, status, data = {"Content-Range": f"bytes {start}-{end - 1}/{len(data)}"}, 206, data[start:end]
        return self.answer(status, data, **more, ETag=self.tag(key), **{"Last-Modified": "Mon, 01 Jan 2024 00:00:00 GMT"})

    do_HEAD = do_GET

    def tag(self, key):
        return f'"{hashlib.md5(key.encode()).hexdigest()}-{self.server.versions[key]}"'

    def listed(self, query):
        """Two names a page."""
        keys = sorted(key for key in self.server.files if key.startswith(query.get("prefix", "")))
        token = query.get("continuation-token") or query.get("marker") or "0"
        start = int(token)
        more = str(start + 2) if start + 2 < len(keys) else ""
        entries = [(xml.sax.saxutils.escape(key), len(self.server.files[key]), self.tag(key)) for key in keys[start : start + 2]]
        return self.server.cloud.page(entries, more)

    def answer(self, status, body, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Cloud:
    root: str

    def __init__(self, url: str):
        self.url = url


class Amazon(Cloud):
    root = "s3://bucket"

    def environment(self, secret=SECRET):
        return {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": secret,
                "AWS_SESSION_TOKEN": "a-session-token", "AWS_REGION": "eu-central-1"}  # fmt: skip

    def refusal(self, request, url):
        """Amazon's own signer signs what came, and must come to the same."""
        form = r"AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-central-1/s3/aws4_request, ?SignedHeaders=(\S+), ?Signature=(\w+)"
        given = re.fullmatch(form, request.headers.get("authorization", ""))
        if not given or request.headers.get("x-amz-security-token") != "a-session-token":
            return "no signature"
        names = given[1].split(";")
        assert {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"} <= set(names)
        signed = AWSRequest(request.command, f"{self.url}{request.path}", {name: request.headers[name] for name in names})
        signed.context["timestamp"] = request.headers["x-amz-date"]
        signer = S3SigV4Auth(Credentials("AKID", SECRET), "s3", "eu-central-1")
        expect = signer.signature(signer.string_to_sign(signed, signer.canonical_request(signed)), signed)
        return None if expect == given[2] else "another signature"

    def page(self, entries, more):
        contents = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified><ETag>{tag}</ETag>"
            f"<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
            for key, size, tag in entries
        )
        token = f"<NextContinuationToken>{more}</NextContinuationToken>" if more else ""
        return (f'<?xml version="1.0"?><ListBucketResult><Name>bucket</Name><KeyCount>{len(entries)}</KeyCount>'
                f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{token}{contents}</ListBucketResult>")  # fmt: skip


class Azure(Cloud):
    root = "az://bucket"

    def environment(self, secret=SECRET):
        return {"AZURE_STORAGE_ENDPOINT": self.url, "AZURE_STORAGE_ACCOUNT_NAME": "acc", "AZURE_STORAGE_ACCOUNT_KEY": secret}

    def refusal(self, request, url):
        """Signed as "Authorize with Shared Key" has it."""
        head = {name.lower(): value for name, value in request.headers.items()}
        names = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
                 "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")  # fmt: skip
        lines = [request.command, *(head.get(name, "").strip() for name in names)]
        lines += sorted(f"{name}:{value.strip()}" for name, value in head.items() if name.startswith("x-ms-"))
        lines += [f"/acc{url.path}"]
        lines += sorted(f"{k.lower()}:{v}" for k, v in urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        text = "\n".join("" if n == 3 and line == "0" else line for n, line in enumerate(lines))
        expect = base64.b64encode(hmac.digest(base64.b64decode(SECRET), text.encode(), "sha256")).decode()
        return None if head.get("authorization") == f"SharedKey acc:{expect}" else "another signature"

    def page(self, entries, more):
        blobs = "".join(
            f"<Blob><Name>{key}</Name><Properties><Last-Modified>Mon, 01 Jan 2024 00:00:00 GMT</Last-Modified><Etag>{tag}</Etag>"
            f"<Content-Length>{size}</Content-Length><Content-Type>text/csv</Content-Type></Properties></Blob>"
            for key, size, tag in entries
        )
        return (f'<?xml version="1.0"?><EnumerationResults ContainerName="bucket"><Blobs>{blobs}</Blobs>'
                f"<NextMarker>{more}</NextMarker></EnumerationResults>")  # fmt: skip


KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Google(Amazon):
    root = "gs://bucket"

    def environment(self, secret=SECRET):
        key = KEY if secret == SECRET else OTHER
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        account = {"type": "service_account", "private_key": pem.decode(), "private_key_id": "k", "client_email": "me@example.com"}
        return {"GOOGLE_BASE_URL": self.url, "GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(account)}

    def refusal(self, request, url):
        """The account's own word, signed with its key."""
        token = (request.headers.get("authorization") or "").removeprefix("Bearer ")
        text, _, signature = token.rpartition(".")
        bytes_of = lambda part: base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))  # noqa: E731
        try:
            KEY.public_key().verify(bytes_of(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256())
        except Exception:  # noqa: BLE001
            return "another signature"
        claims = json.loads(bytes_of(text.split(".")[1]))
        return None if claims["iss"] == "me@example.com" and "storage" in claims.get("scope", "") else f"wrong claims {claims}"


@pytest.fixture(params=[Amazon, Azure, Google], ids=lambda cloud: cloud.__name__.lower())
def bucket(request):
    with Bucket(request.param) as made:
        yield made


def read(bucket, folder, *paths, secret=SECRET, **resource):
    places = [f"{bucket.cloud.root}/{path}" for path in paths]
    found = planning.files(folder, places, environment=bucket.cloud.environment(secret), **resource)
    return {name.removeprefix(f"{bucket.cloud.root}/"): text for name, text in found.items()}


def test_files_are_found_and_read(bucket, tmp_path):
    plain = {key: data.decode() for key, data in FILES.items() if key not in ("d/rows.parquet", "a/b.txt")}
    of = lambda *keys: {key: plain[key] for key in keys}  # noqa: E731
    below = [key for key in plain if key.startswith("a/")]
    flat = [key for key in below if key != "a/b/5.csv"]
    assert read(bucket, tmp_path, "a/*.csv") == of(*flat)
    assert read(bucket, tmp_path, "a/**/*.csv") == of(*below)
    assert read(bucket, tmp_path, "a/b", format="csv") == of("a/b/5.csv")
    assert read(bucket, tmp_path, "a/1.csv", "e/", format="csv") == of("a/1.csv", "e/empty.csv")
    assert read(bucket, tmp_path, "**/?.csv") == of(*(key for key in below if key != flat[1]))
    assert read(bucket, tmp_path, "a/2*.csv", "a/2 + \u00e9%20'&.csv") == of(flat[1])
    with pytest.raises(planning.Refused, match=re.escape(f"{bucket.cloud.root}/a/none.csv: no file")):
        read(bucket, tmp_path, "a/none.csv")
    rows = read(bucket, tmp_path, "d/*.parquet")["d/rows.parquet"]
    assert rows.splitlines() == [f'{{"id":{n}}}' for n in range(5000)]


def test_large_files_come_in_parts(bucket, tmp_path):
    assert read(bucket, tmp_path, "c/long.csv") == {"c/long.csv": LONG.decode()}
    parts = [line for line in bucket.log if line.startswith("GET c/long.csv bytes=")]
    assert len(parts) == 2, bucket.log


def test_what_is_too_much_at_once_is_asked_for_again(bucket, tmp_path):
    bucket.faults.extend([503, None, 503])
    assert len(read(bucket, tmp_path, "a/1.csv")) == 1


def test_a_file_that_changes_is_an_error(bucket, tmp_path):
    bucket.versions = Changing("c/long.csv", after=3)
    with pytest.raises(planning.Refused, match="c/long.csv: the file changed while it was read"):
        read(bucket, tmp_path, "c/long.csv")


class Changing(collections.Counter):
    def __init__(self, key, after):
        super().__init__()
        self.key, self.left = key, after

    def __getitem__(self, key):
        self.left -= key == self.key
        return int(self.left < 0)


def test_what_is_refused_is_told_without_secrets(bucket, tmp_path):
    wrong = base64.b64encode(b"not the secret of thirty-two char").decode()
    for path in ("a/*.csv", "a/1.csv"):
        with pytest.raises(planning.Refused) as told:
            read(bucket, tmp_path, path, secret=wrong)
        text = str(told.value)
        assert f"{bucket.cloud.root}/{path}: " in text and "403" in text, text
        for secret in (wrong, "a-session-token", "PRIVATE KEY", "Signature=", "SharedKey acc:", "eyJ"):
            assert secret not in text, text
    assert "another signature" in text or "*" not in path
