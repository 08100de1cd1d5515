"""`bench latency`: from a tick's intended time to its order at the venue, per offered rate, beside bare hops at the same pace.

The engine, the gateway and the paper venue are those of a node, with their journals, never flushed, and no latency of the
venue's own. A generator offers facts at a steady pace, whatever becomes of them; a trade among them is answered by an order. The
time is from when the message with the trade was meant to leave to when the venue has the order, as its journalled answer says.

    ipc      each in a process of its own, as a node runs them; raw: as many processes, PUSH to PULL, with the same messages
    inproc   all in one loop, told through their mailboxes there; raw: deques and call_soon, with the same messages
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np
import uvloop
import zmq

from tradebot._core.types import FACT_DTYPE, Kind
from tradebot.actors.clock import Clock
from tradebot.actors.mail import Mail
from tradebot.actors.mailbox import Posts, ask
from tradebot.actors.process import TICK_S
from tradebot.domain.errors import LocalError, TimedOut
from tradebot.domain.market import Records
from tradebot.engine.session import commands_of
from tradebot.node.build import make_plan
from tradebot.node.config import config_to_dict, load_config
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.parts import make_part
from tradebot.node.session_files import ENGINE, GATEWAY, VENUE, Prepared, ipc_folder, write_prepared
from tradebot.node.strategies import fingerprint_of
from tradebot.store import synthetic
from tradebot.testing.hop import ORDER, ORDER_BYTES
from tradebot.testing.pace import Pace
from tradebot.testing.tick_stream import Stream, stream_of

START_S: Final = 30.0
SETTLE_S: Final = 1.0
WARM_PART: Final = 10  # one in so many is left out, at the beginning
_KIND_AT: Final = FACT_DTYPE.fields["kind"][1]  # type: ignore[index]
PARTS: Final = (VENUE, GATEWAY, ENGINE)
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


def measure(rate: int, mode: str, seconds: float = 5.0, rounds: int = 1) -> dict[str, object]:
    """The figures of CLI.md; the bare hops before and after each round are one measure."""
    stream = stream_of(rate, seconds)
    ours, bare = (through_processes, hop_processes) if mode == "ipc" else (through_loop, hop_loop)
    found, raw = [], [in_folder(bare, stream)]
    for _ in range(rounds):
        found.append(in_folder(ours, stream))
        raw.append(in_folder(bare, stream))
    return told(rate, mode, stream, np.concatenate(found), np.concatenate(raw))


def told(rate: int, mode: str, stream: Stream, found: Times, raw: Times) -> dict[str, object]:
    names, parts = ("p50_us", "p99_us", "p999_us", "max_us"), (50, 99, 99.9, 100)
    answer: dict[str, object] = {"mode": mode, "rate": rate}
    answer |= {name: round(float(np.percentile(found, part)) / 1e3, 1) for name, part in zip(names, parts, strict=True)}
    answer |= {f"raw_{name}": round(float(np.percentile(raw, part)) / 1e3, 1) for name, part in zip(names, parts, strict=True)}
    ratio = round(float(np.percentile(found, 99) / np.percentile(raw, 99)), 2)
    return answer | {"ratio_p99": ratio, "orders": len(found), "facts_a_message": stream.facts}


def in_folder(one: Callable[[Path, Stream], Times], stream: Stream) -> Times:
    with TemporaryDirectory(prefix="bench-") as name:
        times = one(Path(name), stream)
    return times[len(times) // WARM_PART :]


# Through a node


def prepare(folder: Path) -> None:
    """A run's folder with what its parts need."""
    instrument = synthetic.INSTRUMENT
    file = folder / "node.toml"
    file.write_text(CONFIG.format(venue=instrument.venue, symbol=instrument.symbol))
    config = load_config([file], {}, []).config
    prepared = Prepared(
        run_id="bench", config=config_to_dict(config), plan=make_plan(config, [instrument], 0),
        fingerprint=fingerprint_of(config.strategy), ticks=0,
    )  # fmt: skip
    write_prepared(folder, prepared)
    ipc_folder(folder).mkdir(exist_ok=True, mode=0o700)


def through_processes(folder: Path, stream: Stream) -> Times:
    prepare(folder)
    clock = Clock()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    posts = Posts(context, ipc_folder(folder))
    with contextlib.ExitStack() as running:
        for name in PARTS:
            running.enter_context(part_process(folder, name, clock.offset_ns))
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
    context.destroy(linger=0)
    return order_times(folder, stream, pace.first_ns + offset_ns)


@contextlib.contextmanager
def part_process(folder: Path, name: str, offset_ns: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tradebot.node.part_main", name, str(folder), "--clock-offset", str(offset_ns)]
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
            f"expected {stream.trades} orders, found {len(placed)} placed and {len(taken)} taken: this machine does not carry the "
            "rate; offer fewer facts a second"
        )
    beats = [beat for beat in range(stream.count) if stream.has_trade(beat)]
    return np.array([taken[name] - first_ns - beat * stream.every_ns for name, beat in zip(placed, beats, strict=True)], np.int64)


