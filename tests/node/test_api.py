"""A node that clients reach over tcp: what they see, what they may do by role, and that nothing they send disturbs it.

A node of real processes with keys of three roles; the library is the client, and where a peer misbehaves, a bare socket.
"""

import signal
import socket
import threading
from contextlib import suppress

import pytest

from tests.node.reached import Reached, free_port
from tradebot.cli.main import main
from tradebot.client import Fact, Gap, KeyRefused, Metrics, NoNode, RequestRefused, RoleRefused, State
from tradebot.client.curve import make_keys
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED, EXIT_REFUSED
from tradebot.domain.wire import Code
from tradebot.node.session_files import API, ENGINE, GATEWAY
from tradebot.testing.chaos_judge import judge


def test_clients_ask_listen_and_steer_by_their_role(reached: Reached) -> None:
    reached.start()
    place = reached.place
    place.wait_orders(2)
    with reached.client("viewer") as viewer, reached.client("operator") as operator, reached.client("admin") as admin:
        assert viewer.ask("hello")["role"] == "viewer"
        status = viewer.status()
        assert (status.run_id, status.trading, status.orders_open) == (place.node.folder.name, "active", 2)
        assert {one.is_guard for one in viewer.orders()} == {True, False}
        assert [one.quantity for one in viewer.positions()] == ["0.01000000"]
        assert [one["event"] for one in viewer.fills()] == ["order_filled"]
        explained = viewer.ask("explain", order=viewer.fills()[0]["order"])
        assert explained["state"] == "filled" and explained["life"]
        assert viewer.ask("reconcile")["equal"] is True
        for verb in ("pause", "resume", "cancel-all", "flatten", "kill"):
            with pytest.raises(RoleRefused, match="the-viewer"):
                viewer.control(verb)
        for verb in ("flatten", "kill"):
            with pytest.raises(RoleRefused, match=r"expected admin.*the-operator, whose key is that of an operator"):
                operator.control(verb)
        assert operator.control("pause", why="lunch").by == ENGINE
        assert viewer.status().trading == "halted", "an answer is no older than the last control"
        operator.control("resume", why="back\n2026-01-01T00:00:00Z  forged \x1b[2J")
        operator.control("cancel-all", why="tidy")
        assert [one["is_guard"] for one in place.wait_orders(1)] == [True]
        admin.control("flatten", why="home")
        assert place.wait_orders(0) == []
        assert place.controls() == [
            ("the-operator", "lunch"), ("the-operator", "back 2026-01-01T00:00:00Z forged [2J"), ("the-operator", "tidy"),
            ("the-admin", "home"), ("the-admin", "home"),
        ]  # fmt: skip
        admin.control("kill", why="enough")
        with pytest.raises(RequestRefused, match="enough") as caught:
            operator.control("resume")
        assert caught.value.code == Code.KILLED
    found = reached.status()
    assert found["refused"] == {"role": 7, "killed": 1} and found["refused_by_name"]["the-viewer"] == 5
    assert judge(place.node.folder).findings == []


def test_kills_of_several_at_once_are_all_carried_out(reached: Reached) -> None:
    reached.start()
    reached.place.wait_orders(2)
    answers, gate = [], threading.Barrier(4)

    def kill(flatten: bool) -> None:
        with reached.client("admin") as admin:
            admin.status()
            gate.wait(10)
            answers.append(admin.control("kill", why=f"flatten {flatten}", flatten=flatten))

    several = [threading.Thread(target=kill, args=(number == 2,)) for number in range(4)]
    for one in several:
        one.start()
    for one in several:
        one.join(30)
    assert [one.by for one in answers] == [ENGINE] * 4
    assert reached.place.wait_orders(0) == []
    reached.place.wait(lambda: reached.place.ask("status")["positions_open"] == [])
    assert ("the-admin", "flatten True") in reached.place.controls()
    assert reached.place.ask("status")["parts"][API]["starts"] == 1


