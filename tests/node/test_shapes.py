"""Where the parts of a node live, and how they reach each other, changes nothing of what it does; who dies is told to others."""

import signal
import stat
from pathlib import Path

import pytest

from tests.node.nodes import Place
from tests.node.reached import Reached
from tests.support import needs_ipv6
from tradebot.actors.mailbox import ask
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_FAILED, EXIT_NOT_RUNNING, ConfigError
from tradebot.node.config import config_from_dict
from tradebot.node.health import is_alive
from tradebot.node.ports import bound_by
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE, ipc_folder
from tradebot.node.tree_shape import TRADING, shape_of
from tradebot.testing.chaos import ZYGOTE
from tradebot.testing.chaos_judge import judge
from tradebot.testing.ports import free_ports

BASE = {"account": {"venue": "x", "start": "1 USD"}, "strategy": [{"use": "a:B", "instruments": ["A/USD"]}]}


def set_node(node: Place, words: dict[str, str]) -> None:
    """Keys of the node's table."""
    text = node.node.config.read_text()
    more = ", ".join(f"{key} = {value}" for key, value in words.items())
    node.node.config.write_text(text.replace("node = {", f"node = {{ {more},"))
    node.node.shape = shape_of(words.get("place", '"apart"').strip('"'), [FEED] if "alone" in words else [])


@pytest.mark.parametrize("words", [{"place": '"together"'}, {"place": '"together"', "alone": '["feed"]'}, {"bus": "TCP"}])
def test_a_node_of_another_shape_trades_is_killed_and_replays_like_any(place: Place, words: dict[str, str]) -> None:
    ports = free_ports(8)
    set_node(place, {key: value.replace("TCP", f'"tcp://127.0.0.1:{ports}"') for key, value in words.items()})
    place.start()
    place.wait_orders(2)
    for name in (ENGINE, FEED):
        place.node.signal(name, signal.SIGKILL)
        place.node.wait_trading()
    status = place.ask("status")
    assert set(status["parts"]) == set(place.node.shape.processes)
    if TRADING in status["parts"]:
        inner = status["parts"][TRADING]["parts"]
        assert set(inner) == set(place.node.shape.hosted)
        assert all(one["state"] == "running" and one["starts"] >= 2 for one in inner.values())
        assert inner[ENGINE]["last_exit"] == "killed" and inner[ENGINE]["mailbox"]["messages"] > 0
    place.node.settle()
    found = judge(place.node.folder)
    assert found.findings == [] and found.orders >= 2


def test_one_that_is_dead_is_told_from_one_that_is_silent_and_both_come_back(place: Place) -> None:
    place.start()
    place.wait_orders(2)

    def peers() -> dict[str, str]:
        return dict((place.node.ask(ENGINE, "status") or {})["peers"])

    place.wait(lambda: peers() == {GATEWAY: "there", VENUE: "there", FEED: "there"})
    place.node.signal(FEED, signal.SIGSTOP)
    place.wait(lambda: peers()[FEED].startswith("silent since 2"))
    place.node.signal(FEED, signal.SIGCONT)
    place.wait(lambda: peers()[FEED] == "there")
    place.node.signal(ZYGOTE, signal.SIGSTOP)  # it hangs, and is killed for it; until there is another, nobody is started
    place.node.signal(GATEWAY, signal.SIGKILL)
    place.wait(lambda: peers()[GATEWAY] == "dead: killed")
    assert not (place.node.ask(ENGINE, "status") or {})["has_gateway"]
    place.wait(lambda: peers()[GATEWAY] == "there")
    place.node.wait_trading()


def test_a_zygote_that_stands_still_does_not_outlive_its_root(place: Place) -> None:
    place.start()
    (zygote,) = place.node.pids(ZYGOTE)
    place.node.signal(ZYGOTE, signal.SIGSTOP)
    place.node.end()
    place.wait(lambda: not is_alive(zygote))


def test_a_part_is_started_again_when_asked_for_and_no_other(place: Place) -> None:
    assert place.call(EXIT_NOT_RUNNING, "restart", ENGINE)["error"].count("\n") == 1
    place.start()
    place.wait_orders(2)
    before = {name: place.node.pids(name) for name in (ENGINE, GATEWAY, VENUE, FEED, STORE)}
    found = place.ask("restart", GATEWAY)
    assert (found["part"], found["starts"], found["state"]) == (GATEWAY, 2, "running")
    place.node.wait_trading()
    now = {name: place.node.pids(name) for name in before}
    assert [name for name in before if before[name] != now[name]] == [GATEWAY] and now[GATEWAY] == [found["pid"]]
    assert place.events()[-1]["event"] == "restart_asked"
    assert "one of store, venue, gateway, engine, feed" in place.call(EXIT_FAILED, "restart", "nobody")["error"]
    assert len(place.wait_orders(2)) == 2


