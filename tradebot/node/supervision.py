"""The tree of a node as it runs: which parts it has, where each runs, how each is started, and when it is too much.

Parts are forked from a warm zygote, so that one that was killed is back within milliseconds; the store starts fresh, because its
engine has threads and cannot be forked. Beyond what a supervisor counts, a part that ends by itself time after time ends the
node: with growing waits between, it would never reach any intensity. A SIGKILL comes from outside and says nothing of a part.
"""

import asyncio
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import IO, Any, Final, Literal

import msgspec
from msgspec import Struct

from tradebot.actors.child_spec import FOR_EVER, KILLED, Backoff, ChildSpec, SupervisorSpec
from tradebot.actors.life_line import LifeLine
from tradebot.actors.offspring import Offspring, adopt_orphans, spawn
from tradebot.actors.running import InProcess, Report, Running
from tradebot.actors.supervisor import Child
from tradebot.actors.tree import Tree
from tradebot.actors.zygote import Zygote
from tradebot.node.node_schema import Supervisor
from tradebot.node.session_files import ACTORS, API, ENGINE, STORE
from tradebot.node.tree_shape import ENDS_MAX, MAIN, STOP_S, TRADING, root_spec, who_gave_up

WARM: Final = ["tradebot.node.part_main", "tradebot.node.parts", "uvloop"]
START_S: Final = 60.0
ENGINE_START_S: Final = 3_600.0  # it steps its journal again before it has started; one that hangs is seen by its silence
STEADY_S: Final = 10.0
KILLS_MAX: Final = 20  # of one part while the tree starts
AT_WORK: Final = ("", "ended", "running", "restarting", "already started", "already present", "not found")
"""What a tree answers where a part was started, by whomever, or is not to be any more."""
WORDS_S: Final = 0.1  # that a process has to say where it hangs
USUAL: Final = Supervisor()
BESIDE: Final = frozenset({API, ACTORS})
"""What ends no node, however often it ends itself or cannot be started: trading does not notice."""

BESIDE_SPEC: Final = SupervisorSpec(intensity=FOR_EVER, period_s=1.0, backoff=Backoff(max_s=30.0, row_max=FOR_EVER))
TRY_AGAIN_S: Final = 5.0

Words = Callable[[str], list[str]]
"""The words of a part's start, made anew for each."""


class PartStart(Struct, frozen=True):
    """How a part comes to be."""

    place: Literal["fork", "spawn"]


