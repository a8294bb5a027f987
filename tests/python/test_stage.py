"""Files that the Rust host uploads to a stage: against servers of each cloud that check who asks."""

from __future__ import annotations

import base64
import collections
import hashlib
import io
import json
import os
import pathlib
import random
import subprocess

import clouds
import pytest
import stage_clouds
from snowflake.connector.encryption_util import EncryptionMetadata, SnowflakeEncryptionUtil
from snowflake.connector.storage_client import SnowflakeFileEncryptionMaterial
from stage_clouds import Amazon, Azure, Gate, Google

PROGRAM = stage_clouds.ROOT / "target/debug/examples/upload"
MIB = 1 << 20
CLOUDS = ["amazon", "azure", "google", "presigned"]


def started(name: str):
    if name == "azure" and not clouds.has_azurite():
        pytest.skip("Azurite is not installed (make node)")
    made = {"amazon": Amazon, "azure": Azure, "google": Google, "presigned": lambda: Google(presigned=True)}[name]()
    made.name = name
    return made


@pytest.fixture(scope="module", params=CLOUDS)
def any_cloud(request):
    cloud = started(request.param)
    yield cloud
    cloud.stop()


@pytest.fixture(scope="module", params=[name for name in CLOUDS if name != "presigned"])
def cloud(request):
    """Those that take files in parts."""
    made = started(request.param)
    yield made
    made.stop()


