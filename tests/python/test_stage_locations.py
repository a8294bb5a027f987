"""Stages in a cloud's bucket: what PUT answers works with that cloud, and COPY and LIST read what was written."""

from __future__ import annotations

import base64
import http.client
import io
import urllib.parse
import urllib.request
import uuid

import boto3
import clouds
import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import snowflake.connector
from botocore.config import Config
from botocore.exceptions import ClientError
from raw_client import Raw

from emulator import Lab

STAGE = '"RAW"."J"."S"'
T = '"RAW"."J"."T"'
COPY = (
    f"COPY INTO {T} FROM @{STAGE}/load FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE "
    "BINARY_AS_TEXT = FALSE USE_VECTORIZED_SCANNER = TRUE) MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT"
)


@pytest.fixture(scope="module", params=["s3", "azure", "gcs"])
def cloud(request):
    if request.param == "azure" and not clouds.has_azurite():
        pytest.skip("Azurite is not installed: make node")
    with clouds.CLOUDS[request.param]() as made:
        yield made


@pytest.fixture
def placed(lab, cloud):
    """A client of a lab whose stages are in the cloud, with a stage and a table."""
    raw = Raw(lab)
    raw.login()
    assert "gate" in raw.send("/emulator/storage", {**cloud, "bucket": f"b{uuid.uuid4().hex}"})
    lab.sql(f"CREATE STAGE {STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')")
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    return raw


def parquet(*ids: int) -> bytes:
    data = io.BytesIO()
    pq.write_table(pa.table({"ID": pa.array(ids, pa.int64())}), data)
    return data.getvalue()


class Put:
    """A client of each cloud, made from the answer to a PUT."""

    def __init__(self, raw: Raw, path: str = "load") -> None:
        answer = raw.query(f"PUT 'file:///x/y' '@{STAGE}/{path}' AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        self.info = answer["data"]["stageInfo"]
        self.bucket, _, self.folder = self.info["location"].partition("/")

    def s3(self):
        creds = self.info["creds"]
        return boto3.client(
            "s3",
            endpoint_url=self.info["endPoint"],
            region_name=self.info["region"],
            aws_access_key_id=creds["AWS_KEY_ID"],
            aws_secret_access_key=creds["AWS_SECRET_KEY"],
            aws_session_token=creds["AWS_TOKEN"],
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )

    def write(self, name: str, data: bytes, folder: str | None = None, **headers: str) -> int:
        """Write one object as a driver does; the status."""
        kind, key = self.info["locationType"], urllib.parse.quote((folder or self.folder) + name)
        if kind == "S3":
            try:
                given = {"Bucket": self.bucket, "Key": urllib.parse.unquote(key), "Body": data}
                self.s3().put_object(**given, Metadata={"sfc-digest": "d"})
            except ClientError as error:
                return error.response["ResponseMetadata"]["HTTPStatusCode"]
            return 200
        path = f"/{self.bucket}/{key}"
        if kind == "AZURE":
            path = f"{urllib.parse.urlsplit(self.info['endPoint']).path}{path}{self.info['creds']['AZURE_SAS_TOKEN']}"
            headers = {
                "x-ms-blob-type": "BlockBlob",
                "x-ms-version": "2025-11-05",
                "x-ms-meta-sfcdigest": "d",
                **headers,
            }
        else:
            headers = {
                "authorization": f"Bearer {self.info['creds']['GCS_ACCESS_TOKEN']}",
                "x-goog-hash": f"crc32c={base64.b64encode(google_crc32c.Checksum(data).digest()).decode()}",
                "x-goog-meta-sfc-digest": "d",
                **headers,
            }
        return self.send("PUT", path, headers, data)[0]

    def send(self, method: str, path: str, headers: dict, data: bytes = b"") -> tuple[int, dict, bytes]:
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(self.info["endPoint"]).netloc, timeout=60)
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        found = answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        connection.close()
        return found


