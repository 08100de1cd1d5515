"""A supervisor at work in a loop: it carries out what `Supervisor` says, and tells it what came of that and what time it is.

A child that is a supervisor itself is a tree below this one, in the same loop; one in a process of its own is a process like
any. Nothing here knows what the children do: `begin` makes one of its spec.
"""

import asyncio
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from tradebot.actors.child_spec import FOR_EVER, SHUTDOWN, ChildSpec, SupervisorSpec
from tradebot.actors.running import InLoop, Report, Running, finished
from tradebot.actors.supervisor import NEVER_NS, NS, Answer, Child, Ended, Kill, Ready, Said, Start, Stop, Supervisor
from tradebot.domain.errors import LocalError

Begin = Callable[[ChildSpec, Report], Running]
Told = Callable[[str, ChildSpec, str], None]
"""(what, child, why): "start", "started", "failed", "exited", "stop", "kill"."""

_FAR_NS: Final = NEVER_NS
GONE_S: Final = 0.005  # between two looks whether all are gone


class Tree:
    """`told` hears of everything that happens to a child, for logs, alerts and files."""

    def __init__(self, spec: SupervisorSpec, begin: Begin, told: Told = lambda *_: None, path: str = "") -> None:
        self.path = path
        self.running: dict[int, Running] = {}
        self.below: dict[str, Tree] = {}  # trees in this loop, by the child's id
        self.machine = Supervisor(spec, random.random)
        self._begin, self._told = begin, told
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._calls: dict[int, asyncio.Future[str]] = {}
        self._calls_made = 0
        self._is_killed = False
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.ended: asyncio.Future[str] = self._loop.create_future()

    async def start(self) -> None:
        """Until all children have started. Raises LocalError where one does not; then none is left."""
        self._do(self.machine.begin(time.monotonic_ns()))
        either: list[asyncio.Future[Any]] = [self.ready, self.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self.ended.done():
            raise LocalError(f"expected children that start, found: {self.ended.result()}")

    async def stop(self, reason: str = SHUTDOWN) -> None:
        """End all children, the last first. One that is still starting is not waited for."""
        if not self.ended.done():
            self._do(self.machine.stop(time.monotonic_ns(), reason))
            for child in self.machine.children:
                if child.number in self.running and not child.is_up:
                    self.running[child.number].kill()
        await asyncio.shield(self.ended)  # who stops waiting ends no end

    async def kill_all(self) -> None:
        """End every child by force, start none again, and wait until they are gone."""
        self._is_killed = True
        for running in list(self.running.values()):
            running.kill()
        while self.running:
            await asyncio.sleep(GONE_S)

    # Calls, as OTP has them; each gives the error, empty where it was done

    async def start_child(self, child: ChildSpec) -> str:
        return await self._call(self.machine.start_child, child)

    async def terminate_child(self, name: str) -> str:
        return await self._call(self.machine.terminate_child, name)

    async def restart_child(self, name: str) -> str:
        return await self._call(self.machine.restart_child, name)

    async def delete_child(self, name: str) -> str:
        return await self._call(self.machine.delete_child, name)

    async def _call(self, verb: Callable[[int, Any, int], list[Said]], argument: ChildSpec | str) -> str:
        if self.ended.done():
            return "ended"
        self._calls_made += 1
        answer: asyncio.Future[str] = self._loop.create_future()
        self._calls[self._calls_made] = answer
        self._do(verb(self._calls_made, argument, time.monotonic_ns()))
        return await answer

    def children(self) -> list[Child]:
        return list(self.machine.children)

    def each(self) -> Iterator[tuple["Tree", Child]]:
        """Children, and those of the trees below in this loop, each with its tree."""
        for child in self.machine.children:
            yield self, child
            if (below := self.below.get(child.spec.id)) is not None:
                yield from below.each()

    def process_of(self, child: Child) -> int | None:
        """The process id of a child that has one."""
        running = self.running.get(child.number)
        return running.pid if running is not None else None

    # What the machine says, done

    def _do(self, said: list[Said]) -> None:
        for one in said:
            if isinstance(one, Start):
                if self._is_killed:
                    continue
                self._told("start", one.child, "")
                self.running[one.number] = self._make(one)
            elif isinstance(one, Stop | Kill) and one.number in self.running:
                is_kill = isinstance(one, Kill)
                self._told("kill" if is_kill else "stop", one.child, "")
                running = self.running[one.number]
                (running.kill if is_kill else running.stop)()
            elif isinstance(one, Answer):
                settle(self._calls.pop(one.call), one.error)
            elif isinstance(one, Ready):
                self.ready.set_result(None)
            elif isinstance(one, Ended):
                self._end(one.reason)
        self._set_timer()

    def _make(self, one: Start) -> Running:
        report = _Report(self, one)
        if isinstance(one.child.start, SupervisorSpec):
            below = partial(self._run_below, one.child)
            return InLoop(below, report, one.child.id, FOR_EVER)  # it ends when those below it have, or were given up
        return self._begin(one.child, report)

    async def _run_below(self, child: ChildSpec, started: Callable[[], None], ending: asyncio.Event) -> str | None:
        """A tree in this loop, until it is told to end or ends by itself."""
        tree = self.below[child.id] = Tree(child.start, self._begin, self._told, f"{self.path}{child.id}/")
        try:
            await tree.start()
            started()
            asked = self._loop.create_task(ending.wait())
            either: list[asyncio.Future[Any]] = [asked, tree.ended]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            await tree.stop()
            return tree.ended.result()
        except asyncio.CancelledError:
            await finished(tree.kill_all())
            raise
        finally:
            self.below.pop(child.id, None)

    def _end(self, reason: str) -> None:
        for answer in self._calls.values():
            settle(answer, "ended")
        self._calls.clear()
        self.ended.set_result(reason)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = self.machine.next_due_ns
        if due_ns != _FAR_NS and not self.ended.done():
            self._timer = self._loop.call_later(max(0.0, (due_ns - time.monotonic_ns()) / NS), self._wake)

    def _wake(self) -> None:
        self._do(self.machine.wake(time.monotonic_ns()))

    def hear(self, what: str, one: Start, why: str) -> None:
        """Of a start: it `started`, `failed` or `exited`."""
        self._told(what, one.child, why)
        now_ns = time.monotonic_ns()
        if what == "started":
            self._do(self.machine.started(one.number, now_ns))
            return
        self.running.pop(one.number, None)
        if what == "failed":
            self._do(self.machine.failed(one.number, why, now_ns))
        else:
            self._do(self.machine.exited(one.number, why, now_ns))


def settle(answer: "asyncio.Future[str]", error: str) -> None:
    """Who asked may have stopped waiting."""
    if not answer.done():
        answer.set_result(error)


class _Report:
    """Who is told of one start."""

    def __init__(self, tree: Tree, one: Start) -> None:
        self.tree, self.one = tree, one

    def started(self) -> None:
        self.tree.hear("started", self.one, "")

    def failed(self, why: str) -> None:
        self.tree.hear("failed", self.one, why)

    def exited(self, reason: str) -> None:
        self.tree.hear("exited", self.one, reason)
