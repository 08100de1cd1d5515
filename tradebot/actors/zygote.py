"""The zygote as its supervisor has it: asked for forks, watched, and made anew when it is gone.

It is no child of the tree. Killing it fells nobody, and counts for nobody: the next fork that is asked for makes another, and
what was asked of the one that died is asked again. One that hangs, and neither forks nor tells of a child's end, is killed.
"""

import asyncio
import contextlib
import signal
import socket
from collections import deque
from typing import IO, Final

import msgspec

from tradebot.actors.naming import ROOM
from tradebot.actors.offspring import Offspring, spawn
from tradebot.actors.zygote_words import BYTES_MAX, Exited, Failed, Fork, Told
from tradebot.domain.errors import LocalError

TRIES: Final = 3
WARM_S: Final = 30.0
FORK_S: Final = 3.0
LOOK_S: Final = 0.001
TELL_S: Final = 1.0  # from a child's end until its code is told

_told: Final = msgspec.msgpack.Decoder(Told)


class Zygote:
    """`modules` are loaded before the first fork. Forks are made one after the other."""

    def __init__(self, modules: list[str], log: IO[bytes]) -> None:
        self.modules, self.log = modules, log
        self.process: Offspring | None = None
        self.starts = 0
        self._line: socket.socket | None = None
        self._answers: deque[asyncio.Future[Offspring | None]] = deque()
        self._children: dict[int, Offspring] = {}
        self._one_at_a_time = asyncio.Lock()
        self._is_closed = False

    async def warm(self) -> None:
        """Have a zygote that can fork. Raises LocalError where none comes to be."""
        async with self._one_at_a_time:
            await self._make_sure()

    async def fork(self, target: str, words: list[str], life_line: int, ready: int) -> Offspring:
        """A child that is `target`. Raises LocalError."""
        body = msgspec.msgpack.encode(Fork(target, words))
        async with self._one_at_a_time:
            for _ in range(TRIES):
                await self._make_sure()
                with contextlib.suppress(OSError, ConnectionError, TimeoutError):  # it died or hangs: the next one is asked
                    assert self._line is not None
                    socket.send_fds(self._line, [body], [self.log.fileno(), life_line, ready])
                    found = await asyncio.wait_for(self._answer(), FORK_S)
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
        """Raises ConnectionError where it dies, LocalError where it does not get warm in time."""
        assert not self._is_closed
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            words = ["-m", "tradebot.actors.zygote_main", str(theirs.fileno()), *self.modules, ROOM]
            self.process = spawn(words, self.log, [theirs.fileno()])
        self._line = ours
        self.starts += 1
        asyncio.get_running_loop().add_reader(ours.fileno(), self._hear)
        try:
            await asyncio.wait_for(self._answer(), WARM_S)
        except TimeoutError as error:
            self._kill_hung()
            self._lose()
            raise LocalError(f"expected a zygote within {WARM_S:g} s, found none: see {self.log.name}") from error

    def _answer(self) -> "asyncio.Future[Offspring | None]":
        """The next answer that is not about an end. Awaiting it raises ConnectionError where the zygote dies before it."""
        waits: asyncio.Future[Offspring | None] = asyncio.get_running_loop().create_future()
        self._answers.append(waits)
        return waits

    def _hear(self) -> None:
        assert self._line is not None
        while self._line is not None:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._line, BYTES_MAX, 1)
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._lose()
                return
            self._take(_told.decode(data), descriptors)

    def _take(self, told: Told, descriptors: list[int]) -> None:
        if isinstance(told, Exited):
            child = self._children.pop(told.pid, None)
            if child is not None:
                child.tell(told.code)
            return
        answer = self._answers.popleft()
        if answer.done() and not descriptors:
            return
        if isinstance(told, Failed):
            answer.set_exception(LocalError(f"expected a fork, found: {told.why}"))
        elif descriptors:
            children = self._children
            child = children[told.pid] = Offspring(told.pid, descriptors[0], lambda: self._is_to_tell(told.pid, children))
            if answer.done():  # nobody waits for it any more
                child.send_signal(signal.SIGKILL)
            else:
                answer.set_result(child)
        else:
            answer.set_result(None)

    def _is_to_tell(self, pid: int, children: dict[int, Offspring]) -> bool:
        """Of a child that has ended: whether its code is still to come from the zygote, which is not waited for too long."""
        if pid not in children:
            return False
        asyncio.get_running_loop().call_later(TELL_S, self._look_told, pid, children)
        return True

    def _look_told(self, pid: int, children: dict[int, Offspring]) -> None:
        if pid in children and children is self._children:
            self._kill_hung()

    def _kill_hung(self) -> None:
        """Its line ends with it, behind what it has said before."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)

    async def _see_end(self) -> None:
        """Of one that did not fork: what it has said is heard before another is asked, so that no child of it is overlooked."""
        self._kill_hung()
        while self._line is not None:
            await asyncio.sleep(LOOK_S)

    def _lose(self) -> None:
        """It is gone: its children are ours from now on, and what was asked of it is asked of another."""
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._line.close()
        self._line = None
        self._leave()
        while self._answers:
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_exception(ConnectionError("the zygote is gone"))

    def _leave(self) -> None:
        """Its children become ours when it has ended whole, which is after its line has."""
        assert self.process is not None
        orphans, self._children = self._children, {}

        def settle(_: object) -> None:
            found = list(orphans.values())
            orphans.clear()
            for child in found:
                child.look_again()

        self.process.exited.add_done_callback(settle)

    async def close(self) -> None:
        """It ends once its line is closed."""
        self._is_closed = True
        if self._line is not None:
            asyncio.get_running_loop().remove_reader(self._line.fileno())
            self._line.close()
            self._line = None
            self._leave()
        if self.process is not None:
            try:
                await asyncio.wait_for(asyncio.shield(self.process.exited), 2.0)
            except TimeoutError:
                self.process.send_signal(9)
                await self.process.exited

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None and self.process.is_alive else None

