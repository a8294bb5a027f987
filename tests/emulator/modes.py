"""Interpretations of what Snowflake's documentation leaves open, and of parameters of the account."""

from __future__ import annotations

from dataclasses import dataclass, fields

KINDS: dict[str, tuple[str, ...]] = {
    "snapshot": ("after_wait", "before_wait"),
    "lock_unit": ("table", "rows"),
    "read_consistency": ("global", "session"),
    "information_schema": ("complete", "refuses", "lags"),
    "unquoted_stage_paths": ("any", "plain"),
}


@dataclass(frozen=True)
class Modes:
    """The modes of one `Lab`; README.md describes each. The defaults are the benign ones."""

    snapshot: str = "after_wait"
    merge_without_match_locks: bool = True
    lock_unit: str = "table"
    lock_outlives_session: float = 0.0
    most_waiters: int = 20
    read_consistency: str = "global"
    quoted_identifiers_ignore_case: bool = False
    text_limit: int = 16_777_216
    unquoted_stage_paths: str = "any"
    tri_secret_secure: bool = False
    information_schema: str = "complete"
    variant_decimals_as_text: bool = False
    strict_packages: bool = False
    machine: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value, known = getattr(self, field.name), KINDS.get(field.name)
            if known is not None and value not in known:
                raise ValueError(f"Lab({field.name}={value!r}): expected one of {', '.join(map(repr, known))}")

    @property
    def strict_locks(self) -> bool:
        """Returns `True` if two transactions may change one table at the same time, or a statement keeps an old snapshot."""
        return self.snapshot == "before_wait" or self.lock_unit == "rows" or not self.merge_without_match_locks
