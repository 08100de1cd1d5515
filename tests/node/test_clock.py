"""A machine's clock that is set while a node is down: it goes on from its journal's time, or at the present, and says so."""

import signal
from pathlib import Path
from typing import Final

import pytest

from tests.node.nodes import CONFIG, Place
from tradebot.domain.errors import EXIT_DONE
from tradebot.testing.chaos_judge import judge

HURRIED: Final = CONFIG.replace("FILE:Resting", "tradebot.testing.hurried:Hurried") + "params = { eager = 0.9 }\n"
AHEAD_S: Final = 3_600
AHEAD: Final = f"""\
import time

_now_ns = time.time_ns
time.time_ns = lambda: _now_ns() + {AHEAD_S * 10**9}
"""


def run_for_a_while(place: Place) -> int:
    """Start it, have it trade, and stop it; how many fills it had."""
    said = len(place.events())
    place.node.start()
    place.wait(lambda: any(one["event"] == "ready" for one in place.events()[said:]))
    place.node.find()
    place.node.wait_trading()
    before = place.ask("status")["fills"]
    place.wait(lambda: place.ask("status")["fills"] > before + 3)
    return int(place.ask("status")["fills"])


def stop(place: Place) -> None:
    assert place.node.root is not None
    place.node.root.send_signal(signal.SIGTERM)
    assert place.node.root.wait(30) == EXIT_DONE


@pytest.mark.parametrize("is_set_back", [True, False])
def test_a_clock_that_was_set_by_an_hour_while_the_node_was_down_stops_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_set_back: bool
) -> None:
    """By a module that every Python process loads first: the processes of one of the two runs see the clock an hour ahead."""
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "sitecustomize.py").write_text(AHEAD)
    place.node.config.write_text(HURRIED)
    for is_ahead in (is_set_back, not is_set_back):
        if is_ahead:
            monkeypatch.setenv("PYTHONPATH", str(tmp_path / "ahead"))
        else:
            monkeypatch.delenv("PYTHONPATH", raising=False)
        run_for_a_while(place)
        if is_ahead is is_set_back:
            stop(place)
    behind = [one["seconds"] for one in place.events() if one["event"] == "clock_behind"]
    assert [AHEAD_S - 60 < one <= AHEAD_S for one in behind] == [True] * is_set_back
    place.node.settle()
    assert judge(place.node.folder).findings == []
