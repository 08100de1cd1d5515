"""Messages one by one through zmq.asyncio, as the usual program has it: the peer of our `Inbox` in `actor_peers.py`.

The receiving side is always the same: a PULL socket of zmq.asyncio on uvloop, `await socket.recv()`, one message decoded, and
again. Of the sender there are two: `plain` encodes each message and hands it to a blocking socket by pyzmq's inner call, the
fastest that Python can do, so that the receiver is what is measured; `asyncio` awaits each send on a socket of zmq.asyncio.
Messages, codec, high water and the ipc socket are those of `bench actors`; only letters and their numbers are ours alone.

Run by actor_peers: python -m benchmarks.zmq_asyncio SENDER FOLDER CORE COUNT
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import uvloop
import zmq
import zmq.asyncio
from zmq.backend import Socket as Plain

from tradebot.actors.bus import address
from tradebot.actors.mailbox import HIGH_WATER
from tradebot.domain.codec import message_from_bytes, to_bytes
from tradebot.domain.market import Records
from tradebot.testing.actor_peers import BODY, RAW_INBOX, READY

ROOT: Final = Path(__file__).parents[1]
ARRIVAL_S: Final = 120.0
LINGER_S: Final = 30.0  # what is on its way goes with the context; the receiver kills the sender


async def flood(folder: Path, core: int, sender: str, count: int) -> list[int]:
    """Nanoseconds a message, from the first to the last that a receiver of zmq.asyncio has decoded."""
    context = zmq.asyncio.Context()
    socket = context.socket(zmq.PULL)
    socket.setsockopt(zmq.RCVHWM, HIGH_WATER)
    socket.bind(address(folder, RAW_INBOX))
    try:
        with sending(sender, folder, core, count):
            return [await asyncio.wait_for(take_all(socket, count), ARRIVAL_S)]
    finally:
        context.destroy(linger=0)


async def take_all(socket: zmq.asyncio.Socket, count: int) -> int:
    message = message_from_bytes(await socket.recv())
    began_ns = time.perf_counter_ns()
    for _ in range(1, count):
        message = message_from_bytes(await socket.recv())
    ended_ns = time.perf_counter_ns()
    assert isinstance(message, Records) and message.sequence == (count - 1) % READY
    return (ended_ns - began_ns) // count


@contextlib.contextmanager
def sending(*words: object) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", __spec__.name, *map(str, words)], cwd=ROOT)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def send_plain(folder: Path, count: int) -> None:
    socket = connect(zmq.Context(), folder)
    send, ready = Plain.send, make_messages()
    for number in range(count):
        send(socket, to_bytes(ready[number % READY]))
    time.sleep(LINGER_S)


def send_asyncio(folder: Path, count: int) -> None:
    async def run() -> None:
        socket = connect(zmq.asyncio.Context(), folder)
        ready = make_messages()
        for number in range(count):
            await socket.send(to_bytes(ready[number % READY]))
        await asyncio.sleep(LINGER_S)

    uvloop.run(run())


def connect(context: Any, folder: Path) -> Any:
    socket = context.socket(zmq.PUSH)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.connect(address(folder, RAW_INBOX))
    return socket


def make_messages() -> list[Records]:
    return [Records(1, number, BODY) for number in range(READY)]


def main(words: list[str]) -> None:
    sender, folder, core, count = words
    os.sched_setaffinity(0, {int(core)})
    {"plain": send_plain, "asyncio": send_asyncio}[sender](Path(folder), int(count))


if __name__ == "__main__":
    main(sys.argv[1:])
