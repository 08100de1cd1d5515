"""`reconcile` on a running node: three books that agree, until somebody trades on the account past it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq
from command import environment, failure, run

from tradebot._core.types import FACT_DTYPE, Flag, Kind
from tradebot.actors.mailbox import Posts
from tradebot.domain.orders import OrderType, TimeInForce
from tradebot.domain.venue import Ask, VenueRequest
from tradebot.node.session_files import VENUE, find_current, ipc_folder, read_prepared

SANDBOX = ("--set", "mode=sandbox", "--set", "node.reconcile=500ms", "--set", "node.speed=1")


@pytest.fixture
def node(place: Path) -> Iterator[Path]:
    """A node of the maker over a seeded market, in `place`; ended after the test."""
    command = [sys.executable, "-m", "tradebot.cli.main", "run", "-c", "maker.toml", *SANDBOX]
    with subprocess.Popen(command, cwd=place, env=environment(), stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert json.loads(running.stdout.readline())["event"] == "ready"
        yield place
        os.kill(running.pid, signal.SIGTERM)
        running.wait(30)


def place_past_it(home: Path) -> None:
    """An order of a stranger, straight into the venue's mailbox; the gateway gets a reply that it did not ask for."""
    folder = find_current(home)
    instrument = read_prepared(folder).plan.instruments[0]
    fact = np.zeros(1, FACT_DTYPE)
    fact["kind"] = fact["kind2"] = Kind.PLACE_ORDER
    fact["flags2"], fact["id"], fact["instrument"], fact["price"] = Flag.CONT, 77, instrument.id, 1
    fact["quantity"], fact["order_type"], fact["time_in_force"] = 10**6, OrderType.LIMIT, TimeInForce.GTC
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    posts = Posts(context, ipc_folder(folder))
    assert posts.send(VENUE, VenueRequest(1, 1, Ask.PLACE, 77, time.time_ns(), 10**10, fact.tobytes()))
    posts.close()
    context.term()


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
