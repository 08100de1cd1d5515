"""The floor of `bench latency`: bare hops to where the engine, the gateway and the venue would be, with the same messages."""

import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
import zmq

from tradebot.domain.errors import LocalError
from tradebot.testing.hop import ORDER, ORDER_BYTES
from tradebot.testing.offering import Offered
from tradebot.testing.pace import Pace
from tradebot.testing.ports import free_ports
from tradebot.testing.tick_stream import Stream

HOPS: Final = ("venue", "gateway", "engine")
START_S: Final = 30.0
SETTLE_S: Final = 0.2

Times = np.ndarray[Any, np.dtype[np.int64]]


def hop_processes(folder: Path, stream: Stream) -> Times:
    return through_hops(folder, stream, [f"ipc://{folder / name}" for name in HOPS])


def hop_tcp(folder: Path, stream: Stream) -> Times:
    """Without CURVE: what a cipher costs is ours."""
    first = free_ports(len(HOPS))
    return through_hops(folder, stream, [f"tcp://127.0.0.1:{first + at}" for at in range(len(HOPS))])


def through_hops(folder: Path, stream: Stream, names: list[str]) -> Times:
    command = [sys.executable, "-m", "tradebot.testing.hop"]
    out = folder / "times"
    with contextlib.ExitStack() as running:
        for name, to in ((names[0], f"={out}"), (names[1], names[0]), (names[2], names[1])):
            running.enter_context(hop([*command, name, to]))
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        sockets = [context.socket(zmq.PUSH) for _ in range(2)]
        for one, name in zip(sockets, (names[0], names[2]), strict=True):
            one.connect(name)
            one.send(b"?")
        while not all(is_bound(name) for name in names):
            time.sleep(0.01)
        time.sleep(SETTLE_S)
        pace = Pace(stream.every_ns)
        while pace.beats < stream.count:
            for beat in pace.wait():
                if beat < stream.count:
                    message = stream.message(beat, pace.meant_ns(beat))
                    for one in sockets:
                        one.send(b"%c" % stream.has_trade(beat) + message)
        time.sleep(SETTLE_S)
        sockets[0].send(b"")
        until = time.monotonic() + START_S
        while not out.exists() and time.monotonic() < until:
            time.sleep(0.01)
        context.destroy(linger=0)
    return minus_meant(np.fromfile(out, np.int64), stream, pace.first_ns)


def is_bound(name: str) -> bool:
    scheme, _, place = name.partition("://")
    if scheme == "ipc":
        return Path(place).exists()
    host, _, port = place.partition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 1.0):
        return True
    return False


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

        def pass_on(messages: list[bytes]) -> None:
            for one in messages:
                venue.put(one)

        venue = BareHop(take_order)
        gateway = BareHop(pass_on)
        engine = BareHop(take_tick)

        def offer(beat: int, meant_ns: int) -> None:
            message = b"%c" % stream.has_trade(beat) + stream.message(beat, meant_ns)
            venue.put(message)
            engine.put(message)

        offered = Offered(stream, offer)
        await offered.done
        await asyncio.sleep(SETTLE_S)
        return times, offered.pace.first_ns

    times, first_ns = uvloop.run(run())
    return minus_meant(np.array(times, np.int64), stream, first_ns)