def test_parts_that_live_together_end_as_asked_without_an_error_and_their_desk_says_what_is_wrong(place: Place) -> None:
    set_node(place, {"place": '"together"'})
    place.start()
    place.wait_orders(2)
    found = place.ask("restart", TRADING)
    assert (found["part"], found["starts"]) == (TRADING, 2)
    place.node.wait_trading()
    folder = ipc_folder(place.node.folder)
    for wrong in (b"{", b"[]", b'{"verb":5}'):
        assert b"expected a question in JSON" in (ask(folder, f"{TRADING}.desk", wrong, 5.0) or b"")
    assert b"expected a verb of the trading, found 'nope'" in (ask(folder, f"{TRADING}.desk", b'{"verb":"nope"}', 5.0) or b"")
    trading = place.ask("status")["parts"][TRADING]
    assert trading["mailbox"]["garbage_questions"] == 3
    assert trading["error"] is None and [one["error"] for one in trading["parts"].values()] == [None] * 4


def test_the_shape_of_a_node() -> None:
    apart = shape_of("apart", ["feed"], has_clients=True)
    assert apart.processes == (STORE, VENUE, GATEWAY, ENGINE, FEED, "api") and apart.hosted == ()
    both = shape_of("together")
    assert both.processes == (STORE, TRADING) and both.hosted == (VENUE, GATEWAY, ENGINE, FEED)
    assert both.process_of(ENGINE) == TRADING and both.process_of(STORE) == STORE
    most = shape_of("together", ["engine"])
    assert most.processes == (STORE, TRADING, ENGINE) and most.process_of(ENGINE) == ENGINE
    alone = shape_of("together", ["engine", "venue", "gateway"])
    assert alone.processes == (STORE, VENUE, GATEWAY, ENGINE, FEED) and alone.hosted == (), "one alone is alone"


def test_a_bus_and_clients_that_are_in_each_others_way_are_refused() -> None:
    client = {"name": "a", "key": "mS7[*ToR?ZGhbCL]R!j6VlQO?8dzKfD/@-DeL1?)"}
    node = {"bus": "tcp://127.0.0.1:7700", "api": {"address": "tcp://127.0.0.1:7707", "client": [client]}}
    with pytest.raises(ConfigError, match=r"node\.api\.address: expected a port, and one behind it, beside those of node\.bus"):
        config_from_dict({**BASE, "node": node})
    node["api"] = {"address": "tcp://127.0.0.1:7708", "client": [client]}
    assert [(key, ports) for key, _, ports in bound_by(config_from_dict({**BASE, "node": node}))] == [
        ("node.bus", 8), ("node.api.address", 2),
    ]  # fmt: skip


@needs_ipv6
def test_a_node_trades_and_is_reached_over_ipv6(place: Place) -> None:
    reached = Reached(place, "[::1]")
    set_node(place, {"bus": f'"tcp://[::1]:{free_ports(8, "[::1]")}"'})
    reached.start()
    place.wait_orders(2)
    with reached.client("viewer") as node:
        assert node.status().run_id == place.node.folder.name
        assert next(node.subscribe(["state"], silence_s=10.0)).topic == "state"


def test_the_key_of_a_bus_is_the_users_alone(place: Place) -> None:
    set_node(place, {"bus": f'"tcp://127.0.0.1:{free_ports(8)}"'})
    place.start()
    key = place.node.home / "keys" / "bus.secret"
    assert key.stat().st_mode & 0o777 == 0o600 and Path(key.parent).stat().st_mode & 0o777 == 0o700


def test_every_socket_of_a_node_is_the_users_alone(reached: Reached) -> None:
    place = reached.place
    reached.start()
    folder = ipc_folder(place.node.folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode for path in folder.iterdir()}
    assert {f"{name}{kind}" for name in (*place.node.shape.processes, API, ROOT) for kind in ("", ".desk")} <= set(modes)
    assert {name: stat.filemode(mode) for name, mode in modes.items() if mode != stat.S_IFSOCK | 0o600} == {}
