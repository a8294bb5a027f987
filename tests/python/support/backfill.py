"""How a backfill in slices goes in: a model, and a simulation of it. `make backfill-model` prints the tables of the book.

Replicas take slices, one after the other. A replica reads and shreds a slice and uploads its files at the same time,
then its COPY competes for the threads of the warehouse with those of the other replicas, then it commits. The commit
updates one row of the table of slices and holds its lock alone. A replica that dies loses its slice, which another
attempt loads from the beginning.

`model` is a closed form: the work of each part divided by its capacity; the largest limits the backfill. `simulate` is a
simulation of discrete events with queues and deaths. Both use the same assumptions, which are fields of `Backfill` with
their sources. Standard library only.
"""

from __future__ import annotations

import argparse
import dataclasses
import heapq
import math
import random
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Credits per hour of a warehouse: Snowflake's service consumption table.
WAREHOUSES = {"XS": 1, "S": 2, "M": 4, "L": 8, "XL": 16, "2XL": 32}
# A warehouse of size XS loads eight files at once; each size doubles it. Known from users, not documented.
THREADS_OF_XS = 8


@dataclass(frozen=True)
class Backfill:
    """The data, the machines, and what is assumed of them."""

    rows: float = 10e9
    # A flat record of the benchmark.
    bytes_of_record: float = 280
    # Parquet with snappy, flat records: `make bench` prints the bytes of its files.
    bytes_of_row: float = 94
    slices: int = 200
    replicas: int = 16
    warehouse: str = "M"
    # Of one file: Snowflake's documentation recommends 100 to 250 MB.
    bytes_of_file: float = 150e6
    # Records of one replica in a second, decompression included: a third of what `make bench` measures.
    shredded: float = 300e3
    # Bytes that the source gives to one replica, and to all of them, in a second (before decompression).
    source_of_replica: float = 100e6
    source: float = 4e9
    # The source's data are compressed by this factor.
    compression: float = 5
    # Bytes that one replica uploads in a second.
    upload: float = 80e6
    # Rows that one thread of a warehouse copies in a second. Snowflake's published run of its vectorized scanner is
    # 28.8e9 rows of 23 columns in 614 s on 2XL, which is 183,000; the table of a user may have wider rows.
    copied: float = 120e3
    # Seconds of a COPY beside its rows, of a file, of the statements around a load, and of the lock of a commit.
    copy: float = 3
    file: float = 0.3
    statements: float = 20
    commit: float = 0.7
    # Deaths of a replica in an hour, and seconds until its replacement runs.
    deaths: float = 0.05
    restart: float = 60
    # Credits per hour of a replica's node (CPU_X64_XS), and seconds until all nodes run.
    node: float = 0.06
    start: float = 120
    # Price of a credit, in dollars.
    credit: float = 3
    seed: int = 1

    @property
    def threads(self) -> int:
        """Files that the warehouse copies at once."""
        return THREADS_OF_XS * WAREHOUSES[self.warehouse]

    @property
    def rows_of_slice(self) -> float:
        return self.rows / self.slices

    @property
    def files_of_slice(self) -> int:
        return max(1, math.ceil(self.rows_of_slice * self.bytes_of_row / self.bytes_of_file))

    @property
    def seconds_of_file(self) -> float:
        """Seconds that a thread needs for one file."""
        return self.file + self.rows_of_slice / self.files_of_slice / self.copied

    @property
    def rate(self) -> float:
        """Rows of one replica in a second up to the stage: reading, shredding and uploading overlap."""
        read = self.bytes_of_record / self.compression
        busy = min(self.replicas, self.slices)
        return min(
            self.shredded,
            self.source_of_replica / read,
            self.source / busy / read,
            self.upload / self.bytes_of_row,
        )

    @property
    def extracting(self) -> float:
        """Seconds of a replica for a slice up to the stage."""
        return self.statements + self.rows_of_slice / self.rate


@dataclass(frozen=True)
class Outcome:
    """What a backfill takes."""

    seconds: float
    # The part that limits it.
    limit: str
    # Seconds in which the warehouse runs, and in which the nodes run.
    warehouse: float
    nodes: float
    # Loads that were begun, and slices that were committed.
    loads: int = 0
    committed: int = 0

    def credits(self, backfill: Backfill) -> float:
        return (self.warehouse * WAREHOUSES[backfill.warehouse] + self.nodes * backfill.node) / 3600


def model(backfill: Backfill) -> Outcome:
    """The closed form, without deaths: every part is busy all the time, and the slowest one decides."""
    b = backfill
    nodes = min(b.replicas, b.slices)
    copying = b.copy + b.seconds_of_file * math.ceil(b.files_of_slice / b.threads)
    parts = {
        # The last round may be smaller than the others, but takes as long.
        "replicas": math.ceil(b.slices / nodes) * (b.extracting + copying + b.commit),
        "warehouse": b.slices * b.files_of_slice * b.seconds_of_file / b.threads,
        "commits": b.slices * b.commit,
    }
    limit = max(parts, key=lambda part: parts[part])
    seconds = b.start + parts[limit]
    if limit == "replicas":
        read = b.bytes_of_record / b.compression
        rates = {
            "shredding": b.shredded,
            "one connection to the source": b.source_of_replica / read,
            "the source": b.source / nodes / read,
            "uploads": b.upload / b.bytes_of_row,
        }
        slowest = min(rates, key=lambda rate: rates[rate])
        # What a replica does most of the time.
        times = {slowest: b.rows_of_slice / b.rate, "COPY of one slice": copying, "statements": b.statements}
        limit = max(times, key=lambda part: times[part])
    return Outcome(seconds, limit, seconds - b.start, nodes * seconds)


