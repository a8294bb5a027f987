"""Clients that others wrote run one script against the emulator: if they agree, it speaks the drivers' protocol."""

from __future__ import annotations

import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import threading
from http.server import ThreadingHTTPServer

import captures
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command import Account, Source

from emulator import Lab

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = pathlib.Path(__file__).parent / "clients"
NODE = ROOT / "target/node/node_modules/snowflake-sdk"
CLIENTS = {
    "python4": ([sys.executable, FOLDER / "python_client.py"], True),
    "python5": ([ROOT / "target/clients/python5/bin/python", FOLDER / "python_client.py"], False),
    "node": (["node", FOLDER / "node_client.js", NODE], False),
    "adbc": ([ROOT / "target/clients/adbc/bin/python", FOLDER / "adbc_client.py"], False),
}
ROWS = 100_000
SCRIPT = {
    "ddl": [
        "CREATE OR REPLACE TABLE T (ID NUMBER(19,0), B VARCHAR)",
        "CREATE OR REPLACE STAGE S ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE')",
        "CREATE OR REPLACE STAGE E ENCRYPTION = (TYPE = 'SNOWFLAKE_FULL')",
    ],
    "dml": [
        "INSERT INTO T (ID, B) VALUES (1, 'a'), (2, 'b'), (3, NULL)",
        "UPDATE T SET B = 'c' WHERE ID < 3",
        "DELETE FROM T WHERE ID = 3",
        "MERGE INTO T USING (SELECT 2 AS ID UNION ALL SELECT 9) S ON T.ID = S.ID "
        "WHEN MATCHED THEN UPDATE SET B = 'm' WHEN NOT MATCHED THEN INSERT (ID, B) VALUES (S.ID, 'n')",
    ],
    "large": f"SELECT SEQ4() AS N, 'gr\u00fc\u00df \"' || SEQ4() AS B FROM TABLE(GENERATOR(ROWCOUNT => {ROWS})) ORDER BY 1",
    "copy": "COPY INTO T FROM @S/load FILE_FORMAT = (TYPE = PARQUET USE_VECTORIZED_SCANNER = TRUE) "
    "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT",
}


def installed(command: list) -> bool:
    return all(pathlib.Path(part).exists() or shutil.which(str(part)) for part in command)


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> set[str]:
    """What our client sends: two loads, with polls, chunks and renewals."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Source) as source, Lab() as lab:
        threading.Thread(target=source.serve_forever, daemon=True).start()
        account = Account(lab, f"http://127.0.0.1:{source.server_port}/", tmp_path_factory.mktemp("jobs"))
        lab.server.switches.set({"answer_within": 0.0, "poll": 0.05, "inline_bytes": 0, "session_life": 0.3})
        for day in (1, 2):
            done = account.run("d", day)
            assert done.returncode == 0, done.stderr
        source.shutdown()
        return captures.fields(list(lab.server.gate.calls))


@pytest.mark.parametrize("client", CLIENTS)
def test_script(lab, tmp_path, ours, client):
    from raw_client import Raw

    command, always = CLIENTS[client]
    if not installed(command):
        assert not always
        pytest.skip(f"{client} is not installed: make clients")
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"ID": pa.array(range(100, 150), pa.int64()), "B": ["p"] * 50}), file)
    back = tmp_path / "back"
    back.mkdir()
    lab.server.gate.calls.clear()
    lab.server.switches.set({"client_side_encryption": True, "key_bytes": 32})
    lab.server.switches.set({"answer_within": 1.0, "poll": 1.0, "inline_bytes": 100_000, "chunk_bytes": 500_000})
    given = json.dumps({"port": lab.server.port, "file": str(file), "back": str(back), **SCRIPT})
    done = subprocess.run([*map(str, command), given], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    digest = hashlib.sha256("".join(f'{n} gr\u00fc\u00df "{n}\n' for n in range(ROWS)).encode()).hexdigest()
    version, timeout = found.pop("version"), found.pop("timeout", 604)
    expect = {
        "login": ["TESTER", "RAW", "J"],
        "dml": [3, 2, 1, 2],
        "large": [ROWS, digest],
        "long": "waited 3 seconds",
        "cancel": "ABORTED",
        "copy": 53,
        "transaction": [54, 53, 54, 54],
        "expiry": 56,
        "error": [2003, "42S02"],
    }
    assert found == expect, (version, {k: (found.get(k), expect[k]) for k in expect if found.get(k) != expect[k]})
    assert timeout == 604, (version, timeout)
    # Encrypted, and decrypted again.
    assert lab.server.sealed.problems == [] and len(lab.server.sealed.encrypted) == 1
    assert [path.read_bytes() for path in back.iterdir()] == [file.read_bytes()]
    state = Raw(lab).send("/emulator", method="GET")
    counts = state["counts"]
    assert counts["renew"] == counts["renewals"] == 1 and counts["chunk"] > 2 and counts["close"] == 1, counts
    assert state["transactions"] == 0
    executed = Raw(lab).send("/emulator/statements", method="GET")["executed"]
    changing = [
        e for e in executed if e["sql"].startswith(("INSERT INTO T SELECT 90", "MERGE", "COPY", "DELETE", "UPDATE"))
    ]
    # The 900 is inserted twice, rolled back once.
    assert sorted(e["times"] for e in changing) == [1] * (len(changing) - 1) + [2]
    assert captures.unexplained(ours, captures.fields(list(lab.server.gate.calls))) == []


@pytest.mark.parametrize("kind", ["s3", "azure", "gcs"])
def test_driver_in_rust_writes_and_reads_each_cloud(lab, tmp_path, kind):
    import clouds
    from raw_client import Raw

    command = [CLIENTS["python5"][0][0], FOLDER / "python_files.py"]
    if not installed(command):
        pytest.skip("python5 is not installed: make clients")
    if kind == "azure" and not clouds.has_azurite():
        pytest.skip("Azurite is not installed: make node")
    file, back = tmp_path / "f.bin", tmp_path / "back"
    file.write_bytes(bytes(range(256)) * 4000 + b"x")
    for stage, encryption in (("S", "SNOWFLAKE_SSE"), ("E", "SNOWFLAKE_FULL")):
        lab.sql(f"CREATE STAGE RAW.J.{stage} ENCRYPTION = (TYPE = '{encryption}')")
        (back / stage).mkdir(parents=True)
    lab.server.switches.set({"client_side_encryption": True})
    with clouds.CLOUDS[kind]() as cloud:
        Raw(lab).send("/emulator/storage", cloud)
        given = json.dumps({"port": lab.server.port, "file": str(file), "back": str(back)})
        done = subprocess.run([*map(str, command), given], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert lab.files("@RAW.J.S") == lab.files("@RAW.J.E") == ["load/f.bin"]
    assert [(back / stage / "f.bin").read_bytes() == file.read_bytes() for stage in "SE"] == [True, True]
    assert lab.server.sealed.problems == [] and len(lab.server.sealed.encrypted) == 1
    assert {call["status"] for call in lab.server.storage_gate.log} <= {200, 201}
