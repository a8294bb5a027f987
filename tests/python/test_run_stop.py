"""`snowcat run` when SIGTERM or SIGINT arrives, at each operation of a load, which hangs there.

The load ends within five seconds with the right exit code, the session is closed, no row is left, and the next run is
one clean load. A sample of the operations is tried, or every one if SNOWCAT_LONG is set.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from command import Account, Source, opened

from emulator.server.faults import Fault

# The longest time from the signal to the end of the process, in seconds.
LONGEST = 5.0
# The service does not go on for this time, which is longer than the load may take to end.
HANGS = 5.5
TERMINATED, INTERRUPTED = 128 + signal.SIGTERM, 128 + signal.SIGINT
EVERY = bool(os.environ.get("SNOWCAT_LONG"))


class Slow(Source):
    """An API whose request number `hangs_at` gets no answer, or the status `refusal`."""

    seen, hangs_at = 0, 0
    refusal: int | None = None
    reached = threading.Event()
    over = threading.Event()

    def do_GET(self):
        Slow.seen += 1
        if Slow.hangs_at and Slow.seen >= Slow.hangs_at:
            Slow.reached.set()
            if Slow.refusal is None:
                Slow.over.wait(HANGS)
                return
            self.send_response(Slow.refusal)
            self.send_header("retry-after", "60")
            self.send_header("content-length", "0")
            self.end_headers()
            return
        super().do_GET()

    @staticmethod
    def hang(at: int, refusal: int | None = None) -> None:
        Slow.seen, Slow.hangs_at, Slow.refusal = 0, at, refusal
        Slow.reached.clear()
        Slow.over.clear()

    @staticmethod
    def answer() -> None:
        Slow.hangs_at = 0
        Slow.over.set()


@pytest.fixture(scope="module")
def account(tmp_path_factory) -> Iterator[Account]:
    with opened(tmp_path_factory.mktemp("jobs"), Slow) as account:
        yield account


@pytest.fixture(autouse=True)
def calm(account) -> Iterator[None]:
    """Without the faults of another test."""
    yield
    account.lab.server.faults.clear()
    Slow.answer()


@pytest.fixture(scope="module")
def calls(account) -> dict[str, int]:
    """The number of requests of a load by endpoint."""
    before = dict(account.lab.server.gate.counts)
    done = account.run(account.dataset(), 1)
    assert done.returncode == 0, done.stderr
    return {name: count - before.get(name, 0) for name, count in account.lab.server.gate.counts.items()}


class Stopped:
    """A load that was stopped at one operation."""

    def __init__(self, account: Account, reached: Callable[[], bool], *signals: int) -> None:
        lab, known = account.lab, set(account.lab.account.sessions)
        self.account, self.dataset, begun = account, account.dataset(), len(lab.trace)
        process = account.begin(self.dataset, 1)
        deadline = time.monotonic() + 60
        while not reached():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "the operation was not reached"
            time.sleep(0.005)
        at = time.monotonic()
        for number in signals:
            process.send_signal(number)
            time.sleep(0.2 if len(signals) > 1 else 0)
        try:
            _, self.stderr = process.communicate(timeout=2 * LONGEST)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self.seconds, self.code = time.monotonic() - at, process.returncode
        lab.server.faults.clear()
        Slow.answer()
        # A request for the log-out may still be on its way in the server.
        while set(lab.account.sessions) - known and time.monotonic() < at + LONGEST:
            time.sleep(0.01)
        self.open = set(lab.account.sessions) - known
        self.statements = [entry.sql for entry in lab.trace[begun:]]

    def check(self, code: int, loads: int = 0, note: object = None) -> None:
        """Fails if it did not end so, or the next run is not one clean load."""
        shown = (note, self.code, self.seconds, self.stderr)
        assert self.code == code, shown
        assert self.seconds < LONGEST, shown
        assert self.open == set(), shown
        assert self.account.loads(self.dataset) == loads, shown
        again = self.account.run(self.dataset, 2)
        assert again.returncode == 0, (note, again.stderr)
        assert self.account.loads(self.dataset) == loads + 1, note


def chosen(total: int, step: int) -> range:
    """The numbers of the operations that are tried."""
    return range(1, total + 1, 1 if EVERY else step)


def expected(calls: dict[str, int], nth: int) -> tuple[int, int]:
    """The exit code and the number of loads if this statement gets no answer. The last two are COMMIT and DROP STAGE."""
    return {calls["query"] - 1: (7, 0), calls["query"]: (0, 1)}.get(nth, (TERMINATED, 0))


def fault(account: Account, kind: str, endpoint: str, nth: int = 1, **given) -> Fault:
    return account.lab.server.faults.add(kind, endpoint, nth=nth, seconds=HANGS, **given)


def test_statement_that_runs_is_aborted(account, calls):
    for nth in chosen(calls["query"], 6):
        made = fault(account, "runs", "query", nth)
        stopped = Stopped(account, lambda made=made: made.hit > 0, signal.SIGTERM)
        code, loads = expected(calls, nth)
        stopped.check(code, loads, note=nth)
        if code != TERMINATED:
            continue
        assert stopped.seconds < 2 and "stopped by SIGTERM" in stopped.stderr, (nth, stopped.seconds, stopped.stderr)
        if "BEGIN TRANSACTION" in stopped.statements:
            assert "ROLLBACK" in stopped.statements, nth
        assert any(text.startswith("DROP STAGE") for text in stopped.statements) == (
            any(text.startswith("CREATE STAGE") for text in stopped.statements)
        ), nth


def test_service_that_hangs_does_not_keep_the_program(account, calls):
    expect = {}
    for nth in chosen(calls["query"], 17):
        made = fault(account, "slow", "query", nth)
        stopped = Stopped(account, lambda made=made: made.hit > 0, signal.SIGTERM)
        code, loads = expected(calls, nth)
        stopped.check(code, loads, note=nth)
        expect[stopped.dataset] = loads + 1
    # The statements that the service held back found no session.
    time.sleep(HANGS)
    for dataset, loads in expect.items():
        assert account.loads(dataset) == loads


def test_service_that_answers_nothing_any_more_does_not_keep_the_program(account, calls):
    made = fault(account, "slow", "query", nth=calls["query"] // 2)
    others = [fault(account, "slow", name, times=0) for name in ("abort", "close")]
    known = set(account.lab.account.sessions)
    dataset = account.dataset()
    process = account.begin(dataset, 1)
    while not made.hit:
        time.sleep(0.005)
    account.lab.server.faults.table += [Fault("slow", "query", times=0, seconds=HANGS)]
    at = time.monotonic()
    process.terminate()
    process.communicate(timeout=2 * LONGEST)
    assert time.monotonic() - at < LONGEST and process.returncode == TERMINATED
    assert all(other.hit for other in others)
    account.lab.server.faults.clear()
    # The log-out was sent, and ends the session when the service goes on.
    time.sleep(HANGS + 1)
    assert set(account.lab.account.sessions) == known and account.loads(dataset) == 0


@pytest.mark.parametrize(("kind", "after", "code", "loads"), [("slow", False, 7, 0), ("slow", True, 7, 1)])
def test_commit_without_an_answer_is_unknown(account, kind, after, code, loads):
    made = fault(account, kind, "query", match="^commit", after=after)
    Stopped(account, lambda: made.hit > 0, signal.SIGTERM).check(code, loads)


def test_commit_that_is_answered_is_a_load(account):
    made = account.lab.server.faults.add("slow", "query", match="^commit", seconds=1.0)
    stopped = Stopped(account, lambda: made.hit > 0, signal.SIGTERM)
    stopped.check(0, loads=1)
    assert "SIGTERM arrived after the COMMIT: the load is committed" in stopped.stderr


def test_login_ends(account):
    known = set(account.lab.account.sessions)
    made = account.lab.server.faults.add("slow", "login", seconds=1.0)
    Stopped(account, lambda: made.hit > 0, signal.SIGTERM).check(TERMINATED)
    # The service logs in nevertheless; such a session ends when it has been idle.
    time.sleep(1.0)
    for name in set(account.lab.account.sessions) - known:
        account.lab.account.drop(account.lab.account.sessions[name])


def test_log_out_after_the_commit_is_a_load(account):
    made = account.lab.server.faults.add("slow", "close", seconds=1.0)
    Stopped(account, lambda: made.hit > 0, signal.SIGTERM).check(0, loads=1)


def test_upload_ends(account, calls):
    for nth in chosen(calls["upload"], 2):
        made = fault(account, "slow", "upload", nth)
        stopped = Stopped(account, lambda made=made: made.hit > 0, signal.SIGINT)
        stopped.check(INTERRUPTED, note=nth)
        assert any(text.startswith("DROP STAGE") for text in stopped.statements), nth


@pytest.mark.parametrize("refusal", [None, 503])
def test_request_to_a_source_and_the_wait_after_it_end(account, refusal):
    for nth in range(1, 4):
        Slow.hang(nth, refusal)
        stopped = Stopped(account, lambda: Slow.reached.is_set() and not time.sleep(0.2), signal.SIGTERM)
        stopped.check(TERMINATED, note=nth)
        assert stopped.seconds < 1, (nth, stopped.seconds)


def test_wait_between_attempts_ends(account):
    made = account.lab.server.faults.add("status", "query", nth=3, times=0, headers={"Retry-After": "60"})
    stopped = Stopped(account, lambda: made.hit > 0 and not time.sleep(0.2), signal.SIGTERM)
    stopped.check(TERMINATED)
    assert stopped.seconds < 4


def test_second_signal_ends_at_once(account):
    made = fault(account, "slow", "query", nth=9)
    stopped = Stopped(account, lambda: made.hit > 0, signal.SIGTERM, signal.SIGTERM)
    assert (stopped.code, stopped.seconds < 1) == (TERMINATED, True), stopped.stderr
    # The session was not closed: the service ends it later.
    for name in stopped.open:
        account.lab.account.drop(account.lab.account.sessions[name])
    assert account.loads(stopped.dataset) == 0


def test_transcript_of_a_stopped_load_is_whole(account, tmp_path, monkeypatch):
    transcript = tmp_path / "run.jsonl"
    begin = account.begin
    monkeypatch.setattr(account, "begin", lambda *given: begin(*given, "--transcript", str(transcript)))
    Slow.hang(2)
    stopped = Stopped(account, Slow.reached.is_set, signal.SIGTERM)
    lines = transcript.read_text().splitlines()
    assert stopped.code == TERMINATED and lines[0] == '{"reply":"start"}'
    assert lines[-1].startswith('{"fault":') and "the load was stopped" in lines[-1]