class Supervision:
    """The parts of a node in this loop. `words` makes the command line of a part's start; `died` hears of every death that nobody
    wished for, with its reason; `heard` of all that becomes of a part; `changed` is called after each start and each death.
    """

    def __init__(
        self,
        names: Sequence[str],
        log: IO[bytes],
        words: Words,
        died: Callable[[str, str], None],
        changed: Callable[[], None] = lambda: None,
        heard: Callable[[str, str, str], None] = lambda *_: None,
        supervisor: Supervisor = USUAL,
    ) -> None:
        adopt_orphans()
        self.names = list(names)
        self.log, self.words, self.died, self.changed = log, words, died, changed
        self.heard = heard
        self.zygote = Zygote(WARM, log)
        self.life_line = LifeLine()
        self.tree = Tree(root_spec(supervisor), self.begin, self.told)
        self.beside = Tree(BESIDE_SPEC, self.begin, self.told)  # what becomes of these ends no node
        self.tries: dict[str, asyncio.Task[None]] = {}  # to start one of them
        self.shutdowns: dict[str, float] = {}  # of those that may take longer to end than others
        self.last_reasons: dict[str, str] = {}
        self.ends: dict[str, int] = {}
        self.recycled: set[str] = set()  # who is told to end, to be started again
        self.recycling: dict[str, asyncio.Task[None]] = {}  # which has yet to begin the part anew
        self.one_change: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)  # of a part at a time
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tree.ended.add_done_callback(self._ended)

    async def start(self) -> None:
        """Start the parts in order. One that is killed from outside meanwhile is started again; of what fails by itself `failed`
        tells.
        """
        await self.tree.start()
        await self.beside.start()
        for name in self.names:
            if name in BESIDE:
                await self.start_beside(name)
                continue
            error = await self.start_part(name)
            if error and not self.failed.done():
                self.fail(f"{name} could not be started: {error}")
            if error:
                return

    def tree_of(self, name: str) -> Tree:
        return self.beside if name in BESIDE else self.tree

    async def start_beside(self, name: str) -> None:
        """It is tried now, and again and again where it does not come about."""
        if await self.start_part(name) not in AT_WORK:
            self.tries[name] = asyncio.get_running_loop().create_task(self.try_again(name))

    async def try_again(self, name: str) -> None:
        while True:
            await asyncio.sleep(TRY_AGAIN_S)
            if name not in self.names or await self.start_part(name) in AT_WORK:
                return

    async def add(self, name: str) -> None:
        """Start one more part, of those beside."""
        async with self.one_change[name]:
            if name not in self.names:
                self.names.append(name)
            await self.start_beside(name)

    async def remove(self, name: str) -> None:
        """End a part for good."""
        async with self.one_change[name]:
            self.names.remove(name)
            self.recycled.add(name)
            if name in self.tries:
                self.tries.pop(name).cancel()
            await self.tree_of(name).terminate_child(name)
            self.recycled.discard(name)
            await self.tree_of(name).delete_child(name)
            self.changed()

    def allow(self, name: str, shutdown_s: float) -> None:
        """How long a part may take to end, from now on."""
        self.shutdowns[name] = shutdown_s
        child = self.tree_of(name).machine.find(name)
        if child is not None:
            child.spec = msgspec.structs.replace(child.spec, shutdown_s=shutdown_s)

    async def start_part(self, name: str) -> str:
        place: Literal["fork", "spawn"] = "spawn" if name == STORE else "fork"
        child = ChildSpec(id=name, start=PartStart(place), shutdown_s=self.shutdowns.get(name, STOP_S))
        for _ in range(KILLS_MAX):
            error = await self.tree_of(name).start_child(child)
            if error != KILLED:
                break
        return error

    def hurry(self) -> None:
        """Nobody waits any longer for parts to end by themselves."""
        for running in [*self.beside.running.values(), *self.tree.running.values()]:
            running.kill()

    async def end(self) -> None:
        """End every part, the last started first; what does not end in time is killed."""
        for task in self.tries.values():
            task.cancel()
        await self.beside.stop()
        await self.tree.stop()
        await self.zygote.close()
        self.life_line.close()

    def begin(self, child: ChildSpec, report: Report) -> Running:
        async def make(ready: int) -> Offspring:
            words = self.words(child.id)
            if child.start.place == "fork":
                return await self.zygote.fork(f"{MAIN}:main", words, self.life_line.watched, ready)
            own = ["--life-line", str(self.life_line.watched), "--ready", str(ready), "--parent", str(os.getpid())]
            return spawn(["-m", MAIN, *words, *own], self.log, [self.life_line.watched, ready])

        limit_s = ENGINE_START_S if child.id in (ENGINE, TRADING) else START_S
        return InProcess(make, report, limit_s)

    def told(self, what: str, child: ChildSpec, why: str) -> None:
        if what in ("exited", "failed") and self.tree_of(child.id).machine.reason is None and child.id not in self.recycled:
            self.last_reasons[child.id] = why
            self.count(child.id, why)
            self.died(child.id, why)
        self.heard(what, child.id, why)
        if what in ("start", "started", "exited", "failed"):
            asyncio.get_running_loop().call_soon(self.changed)  # when the tree has taken it in

    def count(self, name: str, why: str) -> None:
        """How many times in a row a part has ended by itself, soon after its start. Clients that reach nothing end no node."""
        if name == TRADING and (worn := who_gave_up(why)) is not None:
            self.fail(f"{worn} ended {ENDS_MAX} times in a row" if worn else self.too_many)
        is_own = why != KILLED and self.age_s(name) < STEADY_S
        self.ends[name] = self.ends.get(name, 0) + 1 if is_own else 0
        if self.ends[name] >= ENDS_MAX and name not in BESIDE:
            self.fail(f"{name} ended {ENDS_MAX} times in a row")

    def fail(self, why: str) -> None:
        if not self.failed.done():
            self.failed.set_result(why)

    def _ended(self, _: object) -> None:
        self.fail(self.too_many)

    @property
    def too_many(self) -> str:
        spec = self.tree.machine.spec
        return f"its parts died more than {spec.intensity} times within {spec.period_s:g} s"

    def keep_by(self, supervisor: Supervisor) -> None:
        """From now on."""
        self.tree.machine.spec = root_spec(supervisor)

    async def recycle(self, name: str) -> None:
        """End a part as at a stop, and start it again; that is nobody's failure and counts for none. One at a time: who asks
        before the part begins anew shares that start, who asks later has one of his own, which knows what was written until then.
        """
        task = self.recycling.get(name)
        if task is None:
            task = self.recycling[name] = asyncio.get_running_loop().create_task(self.recycle_alone(name))
        await asyncio.shield(task)

    async def recycle_alone(self, name: str) -> None:
        async with self.one_change[name]:
            self.recycled.add(name)
            try:
                error = await self.tree_of(name).terminate_child(name)
            finally:
                self.recycled.discard(name)
                del self.recycling[name]
            if error:
                return  # the tree has ended, or the part was taken away
            for _ in range(KILLS_MAX):
                error = await self.tree_of(name).restart_child(name)
                if error != KILLED:
                    break
            if error in AT_WORK:
                return
            if name in BESIDE:
                await self.beside.delete_child(name)
                await self.start_beside(name)
            else:
                self.fail(f"{name} could not be started again: {error}")

    def age_s(self, name: str) -> float:
        """Seconds since its start."""
        found = self.part(name)
        return (time.monotonic_ns() - found.began_ns) / 1e9 if found else 0.0

    async def kill(self, name: str) -> None:
        """Kill a part that hangs, after it had a moment to say where; it is started again as any that died."""
        found = self.part(name)
        running = self.tree_of(name).running.get(found.number) if found else None
        if isinstance(running, InProcess):
            running.ask_where()
            await asyncio.sleep(WORDS_S)
            running.kill()

    def part(self, name: str) -> Child | None:
        return self.tree_of(name).machine.find(name)

    def children(self) -> list[tuple[Child, int | None]]:
        """Each with the id of its process."""
        return [(child, tree.process_of(child)) for tree in (self.tree, self.beside) for child in tree.children()]

    def pids(self) -> dict[str, int]:
        """Process ids of what runs now."""
        return {child.spec.id: pid for child, pid in self.children() if pid is not None}

    def figures(self) -> dict[str, dict[str, Any]]:
        """By part: process id, state, starts, and the reason of its last end."""
        pids = self.pids()
        waiting = {"pid": None, "state": "restarting", "starts": 0, "last_exit": None}
        tried = {name: {**waiting, "last_exit": self.last_reasons.get(name)} for name in self.tries if name in self.names}
        return tried | {
            one.spec.id: {
                "pid": pids.get(one.spec.id), "state": one.state, "starts": one.starts,
                "last_exit": self.last_reasons.get(one.spec.id),
            }
            for one, _ in self.children()
        }  # fmt: skip


