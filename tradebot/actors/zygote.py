"""The zygote as its supervisor has it: asked for forks, watched, and made anew when it is gone.

What it forks is the supervisor's child and not its own. Killing it fells nobody, and counts for nobody: the next fork that is
asked for makes another, and what was asked of the one that died is asked again. One that hangs over a fork is killed.
"""

import asyncio
import contextlib
import itertools
import os
import signal
import socket
from typing import IO, Final

import msgspec

from tradebot.actors.naming import ROOM
from tradebot.actors.offspring import Offspring, end_group, spawn
from tradebot.actors.zygote_words import BYTES_MAX, WARM, Failed, Fork, Told
from tradebot.domain.errors import LocalError

TRIES: Final = 3
WARM_S: Final = 30.0
FORK_S: Final = 3.0
CLOSE_S: Final = 2.0
LOOK_S: Final = 0.001

_told: Final = msgspec.msgpack.Decoder(Told)


class Zygote:
    """`modules` are loaded before the first fork. Forks are made one after the other."""

    def __init__(self, modules: list[str], log: IO[bytes]) -> None:
        self.modules, self.log = modules, log
        self.process: Offspring | None = None
        self.starts = 0
        self._line: socket.socket | None = None
        self._numbers = itertools.count(WARM + 1)
        self._answers: dict[int, asyncio.Future[Offspring | None]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._is_closed = False

    async def warm(self) -> None:
        """Have a zygote that can fork. Raises LocalError where none comes to be."""
        async with self._one_at_a_time:
            await self._make_sure()

    async def fork(self, target: str, words: list[str], life_line: int, ready: int) -> Offspring:
        """A child that is `target`. Raises LocalError."""
        async with self._one_at_a_time:
            for _ in range(TRIES):
                await self._make_sure()
                request = Fork(next(self._numbers), target, words)
                with contextlib.suppress(OSError, ConnectionError, TimeoutError):  # it died or hangs: the next one is asked
                    assert self._line is not None
                    socket.send_fds(self._line, [msgspec.msgpack.encode(request)], [self.log.fileno(), life_line, ready])
                    found = await asyncio.wait_for(self._answer(request.number), FORK_S)
                    assert found is not None
                    return found
                await self._see_end()
        raise LocalError(f"expected a zygote that forks, found that {TRIES} of them died over it: see {self.log.name}")

    async def _make_sure(self) -> None:
        """One that dies while it warms up is made anew. Raises LocalError."""
        for _ in range(TRIES):
            if self._line is not None:
                return
            with contextlib.suppress(ConnectionError):
                await self._make()
        if self._line is None:
            raise LocalError(f"expected a zygote, found that {TRIES} of them died while they warmed up: see {self.log.name}")

    async def _make(self) -> None:
        """Raises ConnectionError where it dies, LocalError where it does not get warm in time, or is not to be any more."""
        if self._is_closed:
            raise LocalError("expected a zygote, found that its tree has ended")
        await self._bury()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            words = [str(theirs.fileno()), str(os.getpid()), *self.modules, ROOM]
            self.process = spawn(["-m", "tradebot.actors.zygote_main", *words], self.log, [theirs.fileno()])
        self._line = ours
        self.starts += 1
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear)
        try:
            await asyncio.wait_for(self._answer(WARM), WARM_S)
        except TimeoutError as error:
            await self._see_end()
            raise LocalError(f"expected a zygote within {WARM_S:g} s, found none: see {self.log.name}") from error

    def _answer(self, number: int) -> "asyncio.Future[Offspring | None]":
        """What is said of that number. Awaiting it raises ConnectionError where the zygote dies before."""
        waits = self._answers[number] = asyncio.get_running_loop().create_future()
        return waits

    def _hear(self) -> None:
        """What it says and, behind it, that it is gone."""
        while self._line is not None:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._line, BYTES_MAX, 1)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if data:
                self._take(_told.decode(data), descriptors)
            else:
                self._lose()

    def _take(self, told: Told, descriptors: list[int]) -> None:
        answer = self._answers.pop(told.number)
        child = None if isinstance(told, Failed) or not descriptors else Offspring(told.pid, descriptors[0])
        if answer.done():  # nobody waits for it any more
            if child is not None:
                child.send_signal(signal.SIGKILL)
        elif isinstance(told, Failed):
            answer.set_exception(LocalError(f"expected a fork, found: {told.why}"))
        else:
            answer.set_result(child)

    async def _see_end(self) -> None:
        """Of one that hangs: what it and a child of it have still to say is heard before another is asked."""
        self._kill()
        until = asyncio.get_running_loop().time() + FORK_S
        while self._line is not None and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_S)
        if self._line is not None:  # a child of it stands still: it ends where it finds that nobody hears it
            self._line.shutdown(socket.SHUT_RDWR)
            self._hear()

    def _kill(self) -> None:
        """With what it forks and has not yet left its group."""
        if self.process is not None and self.process.is_alive:
            os.killpg(self.process.pid, signal.SIGKILL)

    def _lose(self) -> None:
        """It is gone: what was asked of it is asked of another."""
        assert self._line is not None
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        self._line.close()
        self._line = None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the zygote is gone"))
        self._answers.clear()

    async def _bury(self) -> None:
        """Wait for the end of one that is gone, and of forks of it that nobody was told of."""
        if self.process is None:
            return
        self._kill()
        await self.process.exited
        while end_group(self.process.pid):
            await asyncio.sleep(LOOK_S)

    async def close(self) -> None:
        """It ends once our end of its line is."""
        self._is_closed = True
        if self._line is not None and self.process is not None:
            self._line.shutdown(socket.SHUT_WR)
            await asyncio.wait([self.process.exited], timeout=CLOSE_S)
            await self._see_end()
        await self._bury()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.is_alive else None
