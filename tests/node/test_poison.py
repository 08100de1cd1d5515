"""Strategies that no handler of exceptions holds: one never returns, one ends its process, one dies while the engine recovers.

Beside each trades another, which must go on, and whose guard must be at the venue all the while.
"""

import signal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.node.nodes import CONFIG, Place
from tradebot.actors.child_spec import KILLED
from tradebot.node.call_mark import Mark, Suspects, open_words, read_mark
from tradebot.node.session_files import ENGINE
from tradebot.testing.chaos_judge import judge

POISON: Final = '''
import ctypes, os
from pathlib import Path
from msgspec import Struct
from tradebot.strategies.strategy import Strategy


class Poison(Strategy):
    """Rests an entry and buys, guarded; what happens at its fill is poison."""

    class State(Struct):
        is_done: bool = False

    def on_trade(self, trade):
        if not self.state.is_done and self.book.spread > 0:
            self.state.is_done = True
            self.buy(0.03, price=self.book.bid - 3_000)
            self.buy(0.01, stop_loss=self.book.bid - 3_000)
        elif Path("FLAG").exists():
            os.abort()

    def on_fill(self, fill):
        BODY
'''
BESIDE: Final = '\n[[strategy]]\nuse = "POISON:Poison"\nname = "poison"\ninstruments = ["BTC/USD"]\n'


def set_up(place: Place, body: str) -> Path:
    """A node of both strategies; the path whose existence makes the one abort."""
    path, flag = place.folder / "poison.py", place.folder / "flag"
    path.write_text(POISON.replace("FLAG", str(flag)).replace("BODY", body))
    text = (CONFIG + BESIDE).replace("FILE", str(place.strategy)).replace("POISON", str(path))
    place.node.config.write_text(text.replace("segment_mb = 1", 'segment_mb = 1, lease = "2s"'))
    return flag


def wait_shut(place: Place) -> list[dict[str, Any]]:
    place.wait(lambda: [one for one in place.events() if one["event"] == "shut_out"])
    place.node.find()
    place.node.wait_trading()
    place.wait(lambda: place.ask("status")["quarantined"])
    return list(place.ask("status")["quarantined"])


def check(place: Place, quarantined: list[dict[str, Any]]) -> None:
    """One is shut out, its entry is cancelled, its guard and all of the other are there; nothing is lost; it replays."""
    assert [one["strategy"] for one in quarantined] == [1]
    orders = place.wait_orders(3)
    assert sorted((one["strategy"], one["is_guard"]) for one in orders) == [(0, False), (0, True), (1, True)]
    assert next(one for one in place.controls() if one[0] == "root")[1].startswith("poison: ")
    assert place.ask("replay", place.node.folder.name, "--verify")["identical"]
    place.node.settle()
    assert judge(place.node.folder).findings == []


def test_a_callback_that_never_returns_is_shut_out_after_the_second_time(place: Place) -> None:
    """The log says where it hangs; the engine's next start remembers."""
    set_up(place, "while True: pass")
    place.node.start()
    found = wait_shut(place)
    assert "did not return" in found[0]["error"]
    log = next((place.node.home / "logs").glob("*.log")).read_text()
    assert "poison.py" in log and "in on_fill" in log
    assert [one["event"] for one in place.events()].count("silent") == 2
    place.node.signal(ENGINE, signal.SIGKILL)
    place.node.wait_trading()
    assert [one["strategy"] for one in place.ask("status")["quarantined"]] == [1]
    check(place, found)


@pytest.mark.parametrize("body", ["ctypes.string_at(0)", "raise SystemExit(0)"])
def test_a_callback_that_ends_the_process_is_shut_out_at_once(place: Place, body: str) -> None:
    set_up(place, body)
    place.node.start()
    found = wait_shut(place)
    assert "the engine died in a callback" in found[0]["error"]
    assert place.ask("status")["epoch"] == 2
    check(place, found)


ON_TIMER: Final = '''

    def on_start(self):
        self.every(50_000_000)

    def on_timer(self, timer):
        if self.state.is_done:
            self.state.count += 1
        if self.state.count > 20 and self.position.quantity > 0:
            BODY
'''


@pytest.mark.parametrize(("body", "deaths"), [("ctypes.string_at(0)", 1), ("while True: pass", 2)])
def test_a_timer_that_comes_due_while_the_engine_is_away_is_not_poison_again(place: Place, body: str, deaths: int) -> None:
    """It is due before anything that the next start takes in, but not before who is shut out. The other keeps its State."""
    set_up(place, "pass")
    path = place.folder / "poison.py"
    text = path.read_text().replace("is_done: bool = False", "is_done: bool = False\n        count: int = 0")
    path.write_text(text + ON_TIMER.replace("BODY", body))
    place.node.start()
    found = wait_shut(place)
    assert [one["event"] for one in place.events()].count("restart") == deaths
    check(place, found)


def test_one_that_dies_while_the_engine_recovers_is_shut_out_of_what_was_recorded(place: Place) -> None:
    """All is folded then: the others begin anew on true books."""
    flag = set_up(place, "pass")
    place.start()
    place.wait_orders(4)
    place.node.signal(ENGINE, signal.SIGSTOP)  # it must not see the flag: the next one does
    flag.touch()
    place.node.signal(ENGINE, signal.SIGKILL)
    found = wait_shut(place)
    assert "SIGABRT" in found[0]["error"]
    flag.unlink()  # the replay is made by this very process
    check(place, found)


def test_a_killed_engine_says_nothing_of_the_strategy_that_it_was_at(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    suspects = Suspects(tmp_path, ["one", "two"], lambda *words: told.append(words))
    words = open_words(tmp_path)
    words[:] = 2, 77, 0
    assert read_mark(tmp_path) == Mark(1, 77, False)
    suspects.judge(KILLED, was_silent=False)
    suspects.judge("signal SIGTERM", was_silent=False)
    suspects.judge(KILLED, was_silent=True)
    assert told == [] and suspects.take() is None
    words[0] = 0
    suspects.judge("signal SIGSEGV", was_silent=False)
    assert told == [], "it crashed outside of any callback"
    words[0] = 1
    suspects.judge(KILLED, was_silent=True)
    assert told == [], "the first silence of another"
    words[0] = 2
    suspects.judge(KILLED, was_silent=True)
    assert [name for name, _ in told] == ["two"]
    shut = suspects.take()
    assert shut is not None and shut.strategies == [1] and "two: " in shut.why and not shut.is_folded
    assert suspects.take() is None, "the start after it begins without"


def test_a_mark_that_cannot_be_read_accuses_nobody(tmp_path: Path) -> None:
    assert read_mark(tmp_path) == Mark(None, 0, False)
    (tmp_path / "calls").write_bytes(b"12345")
    assert read_mark(tmp_path) == Mark(None, 0, False)
    words = open_words(tmp_path / "nowhere")
    words[0] = 1
    assert read_mark(tmp_path / "nowhere") == Mark(None, 0, False)

