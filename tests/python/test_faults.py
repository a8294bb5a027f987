"""Every failure of a service at every page: the load equals an undisturbed one, or it fails with an error that names
request, page and reason, and changes nothing.

Waits are recorded instead of waiting; the time-out is a second, and the largest page a megabyte.
"""

from __future__ import annotations

import collections
import json
import os
import socket
import threading
from collections.abc import Iterator

import fakes
import local_jobs
import pytest
import snowcat_credentials
import snowcat_procedure as host
import snowcat_wire

# Temporary failures, and the minimum wait for each.
PASSES = {
    "status:500": 1,
    "status:502": 1,
    "status:503": 1,
    "status:408": 1,
    "drop": 0,
    "cut": 1,
    "slow:1500": 0,
    "short": 1,
    "throttle:7": 7,
    "throttle": 1,
    "throttle-date:9": 8,
    "limit:6": 5,
    "gzip": 0,
    "not-gzip": 1,
    "short-gzip": 1,
    "wrong-gzip": 1,
    "type:text/plain": 0,
}
# Responses that are no failures: nothing is requested again.
AT_ONCE = ("gzip", "type:text/plain")
# Permanent failures, with words of the reason.
FAILS = {
    "html": ["text/html"],
    "broken": ["JSON"],
    "garbled": ["UTF-8"],
    "empty": ["no body"],
    "huge:2000000": ["larger"],
    "status:400": ["400"],
    "status:401": ["401", "credential"],
    "status:403": ["403"],
    "status:404": ["404"],
    "throttle:4000": ["4000 s"],
}
# A repeated page: it would repeat forever, or hide another.
REPEATED = "repeat"


@pytest.fixture
def other_host() -> Iterator[tuple[str, list]]:
    """A host to which nothing may be sent, and the requests it received."""
    calls: list = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    ending = threading.Event()

    def accept() -> None:
        while not ending.is_set():
            try:
                calls.append(listener.accept())
            except TimeoutError:
                continue

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/", calls
    ending.set()
    thread.join(5)
    listener.close()


@pytest.fixture
def impatient(monkeypatch) -> None:
    monkeypatch.setattr(snowcat_credentials, "secret", local_jobs.secrets)
    monkeypatch.setattr(snowcat_wire, "PATIENCE", 1.0)


# Jira's searches share a path, so that the number of a request is not that of a page. Tokens of Graph are renewed,
# which has separate tests.
ALL = [name for name, job in fakes.JOBS.items() if not job.uses and name != "graph"]
# Each takes minutes: one job with links in a header and one with offsets, or all of them if SNOWCAT_LONG is set. The
# tests in Rust (`tests/rust/src/fakes/walk`) disturb every request of every job; these tests are for the procedure's
# host.
SOURCES = ALL if os.environ.get("SNOWCAT_LONG") else ["github", "pagerduty"]


class Small:
    """A small load of a ready-made job, and the requests where it can be disturbed."""

    def __init__(self, source: str) -> None:
        self.source, self.trial = source, fakes.fakes()[source]["trials"][0]

    def fake(self) -> fakes.Service:
        """The fake of its service."""
        return fakes.fake(self.source, self.trial["size"], seed=self.trial["seed"])

    def job(self, site: fakes.Service) -> dict:
        """The job, pointed at the fake."""
        return local_jobs.turned(self.source, json.dumps(self.trial["job"]), site.address)

    @staticmethod
    def places(requests: list[dict]) -> dict[tuple[str, str], int]:
        """Of the lists with the most pages: method, path and number of pages, for two lists, the shortest ones."""
        counted = collections.Counter((r["method"], r["path"]) for r in requests)
        longest = counted.most_common()
        return dict([*longest[:2], *longest[2:][-1:]])


