"""A process around one behaviour: its mailbox, its desk, the clock, and an end that is asked for or forced.

It ends when it is told to (SIGTERM), and when the process that started it is gone: the life line is a pipe of which that
process holds the other end, so that killing the root fells the whole node, and nobody trades on without a keeper.
"""

import asyncio
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Protocol

import zmq

from tradebot.actors.clock import Clock
from tradebot.actors.mailbox import Desk, Inbox, Posts
from tradebot.actors.running import say_ready
from tradebot.domain.codec import Message

TICK_S: Final = 0.02  # the longest that passes before a behaviour is told the time

Addressed = tuple[str, Message]


class Part(Protocol):
    """A behaviour as a process runs it. What it gives back is put into the mailboxes that it names."""

    def open(self, now_ns: int) -> Iterable[Addressed]: ...

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]: ...

    def on_clock(self, now_ns: int) -> Iterable[Addressed]: ...

    def ask(self, body: bytes, now_ns: int) -> tuple[bytes, Iterable[Addressed]]: ...

    def refused(self, name: str, message: Message) -> None:
        """A mailbox was full."""

    def close(self) -> None: ...


class Process:
    """Runs a part until it is told to end."""

    def __init__(
        self, part: Part, name: str, folder: Path, life_line: int | None, clock: Clock, ready: int | None = None
    ) -> None:
        self.part, self.name, self.folder, self.life_line, self.ready = part, name, folder, life_line, ready
        self.clock = clock

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        failure: list[BaseException] = []

        def end(error: BaseException | None = None) -> None:
            if error is not None:
                failure.append(error)
            ended.set()

        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        posts = Posts(context, self.folder)
        loop.set_exception_handler(lambda _, found: end(found.get("exception") or RuntimeError(str(found["message"]))))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, end)
        if self.life_line is not None:
            loop.add_reader(self.life_line, end)  # nothing is ever written into it: it is readable when its other end is gone

        def post(found: Iterable[Addressed]) -> None:
            for name, message in found:
                if not posts.send(name, message):
                    self.part.refused(name, message)

        def answer(body: bytes) -> bytes:
            said, found = self.part.ask(body, self.clock.now())
            post(found)
            return said

        post(self.part.open(self.clock.now()))
        inbox = Inbox(context, self.folder, self.name, lambda found: post(self.part.take(found, self.clock.now())))
        desk = Desk(context, self.folder, f"{self.name}.desk", answer)
        say_ready(self.ready)
        try:
            while not ended.is_set():
                post(self.part.on_clock(self.clock.now()))
                await _wait(ended, TICK_S)
        finally:
            inbox.close()
            desk.close()
            posts.close()
            context.destroy(linger=100)  # removes the sockets' files: while we hold the journal, so that no other has bound
            self.part.close()
        if failure:
            raise failure[0]


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return


def run_process(
    make: Callable[[], Part], name: str, folder: Path, life_line: int | None, offset_ns: int | None, ready: int | None = None
) -> None:
    """Make a part and run it on uvloop, to its end; `offset_ns` is that of its root's clock, `ready` the line on which it says
    that it has started.
    """
    clock = Clock(offset_ns)
    try:
        import uvloop
    except ImportError:
        asyncio.run(Process(make(), name, folder, life_line, clock, ready).run())
    else:
        uvloop.run(Process(make(), name, folder, life_line, clock, ready).run())
