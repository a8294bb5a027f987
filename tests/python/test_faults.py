"""Everything that goes wrong with a service, at every page: a load that is as if nothing had, or one that fails, says
which request, which page and why, and leaves everything as it was.

The waits are counted and not waited; a time-out is half a second and the largest page a megabyte.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import local_jobs
import pytest
import snowcat_procedure as host
import standin

# What a load gets over, and the least that it has to wait for it.
PASSES = {
    "status:500": 1, "status:502": 1, "status:503": 1, "status:408": 1, "drop": 0, "cut": 1, "slow:900": 0,
    "throttle:7": 7, "throttle": 1, "throttle-date:9": 8, "limit:6": 5, "gzip": 0, "not-gzip": 1,
    "type:text/plain": 0,
}  # fmt: skip
# What it does not, and the words of the reason.
FAILS = {
    "html": ["text/html"], "short": ["JSON"], "garbled": ["UTF-8"], "empty": ["no body"], "huge:2000000": ["larger"],
    "status:400": ["400"], "status:401": ["401", "credential"], "status:403": ["403"], "status:404": ["404"],
    "throttle:4000": ["4000 s"],
}  # fmt: skip
# Where the next page is named by the last one, a page that comes again would come for ever.
LOOPS = {"repeat": ["again after"]}


@pytest.fixture
def other_host() -> Iterator[tuple[str, list]]:
    """A host that nothing may be sent to, and what was."""
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
    monkeypatch.setattr(host, "_secret", local_jobs.secrets)
    monkeypatch.setattr(host, "TIMEOUT", 0.5)
    monkeypatch.setattr(host, "LARGEST_BODY", 1 << 20)


# Where faults are put: what a path ends with, and how many requests there are for it.
SOURCES = {
    "github": (6, 2, ("issues",), {"repo/issues": 4}, LOOPS),
    "pagerduty": (4, 2, ("incidents", "incident_notes"), {"/incidents": 3, "Q0000000000000/notes": 1}, {}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_fault_at_every_page(guest, impatient, other_host, source):
    size, page, resources, places, loops = SOURCES[source]
    fails = FAILS | loops | {f"redirect:{other_host[0]}": ["redirect"]}
    with getattr(standin, source)(size) as site, local_jobs.Local(guest) as account:
        job = local_jobs.job(source, site.address, page, resources)
        account.run_job(job)
        before = account.shown()
        site.advance()
        pages = {place: range(1, count + 1) for place, count in places.items()}
        for fault, words in fails.items():
            for place, numbers in pages.items():
                for number in numbers:
                    if fault in loops and number == 1:
                        continue  # there is nothing yet that could come again
                    where = f"{place}@{number}={fault}"
                    site.faults(where if ":4" in fault or "status" not in fault else where)
                    with pytest.raises(host.LoadError) as caught:
                        account.run_job({**job, "force_full_load": True})
                    said = str(caught.value)
                    for word in [*words, f"page {number}", "resource "]:
                        assert word in said, f"{where}: {said}"
                    assert account.shown() == before, where
                    assert account.stages() == [], where
        assert other_host[1] == [], "a redirect was followed"

        site.faults("")
        account.restart()
        account.run_job(job)
        wanted = account.shown()
        assert wanted != before
        for fault, least in PASSES.items():
            for place, numbers in pages.items():
                for number in numbers:
                    where = f"{place}@{number}={fault}"
                    site.faults(where)
                    account.restart()
                    account.run_job(job)
                    assert account.shown() == wanted, where
                    assert sum(account.waits) >= least, f"{where}: {account.waits}"


def test_five_attempts_and_no_more(guest, impatient):
    with standin.github(3) as site, local_jobs.Local(guest) as account:
        job = local_jobs.job("github", site.address, 2, ("issues",))
        site.faults("issues@2-5=status:500")
        account.run_job(job)
        assert len(account.waits) == 4 and account.waits == sorted(account.waits)
        account.restart()
        site.faults("issues@2-6=status:500")
        with pytest.raises(host.LoadError, match="page 2") as caught:
            account.run_job(job)
        assert "5th attempt" in str(caught.value)
        assert account.shown() == {"tables": {}, "schema": {}}


def test_a_token_that_expires_in_the_middle_is_renewed(guest, impatient):
    with standin.graph(7) as site, local_jobs.Local(guest) as account:
        job = local_jobs.job("graph", site.address, 2, ("users", "groups", "group_members"))
        account.run_job(job)
        wanted = account.shown()
        for uses in range(1, 12, 2):
            account.restart()
            site.requests()
            site.ask("/_control/tokens", {"uses": uses})
            account.run_job(job)
            assert account.shown() == wanted, f"a token is good for {uses} requests"
            tokens = [r for r in site.requests() if r["path"].endswith("/token")]
            assert len(tokens) >= 2
