"""Imports that are killed by a real SIGKILL at random points, twice in a row, and then finished: the rows are those of an
import that nobody disturbed.
"""

import os
import random
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.store.support import FIRST, joined, kill, line_of, python, random_records, source
from tradebot.store import intake
from tradebot.store.client import open_store

SEEDS = 200 if os.environ.get("TRADEBOT_FULL") == "1" else 5
BLOCK_ROWS = 5_000
ROWS = 12 * BLOCK_ROWS + 77

IMPORT = f"""
import sys
from pathlib import Path
from tests.store.support import FIRST, random_records, source
from tradebot.store import intake
from tradebot.store.client import open_store

intake.BLOCK_ROWS = {BLOCK_ROWS}
with open_store(Path(sys.argv[1])) as store:
    print("open", flush=True)
    records = random_records(FIRST, {ROWS}, int(sys.argv[2]))
    store.import_records(FIRST, source(), iter([records]), lambda rows: print(rows, flush=True))
    print("done", flush=True)
"""


def kill_somewhere(child: "subprocess.Popen[str]", chance: random.Random) -> None:
    """After a random number of its lines and a moment that is not one of its own."""
    for _ in range(chance.randrange(16)):
        line_of(child)
    with suppress(subprocess.TimeoutExpired):
        child.wait(chance.expovariate(100))
    kill(child)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_an_import_killed_twice_and_finished_has_each_row_once(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "BLOCK_ROWS", BLOCK_ROWS)
    chance, path = random.Random(seed), tmp_path / "data"
    for _ in range(2):
        kill_somewhere(python(IMPORT, str(path), str(seed)), chance)
    records = random_records(FIRST, ROWS, seed)
    with open_store(path) as store:
        was_done = bool(store.catalogue())
        report = store.import_records(FIRST, source(), iter([records]))
        assert (report.rows, report.repeated) == (ROWS, was_done)
        assert joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
        assert store.query("SELECT count() FROM ticks") == [(ROWS,)]
        again = store.import_records(FIRST, source(), iter([records]))
        assert again.repeated and joined(store.stream([FIRST.id])).tobytes() == records.tobytes()
