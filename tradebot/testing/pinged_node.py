"""A node whose orders are timed: its parts in processes of their own, or in one loop, offered a stream of facts."""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import uvloop

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.actors.cell import TICK_S
from tradebot.actors.clock import Clock
from tradebot.actors.mail import Mail
from tradebot.actors.mailbox import Posts, ask
from tradebot.domain.errors import LocalError, TimedOut
from tradebot.domain.market import Records
from tradebot.engine.session import commands_of
from tradebot.node.build import make_plan
from tradebot.node.bus import bus_of
from tradebot.node.config import config_to_dict, load_config
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.parts import make_part
from tradebot.node.session_files import ENGINE, FEED, GATEWAY, VENUE, Prepared, ipc_folder, write_prepared
from tradebot.node.strategies import fingerprint_of
from tradebot.node.values import BUS_PORTS
from tradebot.store import synthetic
from tradebot.testing.offering import Offered
from tradebot.testing.pace import Pace
from tradebot.testing.ports import free_ports
from tradebot.testing.tick_stream import Stream

START_S: Final = 30.0
SETTLE_S: Final = 1.0
PARTS: Final = (VENUE, GATEWAY, ENGINE)
_KIND_AT: Final = FACT_DTYPE.fields["kind"][1]  # type: ignore[index]
CONFIG: Final = """
mode = "sandbox"
account = {{ venue = "{venue}", start = ["100000000 USD", "1000 BTC"] }}
costs = {{ fees = "account", latency = "0ms" }}
risk = {{ order_rate = "100000/s" }}
node = {{ sync = "none", snapshot_facts = 1000000000 }}
[[strategy]]
use = "tradebot.testing.pinger:Pinger"
instruments = ["{symbol}"]
"""

Times = np.ndarray[Any, np.dtype[np.int64]]


def prepare(home: Path) -> Path:
    """A run's folder in a home, with what its parts need."""
    folder = home / "journal" / "bench"
    folder.mkdir(parents=True)
    instrument = synthetic.INSTRUMENT
    file = folder / "node.toml"
    file.write_text(CONFIG.format(venue=instrument.venue, symbol=instrument.symbol))
    config = load_config([file], {}, []).config
    plan = make_plan(config, [instrument], 0)
    prepared = Prepared(
        run_id="bench", config=config_to_dict(config), plan=plan,
        fingerprint=fingerprint_of(config.strategy, plan), ticks=0,
    )  # fmt: skip
    write_prepared(folder, prepared)
    ipc_folder(folder).mkdir(exist_ok=True, mode=0o700)
    return folder


def through_tcp(home: Path, stream: Stream) -> Times:
    """On ports that nobody has now, behind CURVE."""
    return through_processes(home, stream, f"tcp://127.0.0.1:{free_ports(BUS_PORTS)}")


def through_processes(home: Path, stream: Stream, address: str = "ipc") -> Times:
    folder, clock = prepare(home), Clock()
    bus = bus_of(folder, address)
    posts = Posts(bus, FEED, clock.now())
    with contextlib.ExitStack() as running:
        for name in PARTS:
            running.enter_context(part_process(folder, name, clock.offset_ns, address))
        wait_active(folder)
        tell(posts, Records(1, 0, stream.book().tobytes()))
        pace = Pace(stream.every_ns)
        offset_ns = clock.offset_ns
        while pace.beats < stream.count:
            for beat in pace.wait():
                if beat < stream.count:
                    tell(posts, Records(1, beat + 1, stream.message(beat, pace.meant_ns(beat) + offset_ns)))
        pace.close()
        time.sleep(SETTLE_S)
    posts.close()
    bus.close()
    return order_times(folder, stream, pace.first_ns + offset_ns)


