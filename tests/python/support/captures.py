"""What clients send to the emulator, field by field, and which differences from our client are explained."""

from __future__ import annotations

import re
import urllib.parse
from collections import defaultdict
from collections.abc import Iterable, Iterator

# What another client sends and ours does not, as patterns of `endpoint part field`, and why.
OMITTED = {
    r"\w+ header client_app_(id|version)": "a client that names itself gets Arrow",
    r"login body data\.CLIENT_APP_ID": "a client that names itself gets Arrow",
    r"\w+ header (connection|accept|accept-encoding|user-agent|content-type|transfer-encoding|content-encoding)": "HTTP's",
    r"login header authorization": "there is no token yet",
    r"login query (databaseName|schemaName|warehouse|roleName)": "only if the connection has it; statements name schemas",
    r"login query request_id": "the same as requestId",
    r"login body data\.(AUTHENTICATOR|CLIENT_ENVIRONMENT\..*|SESSION_PARAMETERS\..*)": "its platform and its parameters",
    r"login body data\.SVN_REVISION": "of the client",
    r"login body data\.EXT_AUTHN_DUO_METHOD": "no second factor is asked for",
    r"query body queryContextDTO.*": "for hybrid tables, which a load does not use",
    r"query body (disableOfflineChunks|isInternal|querySubmissionTime|describeOnly|bindings.*|parameters.*)": "optional",
    r"close query requestId": "nothing joins it",
    r"abort .*": "no statement is cancelled here",
    r"monitoring .*": "it polls the result",
    r"telemetry .*": "it sends none",
    r"chunk header .*": "HTTP's",
    r"upload header x-goog-meta-.*": "the stage of a load is not encrypted by the client",
    r"upload header .*": "HTTP's",
}
# What ours sends and no other client does.
ADDED = {
    r"login body data\.SESSION_PARAMETERS\..*": "the parameters that a load needs",
    r"(query|result) query retry(Count|Reason)": "sent again; also by drivers where that is switched on",
    r"\w+ query (requestId|request_guid)": "of each attempt; some drivers send it to Snowflake's domain only, or elsewhere",
    r"login body data\.CLIENT_CAPABILITIES.*": "the driver in Rust sends it: numbers of keys are beyond 2^53",
    r"login body data\.CLIENT_ENVIRONMENT\.APPLICATION": "the drivers in Python, Rust and Go send it",
    r"query body sequenceId": "the drivers in Python, Rust and Go send it",
    r"\w+ header (accept|content-length|content-type|user-agent)": "HTTP's",
}


def fields(calls: Iterable[dict]) -> set[str]:
    """Endpoint, part and name of every field of the requests."""
    found: dict[str, set[str]] = defaultdict(set)
    for call in calls:
        query = urllib.parse.parse_qsl(call["query"], keep_blank_values=True)
        found[f"{call['endpoint']} query"] |= {name for name, _ in query}
        found[f"{call['endpoint']} header"] |= set(call["headers"])
        found[f"{call['endpoint']} body"] |= set(_names(call["body"]))
    return {f"{place} {name}" for place, names in found.items() for name in names}


def unexplained(ours: set[str], theirs: set[str]) -> list[str]:
    """The differences that no pattern explains. An endpoint that only one of both uses is not a difference."""
    used = {name.partition(" ")[0] for name in ours} & {name.partition(" ")[0] for name in theirs}
    omitted = [f"ours omits {name}" for name in theirs - ours if not _known(name, OMITTED)]
    added = [f"ours adds {name}" for name in ours - theirs if not _known(name, ADDED)]
    return sorted(line for line in omitted + added if line.split()[2] in used)


def _known(name: str, patterns: dict[str, str]) -> bool:
    return any(re.fullmatch(pattern, name) for pattern in patterns)


def _names(value: object, prefix: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield prefix + name
            yield from _names(inner, f"{prefix}{name}.")
