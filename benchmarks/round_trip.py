"""An order's round trip through a node: engine, gateway, paper venue and back, beside a raw ZeroMQ echo of as many hops at the
same rate.

Real processes of a node, `sync = "none"` and then "place", order latency of the venue 0. Facts are pushed at a steady rate; the
strategy answers every trade with a post-only order and cancels the one before. A round trip is from the stamp of the fact that
caused the order to the engine's stamp of its acceptance, both in the engine's journal. The echo is four processes in a ring,
PUSH to PULL over ipc, with a message of the same size, each asleep in a poll between two messages, as ours are.

Run: python -m benchmarks.round_trip [orders] [rate]
"""

import multiprocessing
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zmq

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.actors.bus import Bus
from tradebot.actors.mailbox import Posts, ask
from tradebot.domain.market import Records
from tradebot.engine.session import commands_of
from tradebot.node.build import make_plan
from tradebot.node.config import config_to_dict, load_config
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, VENUE, Prepared, ipc_folder, next_epoch, write_prepared
from tradebot.node.strategies import fingerprint_of
from tradebot.store import synthetic
from tradebot.strategies.strategy import Strategy

GOAL_RATIO = 2.5
HOPS = 4
CONFIG = """
mode = "sandbox"
account = {{ venue = "{venue}", start = ["100000000 USD", "1000 BTC"] }}
costs = {{ fees = "account", latency = "0ms" }}
risk = {{ order_rate = "100000/s" }}
node = {{ sync = "{sync}", snapshot_facts = 1000000000{more} }}
[[strategy]]
use = "benchmarks.round_trip:Pinger"
instruments = ["{symbol}"]
"""


class Pinger(Strategy):
    """A post-only order far below at each trade; the one before is cancelled."""

    def on_trade(self, trade: Any) -> None:
        for order in self.open_orders():
            self.cancel(order)
        self.buy(self.lot * 10, price=self.book.bid - 100 * self.tick, time_in_force="POST_ONLY")


def prepare(folder: Path, sync: str, more: str = "") -> None:
    """`more` is what else the configuration has under node."""
    instrument = synthetic.INSTRUMENT
    file = folder / "node.toml"
    file.write_text(CONFIG.format(venue=instrument.venue, symbol=instrument.symbol, sync=sync, more=more))
    config = load_config([file], {}, []).config
    plan = make_plan(config, [instrument], 0)
    prepared = Prepared(
        run_id="bench", config=config_to_dict(config), plan=plan, fingerprint=fingerprint_of(config.strategy, plan), ticks=0
    )
    write_prepared(folder, prepared)
    ipc_folder(folder).mkdir(exist_ok=True, mode=0o700)


