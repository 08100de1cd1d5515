"""The other side of `bench actors`: processes that answer, flood and fork, through our mailboxes and with bare sockets.

`python -m tradebot.testing.actor_peers ROLE FOLDER [CORE]`. Each answers with its process id, so that one that asks sees who did.
"""

import asyncio
import contextlib
import gc
import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import uvloop
import zmq
from msgspec import Struct
from zmq.backend import Socket as Plain

from tradebot.actors.actor import Actor
from tradebot.actors.bus import Bus, address
from tradebot.actors.mailbox import HIGH_WATER, Desk, Posts
from tradebot.actors.running import say_ready
from tradebot.domain.market import Records
from tradebot.testing.stage import Stage

WARM: Final = ["tradebot.testing.actor_peers", "tradebot.node.part_main", "tradebot.node.parts"]
NOBLOCK: Final = int(zmq.NOBLOCK)
EVENTS: Final = int(zmq.EVENTS)
POLLIN: Final = int(zmq.POLLIN)
BODY: Final = b"x" * 100
DESK, RAW_DESK, INBOX, RAW_INBOX, ECHO = "desk", "raw.desk", "inbox", "raw.inbox", "echo"
READY: Final = 1_024  # messages that are made before they are sent
FULL_S: Final = 0.0002  # before a sender tries again


def has_more(socket: "zmq.Socket[bytes]") -> bool:
    """Whether a message waits at a bare socket."""
    return bool(int(Plain.get(socket, EVENTS)) & POLLIN)


def answer(folder: Path, began: Callable[[], None] = lambda: None) -> None:
    """A desk as any actor has it."""

    async def run() -> None:
        said = str(os.getpid()).encode()
        desk = Desk(zmq.Context(), folder, DESK, lambda _: said)
        began()
        await asyncio.Event().wait()
        desk.close()

    uvloop.run(run())


class Said(Struct, frozen=True, tag=1):
    body: bytes


class Echo(Actor):
    """An actor as a user writes it, that gives back what it is asked."""

    messages = Said

    def answer(self, question: Said, sender: str) -> Said:
        return question


def echo(folder: Path) -> None:
    async def run() -> None:
        async with Stage(folder) as stage:
            await stage.play(ECHO, Echo())
            await stage.tasks[ECHO]

    uvloop.run(run())


def answer_main(words: list[str]) -> int:
    """What a zygote forks: FOLDER --life-line N --ready N."""
    answer(Path(words[0]), lambda: say_ready(int(words[words.index("--ready") + 1])))
    return 0


def answer_raw(folder: Path) -> None:
    """A drained socket, and nothing around it."""

    async def run() -> None:
        socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.DEALER)
        socket.bind(address(folder, RAW_DESK))
        said = str(os.getpid()).encode()
        loop, receive, send = asyncio.get_running_loop(), Plain.recv, Plain.send

        def drain() -> None:
            while has_more(socket):
                receive(socket, NOBLOCK)
                with contextlib.suppress(zmq.Again):  # who asked is gone
                    send(socket, said, NOBLOCK)

        loop.add_reader(socket.fileno(), drain)
        loop.call_soon(drain)
        await asyncio.Event().wait()

    uvloop.run(run())


def fork_again(folder: Path) -> None:
    """The bare fork of a process as warm as a zygote: what dies is forked anew at once."""
    for module in WARM:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    while True:
        pid = os.fork()
        if not pid:
            try:
                answer_raw(folder)
            finally:
                os._exit(1)
        os.waitpid(pid, 0)


def flood(folder: Path, count: int) -> None:
    """Messages into an inbox, each encoded for itself."""
    posts = Posts(Bus(folder), "flood", time.time_ns())
    ready = [Records(1, number, BODY) for number in range(READY)]
    for number in range(count):
        while not posts.send(INBOX, ready[number % READY]):
            time.sleep(FULL_S)
    posts.close()
    time.sleep(30.0)  # what is on its way goes with the context


def flood_raw(folder: Path, count: int) -> None:
    """As many bytes, ready, through a socket that waits by itself where it is full."""
    socket: zmq.Socket[bytes] = zmq.Context().socket(zmq.PUSH)
    socket.setsockopt(zmq.SNDHWM, HIGH_WATER)
    socket.connect(address(folder, RAW_INBOX))
    send, body = Plain.send, BODY + b"x" * 10
    for _ in range(count):
        send(socket, body)
    time.sleep(30.0)


def main(words: list[str]) -> None:
    role, folder = words[0], Path(words[1])
    if role in ("flood", "flood_raw"):
        os.sched_setaffinity(0, {int(words[2])})
        {"flood": flood, "flood_raw": flood_raw}[role](folder, int(words[3]))
        return
    {"answer": answer, "answer_raw": answer_raw, "fork_again": fork_again, "echo": echo}[role](folder)


if __name__ == "__main__":
    main(sys.argv[1:])
