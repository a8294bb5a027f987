"""`snowcat run` with every fault at its statements: one clean load or none, and no statement executed twice.

Each fault is tried at one statement, or at all of them if SNOWCAT_LONG is set. The process is killed at every eighth,
or at all.
"""

from __future__ import annotations

import collections
import os
import subprocess

import pytest
from command import PROGRAM, opened

FAULTS = {
    "refused": {"kind": "refuse", "seconds": 0.3},
    "reset": {"kind": "reset_before"},
    "lost": {"kind": "reset_after"},
    "half": {"kind": "half_body"},
    "429": {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
    "503 twice": {"kind": "status", "status": 503, "times": 2},
    "503 after": {"kind": "status", "status": 503, "after": True},
    "307": {"kind": "redirect"},
    "401": {"kind": "status", "status": 401},
    "390112": {"kind": "code", "code": 390112},
    "390111": {"kind": "code", "code": 390111},
    "390114": {"kind": "code", "code": 390114},
    "slow": {"kind": "slow", "seconds": 0.2},
}
# With these codes the session is lost: outside a transaction a new one goes on, inside of one the load fails.
SESSION_LOST = ("390111", "390114")


@pytest.fixture(scope="module")
def account(tmp_path_factory):
    shown = subprocess.run([PROGRAM, "run", "--help"], capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    with opened(tmp_path_factory.mktemp("jobs")) as account:
        yield account


@pytest.fixture(scope="module")
def clean(account) -> collections.Counter:
    """The statements of a load without a fault."""
    dataset, begun = account.dataset(), len(account.lab.trace)
    done = account.run(dataset, 1)
    assert done.returncode == 0, done.stderr
    statements = account.executed(begun, dataset)
    assert account.loads(dataset) == 1
    return statements


@pytest.mark.parametrize("name", FAULTS)
def test_fault_leaves_one_load_or_none(account, clean, name):
    server, total = account.lab.server, sum(clean.values())
    # Another statement for each fault, from the first to the last.
    chosen = 1 + list(FAULTS).index(name) * (total - 1) // (len(FAULTS) - 1)
    for nth in range(1, total + 1) if os.environ.get("SNOWCAT_LONG") else (chosen,):
        dataset, begun = account.dataset(), len(account.lab.trace)
        fault = server.faults.add(endpoint="query", nth=nth, **FAULTS[name])
        done = account.run(dataset, 1)
        server.faults.clear()
        assert fault.hit == fault.times, nth
        executed = account.executed(begun, dataset)
        open_ones = [s for s in list(account.lab.account.sessions.values()) if s.transaction is not None]
        if name in SESSION_LOST:
            for session in open_ones:  # the emulator's session lives on; for the client it is lost
                account.lab.account.drop(session)
        else:
            assert open_ones == [], nth
        inside = name in SESSION_LOST and "BEGIN TRANSACTION" in executed and "COMMIT" not in executed
        assert done.returncode == (4 if inside else 0), (nth, done.returncode, done.stderr)
        assert account.loads(dataset) == (done.returncode == 0), nth
        more = executed - clean
        assert not more or (inside and set(more) == {"ROLLBACK"}), (nth, more)
        if done.returncode == 0:
            assert executed == clean, nth
        again = account.run(dataset, 2)
        assert again.returncode == 0, (nth, again.stderr)
        assert account.loads(dataset) == (2 if done.returncode == 0 else 1), nth


@pytest.mark.skipif(not os.environ.get("SNOWCAT_LONG"), reason="an outage takes a minute")
@pytest.mark.parametrize(("kind", "loads"), [("reset_before", 0), ("reset_after", 1)])
def test_outcome_of_a_commit_without_an_answer_is_unknown(account, kind, loads):
    dataset = account.dataset()
    account.lab.server.faults.add(kind, "query", match="^commit", times=0)
    done = account.run(dataset, 1)
    account.lab.server.faults.clear()
    assert done.returncode == 7, done.stderr
    assert account.loads(dataset) == loads
    assert account.run(dataset, 2).returncode == 0
    assert account.loads(dataset) == loads + 1


def test_process_that_is_killed_leaves_one_load_or_none(account, clean):
    lab, total = account.lab, sum(clean.values())
    for nth in range(1, total + 1, 1 if os.environ.get("SNOWCAT_LONG") else 8):
        dataset, known = account.dataset(), set(lab.account.sessions)
        seen = 0
        process = account.begin(dataset, 1)

        def kill(_, nth=nth, process=process):
            nonlocal seen
            seen += 1
            if seen == nth:
                process.kill()

        lab.on_statement(kill)
        process.communicate(timeout=120)
        lab.on_statement(None)
        assert seen >= nth and process.returncode == -9, nth
        # The service goes on with the statement; later it ends the session.
        for statement in lab.server.statements.all():
            statement.future.result(timeout=20)
        for name in set(lab.account.sessions) - known:
            lab.account.drop(lab.account.sessions[name])
        loads = account.loads(dataset)
        assert loads in (0, 1), nth
        again = account.run(dataset, 2)
        assert again.returncode == 0, (nth, again.stderr)
        assert account.loads(dataset) == loads + 1, nth


def test_load_outlives_its_tokens(account, clean):
    server, dataset, begun = account.lab.server, account.dataset(), len(account.lab.trace)
    logins, renewals = server.gate.counts["login"], len(server.tokens.renewals)
    server.switches.set({"session_life": 0.3, "master_life": 1.5})
    server.faults.add("slow", "query", times=0, seconds=0.1)
    done = account.run(dataset, 1)
    server.faults.clear()
    server.switches.reset()
    assert done.returncode == 0, done.stderr
    assert account.executed(begun, dataset) == clean and account.loads(dataset) == 1
    # One login; renewals before the transaction and inside of it.
    assert server.gate.counts["login"] == logins + 1
    assert {False, True} == set(server.tokens.renewals[renewals:]) and len(server.tokens.renewals) - renewals > 5