def data(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


def upload(folder: pathlib.Path, gate: Gate, files: dict[str, bytes], **limits) -> dict:
    """What the program prints. Whatever happens, it does not show a secret."""
    for number, content in enumerate(files.values()):
        (folder / str(number)).write_bytes(content)
    given = {"locate": f"{gate.url}/locate", "stage": '"RAW"."D"."ST"', "first_wait_ms": 1, **limits}
    given["files"] = {f"load/{name}": str(folder / str(number)) for number, name in enumerate(files)}
    issued = []
    answer = gate.answer
    gate.answer = lambda made: issued.append(made := answer(made)) or made
    run = subprocess.run([PROGRAM], input=json.dumps(given), capture_output=True, text=True, timeout=300)
    gate.answer = answer
    assert run.returncode == 0, run.stderr
    for made in issued:
        for secret in [*made["stageInfo"]["creds"].values(), made["stageInfo"]["presignedUrl"]]:
            assert not secret or secret.startswith("ASIA") or secret not in run.stdout + run.stderr
    return json.loads(run.stdout)


def check_stored(cloud, files: dict[str, bytes]):
    for name, content in files.items():
        found = cloud.read(name)
        assert found is not None and found.data == content, name
        digest = found.metadata.get("sfc-digest") or found.metadata.get("sfcdigest")
        assert digest == base64.b64encode(hashlib.sha256(content).digest()).decode(), found.metadata


def test_files_are_written(any_cloud, tmp_path):
    sizes = {"empty.parquet": 0, "one.parquet": 1, "a.b-c_d.1.parquet": 100_000, "more.parquet": 3 * MIB}
    files = {name: data(size) for name, size in sizes.items()}
    with Gate(any_cloud) as gate:
        printed = upload(tmp_path, gate, files)
        assert printed == {
            "files": 4,
            "bytes": sum(sizes.values()),
            "statements": 4 if any_cloud.name == "presigned" else 1,
            "renewals": 0,
            "retries": 0,
            "failure": None,
        }
        # One request each, and none to ask first.
        assert [asked.method for asked in gate.log] == ["PUT"] * 4
        if any_cloud.name == "presigned":
            assert sorted(gate.statements) == sorted(files)
    check_stored(any_cloud, files)


def test_one_statement_is_enough_for_a_load(any_cloud, tmp_path):
    files = {f"{table}.t/{number}.parquet": data(100 + table, number) for table in range(4) for number in range(3)}
    with Gate(any_cloud) as gate:
        printed = upload(tmp_path, gate, files)
        # A signed URL is for one file. The first answer shows that it is one, for another folder.
        statements = 13 if any_cloud.name == "presigned" else 1
        assert (printed["failure"], printed["files"], printed["statements"]) == (None, 12, statements), printed
        assert "/" not in gate.statements[0]
        assert statements == 1 or sorted(gate.statements[1:]) == sorted(files)
    check_stored(any_cloud, files)


def test_large_files_go_in_parts(cloud, tmp_path):
    files = {"large.parquet": data(2 * cloud.least + 12_345), "exact.parquet": data(3 * cloud.least, 2)}
    with Gate(cloud) as gate:
        printed = upload(tmp_path, gate, files, parts_above=cloud.least, part=cloud.least)
        assert (printed["files"], printed["statements"], printed["retries"]) == (2, 1, 0), printed
        assert max(len(asked.body) for asked in gate.log) == cloud.least
    check_stored(cloud, files)
    assert cloud.read("large.parquet").content_type == "application/octet-stream"


def test_a_part_is_sent_again(cloud, tmp_path):
    content = data(3 * cloud.least + 1)
    seen = collections.Counter()

    def fault(asked):
        """Every request fails in four ways, and then succeeds."""
        key = (asked.method, asked.query.get("partNumber") or asked.query.get("blockid") or asked.query.get("comp"))
        key += (asked.headers.get("content-range"), "uploadId" in asked.query)
        seen[key] += 1
        return [(503, b""), (429, b""), "cut", "lost", None][min(seen[key], 5) - 1]

    with Gate(cloud) as gate:
        gate.fault = fault
        printed = upload(tmp_path, gate, {"again.parquet": content}, parts_above=cloud.least, part=cloud.least)
        assert printed["failure"] is None and printed["statements"] == 1, printed
        assert printed["retries"] == sum(count - 1 for count in seen.values())
    check_stored(cloud, {"again.parquet": content})


@pytest.mark.parametrize("at", range(1, 8))
def test_credentials_that_expire_are_renewed_once(cloud, tmp_path, at):
    files = {f"{number}.parquet": data(3 * cloud.least + number, number) for number in range(2)}
    before = cloud.leftovers()
    with Gate(cloud) as gate:
        # The first credentials are good for so many requests, whatever they are.
        given = []

        def fault(asked):
            given.append(cloud.credential(asked))
            return cloud.expired if given[-1] == given[0] and len(given) > at else None

        gate.fault = fault
        printed = upload(tmp_path, gate, files, parts_above=cloud.least, part=cloud.least, threads=2)
        assert (printed["failure"], printed["statements"], printed["renewals"]) == (None, 2, 1), printed
        assert len(set(given)) == 2
    check_stored(cloud, files)
    assert cloud.name == "azure" or cloud.leftovers() == before


def test_credentials_that_stay_refused_are_an_error(any_cloud, tmp_path):
    expired = (400, any_cloud.expired[1]) if any_cloud.name == "presigned" else any_cloud.expired
    with Gate(any_cloud) as gate:
        gate.fault = lambda _: expired
        printed = upload(tmp_path, gate, {"refused.parquet": data(10)}, threads=1)
        assert (printed["files"], printed["statements"], printed["renewals"]) == (0, 3, 2)
        message = f'uploading load/refused.parquet to @"RAW"."D"."ST": writing the file: the server said {expired[0]}'
        assert printed["failure"]["message"].startswith(message), printed
        assert printed["failure"]["transient"] is False
    assert any_cloud.read("refused.parquet") is None


def test_a_statement_that_fails_is_run_once(cloud, tmp_path):
    files = {f"lost{number}.parquet": data(1000) for number in range(20)}
    with Gate(cloud) as gate:
        gate.fault = lambda _: cloud.expired

        def answer(made):
            if len(gate.statements) > 1:
                made["stageInfo"]["locationType"] = "LOCAL_FS"
            return made

        gate.answer = answer
        printed = upload(tmp_path, gate, files)
        assert (printed["files"], printed["statements"], printed["renewals"]) == (0, 2, 1), printed
        expect = 'expected S3, AZURE or GCS in data.stageInfo.locationType, found "LOCAL_FS"'
        assert printed["failure"]["message"].endswith(expect), printed


@pytest.mark.parametrize("at", [1, 2, 3, 4, 5])
def test_a_failed_upload_leaves_nothing(cloud, tmp_path, at):
    """Begin, three parts or four, complete: whichever fails, neither the file nor a part of it is there."""
    before = cloud.leftovers()
    with Gate(cloud) as gate:
        gate.fault = lambda asked: cloud.forbidden if len(gate.log) >= at and asked.method != "DELETE" else None
        name = f"broken{at}.parquet"
        printed = upload(tmp_path, gate, {name: data(3 * cloud.least + 1)}, parts_above=cloud.least, part=cloud.least)
        failure = printed["failure"]
        assert failure["code"] == str(cloud.forbidden[0]) and not failure["transient"], failure
        assert printed["files"] == 0
    assert cloud.read(name) is None
    assert cloud.leftovers() == before


def test_a_failure_says_how_often_it_was_tried(any_cloud, tmp_path):
    with Gate(any_cloud) as gate:
        gate.fault = lambda _: (503, b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>")
        printed = upload(tmp_path, gate, {"slow.parquet": data(10)})
        message = "the server said 503 SlowDown: Reduce your rate (tried 7 times)"
        assert printed["failure"]["message"].endswith(message) and printed["failure"]["transient"], printed
        assert len(gate.log) == 7


def test_wrong_keys_are_refused(tmp_path):
    """By moto, which computes signatures with botocore."""
    amazon = started("amazon")
    try:
        with Gate(amazon) as gate:

            def answer(made):
                made["stageInfo"]["creds"]["AWS_SECRET_KEY"] = "not-the-secret-of-this-key"
                return made

            gate.answer = answer
            printed = upload(tmp_path, gate, {"refused.parquet": data(10)})
            assert "the server said 403 SignatureDoesNotMatch" in printed["failure"]["message"], printed
    finally:
        amazon.stop()


def test_google_continues_where_the_server_is(tmp_path):
    google = started("google")
    content, grain = data(5 * google.least + 1), google.least
    with Gate(google) as gate:
        kept = collections.deque([None, grain, 0, grain])
        gate.fault = lambda _: kept.popleft() if kept else None
        printed = upload(tmp_path, gate, {"slow.parquet": content}, parts_above=1, part=2 * grain)
        assert (printed["failure"], printed["retries"]) == (None, 0)
        ranges = [asked.headers["content-range"] for asked in gate.log if "content-range" in asked.headers]
        assert [it.split("-")[0] for it in ranges] == [f"bytes {n * grain}" for n in (0, 1, 1, 2, 4)]
    check_stored(google, {"slow.parquet": content})
    # A server that keeps nothing at all.
    with Gate(google) as gate:
        gate.fault = lambda asked: 0 if "content-range" in asked.headers else None
        printed = upload(tmp_path, gate, {"none.parquet": content}, parts_above=1, part=2 * grain)
        assert printed["failure"]["message"].endswith("the server keeps none of the bytes")
    assert google.leftovers() == [] and google.read("none.parquet") is None
    google.stop()


def test_google_begins_anew_when_a_session_is_lost(tmp_path):
    google = started("google")
    content = data(600_000)
    with Gate(google) as gate:
        gate.fault = lambda asked: google.server.uploads.clear() if len(gate.log) == 3 else None
        printed = upload(tmp_path, gate, {"lost.parquet": content}, parts_above=1, part=256 << 10)
        assert printed["failure"] is None
        assert [asked.method for asked in gate.log] == ["POST", "PUT", "PUT", "DELETE", "POST", "PUT", "PUT", "PUT"]
    check_stored(google, {"lost.parquet": content})
    google.stop()


@pytest.mark.parametrize("bits", [128, 256])
def test_the_official_driver_decrypts_what_is_encrypted(any_cloud, tmp_path, bits):
    sizes = {"empty.parquet": 0, "block.parquet": 16, "one.parquet": 17, "large.parquet": 2 * any_cloud.least + 5}
    files = {name: data(size) for name, size in sizes.items()}
    master = base64.b64encode(os.urandom(bits // 8)).decode()
    # A number that no float holds.
    material = {"queryStageMasterKey": master, "queryId": "01c0e577", "smkId": 92019681909886}
    with Gate(any_cloud) as gate:

        def answer(made):
            made["stageInfo"]["isClientSideEncrypted"] = True
            return made | {"encryptionMaterial": material}

        gate.answer = answer
        printed = upload(tmp_path, gate, files, parts_above=any_cloud.least, part=any_cloud.least)
        assert (printed["failure"], printed["bytes"]) == (None, sum(sizes.values())), printed
    for name, content in files.items():
        found = any_cloud.read(name)
        said = found.metadata
        if any_cloud.name == "amazon":
            envelope = EncryptionMetadata(said["x-amz-key"], said["x-amz-iv"], said["x-amz-matdesc"])
        else:
            box = json.loads(said["encryptiondata"])
            key, iv = box["WrappedContentKey"]["EncryptedKey"], box["ContentEncryptionIV"]
            assert box["EncryptionMode"] == "FullBlob"
            envelope = EncryptionMetadata(key, iv, said["matdesc"])
        description = {"queryId": "01c0e577", "smkId": "92019681909886", "keySize": str(bits)}
        assert json.loads(envelope.matdesc) == description
        given = SnowflakeFileEncryptionMaterial(master, "01c0e577", 92019681909886)
        out = io.BytesIO()
        SnowflakeEncryptionUtil.decrypt_stream(envelope, given, io.BytesIO(found.data), out)
        assert out.getvalue() == content and len(found.data) == len(content) // 16 * 16 + 16, name
        digest = said.get("sfc-digest") or said["sfcdigest"]
        assert digest == base64.b64encode(hashlib.sha256(content).digest()).decode()


@pytest.mark.skipif("SNOWCAT_LONG" not in os.environ, reason="250 MB a cloud: SNOWCAT_LONG=1")
def test_a_file_of_250_megabytes_goes_in_parts(cloud, tmp_path):
    content = data(250_000_000)
    with Gate(cloud) as gate:
        printed = upload(tmp_path, gate, {"huge.parquet": content})
        assert (printed["failure"], printed["bytes"]) == (None, len(content))
        assert max(len(asked.body) for asked in gate.log) == 16 * MIB
    check_stored(cloud, {"huge.parquet": content})
