"""The peers of our actors at small counts: zmq.asyncio as it is, ray by a stand-in of a few lines, and as it is where installed.

What is measured is not asserted; that every message arrived and every actor answered is.
"""

import contextlib
import sys
from pathlib import Path

import pytest

from benchmarks import actor_peers, peers
from benchmarks.actor_peers import RAY, Pair
from benchmarks.peers import Peer, PeerFailed, Run

STAND_IN = "import json, sys\nprint('a word')\nprint(json.dumps(dict(w=sys.argv[1], times_ns=[7] * int(sys.argv[2]))))\n"


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Peer:
    (tmp_path / "program.py").write_text(STAND_IN)
    monkeypatch.setattr(peers, "YARDSTICKS", tmp_path)
    monkeypatch.setenv("TRADEBOT_PEER_STAND_IN", sys.executable)
    return Peer("stand_in", "TRADEBOT_PEER_STAND_IN", "numpy", (Run("program.py", ()),))


@pytest.mark.parametrize("sender", ["plain", "asyncio"])
def test_every_message_comes_through_zmq_asyncio(sender: str) -> None:
    (each_ns,) = actor_peers.zmq_flood(sender, 2_000)
    assert each_ns > 0


def test_both_sides_of_the_messages_are_measured_in_each_round() -> None:
    first, second = actor_peers.measure(actor_peers.zmq_pairs(scale=0.0), rounds=2)
    assert first.name != second.name
    assert len(first.times) == len(second.times) == 2
    assert min(*first.times, *second.times) > 0


def test_a_ratio_is_that_of_each_round_and_tells_its_spread() -> None:
    ours, theirs = iter([[1_000], [2_000], [1_000]]), iter([[5_000], [8_000], [6_000]])
    (ratio,) = actor_peers.measure([Pair("ask", lambda: next(ours), lambda: next(theirs))], rounds=3)
    assert ratio.times == [5.0, 4.0, 6.0]
    assert str(ratio) == "ask: ours 1.00 us, theirs 6.00 us: 5.0 times (4.0 to 6.0)"


def test_ray_is_told_what_to_measure_and_how_often(stand_in: Peer) -> None:
    assert actor_peers.ray_times(stand_in, "ask", 3) == [7, 7, 7]


def test_ray_that_breaks_is_told(stand_in: Peer, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("raise ValueError('no node')")
    with pytest.raises(PeerFailed, match="found 1: ValueError: no node"):
        actor_peers.ray_times(stand_in, "ask", 3)


def test_without_ray_the_rest_is_measured_and_a_message_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(RAY.variable, raising=False)
    monkeypatch.setattr(peers, "ENVIRONMENTS", tmp_path)
    monkeypatch.setattr(actor_peers, "zmq_pairs", lambda: [Pair("messages", lambda: [1], lambda: [8])])
    monkeypatch.setattr(actor_peers.actor_bench, "pinned", contextlib.nullcontext)
    monkeypatch.setattr(sys, "argv", ["actor_peers", "1"])
    assert actor_peers.main() == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("ray: skipped, expected its Python in TRADEBOT_PEER_RAY or from `make peers`, found none; load ")
    assert second.startswith("messages: ") and second.endswith("8.0 times (8.0 to 8.0)")


@pytest.mark.parametrize("what", ["ask", "restart", "restart_waited"])
def test_ray_answers_and_is_started_again(what: str) -> None:
    if peers.find_python(RAY) is None:
        pytest.skip(peers.why_absent(RAY))
    times = actor_peers.ray_times(RAY, what, 2)
    assert len(times) == 2 and min(times) > 0
