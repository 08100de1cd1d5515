"""A running node takes in what of its configuration may change, refuses the rest in words, and trades on either way."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.node.nodes import RESTING, Place
from tradebot.actors.watching import ROOT
from tradebot.client.curve import make_keys
from tradebot.domain.errors import EXIT_FAILED, EXIT_NOT_RUNNING, EXIT_REFUSED, ConfigError
from tradebot.node import running
from tradebot.node.config import Config, config_from_dict, config_to_dict, load_config
from tradebot.node.reloading import changes, parts_concerned
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, VENUE

BASE = ['account={venue="x",start="1 USD"}', 'strategy=[{use="a:B",instruments=["A/USD"]}]']

KEYS = [make_keys()[0] for _ in range(2)]


def change(place: Place, old: str, new: str) -> None:
    text = place.node.config.read_text()
    assert old in text
    place.node.config.write_text(text.replace(old, new))


def test_changes_reach_the_parts_that_they_concern_and_the_run_replays(place: Place) -> None:
    place.start()
    place.wait_orders(2)
    pids = {name: place.node.pids(name) for name in (ENGINE, GATEWAY, VENUE, FEED)}
    assert place.ask("reload") == {"number": 1, "accepted": True, "changed": [], "parts": [], "gone": []}
    change(place, "speed = 20.0", "speed = 30.0")
    change(place, 'node = {', 'risk = { order_rate = "50/s" }\nnode = {')
    found = place.ask("reload")
    assert found["changed"] == ["node.speed", "risk.order_rate"] and found["parts"] == [ENGINE, FEED]
    place.node.wait_trading()
    now = {name: place.node.pids(name) for name in pids}
    assert now[GATEWAY] == pids[GATEWAY] and now[VENUE] == pids[VENUE]
    assert now[ENGINE] != pids[ENGINE] and now[FEED] != pids[FEED]
    assert place.ask("status")["parts"][ENGINE]["starts"] == 2
    place.strategy.write_text(RESTING.replace("0.02", "0.03").replace("is_done", "is_done_again"))  # else it has done it
    found = place.ask("reload")
    assert found["changed"] == ["the code of a strategy"] and found["parts"] == [ENGINE]
    place.node.wait_trading()
    place.wait(lambda: "0.03000000" in {one["quantity"] for one in place.ask("orders")["orders"]})
    replayed = place.ask("replay", place.node.folder.name, "--verify")
    assert replayed["identical"] and replayed["folded_epochs"] == [1, 2], "other limits are other decisions"
    assert not [one for one in place.events() if one["event"] == "restart"], "nobody died"


def test_what_is_wrong_or_must_stay_changes_nothing(place: Place) -> None:
    assert "found none" in place.call(EXIT_NOT_RUNNING, "reload")["error"]
    place.start()
    place.wait_orders(2)
    pids = place.alive()
    text = place.node.config.read_text()
    for old, new, words in [
        ("100000 USD", "50000 USD", "account.start"), ("speed = 20.0", "sped = 20.0", "node.sped"),
        ('latency = "2ms"', 'latency = "3ms"', "costs.latency"),
    ]:  # fmt: skip
        change(place, old, new)
        assert words in place.call(EXIT_REFUSED, "reload")["error"]
        place.node.config.write_text(text)
    place.strategy.write_text("import nowhere_at_all")
    assert "nowhere_at_all" in place.call(EXIT_REFUSED, "reload")["error"]
    assert place.alive() == pids and place.ask("status")["trading"] == "active"


def test_how_long_parts_are_started_again_is_changed_without_starting_any(place: Place) -> None:
    place.start()
    pids = place.alive()
    change(place, "node = {", 'node = { supervisor = { intensity = 0, period = "7s" },')
    found = place.ask("reload")
    assert found["changed"] == ["node.supervisor.intensity", "node.supervisor.period"] and found["parts"] == []
    assert place.alive() == pids
    place.node.signal(FEED, signal.SIGKILL)
    assert place.node.root is not None and place.node.root.wait(20) == EXIT_FAILED
    said = (place.folder / "root.log").read_text()
    assert "its parts died more than 0 times within 7 s" in said
    assert "the venue may still have what nobody knows" in said, "its engine was ended with the others, and cancels nothing"


def test_a_node_that_gives_up_while_it_is_told_to_end_asks_nobody_who_is_gone(place: Place) -> None:
    change(place, "node = {", 'node = { supervisor = { intensity = 0 },')
    place.start()
    place.node.signal(ENGINE, signal.SIGKILL)
    place.node.signal(ROOT, signal.SIGTERM)
    assert place.node.root is not None and place.node.root.wait(15) == EXIT_FAILED
    assert "the venue may still have what nobody knows" in (place.folder / "root.log").read_text()


def test_every_key_of_a_node_is_concerned_by_a_rule_or_refused() -> None:
    config = load_config([], {}, BASE).config

    def changed(**values: Any) -> list[str]:
        return changes(config, config_from_dict(config_to_dict(config) | values))

    assert changed() == []
    node = config_to_dict(config)["node"]
    assert isinstance(node, dict)
    for key in node.keys() - {"api", "place", "alone", "bus"}:  # who lives where, and who reaches it, is decided at a start
        assert isinstance(parts_concerned([f"node.{key}"]), set), key
    assert parts_concerned(["strategy.0.params.size", "node.speed"]) == {ENGINE, FEED}
    assert parts_concerned(["node.api.client.1.key"]) == {API}
    assert parts_concerned(["node.api"]) == parts_concerned(["node.api.address"]) == {API}
    for key in ("account.start", "node.place", "node.alone", "node.bus"):
        with pytest.raises(ConfigError, match="stop the node"):
            parts_concerned([key])
    with pytest.raises(ConfigError):
        parts_concerned(["strategyx"])


def test_what_changed_is_called_by_its_name_and_a_whole_table_once() -> None:
    base = [*BASE, 'strategy.1={use="a:C",instruments=["A/USD"],params={x=1}}']
    clients = [{"name": name, "key": key, "role": "viewer"} for name, key in zip("ab", KEYS, strict=True)]
    api = {"address": "tcp://127.0.0.1:7700", "client": clients}

    def config(*more: str, **node: object) -> Config:
        values = config_to_dict(load_config([], {}, [*base, *more]).config)
        return config_from_dict(values | {"node": values["node"] | node})  # type: ignore[operator]

    assert changes(config(), config("strategy.1.params.x=2")) == ["strategy.c.params.x"]
    assert changes(config(), config(api=api)) == changes(config(api=api), config()) == ["node.api"]
    other = api | {"client": [clients[0] | {"role": "admin"}]}
    found = changes(config(api=api), config(api=other))
    assert found == ["node.api.client.a.role", "node.api.client.b"] and parts_concerned(found) == {API}
    actors = {"actor": [{"name": name, "use": "a:B"} for name in "xy"]}
    found = changes(config(actors=actors), config(actors={"actor": actors["actor"][::-1]}))
    assert found == ["node.actors.actor"], "their order"
    found = changes(config(actors=actors), config(actors={"actor": [actors["actor"][0] | {"params": {"limit": 3}}]}))
    assert found == ["node.actors.actor.x.params.limit", "node.actors.actor.y"]
    assert changes(config(), config("strategy.2={use='a:D',instruments=['A/USD']}")) == ["strategy.d"]


def test_a_part_that_grows_is_started_again_without_loss(tmp_path: Path) -> None:
    """Not in its first minute; then by what it takes, and only once for each life."""
    said: list[dict[str, Any]] = []
    config = load_config([], {}, [*BASE, "node={memory_mb=100}"]).config
    root = running.Root(config, tmp_path, None, said.append, lambda text: None, lambda: None)  # type: ignore[arg-type, return-value]
    parts = FakeParts()
    for age_s, size in [(30.0, 200), (61.0, 99), (61.0, 101)]:
        parts.age, running_memory = age_s, size << 20
        asyncio.run(root.check_memory(parts, lambda pid, size=running_memory: size))  # type: ignore[arg-type, misc]
    assert [(one["event"], one["part"], one["bytes"]) for one in said] == [("recycled", ENGINE, 101 << 20)]
    assert parts.recycled == [ENGINE]
    assert running.memory_of(os.getpid()) > 1 << 20 and running.memory_of(2**30) == 0


class FakeParts:
    """Stands for a supervision of one part."""

    age = 0.0

    def __init__(self) -> None:
        self.recycled: list[str] = []

    def pids(self) -> dict[str, int]:
        return {ENGINE: 1}

    def age_s(self, name: str) -> float:
        return self.age

    async def recycle(self, name: str) -> None:
        self.recycled.append(name)
