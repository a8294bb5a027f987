"""Files in buckets, read by the Rust host from small servers that implement the APIs and verify credentials."""

from __future__ import annotations

import base64
import collections
import gzip
import hashlib
import hmac
import http.server
import io
import json
import os
import re
import subprocess
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


CLOUDS = pytest.mark.parametrize("cloud", [Amazon, Azure, Google], ids=lambda cloud: cloud.__name__.lower())


@pytest.fixture
def bucket(cloud):
    with Bucket(cloud) as made:
        yield made


def environment(folder, bucket, **more) -> dict:
    """The variables, with the content of a file in one of them; without those of this machine."""
    found = bucket.cloud.environment() | more
    for name, value in found.items():
        if isinstance(value, dict):
            file = folder / "credentials.json"
            file.write_text(json.dumps(value))
            found[name] = str(file)
    return found


def read(folder, bucket, *paths: str, variables: dict | None = None, **resource) -> dict[str, str]:
    places = [f"{bucket.cloud.root}/{path}" for path in paths]
    variables = environment(folder, bucket) if variables is None else variables
    found = planning.files(folder, places, environment=variables, **resource)
    return {name.removeprefix(f"{bucket.cloud.root}/"): text for name, text in found.items()}


@CLOUDS
def test_files_are_found_and_read(bucket, tmp_path):
    plain = {key: data.decode() for key, data in FILES.items() if key.endswith(".csv")}
    of = lambda *keys: {key: plain[key] for key in keys}
    below = [key for key in plain if key.startswith("a/")]
    flat = [key for key in below if key != "a/b/5.csv"]

    def check(expect: list[str], *paths: str, **resource):
        found = read(tmp_path, bucket, *paths, **resource)
        assert found == of(*expect) and list(found) == expect, paths

    check(flat, "a/*.csv")
    check(below, "a/**/*.csv")
    # A folder, and an empty file with its name.
    check(["a/b/5.csv"], "a/b", format="csv")
    check(["a/b/5.csv"], "a/b/", format="csv")
    check(["a/1.csv", "e/empty.csv"], "e", "a/1.csv", "a/1.csv", format="csv")
    check([key for key in below if key != flat[1]], "**/?.csv")
    check([flat[1]], "a/2*.csv", "a/2 + \u00e9%20'&.csv")
    bucket.log.clear()
    with pytest.raises(planning.Refused, match=re.escape(f"{bucket.cloud.root}/a/none.csv: no file")):
        read(tmp_path, bucket, "a/none.csv")
    assert [line for line in bucket.log if line != "token"] == ["about a/none.csv", "list"]


def made(folder, environment: dict, resources: list[dict]) -> dict[str, bytes]:
    """The Parquet of a load of these resources."""
    folder.mkdir()
    job = {"pipeline": "p", "database": "RAW", "dataset": "d", "resources": resources}
    (folder / "job.json").write_text(json.dumps(job))
    command = [
        planning.PROGRAM,
        "plan",
        "job.json",
        "--out",
        "out",
        "--now",
        "2026-01-02T03:04:05Z",
        "--transcript",
        "run.jsonl",
    ]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, **environment})
    assert run.returncode == 0, run.stderr
    text = (folder / "run.jsonl").read_text() + run.stdout + run.stderr
    assert not [
        secret for secret in (SECRET, "a-session-token", "a-token-of-the-cloud", "PRIVATE KEY") if secret in text
    ]
    return {str(file.relative_to(folder)): file.read_bytes() for file in (folder / "out").rglob("*.parquet")}


