"""Files in buckets, read by the Rust host from small servers that implement the APIs and verify credentials."""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import subprocess
import urllib.parse

import planning
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cloud_buckets import FILES, LONG, SECRET, WRONG, Amazon, Azure, Bucket, Google, environment

CLOUDS = pytest.mark.parametrize("cloud", [Amazon, Azure, Google], ids=lambda cloud: cloud.__name__.lower())


@pytest.fixture
def bucket(cloud):
    with Bucket(cloud) as made:
        yield made


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
