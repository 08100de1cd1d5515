"""A few seconds of the fuzzer in the build in place, the seeds that once failed, and that the fuzzer itself would notice.

`make fuzz` runs it for ten minutes under sanitizers.
"""

import random
import re
import subprocess
import sys

import numpy as np
import pytest

from tests.fuzz import accounts, engines, importers
from tests.fuzz.run import execute
from tests.fuzz.samples import WRITERS, laid_out, samples
from tests.variants import ROOT
from tradebot.store.formats import FORMATS

SEEDS = range(3)
RUNNER = [sys.executable, "-m", "tests.fuzz.run"]

# What the first runs found: each rule broken by it is held by a test of the part too, where the part has one.
FOUND = [
    ("books", 6),  # a price of 2**62 was taken for "no bid"
    ("books", 83),  # an execution of negative lots made an order grow until its sum wrapped
    ("depths", 61),  # the same bounds, by levels
    ("ledgers", 1),  # a refused posting had been posted in part
    ("ledgers", 7),  # -(-2**63) is itself, so a sum that left 64 bits went unseen
    ("engine", 3),  # a strategy that called an attribute of its own `series` took the engine's list of bars away
    ("account", 269),  # the venue refused to make a guard smaller, and what had counted on that held nothing
    ("account", 369),  # a change to fewer lots at a dearer price held the old lots at the new price
    ("account", 748),  # a sale filled out of what it lacked, which others had taken meanwhile: that much and no more is over
    ("account", 785),  # a target made larger than its stop held nothing for the rest
]


@pytest.mark.parametrize("target", engines.TARGETS)
def test_a_sample_of_the_record_stream_breaks_no_rule(target: str) -> None:
    for seed in range(12 if target in ("engine", "venue") else 40):
        execute(target, seed)


@pytest.mark.parametrize("target", accounts.TARGETS)
def test_a_sample_of_accounts_breaks_no_rule(target: str) -> None:
    for seed in range(40):
        execute(target, seed)


@pytest.mark.parametrize("target", WRITERS)
def test_a_sample_of_damaged_recordings_breaks_no_rule(target: str) -> None:
    for seed in SEEDS:
        execute(target, seed)


@pytest.mark.parametrize(("target", "seed"), FOUND)
def test_what_was_found_once_stays_away(target: str, seed: int) -> None:
    execute(target, seed)


def test_every_format_has_a_sample_and_every_sample_is_taken_whole() -> None:
    assert {row[0] for row in WRITERS.values()} == set(FORMATS)
    for name in WRITERS:
        with laid_out(samples()[name].files, samples()[name].target) as path:
            found = importers.attempt(path, samples()[name])
        assert not isinstance(found, str) and found[0], f"{name}: {found!r:.200}"


def test_a_seed_is_an_execution() -> None:
    sample = samples()["trades-csv"]
    first, again, other = (importers.altered(random.Random(seed), sample) for seed in (4, 4, 5))
    assert first == again != other
    streams = [engines.stream(random.Random(seed)).tobytes() for seed in (4, 4, 5)]
    assert streams[0] == streams[1] != streams[2]


def test_the_fuzzer_notices_a_book_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without this, rules that hold nothing would make every execution clean."""
    monkeypatch.setattr(engines.ReferenceBook, "settle", lambda self: None)
    with pytest.raises(AssertionError):
        for seed in range(400):
            execute("books", seed)


def test_the_fuzzer_notices_an_importer_that_lets_time_run_back(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = importers.opened

    def backwards(path, sample):
        found = whole(path, sample)
        return found._replace(batches=iter([np.concatenate(list(found.batches))[::-1]]))

    monkeypatch.setattr(importers, "opened", backwards)
    with pytest.raises(AssertionError, match="time runs back"):
        for seed in range(40):
            execute("trades-csv", seed)


def test_the_runner_counts_in_its_own_processes_and_says_what_it_found() -> None:
    clean = subprocess.run([*RUNNER, "--seconds", "1", "--only", "columns"], cwd=ROOT, capture_output=True, text=True)
    assert clean.returncode == 0, clean.stderr
    assert re.search(r"fuzz: [1-9][\d,]* executions .* of 1 targets .*: 0 findings$", clean.stdout.strip())
    broken = subprocess.run([*RUNNER, "--seconds", "1", "--only", "no such target"], cwd=ROOT, capture_output=True, text=True)
    assert broken.returncode == 1
    assert "again: python -m tests.fuzz.run --once --only 'no such target' --seed 1" in broken.stdout