def test_copy_and_list_read_what_was_written(lab, placed):
    put = Put(placed)
    assert put.write("1.parquet", parquet(1, 2)) in (200, 201)
    assert put.write("2 + \u00e9.parquet", parquet(3)) in (200, 201)
    assert lab.files(f"@{STAGE}") == ["load/1.parquet", "load/2 + \u00e9.parquet"]
    lab.sql(COPY)
    assert sorted(tuple(r) for r in lab.sql(f"SELECT * FROM {T}")) == [(1,), (2,), (3,)]
    assert put.write("1.parquet", parquet(4)) in (200, 201)
    lab.sql(COPY)
    assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 4
    lab.sql(f"REMOVE @{STAGE}/load/1.parquet")
    assert lab.files(f"@{STAGE}") == ["load/2 + \u00e9.parquet"]
    log = placed.get("/emulator/storage")["calls"]
    assert {call["status"] for call in log} <= {200, 201} and len(log) == 3


def test_credentials_are_for_one_folder_and_a_time(lab, placed):
    put, other = Put(placed), Put(placed, "other")
    assert put.write("x", b"x", folder=other.folder) == 403
    lab.server.switches.set({"credential_life": 0.0})
    expired = {"S3": 400, "AZURE": 403, "GCS": 401}[put.info["locationType"]]
    assert Put(placed).write("x", b"x") == expired
    lab.server.switches.reset()
    lab.server.faults.add("expired_credentials", "storage", nth=2)
    assert [put.write(name, b"x") for name in "abc"].index(expired) == 1
    lab.server.faults.clear()
    lab.server.faults.add("status", "storage", status=507, after=True, match="late")
    assert put.write("late", b"x") == 507 and "load/late" in lab.files(f"@{STAGE}")
    creds = put.info["creds"]
    for name in [n for n in creds if n != "AWS_KEY_ID"]:
        before, creds[name] = creds[name], creds[name][:-2] + "AA"
        assert put.write("x", b"x") in (401, 403), name
        creds[name] = before
    if put.info["locationType"] == "GCS":
        assert put.write("x", b"x", **{"x-goog-hash": "crc32c=AAAAAA=="}) == 400
    assert lab.files(f"@{STAGE}") == ["load/a", "load/c", "load/late"]


