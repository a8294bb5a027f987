"""Settings that a test can change while the server runs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

CHOICES: dict[str, tuple[str, ...]] = {
    "in_progress": ("333333", "333334"),
    "chunk_keys": ("headers", "qrmk", "none"),
    "jwt_codes": ("specific", "general"),
}


@dataclass
class Switches:
    """The switches of one server; README.md describes each. All times are in seconds."""

    session_life: float = 3600.0
    master_life: float = 14400.0
    answer_within: float = 45.0
    poll: float = 45.0
    in_progress: str = "333334"
    inline_bytes: int = 1_000_000
    chunk_bytes: int = 4_000_000
    chunk_keys: str = "headers"
    chunks_name_gzip: bool = True
    gzip_answers: bool = True
    sticky: bool = False
    clock_skew: float = 0.0
    strict_login: bool = False
    jwt_codes: str = "specific"
    credential_life: float = 3600.0
    client_side_encryption: bool = False
    key_bytes: int = 16

    def set(self, given: dict[str, Any]) -> None:
        """Set these switches. If a name or a value is not valid, raises `ValueError` and sets none."""
        known = {field.name: type(field.default) for field in fields(self)}
        checked: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                raise ValueError(f"the switch {name!r} is not known; expected one of {', '.join(known)}")
            kind = known[name]
            if kind is float and isinstance(value, int) and not isinstance(value, bool):
                value = float(value)  # noqa: PLW2901 - JSON has one kind of number
            if type(value) is not kind:
                raise ValueError(f"the switch {name!r}: expected {kind.__name__}, found {value!r}")
            if name in CHOICES and value not in CHOICES[name]:
                raise ValueError(f"the switch {name!r}: expected one of {', '.join(CHOICES[name])}, found {value!r}")
            if name == "key_bytes" and value not in (16, 32):
                raise ValueError(f"the switch {name!r}: expected 16 or 32, found {value!r}")
            checked[name] = value
        for name, value in checked.items():
            setattr(self, name, value)

    def reset(self) -> None:
        """Set every switch to its default."""
        self.set({field.name: field.default for field in fields(self)})