def test_tables_are_those_of_local_files(tmp_path):
    rows = [{"id": n, "v": f"é{n}", "l": [{"x": n}, {"x": None}], "o": {"a": n / 2}} for n in range(3000)]
    lines = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    parquet, arrow, table = io.BytesIO(), io.BytesIO(), pa.Table.from_pylist(rows)
    pq.write_table(table, parquet, row_group_size=700)
    with pa.ipc.new_file(arrow, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    zstd = lambda data: pa.compress(data, "zstd", asbytes=True)
    csv = b"id,v\n" + b"".join(b'%d,"x\n%d"\n' % (n, n) for n in range(3000))
    files = {
        "csv/1.csv": csv,
        "csv/2.csv.gz": gzip.compress(csv),
        "csv/3.csv.zst": zstd(csv),
        "nd/1.ndjson": lines,
        "nd/2.jsonl.gz": gzip.compress(lines),
        "nd/3.ndjson.zst": zstd(lines),
        "array/1.json": json.dumps(rows).encode(),
        "array/2.json.gz": gzip.compress(json.dumps(rows).encode()),
        "pq/1.parquet": parquet.getvalue(),
        "pq/2.parquet.gz": gzip.compress(parquet.getvalue()),
        "arrow/1.arrow": arrow.getvalue(),
        "arrow/2.arrow.zst": zstd(arrow.getvalue()),
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    patterns = {
        "csv": "csv/*.csv*",
        "nd": "nd/*.*json*",
        "array": "array/*.json*",
        "pq": "pq/*.parquet*",
        "arrow": "arrow/*.arrow*",
    }
    formats = {"csv": "csv", "nd": "jsonl", "array": "json", "pq": "parquet", "arrow": "arrow"}

    def of(root, folder, variables):
        resources = [
            {"name": name, "files": f"{root}/{pattern}", "format": formats[name]} for name, pattern in patterns.items()
        ]
        return made(folder, variables, resources)

    expect = of(tmp_path, tmp_path / "local", {})
    # One table each, and three of lists.
    assert len(expect) >= 8
    for cloud in (Amazon, Azure, Google):
        with Bucket(cloud, files) as bucket:
            found = of(cloud.root, tmp_path / cloud.__name__, environment(tmp_path, bucket))
        assert found.keys() == expect.keys()
        assert [name for name in expect if found[name] != expect[name]] == []


@CLOUDS
def test_large_files_are_read_in_parts_that_are_retried(bucket, tmp_path):
    assert read(tmp_path, bucket, "c/long.csv") == {"c/long.csv": LONG.decode()}
    reads = lambda: sum(line == "read c/long.csv" for line in bucket.log)
    assert reads() == 2
    bucket.log.clear()
    # About, then the first part twice, the second three times.
    bucket.faults.extend([503, None, "cut", None, 429, 500])
    assert read(tmp_path, bucket, "c/long.csv") == {"c/long.csv": LONG.decode()}
    assert reads() == 5


@CLOUDS
def test_pages_of_lists_are_retried(bucket, tmp_path):
    bucket.faults.extend([500, None, "cut", None, 503])
    assert len(read(tmp_path, bucket, "a/*.csv")) == 4
    bucket.faults.extend([500] * 9)
    with pytest.raises(planning.Refused) as reported:
        read(tmp_path, bucket, "a/*.csv")
    expect = f'{bucket.cloud.root}/a/*.csv: listing what begins with "a/": the server said 500 SlowDown (tried 5 times)'
    assert expect in str(reported.value) and len(bucket.faults) == 4


@CLOUDS
def test_removed_file_is_an_error(bucket, tmp_path):
    def gone():
        del bucket.files["a/4.csv"]

    # Lists have three or four pages; then 1, 2, and 4.
    pages = (len([key for key in FILES if key.startswith("a/")]) + 1) // 2
    bucket.faults.extend([None] * (pages + 2) + [gone])
    with pytest.raises(planning.Refused) as reported:
        read(tmp_path, bucket, "a/*.csv")
    text = str(reported.value)
    assert f"{bucket.cloud.root}/a/4.csv: reading bytes 0 to " in text and "404" in text and "NoSuchKey" in text, text
    assert "(it was there when the files were listed)" in text


@CLOUDS
def test_changed_file_is_an_error(bucket, tmp_path):
    bucket.faults.extend([None, None, lambda: bucket.versions.update(["c/long.csv"])])
    with pytest.raises(planning.Refused) as reported:
        read(tmp_path, bucket, "c/long.csv")
    text = str(reported.value)
    assert f"{bucket.cloud.root}/c/long.csv: reading bytes 8388608 to " in text and "412" in text, text


@CLOUDS
def test_missing_bucket_is_an_error(bucket, tmp_path):
    for path in ("x/*.csv", "x/1.csv"):
        place = f"{bucket.cloud.root[:-6]}another/{path}"
        with pytest.raises(planning.Refused) as reported:
            planning.files(tmp_path, place, environment=environment(tmp_path, bucket))
        assert f"{place}: listing what begins with" in str(reported.value) and "404" in str(reported.value), (
            reported.value
        )
        assert "NoSuchBucket" in str(reported.value)


@CLOUDS
def test_rejected_requests_are_reported_without_secrets(bucket, tmp_path):
    variables = environment(tmp_path, bucket, **bucket.cloud.environment(WRONG))
    for path in ("a/*.csv", "a/1.csv"):
        with pytest.raises(planning.Refused) as reported:
            read(tmp_path, bucket, path, variables=variables)
        text = str(reported.value)
        assert f"{bucket.cloud.root}/{path}: " in text and re.search("said (403|400)", text), text
        for secret in (SECRET, WRONG, "a-session-token", "PRIVATE KEY", "Signature=[^*]", "SharedKey acc:[^*]", "eyJ"):
            assert not re.search(secret, text), text
    assert len(bucket.log) <= 2, bucket.log


@CLOUDS
def test_public_buckets_need_no_credentials(bucket, tmp_path):
    url = {
        "AWS_ENDPOINT_URL": bucket.url,
        "AZURE_STORAGE_ENDPOINT": bucket.url,
        "AZURE_STORAGE_ACCOUNT": "acc",
        "STORAGE_EMULATOR_HOST": bucket.url,
    }
    with pytest.raises(planning.Refused, match=r"40[13] Refused: .*\(not signed, for there is no [A-Z]"):
        read(tmp_path, bucket, "a/*.csv", variables=url)
    bucket.cloud.refusal = lambda request, _: (403, "signed") if request.headers.get("authorization") else None
    assert len(read(tmp_path, bucket, "a/*.csv", variables=url)) == 4


def test_other_credentials_of_azure(tmp_path):
    with Bucket(Azure) as bucket:
        cloud = bucket.cloud
        at = {"AZURE_STORAGE_ENDPOINT": bucket.url, "AZURE_STORAGE_ACCOUNT": "acc"}
        query = lambda url: dict(urllib.parse.parse_qsl(url.query))
        cloud.refusal = lambda _, url: (
            None if query(url).get("sig") == "a+b/c=" and query(url)["sv"] == "1" else (403, "no sig")
        )
        sas = "?sv=1&sp=rl&sig=a%2Bb%2Fc%3D"
        assert len(read(tmp_path, bucket, "a/*.csv", variables=at | {"AZURE_STORAGE_SAS_TOKEN": sas})) == 4
        with pytest.raises(planning.Refused) as reported:
            read(tmp_path, bucket, "a/*.csv", variables=at | {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=a-signature"})
        assert "no sig" in str(reported.value) and "a-signature" not in str(reported.value)

        cloud.refusal = Google.refusal.__get__(cloud)
        form = {
            "grant_type": "client_credentials",
            "client_id": "app",
            "client_secret": "s3cret",
            "scope": "https://storage.azure.com/.default",
        }
        cloud.no_token = lambda given: None if given == form else str(given)
        entra = at | {
            "AZURE_CLIENT_ID": "app",
            "AZURE_CLIENT_SECRET": "s3cret",
            "AZURE_TENANT_ID": "t",
            "AZURE_AUTHORITY_HOST": bucket.url,
        }
        assert len(read(tmp_path, bucket, "a/*.csv", variables=entra)) == 4
        assert bucket.log.count("token") == 1
        with pytest.raises(planning.Refused, match=r"the token for it: the server said 400 \(invalid_grant\)"):
            read(tmp_path, bucket, "a/*.csv", variables=entra | {"AZURE_CLIENT_SECRET": "other"})


def test_other_credentials_of_google(tmp_path):
    with Bucket(Google) as bucket:
        given = {"STORAGE_EMULATOR_HOST": bucket.url, "GOOGLE_OAUTH_ACCESS_TOKEN": "a-token-of-the-cloud-7"}
        assert len(read(tmp_path, bucket, "a/*.csv", variables=given)) == 4
        user = {
            "type": "authorized_user",
            "client_id": "c",
            "client_secret": "s",
            "refresh_token": "r",
            "token_uri": f"{bucket.url}/token",
        }
        form = {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
        bucket.cloud.no_token = lambda given: None if given == form else str(given)
        variables = environment(tmp_path, bucket, GOOGLE_APPLICATION_CREDENTIALS=user)
        assert len(read(tmp_path, bucket, "a/*.csv", variables=variables)) == 4
        assert "token" in bucket.log
        # A rejected token is fetched again, once.
        bucket.log.clear()
        bucket.faults.extend([None, None, 401])
        assert len(read(tmp_path, bucket, "a/*.csv", variables=variables)) == 4
        assert bucket.log.count("token") == 2


def test_plain_http_is_used_for_this_machine_only(tmp_path):
    for name in ("AWS_ENDPOINT_URL", "AZURE_STORAGE_ENDPOINT", "STORAGE_EMULATOR_HOST"):
        root = {"AWS": "s3", "AZU": "az", "STO": "gs"}[name[:3]]
        variables = {name: "http://example.invalid", "AZURE_STORAGE_ACCOUNT": "acc"}
        with pytest.raises(planning.Refused, match="expected https, for the host is not this machine"):
            planning.files(tmp_path, f"{root}://bucket/a/*.csv", environment=variables)