def test_parts(lab, placed):
    put = Put(placed)
    data = bytes(range(256)) * 4 * 1024 * 6  # six MiB
    half = 5 * 1024 * 1024
    if put.info["locationType"] == "S3":
        client, key = put.s3(), f"{put.folder}big"
        upload = client.create_multipart_upload(Bucket=put.bucket, Key=key)["UploadId"]
        tags = [
            client.upload_part(Bucket=put.bucket, Key=key, UploadId=upload, PartNumber=n, Body=part)["ETag"]
            for n, part in ((1, data[:half]), (2, data[half:]))
        ]
        parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
        client.complete_multipart_upload(Bucket=put.bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    elif put.info["locationType"] == "AZURE":
        sas = put.info["creds"]["AZURE_SAS_TOKEN"].removeprefix("?")
        path = f"/{put.info['storageAccount']}/{put.bucket}/{put.folder}big"
        ids = [base64.b64encode(f"{n:06d}".encode()).decode() for n in (1, 2)]
        for block, part in zip(ids, (data[:half], data[half:]), strict=True):
            query = urllib.parse.urlencode({"comp": "block", "blockid": block})
            assert put.send("PUT", f"{path}?{query}&{sas}", {"x-ms-version": "2022-11-02"}, part)[0] == 201
        listed = "<BlockList>" + "".join(f"<Latest>{i}</Latest>" for i in ids) + "</BlockList>"
        answer = put.send("PUT", f"{path}?comp=blocklist&{sas}", {"x-ms-version": "2022-11-02"}, listed.encode())
        assert answer[0] == 201
    else:
        token = f"Bearer {put.info['creds']['GCS_ACCESS_TOKEN']}"
        crc = base64.b64encode(google_crc32c.Checksum(data).digest()).decode()
        start = {"authorization": token, "x-goog-resumable": "start", "x-goog-hash": f"crc32c={crc}"}
        status, headers, _ = put.send("POST", f"/{put.bucket}/{put.folder}big", start)
        assert status == 201 and headers["location"].startswith(put.info["endPoint"])
        session = headers["location"].removeprefix(put.info["endPoint"])
        for begin, end, expect in ((0, 100, 400), (0, half, 308), (half, len(data), 200)):
            sent = {"content-range": f"bytes {begin}-{end - 1}/{len(data)}"}
            status, headers, _ = put.send("PUT", session, sent, data[begin:end])
            assert status == expect
            if expect == 308:
                assert headers["range"] == f"bytes=0-{half - 1}"
        assert put.send("PUT", session, {"content-range": "bytes */*"})[0] == 200
    place = f"@{STAGE}/load/big"
    assert lab.files(place) == ["load/big"]
    stage, path = lab.account.engine.stages.resolve(place, None, None)
    with open(lab.account.engine.stages.files(stage, path)[0].place, "rb") as file:
        assert file.read() == data


def test_presigned_stays_the_default():
    with Lab() as lab:
        raw = Raw(lab)
        raw.login()
        raw.send("/emulator/sql", {"sql": "CREATE SCHEMA RAW.J; CREATE STAGE RAW.J.S"})
        info = raw.query(f"PUT 'file:///x/y' @{STAGE}/d")["data"]["stageInfo"]
        assert info["presignedUrl"].startswith(raw.base) and info["creds"] == {}


@pytest.mark.parametrize("key_bytes", [16, 32])
def test_driver_encrypts_what_it_puts_and_decrypts_what_it_gets(lab, tmp_path, key_bytes):
    lab.server.switches.set({"client_side_encryption": True, "key_bytes": key_bytes})
    lab.sql('CREATE STAGE "RAW"."J"."PLAIN" ENCRYPTION = (TYPE = \'SNOWFLAKE_SSE\')')
    lab.sql(f"CREATE STAGE {STAGE}")
    lab.sql(f'CREATE TABLE {T} ("ID" NUMBER(19,0))')
    sizes = [0, 1, 15, 16, 17, 70_000]
    files = {f"{n}.bin": bytes(range(256)) * (n // 256 + 1) for n in sizes}
    files = {name: data[: int(name.partition(".")[0])] for name, data in files.items()} | {"x.parquet": parquet(1, 2)}
    (tmp_path / "back").mkdir()
    with snowflake.connector.connect(**lab.parameters(database="RAW", schema="J")) as connection:
        cursor = connection.cursor()
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
            for stage in (STAGE, '"RAW"."J"."PLAIN"'):
                cursor.execute(f"PUT 'file://{tmp_path}/{name}' @{stage}/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
        assert lab.server.sealed.problems == []
        assert set(lab.files(f"@{STAGE}")) == {f"load/{name}" for name in files}
        encrypted = lab.server.sealed.encrypted
        assert len(encrypted) == len(files) and not set(encrypted.values()) & set(files.values())
        for stage in (STAGE, '"RAW"."J"."PLAIN"'):
            for name, data in files.items():
                cursor.execute(f"GET @{stage}/load/{name} 'file://{tmp_path}/back'")
                place = tmp_path / "back" / name
                assert place.read_bytes() == data, (stage, name)
                place.unlink()
        lab.sql(COPY.replace("FILE_FORMAT", "FILES = ('x.parquet') FILE_FORMAT").replace("/load", "/load/"))
        assert lab.sql(f"SELECT COUNT(*) FROM {T}")[0][0] == 2


def test_file_that_is_not_encrypted_as_the_stage_asks_is_a_problem(lab):
    raw = Raw(lab)
    raw.login(CLIENT_CAPABILITIES={"SMK_ID_AS_STRING": True})
    lab.server.switches.set({"client_side_encryption": True})
    lab.sql(f"CREATE STAGE {STAGE}")
    data = raw.query(f"PUT 'file:///x/y' @{STAGE}/d AUTO_COMPRESS=FALSE OVERWRITE=TRUE")["data"]
    assert data["encryptionMaterial"]["smkId"] == "9007199254740993" and data["stageInfo"]["isClientSideEncrypted"]
    request = urllib.request.Request(data["stageInfo"]["presignedUrl"], b"plain", method="PUT")
    urllib.request.urlopen(request).close()
    (problem,) = raw.get("/emulator/storage")["problems"]
    assert "d/y: it cannot be decrypted: expected the key" in problem