@pytest.mark.parametrize("source", SOURCES)
def test_permanent_faults_fail_the_load_and_change_nothing(guest, impatient, other_host, source):
    small = Small(source)
    fails = FAILS | {REPEATED: [], f"redirect:{other_host[0]}": ["redirect"]}
    with small.fake() as site, local_jobs.Local(guest, direct=True) as account:
        job = small.job(site)
        account.run_job(job)
        places = small.places(site.requests())
        before = account.shown()
        site.advance()
        for fault, words in fails.items():
            begun = len(account.lab.trace)
            for (method, path), number in (
                (place, n) for place, count in places.items() for n in range(1, min(count, 3) + 1)
            ):
                if fault == REPEATED and number == 1:
                    continue  # there is no earlier page to repeat
                where = f"{path}@{number}={fault}"
                site.faults(where)
                said = failure(account, {**job, "force_full_load": True})
                for word in [*words, f"page {number}", "resource ", f"{method} http://{site.address}/"]:
                    assert word in said, f"{where}: {said}"
                assert fault != REPEATED or "again after" in said or "the one before" in said, f"{where}: {said}"
                assert account.stages() == [], where
            done = [e.sql for e in account.lab.trace[begun:]]
            assert not [sql for sql in done if sql.startswith(("BEGIN", "INSERT", "MERGE", "DELETE", "ALTER"))], fault
            assert account.shown() == before, fault
        assert other_host[1] == [], "a redirect was followed"
        site.faults("")
        account.run_job(job)
        assert account.shown() != before, "without a fault there is something to load"


@pytest.mark.parametrize("source", SOURCES)
def test_temporary_faults_do_not_change_the_tables(guest, impatient, source):
    small, faults = Small(source), list(PASSES)
    with small.fake() as site, local_jobs.Local(guest, direct=True) as account:
        job = small.job(site)
        account.run_job(job)
        places = {path: count for (_, path), count in small.places(site.requests()).items()}
        wanted = account.shown()
        pages = [place for place, count in places.items() for _ in range(count)]
        # In each run every page has another fault; over all runs, every page has every fault.
        for turn in range(len(faults)):
            spec, asked, least = [], dict.fromkeys(places, 1), 0
            for number, place in enumerate(pages):
                fault = faults[(turn + number) % len(faults)]
                spec.append(f"{place}@{asked[place]}={fault}")
                asked[place] += 1 if fault in AT_ONCE else 2
                least += PASSES[fault]
            site.faults("; ".join(spec))
            account.restart()
            account.run_job(job)
            assert account.shown() == wanted, spec
            assert sum(account.waits) >= least, f"{spec}: {account.waits}"


def failure(account: local_jobs.Local, job: dict) -> str:
    """The error with which a load fails."""
    try:
        report = account.run_job(job)
    except host.LoadError as error:
        return str(error)
    return f"no failure: {report}"


def test_there_are_five_attempts(guest, impatient):
    with fakes.fake("github", 3) as site, local_jobs.Local(guest, direct=True) as account:
        job = local_jobs.job("github", site.address, 2, ("issues",))
        site.faults("issues@2-5=status:500")
        account.run_job(job)
        assert len(account.waits) == 4 and account.waits == sorted(account.waits)
        account.restart()
        site.faults("issues@2-6=status:500")
        said = failure(account, job)
        assert "page 2" in said and "5th attempt" in said, said
        site.faults("issues@1-9=short")
        said = failure(account, job)
        assert "page 1" in said and "breaks off" in said, said
        assert account.shown() == {"tables": {}, "schema": {}}


def test_expired_token_is_renewed(guest, impatient):
    with fakes.fake("graph", 7) as site, local_jobs.Local(guest, direct=True) as account:
        job = local_jobs.job("graph", site.address, 2, ("users", "groups", "group_members"))
        account.run_job(job)
        wanted = account.shown()
        for uses in range(1, 11, 3):
            account.restart()
            site.requests()
            site.ask("/_control/tokens", {"uses": uses})
            account.run_job(job)
            assert account.shown() == wanted, f"a token is good for {uses} requests"
            tokens = [r for r in site.requests() if r["path"].endswith("/token")]
            assert len(tokens) == 2