def test_subscribers_hear_the_last_value_at_once_and_every_fact_after(reached: Reached) -> None:
    reached.start()
    reached.place.wait_orders(2)
    with reached.client("viewer") as viewer, reached.client("operator") as operator:
        told = viewer.subscribe(["state", "facts"], silence_s=10)
        first = next(one for one in told if isinstance(one, State))
        assert first.is_running and len(first.orders) == 2
        operator.control("pause", why="lunch")
        fact = next(one for one in told if isinstance(one, Fact) and one.event == "trading_state_changed")
        assert (fact.raw["who"], fact.raw["why"]) == ("the-operator", "lunch")
        late = viewer.subscribe(["facts.trading_state_changed"], silence_s=10)
        again = next(late)
        assert isinstance(again, Fact) and again == fact
        figures = (one for one in viewer.subscribe(["metrics"], silence_s=10) if isinstance(one, Metrics))
        found = next(one for one in figures if one.raw["trading"] == "halted")
        assert found.facts and found.raw["behind"] is not None


def test_clients_reach_a_node_whose_parts_live_in_one_process(reached: Reached) -> None:
    config = reached.place.node.config
    config.write_text(config.read_text().replace("node = {", 'node = { place = "together",', 1))
    reached.start()
    reached.place.wait_orders(2)
    with reached.client("operator") as operator:
        assert operator.status().orders_open == 2
        assert operator.control("pause", why="lunch").by == ENGINE
        assert isinstance(next(operator.subscribe(["state"], silence_s=10)), State)
    assert sorted(reached.place.events()[-1]["pids"]) == ["api", "store", "trading"]
    assert reached.place.stop() == 0


def test_who_comes_when_all_had_gone_is_told_how_it_stands_now(reached: Reached) -> None:
    reached.start()
    reached.place.wait_orders(2)
    with reached.client("viewer") as viewer, reached.client("operator") as operator:
        assert isinstance(next(viewer.subscribe(["state"], silence_s=10)), State)
        reached.wait(lambda: reached.status()["connected"] == 0)
        operator.control("pause")
        first = next(viewer.subscribe(["state"], silence_s=10))
        assert isinstance(first, State) and first.status is not None and first.status.trading == "halted"


def test_a_part_that_was_killed_is_back_and_its_clients_with_it(reached: Reached) -> None:
    """Also of an engine that was killed its clients hear again; trading goes on without them."""
    reached.start()
    place = reached.place
    place.wait_orders(2)
    with reached.client("viewer", timeout_s=20.0) as viewer:
        told = viewer.subscribe(["state"], silence_s=20)
        first = next(told)
        assert isinstance(first, State)
        place.node.signal(API, signal.SIGKILL)
        assert viewer.status().epoch == 1
        found = next(one for one in told if isinstance(one, Gap))
        assert found == Gap(topic="state", missed=None)
        place.node.signal(ENGINE, signal.SIGKILL)
        place.node.wait_trading()
        reached.wait(lambda: viewer.status().epoch == 2)
    assert {one["part"] for one in place.events() if one["event"] == "restart"} == {API, ENGINE}
    assert place.stop() == 0


def test_a_part_that_cannot_have_its_address_ends_no_node(reached: Reached) -> None:
    """A part that dies while trading goes on is tried until it can."""
    reached.start()
    place = reached.place
    place.wait_orders(2)
    host, _, port = reached.address.removeprefix("tcp://").rpartition(":")
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.node.signal(API, signal.SIGKILL)
        while True:  # between the death of the one and the bind of the next
            with suppress(OSError):
                thief.bind((host, int(port)))
                break
        thief.listen()
        reached.wait(lambda: len([one for one in place.events() if one.get("part") == API]) >= 3)
        assert "another program has it" in place.ask("status")["parts"][API]["error"]
        assert place.ask("status")["trading"] == "active"
    with reached.client("viewer", timeout_s=20.0) as viewer:
        assert viewer.status().epoch == 1
    assert place.stop() == 0


