"""Files that clients encrypt: the key of each PUT, and decryption with the code of Snowflake's own driver.

COPY reads the decrypted file. GET returns the uploaded one, with its metadata.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from snowflake.connector.encryption_util import SnowflakeEncryptionUtil
from snowflake.connector.storage_client import SnowflakeFileEncryptionMaterial

from .switches import Switches

if TYPE_CHECKING:
    from ..stages import Stage, Stages

# Beyond what JavaScript's numbers hold, as the service's are.
FIRST_KEY_ID = 9_007_199_254_740_993


@dataclass(frozen=True)
class Material:
    """The key for a PUT."""

    key: str
    query_id: str
    number: int

    def shown(self, *, as_text: bool) -> dict:
        """The form for the client."""
        number: Any = str(self.number) if as_text else self.number
        return {"queryStageMasterKey": self.key, "queryId": self.query_id, "smkId": number}


@dataclass(frozen=True)
class Metadata:
    """The metadata of an uploaded file; `key`, `iv` and `description` only if it is encrypted."""

    digest: str | None
    key: str | None = None
    iv: str | None = None
    description: str | None = None

    @staticmethod
    def of(headers: Mapping[str, str]) -> Metadata:
        """Read the headers of an object, in the form of each cloud."""
        found = {name.lower(): value for name, value in headers.items()}
        if "x-amz-meta-x-amz-key" in found:
            prefix = "x-amz-meta-x-amz-"
            parts = [found.get(prefix + name) for name in ("key", "iv", "matdesc")]
            return Metadata(found.get("x-amz-meta-sfc-digest"), *parts)
        for prefix, digest in (("x-ms-meta-", "sfcdigest"), ("x-goog-meta-", "sfc-digest")):
            envelope = json.loads(found.get(f"{prefix}encryptiondata") or "null")
            if envelope:
                key = envelope["WrappedContentKey"]["EncryptedKey"]
                iv = envelope["ContentEncryptionIV"]
                return Metadata(found.get(prefix + digest), key, iv, found.get(f"{prefix}matdesc"))
        digests = ("x-amz-meta-sfc-digest", "x-ms-meta-sfcdigest", "x-goog-meta-sfc-digest")
        return Metadata(next((found[name] for name in digests if name in found), None))

    def headers(self) -> dict[str, str]:
        """The headers of Google's storage."""
        made = {"x-goog-meta-sfc-digest": self.digest} if self.digest else {}
        if self.key:
            envelope = {
                "EncryptionMode": "FullBlob",
                "WrappedContentKey": {"KeyId": "symmKey1", "EncryptedKey": self.key, "Algorithm": "AES_CBC_256"},
                "EncryptionAgent": {"Protocol": "1.0", "EncryptionAlgorithm": "AES_CBC_256"},
                "ContentEncryptionIV": self.iv,
                "KeyWrappingMetadata": {"EncryptionLibrary": "Java 5.3.0"},
            }
            made |= {"x-goog-meta-encryptiondata": json.dumps(envelope), "x-goog-meta-matdesc": str(self.description)}
        return made


class Sealed:
    """The keys and the encrypted files of an account. `problems` has the errors of uploaded files."""

    def __init__(self, switches: Switches, stages: Stages) -> None:
        self.switches, self.stages = switches, stages
        self.materials: dict[str, Material] = {}
        self.metadata: dict[str, Metadata] = {}
        self.encrypted: dict[str, bytes] = {}
        self.problems: list[str] = []

    def needed(self, stage: Stage) -> bool:
        """Returns `True` if clients must encrypt what they put onto the stage."""
        declared = stage.options.get("ENCRYPTION") or {}
        return self.switches.client_side_encryption and str(declared.get("TYPE", "")).upper() != "SNOWFLAKE_SSE"

    def material(self, query_id: str) -> Material:
        """A key for the files of a PUT."""
        key = base64.b64encode(secrets.token_bytes(self.switches.key_bytes)).decode()
        made = Material(key, query_id, FIRST_KEY_ID + len(self.materials))
        self.materials[query_id] = made
        return made

    def store(self, stage: Stage, path: str, data: bytes, headers: Mapping[str, str]) -> None:
        """Store an uploaded file, decrypted if it is encrypted."""
        metadata = Metadata.of(headers)
        name = f"{stage.key}/{path}"
        plain = data
        if self.needed(stage):
            try:
                plain = self._opened(data, metadata)
            except (ValueError, KeyError, TypeError) as error:
                self.problems.append(f"{path}: it cannot be decrypted: {error}")
        elif metadata.key is not None:
            self.problems.append(f"{path}: it is encrypted; the stage asks for no encryption by the client")
        digest = base64.b64encode(hashlib.sha256(plain).digest()).decode()
        if metadata.digest is not None and metadata.digest != digest:
            self.problems.append(f"{path}: sfc-digest is {metadata.digest}, that of the content is {digest}")
        self.metadata[name] = metadata
        if metadata.key is not None:
            self.encrypted[name] = data
        self.stages.write(stage, path, plain)

    def stored(self, stage: Stage, path: str) -> tuple[bytes, Metadata]:
        """The file in its uploaded form."""
        name = f"{stage.key}/{path}"
        metadata = self.metadata.get(name, Metadata(None))
        if metadata.key is not None:
            return self.encrypted[name], metadata
        file = next(f for f in self.stages.local(stage, path) if f.path == path)
        with open(file.place, "rb") as opened:
            return opened.read(), metadata

    def shown(self, stage: Stage, path: str, *, as_text: bool) -> dict | None:
        """The key of a file, for a GET."""
        metadata = self.stored(stage, path)[1]
        if metadata.key is None:
            return None
        return self.materials[json.loads(metadata.description or "{}")["queryId"]].shown(as_text=as_text)

    def _opened(self, data: bytes, metadata: Metadata) -> bytes:
        if metadata.key is None or metadata.iv is None:
            raise ValueError("expected the key, the vector and the description in its metadata; found none")
        described = json.loads(metadata.description or "")
        material = self.materials[described["queryId"]]
        expect = {
            "queryId": material.query_id,
            "smkId": str(material.number),
            "keySize": str(8 * self.switches.key_bytes),
        }
        if described != expect:
            raise ValueError(f"the description is {described}, expected {expect}")
        given = SnowflakeFileEncryptionMaterial(material.key, material.query_id, material.number)
        out = io.BytesIO()
        SnowflakeEncryptionUtil.decrypt_stream(_Named(metadata), given, io.BytesIO(data), out)
        return out.getvalue()


class _Named:
    """The metadata with the names that the driver reads."""

    def __init__(self, metadata: Metadata) -> None:
        self.key, self.iv, self.matdesc = metadata.key, metadata.iv, metadata.description