class Simulation:
    """Events in the order of their time: `(time, number, action, argument)`."""

    def __init__(self, backfill: Backfill) -> None:
        self.b = backfill
        self.random = random.Random(backfill.seed)
        self.events: list[tuple[float, int, Any, Any]] = []
        self.number = 0
        self.now = 0.0
        self.open = deque(range(backfill.slices))
        self.done: Counter[int] = Counter()
        self.loads = 0
        # Files that wait for a thread of the warehouse, each with its load.
        self.waiting: deque[Load] = deque()
        self.free = backfill.threads
        self.lock_free_at = 0.0
        self.copying: tuple[float, float] | None = None

    def run(self) -> Outcome:
        b = self.b
        nodes = min(b.replicas, b.slices)
        for _ in range(nodes):
            self.at(b.start, self.take, None)
        while self.events:
            self.now, _, action, argument = heapq.heappop(self.events)
            action(argument)
        first, last = self.copying or (0.0, 0.0)
        return Outcome(self.now, model(b).limit, last - first, nodes * self.now, self.loads, len(self.done))

    def at(self, time: float, action: Any, argument: Any) -> None:
        self.number += 1
        heapq.heappush(self.events, (time, self.number, action, argument))

    def take(self, _: None) -> None:
        """A replica takes the next open slice, or ends."""
        if not self.open:
            return
        self.loads += 1
        load = Load(self.open.popleft(), self.b.files_of_slice)
        death = self.random.expovariate(self.b.deaths / 3600) if self.b.deaths else math.inf
        # A source is not equally fast every time.
        seconds = self.b.extracting * self.random.uniform(0.9, 1.1)
        if death < seconds:
            self.at(self.now + death, self.die, load)
        else:
            self.at(self.now + seconds + self.b.copy, self.copy, load)

    def die(self, load: Load) -> None:
        """Nothing of the slice is committed: it is open again."""
        self.open.append(load.slice)
        self.at(self.now + self.b.restart, self.take, None)

    def copy(self, load: Load) -> None:
        self.waiting.extend([load] * load.files)
        self.start_files()

    def start_files(self) -> None:
        while self.free and self.waiting:
            load = self.waiting.popleft()
            self.free -= 1
            ends = self.now + self.b.seconds_of_file * self.random.uniform(0.8, 1.2)
            first = self.copying[0] if self.copying else self.now
            self.copying = (first, max(ends, self.copying[1] if self.copying else ends))
            self.at(ends, self.copied, load)

    def copied(self, load: Load) -> None:
        self.free += 1
        load.files -= 1
        if load.files == 0:
            # The lock of the table of slices: one commit at a time.
            self.lock_free_at = max(self.now, self.lock_free_at) + self.b.commit
            self.at(self.lock_free_at, self.commit, load)
        self.start_files()

    def commit(self, load: Load) -> None:
        self.done[load.slice] += 1
        self.take(None)


@dataclass
class Load:
    """A load of a slice; `files` are those that are not copied yet."""

    slice: int
    files: int


def simulate(backfill: Backfill) -> Outcome:
    """Simulates a backfill.

    Raises `AssertionError` if the simulation itself is wrong: a slice is committed twice or never.
    """
    simulation = Simulation(backfill)
    outcome = simulation.run()
    if len(simulation.done) != backfill.slices or set(simulation.done.values()) != {1}:
        raise AssertionError(f"expected each of {backfill.slices} slices once, found {simulation.done}")
    return outcome


def variants(base: Backfill) -> Iterator[tuple[str, Backfill]]:
    """What a user would change, one thing at a time."""
    yield "none", base
    for replicas in (1, 4, 64):
        yield f"{replicas} replica{'s' if replicas > 1 else ''}", dataclasses.replace(base, replicas=replicas)
    for warehouse in ("XS", "S", "2XL"):
        yield f"warehouse {warehouse}", dataclasses.replace(base, warehouse=warehouse)
    yield "1 replica, warehouse XS", dataclasses.replace(base, replicas=1, warehouse="XS")
    yield "64 replicas, warehouse 2XL", dataclasses.replace(base, replicas=64, warehouse="2XL")
    for slices in (16, 1_000, 10_000):
        yield f"{slices:,} slices", dataclasses.replace(base, slices=slices)
    yield "files of 16 MB", dataclasses.replace(base, bytes_of_file=16e6)
    yield "a source of 100 MB/s", dataclasses.replace(base, source=100e6)
    yield "a death each hour", dataclasses.replace(base, deaths=1)


def table(base: Backfill) -> list[str]:
    """The table of the book, in Markdown."""
    lines = [
        "| change | hours | by the model | limited by | rows/s | files | loads | credits | dollars |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, backfill in variants(base):
        found, expected = simulate(backfill), model(backfill)
        spent = found.credits(backfill)
        lines.append(
            f"| {name} | {found.seconds / 3600:.1f} | {expected.seconds / 3600:.1f} | {expected.limit} "
            f"| {backfill.rows / found.seconds / 1e6:.1f} million | {backfill.slices * backfill.files_of_slice:,} "
            f"| {found.loads:,} | {spent:.1f} | {spent * backfill.credit:.0f} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    fields = dataclasses.fields(Backfill)
    for field in fields:
        kind: Any = {"str": str, "int": int}.get(str(field.type), float)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    given = vars(parser.parse_args())
    print("\n".join(table(Backfill(**given))))


if __name__ == "__main__":
    main()