def test_a_key_that_is_taken_out_is_shut_out_by_a_reload(reached: Reached) -> None:
    reached.start()
    config = reached.place.node.config
    with reached.client("operator") as operator:
        operator.control("pause")
    text = config.read_text()
    config.write_text(text.replace(reached.keys["operator"][0], make_keys()[0]))
    assert reached.place.ask("reload")["parts"] == [API]
    with reached.client("viewer", timeout_s=20.0) as viewer:
        assert viewer.status().trading == "halted"
    with reached.client("operator", timeout_s=1.0) as operator, pytest.raises(KeyRefused):
        operator.control("resume")


def test_the_part_for_clients_comes_moves_and_goes_with_a_reload(reached: Reached) -> None:
    place, config = reached.place, reached.place.node.config
    with_api = config.read_text()
    without = with_api[: with_api.index("api = {")] + with_api[with_api.index("snapshot_facts") :]
    config.write_text(without)
    place.start()
    place.wait_orders(2)
    pids = {name: place.node.pids(name) for name in (ENGINE, GATEWAY)}
    assert API not in place.ask("status")["parts"]
    config.write_text(with_api)
    assert place.ask("reload")["parts"] == [API]
    reached.server_key = place.ask("status")["api"]["key"]
    with reached.client("viewer") as viewer:
        assert viewer.status().trading == "active"
    before, reached.address = reached.address, f"tcp://127.0.0.1:{free_port()}"
    config.write_text(with_api.replace(before, reached.address))
    assert place.ask("reload")["parts"] == [API]
    with reached.client("viewer") as viewer:
        assert viewer.status().trading == "active"
    host, _, port = before.removeprefix("tcp://").rpartition(":")
    with socket.socket() as other:
        other.bind((host, int(port)))
        other.listen()
        config.write_text(with_api)
        assert f"expected port {port}" in place.call(EXIT_REFUSED, "reload")["error"], "another program has it"
    assert place.ask("status")["api"]["address"] == reached.address, "and it stays where it was"
    config.write_text(without)
    assert place.ask("reload")["parts"] == [API]
    assert API not in place.ask("status")["parts"] and place.node.pids(API) == []
    assert {name: place.node.pids(name) for name in pids} == pids, "nobody else was started again"
    assert place.stop() == 0


def test_a_node_does_not_start_without_the_address_that_it_is_to_have(reached: Reached) -> None:
    host, _, port = reached.address.removeprefix("tcp://").rpartition(":")
    with socket.socket() as other:
        other.bind((host, int(port)))
        other.listen()
        said = reached.place.start_refused(EXIT_FAILED)
    assert f"expected port {port}" in said and "another program has it; choose another node.api.address" in said


def test_who_is_not_on_the_list_and_who_talks_to_nobody_are_told_so(reached: Reached) -> None:
    reached.start()
    with reached.client("viewer") as viewer:
        viewer.status()
    reached.keys["viewer"] = make_keys()
    with reached.client("viewer", timeout_s=1.0) as stranger, pytest.raises(KeyRefused, match="does not"):
        stranger.status()
    with reached.client("viewer", timeout_s=1.0) as stranger, pytest.raises(KeyRefused):
        next(stranger.subscribe(["state"], silence_s=1.0))
    assert reached.status()["keys_denied"] > 0
    reached.server_key = make_keys()[0]
    with reached.client("admin", timeout_s=1.0) as client, pytest.raises(KeyRefused, match="server key"):
        client.control("kill")
    assert reached.status()["handshakes_failed"] > 0
    assert reached.place.stop() == 0
    with reached.client("admin", timeout_s=0.5) as client, pytest.raises(NoNode, match="found nobody"):
        client.status()


def test_the_page_of_a_status_names_the_key_and_what_was_refused(reached: Reached, capsys: pytest.CaptureFixture[str]) -> None:
    reached.start()
    with reached.client("viewer") as viewer, pytest.raises(RoleRefused):
        viewer.control("pause")
    capsys.readouterr()
    assert main(["--home", str(reached.place.node.home), "status"]) == EXIT_DONE
    said = " ".join(capsys.readouterr().out.split())
    assert f"key {reached.server_key}" in said and f"address {reached.address}" in said
    assert "keys denied 0" in said and "refused to the-viewer 1" in said