@contextlib.contextmanager
def part_process(folder: Path, name: str, offset_ns: int, address: str) -> Iterator[None]:
    command = [sys.executable, "-m", "tradebot.node.part_main", name, str(folder), "--clock-offset", str(offset_ns)]
    command += ["--bus", address]
    process = subprocess.Popen(command + (["--epoch", "1"] if name == ENGINE else []))
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_active(folder: Path) -> None:
    """Until the engine may trade. Raises TimedOut."""
    until = time.monotonic() + START_S
    question = msgspec.json.encode({"verb": "status"})
    while time.monotonic() < until:
        found = ask(ipc_folder(folder), f"{ENGINE}.desk", question, 1.0)
        if found is not None and msgspec.json.decode(found)["trading"] == "active":
            return
        time.sleep(0.02)
    raise TimedOut(f"expected a node that trades within {START_S:g} s, found none: see what its parts wrote above")


def tell(posts: Posts, message: Records) -> None:
    """As a feed tells it: what a full mailbox refuses is gone, and the count of orders shows it."""
    for name in (VENUE, ENGINE):
        posts.send(name, message)


def order_times(folder: Path, stream: Stream, first_ns: int) -> Times:
    """From when each trade was meant to leave to its order at the venue. Raises LocalError where orders are missing."""
    placed: list[int] = []
    taken: dict[int, int] = {}
    for frame in frames_of(folder / ENGINE):
        for command in commands_of(frame.outputs):
            row = np.frombuffer(command, "<i8")
            if command[_KIND_AT] == Kind.PLACE_ORDER:
                placed.append(int(row[5]))
        taken |= {int(one["id"]): int(one["venue_ns"]) for one in answers_of(frame) if one["kind"] == Kind.ORDER_ACCEPTED}
    if len(placed) != stream.trades or len(taken) != stream.trades:
        raise LocalError(
            f"expected {stream.trades} orders, found {len(placed)} placed and {len(taken)} taken: this machine does not carry "
            "the rate; offer fewer facts a second"
        )
    beats = [beat for beat in range(stream.count) if stream.has_trade(beat)]
    return np.array([taken[name] - first_ns - beat * stream.every_ns for name, beat in zip(placed, beats, strict=True)], np.int64)


class LoopNode:
    """The parts of a node in this loop."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.bus = bus_of(folder, "ipc")
        self.posts = Posts(self.bus, FEED, self.clock.now())
        self.parts: dict[str, Any] = {name: make_part(name, folder, 1) for name in PARTS}
        for name, part in self.parts.items():
            self.bus.hold(name, Mail(asyncio.get_running_loop(), self.taker(part)))
        for part in self.parts.values():
            self.post(part, part.open(self.clock.now()))

    def taker(self, part: Any) -> Callable[[list[Any]], None]:
        return lambda messages: self.post(part, part.take(messages, self.clock.now()))

    def post(self, part: Any, found: Iterable[tuple[str, Any]]) -> None:
        for name, message in found:
            if not self.posts.send(name, message):
                part.refused(name, message)

    async def tick(self) -> None:
        """Tell all what time it is, as a process does."""
        for part in self.parts.values():
            self.post(part, part.on_clock(self.clock.now()))
        await asyncio.sleep(TICK_S)

    @property
    def is_active(self) -> bool:
        return bool(self.parts[ENGINE].status()["trading"] == "active")

    def close(self) -> None:
        for part in self.parts.values():
            part.close()
        self.bus.close()


def through_loop(home: Path, stream: Stream) -> Times:
    folder = prepare(home)

    async def run() -> int:
        node = LoopNode(folder)
        until = time.monotonic() + START_S
        while not node.is_active and time.monotonic() < until:
            await node.tick()
        tell(node.posts, Records(1, 0, stream.book().tobytes()))
        offset_ns = node.clock.offset_ns

        def offer(beat: int, meant_ns: int) -> None:
            tell(node.posts, Records(1, beat + 1, stream.message(beat, meant_ns + offset_ns)))

        offered = Offered(stream, offer)
        while not offered.done.done():
            await node.tick()
        for _ in range(round(SETTLE_S / TICK_S)):
            await node.tick()
        node.close()
        return offered.pace.first_ns + offset_ns

    first_ns = uvloop.run(run())
    return order_times(folder, stream, first_ns)