class LoopNode:
    """The parts of a node in this loop."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.posts = Posts(self.context, folder)
        self.parts: dict[str, Any] = {name: make_part(name, folder, 1) for name in PARTS}
        for name, part in self.parts.items():
            self.posts.hold(name, Mail(asyncio.get_running_loop(), self.taker(part)))
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
        self.context.destroy(linger=0)


def through_loop(folder: Path, stream: Stream) -> Times:
    prepare(folder)

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


class Offered:
    """A generator in the loop: `offer` is called with each beat and its time, until all are offered."""

    def __init__(self, stream: Stream, offer: Callable[[int, int], None]) -> None:
        self.loop = asyncio.get_running_loop()
        self.stream, self.offer = stream, offer
        self.done: asyncio.Future[None] = self.loop.create_future()
        self.pace = Pace(stream.every_ns, blocking=False)
        self.loop.add_reader(self.pace.descriptor, self.beat)

    def beat(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for beat in self.pace.wait():
                if beat < self.stream.count:
                    self.offer(beat, self.pace.meant_ns(beat))
        if self.pace.beats >= self.stream.count and not self.done.done():
            self.loop.remove_reader(self.pace.descriptor)
            self.pace.close()
            self.done.set_result(None)


# Bare hops: to the engine's place, the gateway's and the venue's


def hop_processes(folder: Path, stream: Stream) -> Times:
    names = [str(folder / name) for name in PARTS]
    command = [sys.executable, "-m", "tradebot.testing.hop"]
    out = folder / "times"
    with contextlib.ExitStack() as running:
        for name, to in ((names[0], f"={out}"), (names[1], names[0]), (names[2], names[1])):
            running.enter_context(hop(command + [name, to]))
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sockets = [context.socket(zmq.PUSH) for _ in range(2)]
        for socket, name in zip(sockets, (names[0], names[2]), strict=True):
            socket.connect(f"ipc://{name}")
            socket.send(b"?")
        while not all(Path(name).exists() for name in names):
            time.sleep(0.01)
        time.sleep(0.2)
        pace = Pace(stream.every_ns)
        while pace.beats < stream.count:
            for beat in pace.wait():
                if beat < stream.count:
                    message = stream.message(beat, pace.meant_ns(beat))
                    for socket in sockets:
                        socket.send(b"%c" % stream.has_trade(beat) + message)
        time.sleep(0.2)
        sockets[0].send(b"")
        until = time.monotonic() + START_S
        while not out.exists() and time.monotonic() < until:
            time.sleep(0.01)
        context.destroy(linger=0)
    return minus_meant(np.fromfile(out, np.int64), stream, pace.first_ns)


@contextlib.contextmanager
def hop(command: list[str]) -> Iterator[None]:
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def minus_meant(found: Times, stream: Stream, first_ns: int) -> Times:
    beats = np.array([beat for beat in range(stream.count) if stream.has_trade(beat)], np.int64)
    if len(found) != len(beats):
        raise LocalError(f"expected {len(beats)} messages through bare hops, found {len(found)}: offer fewer facts a second")
    return np.asarray(found - first_ns - beats * stream.every_ns)


class BareHop:
    """A deque that a loop drains."""

    def __init__(self, take: Callable[[list[bytes]], None]) -> None:
        self.waiting: deque[bytes] = deque()
        self.take, self.call_soon = take, asyncio.get_running_loop().call_soon

    def put(self, message: bytes) -> None:
        self.waiting.append(message)
        if len(self.waiting) == 1:
            self.call_soon(self.drain)

    def drain(self) -> None:
        found = list(self.waiting)
        self.waiting.clear()
        self.take(found)


def hop_loop(folder: Path, stream: Stream) -> Times:
    async def run() -> tuple[list[int], int]:
        times: list[int] = []

        def take_order(messages: list[bytes]) -> None:
            times.extend(time.monotonic_ns() for one in messages if len(one) == ORDER_BYTES)

        def take_tick(messages: list[bytes]) -> None:
            for one in messages:
                if one[0]:
                    gateway.put(ORDER)

        venue = BareHop(take_order)
        gateway = BareHop(lambda messages: [venue.put(one) for one in messages] and None)
        engine = BareHop(take_tick)

        def offer(beat: int, meant_ns: int) -> None:
            message = b"%c" % stream.has_trade(beat) + stream.message(beat, meant_ns)
            venue.put(message)
            engine.put(message)

        offered = Offered(stream, offer)
        await offered.done
        await asyncio.sleep(TICK_S)
        return times, offered.pace.first_ns

    times, first_ns = uvloop.run(run())
    return minus_meant(np.array(times, np.int64), stream, first_ns)
