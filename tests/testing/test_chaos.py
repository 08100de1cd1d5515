"""A node of real processes under SIGKILL and SIGSTOP; and the judge, who must see what is lost or doubled."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tradebot._core.frames import HEADER_BYTES
from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.cli.main import main
from tradebot.domain.errors import EXIT_DONE, EXIT_USAGE, LocalError
from tradebot.node.session_files import ENGINE, VENUE
from tradebot.testing import chaos_judge
from tradebot.testing.chaos import Wish, percentile, run
from tradebot.testing.chaos_judge import Record, doubles, judge, losses

KEYS = [
    "kills", "faults", "gave_up", "orders", "lost", "doubled", "unknown_left", "ledger_equal", "replay_identical", "facts_equal",
    "recovery_ms_p50", "recovery_ms_p99",
]  # fmt: skip


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder of a node that was killed twenty times, and what `chaos` said of it."""
    place = tmp_path_factory.mktemp("chaos")
    words = ["chaos", "--venue", "paper", "--kills", "20", "--seed", "4", "--pause", "0.5", "--json", "--folder", str(place)]
    done = subprocess.run([sys.executable, "-m", "tradebot", *words], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == EXIT_DONE, done
    return next(place.glob("home/journal/*/run.bin")).parent, json.loads(done.stdout)


def test_twenty_kills_lose_and_double_nothing(killed: tuple[Path, dict[str, Any]]) -> None:
    """1,000 by `make chaos`."""
    found = killed[1]
    assert list(found) == KEYS
    assert (found["kills"], found["faults"]) == (20, 2) and found["orders"] > 20
    assert (found["lost"], found["doubled"], found["unknown_left"]) == (0, 0, 0)
    assert found["ledger_equal"] and found["replay_identical"] and found["facts_equal"]
    assert 0 < found["recovery_ms_p50"] <= found["recovery_ms_p99"]


def test_the_judge_sees_a_venue_that_lost_its_last_orders(killed: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(killed[0], folder, ignore=shutil.ignore_patterns("ipc"))
    for segment in sorted((folder / VENUE).glob("*.tbj"))[-1:]:
        data = bytearray(segment.read_bytes())
        written = len(data.rstrip(b"\0"))
        middle = written // 2 - (written // 2) % HEADER_BYTES
        cut = data.find(data[:4], middle)
        segment.write_bytes(data[:cut] + bytes(len(data) - cut))
    found = judge(folder)
    assert found.lost or found.doubled
    assert not found.ledger_equal and found.replay_identical


def test_the_judge_sees_market_facts_that_one_did_not_take_in(
    killed: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = killed[0]
    found = chaos_judge.market_by_stream(folder / VENUE)
    stream = max(found, key=lambda one: len(found[one]))
    found[stream] = np.delete(found[stream], 3)
    other = chaos_judge.market_by_stream(folder / ENGINE)
    monkeypatch.setattr(chaos_judge, "market_by_stream", lambda path: found if path.name == VENUE else other)
    assert [one for one in chaos_judge.facts_differ(folder) if str(stream) in one]


def test_the_judge_sees_an_engine_that_would_do_something_else(
    killed: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tradebot.testing.hurried.Hurried.on_timer", lambda self, timer: None)
    found = judge(killed[0])
    assert not found.replay_identical and not found.ledger_equal and len(found.findings) == 1


class FakeOrder:
    was_taken = True


class FakeVenue:
    """Orders by client id, and trades by number."""

    def __init__(self, orders: dict[int, int], trades: list[int]) -> None:
        self.orders = {client_id: [FakeOrder()] * count for client_id, count in orders.items()}
        facts = np.zeros(len(trades), FACT_DTYPE)
        facts["kind"], facts["trade_id"] = Kind.ORDER_FILLED, trades
        self.trades = [fact.tobytes() for fact in facts]


def count(record: Record, venue: Any) -> tuple[int, int]:
    return len(list(losses(record, venue))), len(list(doubles(record, venue)))


def make_record(placed: list[int], refused: set[int] | None = None, trades: list[int] | None = None) -> Record:
    return Record(placed=placed, accepted=set(), refused=refused or set(), trades=trades or [])


@pytest.mark.parametrize(
    ("record", "venue", "expected"),
    [
        (make_record([1, 2], {2}, [7]), FakeVenue({1: 1}, [7]), (0, 0)),
        (make_record([1, 2]), FakeVenue({1: 1}, []), (1, 0)),  # never came, nobody told
        (make_record([1], {1}), FakeVenue({1: 1}, []), (1, 0)),  # told that it is not there
        (make_record([1]), FakeVenue({1: 1, 2: 1}, []), (1, 0)),  # placed by nobody
        (make_record([1]), FakeVenue({1: 2}, []), (0, 1)),  # twice at the venue
        (make_record([1, 1]), FakeVenue({1: 1}, []), (0, 1)),  # twice by the engine
        (make_record([1], trades=[7]), FakeVenue({1: 1}, [7, 8]), (1, 0)),  # a fill that nobody was told
        (make_record([1], trades=[7, 7]), FakeVenue({1: 1}, [7]), (0, 1)),  # one told twice
        (make_record([1], trades=[7, 8]), FakeVenue({1: 1}, [7]), (0, 1)),  # one told that never was
    ],
)
def test_what_is_in_one_book_only_is_counted(record: Record, venue: FakeVenue, expected: tuple[int, int]) -> None:
    assert count(record, venue) == expected


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(one) for one in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([3.0], 0.5), percentile([], 0.5)) == (50, 99, 3, None)


def test_a_folder_with_a_node_is_not_taken(killed: tuple[Path, dict[str, Any]]) -> None:
    with pytest.raises(LocalError, match="found one"):
        run(Wish(kills=1, stops=0, seed=1), killed[0].parents[2], lambda count: None)


def test_a_venue_that_is_not_built_is_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "--venue", "loopback"]) == EXIT_USAGE
    assert "later version" in capsys.readouterr().err
