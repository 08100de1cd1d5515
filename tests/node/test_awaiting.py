"""`restart` and `reload` end soon where the root is gone, is ending or hangs, and say which."""

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.node.nodes import RESTING, Place
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_NOT_RUNNING, EXIT_TIMED_OUT, NotRunning
from tradebot.node import awaiting
from tradebot.node.preparing import make_ipc
from tradebot.node.root_lock import only_root
from tradebot.node.session_files import ENGINE, VENUE, write_whole

SOON_S = 6.0
VERBS = (["restart", "feed"], ["reload"])


def seconds(what: Callable[[], object]) -> float:
    began_s = time.monotonic()
    what()
    return time.monotonic() - began_s


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_root_that_hangs_is_asked_for_nothing(place: Place, words: list[str]) -> None:
    place.start()
    place.node.signal(ROOT, signal.SIGSTOP)
    try:
        said = ""

        def ask() -> None:
            nonlocal said
            said = place.call(EXIT_TIMED_OUT, *words)["error"]

        assert seconds(ask) < SOON_S
        assert "has not answered for 2 s" in said and str(place.node.pids(ROOT)[0]) in said
    finally:
        place.node.signal(ROOT, signal.SIGCONT)


@pytest.mark.parametrize("words", VERBS, ids=lambda words: words[0])
def test_a_node_that_is_ending_is_said(place: Place, words: list[str]) -> None:
    """The stop takes a while, because the venue stands still."""
    place.start()
    place.wait_orders(2)
    place.node.signal(VENUE, signal.SIGSTOP)
    place.node.signal(ROOT, signal.SIGTERM)
    time.sleep(0.2)
    try:
        said: list[str] = []
        assert seconds(lambda: said.append(place.call(EXIT_NOT_RUNNING, *words)["error"])) < SOON_S
        assert "the node is ending" in said[0] and said[0].count("\n") == 1
    finally:
        place.node.signal(VENUE, signal.SIGCONT)


def test_a_node_that_is_told_to_end_meanwhile_ends_the_wait(place: Place) -> None:
    """The code of the strategy takes so long to load that the engine has not started when that happens."""
    place.start()
    place.wait_orders(2)
    place.strategy.write_text(f"import time\n\ntime.sleep(5)\n{RESTING}")
    stopping = threading.Timer(0.4, lambda: place.node.signal(ROOT, signal.SIGTERM))
    stopping.start()
    try:
        said: list[str] = []
        assert seconds(lambda: said.append(place.call(EXIT_NOT_RUNNING, "restart", ENGINE)["error"])) < SOON_S
        assert "expected engine to run again, found that the node" in said[0]
    finally:
        stopping.join()


def test_a_root_that_is_gone_while_it_is_waited_for_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journal" / "run").mkdir(parents=True)
    write_whole(tmp_path / "journal" / "current", b"run\n")
    make_ipc(tmp_path / "journal" / "run")
    monkeypatch.setattr(awaiting, "ask", lambda *_: b'{"phase":"running"}')
    with only_root(tmp_path):
        awaited = awaiting.Awaited(tmp_path, "it")
        assert awaited.wait(lambda: {"done": 1}, 1.0) == {"done": 1}
    with pytest.raises(NotRunning, match="the node ended before"):
        awaited.wait(lambda: None, 60.0)
    looks = iter([None, {"done": 2}])
    assert awaited.wait(lambda: next(looks), 60.0) == {"done": 2}, "it came about before the end"