def measure(sync: str, orders: int, rate: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Round trips in ns."""
    with tempfile.TemporaryDirectory(prefix="tradebot-bench-") as name:
        folder = Path(name)
        prepare(folder, sync)
        parts = [start(folder, part) for part in (VENUE, GATEWAY, ENGINE)]
        while not (found := status(folder)) or not found["has_gateway"]:
            time.sleep(0.05)
        push(folder, orders, rate)
        time.sleep(1.0)
        for part in reversed(parts):
            part.terminate()
            part.wait()
        return round_trips(folder)


def start(folder: Path, name: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tradebot.node.part_main", name, str(folder)]
    return subprocess.Popen(command + (["--epoch", str(next_epoch(folder))] if name == ENGINE else []))


def status(folder: Path) -> dict[str, Any] | None:
    found = ask(ipc_folder(folder), f"{ENGINE}.desk", msgspec.json.encode({"verb": "status"}), 5.0)
    return None if found is None else msgspec.json.decode(found)


def push(folder: Path, orders: int, rate: float) -> None:
    """A book, then a trade each 1 / rate seconds, stamped when it is pushed."""
    bus = Bus(ipc_folder(folder))
    posts = Posts(bus, FEED, time.time_ns())
    instrument = synthetic.INSTRUMENT.id
    book = np.zeros(2, RECORD_DTYPE)
    book["kind"], book["instrument"], book["quantity"], book["id"] = Kind.L3_ADD, instrument, 10**9, [1, 2]
    book["price"], book["flags"] = [5_000_000, 5_000_002], [0, Flag.SELL]
    trade = np.zeros(1, RECORD_DTYPE)
    trade["kind"], trade["instrument"], trade["quantity"], trade["price"] = Kind.TRADE, instrument, 1, 5_000_001
    due = time.perf_counter()
    for number, row in enumerate((book, *([trade] * orders))):
        while time.perf_counter() < due:
            time.sleep(0.0001)
        row["time_ns"] = time.time_ns()
        for name in (VENUE, ENGINE):
            posts.send(name, Records(1, number, row.tobytes()))
        due += 1 / rate
    posts.close()
    bus.close()


def round_trips(folder: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
    placed, found = {}, []
    for frame in frames_of(folder / "engine"):
        for answer in answers_of(frame):
            if answer["kind"] == Kind.ORDER_ACCEPTED:
                found.append(int(answer["time_ns"]) - placed[int(answer["id"])])
        for command in commands_of(frame.outputs):
            row = np.frombuffer(command, "<i8")
            placed[int(row[5])] = int(row[0])
    return np.array(found[len(found) // 10 :], np.int64)


def relay(folder: str, here: int, there: int) -> None:
    """One process of the ring: what comes in goes out."""
    context = zmq.Context()
    inbox, outbox = context.socket(zmq.PULL), context.socket(zmq.PUSH)
    inbox.bind(f"ipc://{folder}/{here}")
    outbox.connect(f"ipc://{folder}/{there}")
    while body := inbox.recv():
        outbox.send(body)


def echo(messages: int, rate: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Times around a ring of as many hops as an order has: feed to engine is the first, back to the engine the last."""
    with tempfile.TemporaryDirectory(prefix="tradebot-echo-") as folder:
        ring = [
            multiprocessing.get_context("spawn").Process(target=relay, args=(folder, at, at + 1), daemon=True)
            for at in range(1, HOPS)
        ]
        for one in ring:
            one.start()
        context = zmq.Context()
        inbox, outbox = context.socket(zmq.PULL), context.socket(zmq.PUSH)
        inbox.bind(f"ipc://{folder}/{HOPS}")
        outbox.connect(f"ipc://{folder}/1")
        outbox.send(b"x" * 160)
        inbox.recv()
        found, due = [], time.perf_counter()
        for _ in range(messages):
            while time.perf_counter() < due:
                time.sleep(0.0001)
            began = time.perf_counter_ns()
            outbox.send(b"x" * 160)
            inbox.recv()
            found.append(time.perf_counter_ns() - began)
            due += 1 / rate
        for one in ring:
            one.kill()
        context.destroy(linger=0)
        return np.array(found[messages // 10 :], np.int64)


def show(name: str, times: np.ndarray[Any, np.dtype[np.int64]]) -> str:
    p50, p99 = np.percentile(times, (50, 99)) / 1e3
    return f"{name}: p50 {p50:,.0f} us, p99 {p99:,.0f} us ({len(times):,})"


def main() -> None:
    orders = int(sys.argv[1]) if len(sys.argv) > 1 else 3_000
    rate = float(sys.argv[2]) if len(sys.argv) > 2 else 200.0
    raw, none, place = echo(orders, rate), measure("none", orders, rate), measure("place", orders, rate)
    again = echo(orders, rate)
    floor = min(np.percentile(raw, 99), np.percentile(again, 99))
    print(f"order round trip at {rate:g} orders a second (goal: p99 at most {GOAL_RATIO} times the echo's)")
    print(show("  raw echo, four hops", raw))
    print(show("  engine, gateway, venue and back, never flushed", none), f"{np.percentile(none, 99) / floor:.2f} times")
    print(show("  the same, flushed before a place", place), f"{np.percentile(place, 99) / floor:.2f} times")


if __name__ == "__main__":
    main()
