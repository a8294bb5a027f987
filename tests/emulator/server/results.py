"""The response to a statement: its rows are in the response, or in chunks that the client fetches."""

from __future__ import annotations

import gzip
import json
import secrets
from base64 import b64encode
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fakesnow.arrow import to_ipc
from fakesnow.statement_type import DML_TYPE_IDS

from .. import wire
from ..answer import Answer
from ..session import Session
from .protocol import where
from .storage import Storage
from .switches import Switches

KEY_HEADER = "x-amz-server-side-encryption-customer-key"
ALGORITHM_HEADER = "x-amz-server-side-encryption-customer-algorithm"
PUT = 0x7102
GET = 0x7101
# The limit for bytes of chunks; the oldest are removed first.
MOST_CHUNK_BYTES = 256 * 1024 * 1024
STATS = {
    "number of rows inserted": "numRowsInserted",
    "number of rows updated": "numRowsUpdated",
    "number of rows deleted": "numRowsDeleted",
    "number of multi-joined rows updated": "numDmlDuplicates",
}


@dataclass
class Chunk:
    """A part of a result, compressed, and the headers that a request for it must have."""

    data: bytes
    headers: dict[str, str]


class Results:
    """Builds responses, and keeps the chunks of large ones."""

    def __init__(self, switches: Switches, storage: Storage) -> None:
        self.switches, self.storage, self.sealed = switches, storage, storage.sealed
        self.chunks: OrderedDict[str, Chunk] = OrderedDict()
        self._bytes = 0

    def answer(self, session: Session, answer: Answer, query_id: str, base: str) -> dict:
        """The response to a statement that succeeded."""
        if answer.put is not None:
            data = self._files(session, answer.put, query_id, base)
        else:
            data = self._rows(session, answer, base)
        data["queryId"] = query_id
        return {"data": data, "code": None, "message": None, "success": True}

    def _files(self, session: Session, given: dict, query_id: str, base: str) -> dict:
        """The response to a PUT or a GET."""
        data = {key: value for key, value in given.items() if key != "stage_key"}
        stage = self.storage.stages.of_key(given["stage_key"])
        assert stage is not None
        downloads = given["command"] == "DOWNLOAD"
        folder = f"{stage.key}/" if downloads else given["path"].rpartition("/")[0] + "/"
        if downloads:
            paths = given["src_locations"]
            keys = [self.sealed.shown(stage, path, as_text=session.smk_as_text) for path in paths]
            data |= {"encryptionMaterial": keys if any(keys) else None, "statementTypeId": GET}
        else:
            paths = []
            needed = self.sealed.needed(stage)
            key = self.sealed.material(query_id).shown(as_text=session.smk_as_text) if needed else None
            data |= {"encryptionMaterial": key, "statementTypeId": PUT, "threshold": 209715200}
        if self.storage.backend is not None:
            info = self.storage.info(folder, self.switches.credential_life)
        else:
            urls = [f"{base}stage/{quote(folder + path)}" for path in paths]
            one = None if downloads else f"{base}stage/{quote(given['path'])}{'' if given['overwrite'] else '?keep'}"
            info = _presigned(given["stage"], one)
            data |= {"presignedUrls": urls} if downloads else {}
        info["isClientSideEncrypted"] = data["encryptionMaterial"] is not None
        return data | {"stageInfo": info}

    def _rows(self, session: Session, answer: Answer, base: str) -> dict:
        table = answer.table
        data: dict[str, Any] = {
            "parameters": [{"name": "TIMEZONE", "value": session.timezone}],
            "rowtype": answer.rowtype,
            "total": table.num_rows,
            "returned": table.num_rows,
            "statementTypeId": answer.type_id,
            "numberOfBinds": 0,
            "version": 1,
            **{f"final{key[0].upper()}{key[1:]}": value for key, value in where(session).items()},
        }
        if answer.type_id in DML_TYPE_IDS:
            row = table.to_pylist()[0]
            data["stats"] = dict.fromkeys(STATS.values(), 0) | {
                STATS[column]: value for column, value in row.items() if column in STATS
            }
        if session.json_results or answer.type_id in DML_TYPE_IDS:
            data |= self._json(answer, base)
        else:
            data |= self._arrow(answer, base)
        return data

    def _json(self, answer: Answer, base: str) -> dict:
        columns = [
            [wire.text(v, c["type"]) for v in column.to_pylist()]
            for column, c in zip(answer.table.columns, answer.rowtype, strict=True)
        ]
        rows = [list(row) for row in zip(*columns, strict=True)]
        sizes = [sum(len(v or "null") + 3 for v in row) for row in rows]
        inline, parts = self._split(sizes)
        data = {"queryResultFormat": "json", "rowset": rows[:inline]}
        chunks = []
        for begin, end in parts:
            # Rows without the brackets around them.
            text = ",".join(json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows[begin:end])
            chunks.append((end - begin, text.encode()))
        return data | self._kept(chunks, base)

    def _arrow(self, answer: Answer, base: str) -> dict:
        table = wire.arrow(answer.table, answer.rowtype)
        each = table.nbytes // table.num_rows + 1 if table.num_rows else 0
        inline, parts = self._split([each] * table.num_rows)
        first = b64encode(to_ipc(table.slice(0, inline))).decode() if inline else ""
        data = {"queryResultFormat": "arrow", "rowsetBase64": first}
        chunks = [(end - begin, bytes(to_ipc(table.slice(begin, end - begin)))) for begin, end in parts]
        return data | self._kept(chunks, base)

    def _split(self, sizes: list[int]) -> tuple[int, list[tuple[int, int]]]:
        """The number of rows in the response, and the ranges of the chunks."""
        total, inline = 0, 0
        while inline < len(sizes) and total + sizes[inline] <= self.switches.inline_bytes:
            total += sizes[inline]
            inline += 1
        parts, begin, total = [], inline, 0
        for at in range(inline, len(sizes)):
            if at > begin and total + sizes[at] > self.switches.chunk_bytes:
                parts.append((begin, at))
                begin, total = at, 0
            total += sizes[at]
        if begin < len(sizes):
            parts.append((begin, len(sizes)))
        return inline, parts

    def _kept(self, chunks: list[tuple[int, bytes]], base: str) -> dict:
        if not chunks:
            return {}
        key = b64encode(secrets.token_bytes(32)).decode()
        headers = {ALGORITHM_HEADER: "AES256", KEY_HEADER: key} if self.switches.chunk_keys != "none" else {}
        listed = []
        for rows, raw in chunks:
            name = secrets.token_urlsafe(16)
            packed = gzip.compress(raw, 1)
            self.chunks[name] = Chunk(packed, headers)
            self._bytes += len(packed)
            listed.append(
                {
                    "url": f"{base}results/{name}",
                    "rowCount": rows,
                    "uncompressedSize": len(raw),
                    "compressedSize": len(packed),
                }
            )
        while self._bytes > MOST_CHUNK_BYTES and len(self.chunks) > len(chunks):
            self._bytes -= len(self.chunks.popitem(last=False)[1].data)
        given = {"qrmk": key} if self.switches.chunk_keys == "qrmk" else {"chunkHeaders": headers}
        return {"chunks": listed, **given}


def _presigned(stage: str, url: str | None) -> dict:
    return {
        "locationType": "GCS",
        "location": f"{stage}/",
        "creds": {},
        "path": f"{stage}/",
        "region": "US-CENTRAL1",
        "storageAccount": None,
        "endPoint": None,
        "presignedUrl": url,
    }


def rowless(answer: dict) -> dict:
    """The response to a request that only describes: no rows."""
    data = {key: value for key, value in answer["data"].items() if key not in ("chunks", "chunkHeaders", "qrmk")}
    empty = {"rowset": []} if "rowset" in data else {"rowsetBase64": ""}
    return answer | {"data": data | {"total": 0, "returned": 0} | empty}
