"""The model and the simulation of a backfill agree, and the book has their table."""

from __future__ import annotations

import dataclasses
import pathlib
import random

import backfill
import pytest
from backfill import Backfill, model, simulate

CHAPTER = pathlib.Path(__file__).parents[2] / "procedures/docs/src/ten-billion-rows.md"


def test_chapter_has_the_table_that_the_simulation_prints():
    text = CHAPTER.read_text("utf-8").splitlines()
    first = next(n for n, line in enumerate(text) if line.startswith("| change |"))
    table = backfill.table(Backfill())
    assert text[first : first + len(table)] == table


@pytest.mark.parametrize("seed", range(40))
def test_simulation_without_deaths_takes_what_the_model_says(seed):
    values = random.Random(seed)
    replicas = values.choice([1, 3, 8, 16])
    chosen = Backfill(
        rows=10 ** values.uniform(7, 10),
        slices=replicas * values.randint(12, 40),
        replicas=replicas,
        warehouse=values.choice(["XS", "S", "M", "L"]),
        bytes_of_row=values.uniform(20, 400),
        bytes_of_file=values.uniform(16e6, 250e6),
        shredded=values.uniform(50e3, 900e3),
        source=values.uniform(100e6, 5e9),
        deaths=0,
        seed=seed,
    )
    found, expected = simulate(chosen), model(chosen)
    # The model has no queues: a backfill may take longer, and not much shorter.
    assert 0.93 < found.seconds / expected.seconds < 1.35, (found, expected)


@pytest.mark.parametrize("deaths", [20, 60, 200])
def test_each_slice_is_committed_once_in_spite_of_deaths(deaths):
    # `simulate` raises if it is not.
    chosen = Backfill(rows=1e9, slices=64, replicas=8, deaths=deaths)
    found, without = simulate(chosen), simulate(dataclasses.replace(chosen, deaths=0))
    assert found.loads > 64 and found.committed == 64
    assert found.seconds > without.seconds


@pytest.mark.parametrize(
    ("change", "limit"),
    [
        ({}, "warehouse"),
        ({"warehouse": "2XL"}, "shredding"),
        ({"source": 200e6}, "the source"),
        ({"source_of_replica": 5e6}, "one connection to the source"),
        ({"upload": 5e6}, "uploads"),
        ({"warehouse": "XS"}, "warehouse"),
        ({"slices": 20_000, "commit": 5, "replicas": 64}, "commits"),
        ({"slices": 20_000}, "statements"),
        ({"slices": 400, "file": 300, "warehouse": "2XL"}, "COPY of one slice"),
    ],
)
def test_model_names_what_limits_a_backfill(change, limit):
    assert model(dataclasses.replace(Backfill(), **change)).limit == limit
