"""`reconcile` on a running node, spot and of contracts: three books that agree, until somebody trades on the account past it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import environment, failure, run
from test_contracts import CASES, made

from tradebot._core.types import FACT_DTYPE, Flag, Kind
from tradebot.actors.bus import Bus
from tradebot.actors.mailbox import Posts
from tradebot.domain.orders import OrderType, TimeInForce
from tradebot.domain.venue import Ask, VenueRequest
from tradebot.node.session_files import VENUE, find_current, ipc_folder, read_prepared

SANDBOX = ("--set", "mode=sandbox", "--set", "node.reconcile=500ms", "--set", "node.speed=1")


BUYER = """
from tradebot import Strategy

class Holder(Strategy):
    def on_book(self, book):
        if self.position.flat and not self.open_orders():
            self.buy(notional=2000)
"""


@pytest.fixture
def node(place: Path) -> Iterator[Path]:
    """A node of the maker over a seeded market, in `place`; ended after the test."""
    with running_in(place, "maker.toml"):
        yield place


@contextmanager
def running_in(place: Path, config: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tradebot.cli.main", "run", "-c", config, *SANDBOX]
    with subprocess.Popen(command, cwd=place, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["event"] == "ready"
        try:
            yield
        finally:
            os.kill(running.pid, signal.SIGTERM)
            running.wait(30)


def place_past_it(home: Path, **terms: int) -> None:
    """An order of a stranger, straight into the venue's mailbox; the gateway gets a reply that it did not ask for."""
    folder = find_current(home)
    instrument = read_prepared(folder).plan.instruments[0]
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"] = fact["kind2"] = Kind.PLACE_ORDER
    fact["flags2"], fact["id"], fact["instrument"], fact["price"] = Flag.CONT, 77, instrument.id, 1
    fact["quantity"], fact["order_type"], fact["time_in_force"] = 10**6, OrderType.LIMIT, TimeInForce.GTC
    for name, value in terms.items():
        fact[name] = value
    bus = Bus(ipc_folder(folder))
    posts = Posts(bus, "stranger", time.time_ns())
    assert posts.send(VENUE, VenueRequest(1, 1, Ask.PLACE, 77, time.time_ns(), 10**10, fact.tobytes()))
    posts.close()
    bus.close()


def test_the_books_agree_until_a_stranger_trades_and_then_trading_is_halted(node: Path) -> None:
    done = run(node, "reconcile", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (done.returncode, found["equal"], found["differences"], found["gate"]) == (0, True, [], "open")
    assert found["engine"]["balances"] == found["venue"]["balances"]
    assert "equal" in run(node, "reconcile").stdout
    place_past_it(node / "tradebot_home")
    for _ in range(20):
        found = json.loads(run(node, "status", "--json").stdout)
        if found["reconcile"]["gate"] == "shut":
            break
    assert (found["reconcile"]["gate"], found["trading"], found["gateway"]["strangers"]) == ("shut", "halted", [77])
    done = run(node, "reconcile", "--json")
    assert done.returncode == 1
    assert [(one["what"], one["of"]) for one in json.loads(done.stdout)["differences"]] == [("order", "77")]
    assert "books that agree" in failure(node, 4, "resume")
    last = [json.loads(one) for one in run(node, "logs", "--json").stdout.splitlines()]
    halts = [one for one in last if one["event"] == "trading_state_changed" and one["state"] == "halted"]
    assert halts[-1]["who"] == "reconcile" and "order 77" in halts[-1]["why"]


@pytest.mark.parametrize("kind", CASES)
def test_positions_and_wallets_of_contracts_agree_until_a_stranger_trades(tmp_path: Path, kind: str) -> None:
    symbol, start, multiplier, lot = CASES[kind]
    place, name = made(tmp_path, symbol, start, multiplier, lot, 78_000), f"{symbol}@synthetic"
    (place / "holder.py").write_text(BUYER)  # one whose first order may come before the books are compared
    with running_in(place, "held.toml"):
        found = until(place, lambda found: name in found["engine"]["positions"])
        assert (found["equal"], found["gate"]) == (True, "open")
        assert found["engine"]["positions"][name]["lots"] == found["venue"]["positions"][name]["lots"] > 0
        assert found["engine"]["balances"] == found["venue"]["balances"]
        assert f"position {name}" in (drawn := run(place, "reconcile").stdout) and " that cost " in drawn and "lots" not in drawn
        place_past_it(place / "tradebot_home", time_in_force=TimeInForce.IOC, price=100_000)
        found = until(place, lambda found: not found["equal"])
        whats = {(one["what"], one["of"]) for one in found["differences"]}
        assert ("position", name) in whats and ("balance", start.split()[1]) in whats, "the position, and the fee for it"


def until(place: Path, is_so: Any) -> dict[str, Any]:
    """The books, once they are as told."""
    for _ in range(20):
        found: dict[str, Any] = json.loads(run(place, "reconcile", "--json").stdout)
        if is_so(found):
            return found
    raise AssertionError(f"not in 20 rounds: {found}")
