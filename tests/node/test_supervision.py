"""Parts of real nodes that are started again: at once by many, by themselves too often, one part at a time, none twice."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from tests.node.nodes import Place
from tests.node.test_shapes import set_node
from tradebot.actors.bus import Bus
from tradebot.actors.mailbox import Posts
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_FAILED
from tradebot.domain.links import Fenced
from tradebot.engine.plan import ACCOUNT
from tradebot.node.health import read_parts
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, STORE, VENUE, ipc_folder
from tradebot.node.tree_shape import HOSTED, gave_up_code, who_gave_up

PARTS: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)


def restart(place: Place, name: str) -> dict[str, Any] | None:
    return place.node.ask(ROOT, "restart", part=name, who="test")


def test_many_who_ask_for_a_restart_at_once_get_one_and_a_node_that_lives(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    before = {name: place.node.pids(name) for name in PARTS}
    place.strategy.write_text(place.strategy.read_text() + "\n# edited\n")
    asked = [GATEWAY] * 8 + [VENUE] * 3 + [ENGINE] * 3 + [FEED] * 2
    with ThreadPoolExecutor(len(asked)) as threads:
        place.node.signal(ROOT, signal.SIGHUP)
        found = list(threads.map(lambda name: restart(place, name), asked))
        place.node.signal(VENUE, signal.SIGKILL)
    assert all(one is not None and one["accepted"] for one in found)
    place.wait(lambda: any(one["event"] == "reloaded" for one in place.events()))
    place.node.wait_trading()
    place.wait(lambda: all(one["state"] == "running" for one in read_parts(place.node.folder).values()))
    now = {name: place.node.pids(name) for name in PARTS}
    assert all(len(pids) == 1 for pids in now.values()), now
    assert [name for name in PARTS if now[name] == before[name]] == [STORE]
    assert read_parts(place.node.folder)[GATEWAY]["starts"] <= 4, "who asked at the same time shared a start"
    assert len(place.wait_orders(2)) == 2 and place.stop() == 0


def test_a_part_that_ends_by_itself_time_after_time_ends_the_process_that_it_shares_and_the_node(place: Place) -> None:
    """Every engine is told that there is a later one, and ends. The root tells of each, and kills nobody for being silent."""
    set_node(place, {"place": '"together"'})
    place.start()
    place.wait_orders(2)
    root = place.node.root
    assert root is not None
    bus = Bus(ipc_folder(place.node.folder))
    posts = Posts(bus, "later", time.time_ns())
    until = time.monotonic() + 60
    while root.poll() is None and time.monotonic() < until:
        posts.send(ENGINE, Fenced(1, ACCOUNT, 1 << 40))
        time.sleep(0.05)
    posts.close()
    bus.close()
    assert root.returncode == EXIT_FAILED
    said = (place.folder / "root.log").read_text()
    assert "engine ended 6 times in a row; engine: LocalError: expected to hold the account" in said, said
    restarts = [one["part"] for one in place.events() if one["event"] == "restart"]
    assert restarts[:6] == [ENGINE] * 6 and not any(one["event"] == "silent" for one in place.events())


def test_the_exit_code_of_a_process_tells_who_ended_it() -> None:
    codes = {gave_up_code(name) for name in ("", *HOSTED)}
    assert len(codes) == 1 + len(HOSTED) and all(64 < code < 128 for code in codes)
    assert [who_gave_up(f"exit {gave_up_code(name)}") for name in ("", *HOSTED)] == ["", *HOSTED]
    assert [who_gave_up(why) for why in ("exit 1", "killed", "normal", "signal SIGSEGV")] == [None] * 4
