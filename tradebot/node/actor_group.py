"""The process of a user's actors: their supervisor, those that live in its loop, and the parent of those in other processes.

The tree is the configuration's `node.actors`, with supervisors below the first where it has some. It is changed while it runs:
what was added is started, what was taken away ends, what differs, in its words or its code, ends and starts again; the others
stay as they are. Other supervisors are another process. Those in processes of their own are
asked now and then, and killed when they are silent for a lease, as the root does with this one.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Collection, Coroutine
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.child_spec import ChildSpec, Restart, Strategy, SupervisorSpec
from tradebot.actors.inquiry import Inquiry
from tradebot.actors.life_line import LifeLine
from tradebot.actors.offspring import Offspring, spawn
from tradebot.actors.process import PROCESS, Group
from tradebot.actors.running import InProcess
from tradebot.actors.tree import Tree
from tradebot.domain.errors import LocalError
from tradebot.domain.words import error_text
from tradebot.node.actor_code import mark_of
from tradebot.node.api_view import ask_desk
from tradebot.node.config import config_from_dict
from tradebot.node.node_schema import ActorRules, Actors, ActorUse
from tradebot.node.part import Unreadable, read_question
from tradebot.node.processes import memory_of
from tradebot.node.session_files import read_prepared
from tradebot.node.tree_shape import ANSWERS, GONE, MAIN, SILENT, waits_of

NICE: Final = 10
WATCH_S: Final = 1.0
WORDS_S: Final = 0.1  # that one that hangs has to say where
ASK_S: Final = 2.0
LOAD_S: Final = 5.0  # that a fresh process has to load its code


def actors_of(folder: Path) -> Actors:
    """Of the run as it is configured now. Raises LocalError where it has none."""
    found = config_from_dict(read_prepared(folder).config).node.actors
    if found is None:
        raise LocalError("expected actors in the configuration, found none")
    return found


def supervisor_of(actors: Actors, without: Collection[str] = ()) -> SupervisorSpec:
    """Of all of them but some. A supervisor below it stands where the first of its own does."""
    below = {rules.name: rules for rules in actors.supervisor}
    children: dict[str, ChildSpec] = {}
    for use in actors.actor:
        if not use.supervisor and use.name not in without:
            children[use.name] = child_of(use)
        elif use.supervisor and use.supervisor not in children:
            rules = below[use.supervisor]
            own = [one for one in actors.actor if one.supervisor == rules.name and one.name not in without]
            spec = spec_of(rules, own)
            children[rules.name] = ChildSpec(id=rules.name, start=spec, restart=Restart(rules.restart))
    return msgspec.structs.replace(spec_of(actors, []), children=tuple(children.values()))


def spec_of(rules: ActorRules, uses: list[ActorUse]) -> SupervisorSpec:
    return SupervisorSpec(
        strategy=Strategy(rules.strategy), intensity=rules.intensity, period_s=rules.period_s, backoff=waits_of(rules),
        children=tuple(map(child_of, uses)),
    )  # fmt: skip


def child_of(use: ActorUse) -> ChildSpec:
    return ChildSpec(id=use.name, start=use.place, restart=Restart(use.restart), shutdown_s=use.shutdown_s)


class ActorGroup:
    """What the group of actors in `folder` is, beside a group's rules. `words` are those of a process of one of them."""

    def __init__(self, folder: Path, words: Callable[[str], list[str]]) -> None:
        self.folder, self.words = folder, words
        self.actors = actors_of(folder)
        self.life_line = LifeLine()
        self.marks = {use.name: safe_mark(use) for use in self.actors.actor}
        self.at_work = asyncio.Lock()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.error: str | None = None
        self.garbage_questions = 0
        self.silent: dict[str, float] = {}
        self.told_silent: set[str] = set()
        self.memory_bytes = 0
        self.read_limits()
        os.nice(NICE)

    @property
    def start_s(self) -> float:
        """While one starts, the supervisor starts no other."""
        return self.lease_s + LOAD_S

    async def make(self, child: ChildSpec, ready: int) -> Offspring:
        """A process of its own."""
        own = ["--life-line", str(self.life_line.watched), "--ready", str(ready), "--parent", str(os.getpid())]
        return spawn(["-m", MAIN, *self.words(child.id), *own], sys.stderr.buffer, [self.life_line.watched, ready])

    def answer(self, group: Group, body: bytes) -> bytes:
        """At the group's desk."""
        found: dict[str, Any]
        try:
            question = read_question(body)
            match question["verb"]:
                case "status":
                    figures = {**group.inbox.figures(), "garbage_questions": self.garbage_questions}
                    found = {"error_of_change": self.error, "mailbox": figures}
                case "restart":
                    self.begin(self.restart(group, question["part"]))
                    found = {"accepted": True}
                case "change":
                    actors = actors_of(self.folder)
                    marks = {use.name: safe_mark(use) for use in actors.actor}
                    self.begin(self.change(group, actors, marks))
                    found = {"accepted": True, "changed": differing(self.marks, marks)}
                case verb:
                    raise ValueError(f"expected a verb of the actors, found {verb!r}")
        except Unreadable as error:
            self.garbage_questions += 1
            found = {"error": str(error)}
        except (KeyError, ValueError) as error:
            found = {"error": error_text(error)}
        return msgspec.json.encode(found)

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def restart(self, group: Group, name: str) -> None:
        """End it as at a stop, with all below it, and start it again."""
        async with self.at_work:
            if (holder := holder_of(group.tree, name)) is not None:
                await holder.terminate_child(name)
            self.note(await self.start(group, name, actors_of(self.folder)), name)

    async def change(self, group: Group, actors: Actors, marks: dict[str, str]) -> None:
        """To this configuration, of the same supervisors: what differs ends, and is started where it is still there."""
        async with self.at_work:
            self.error = None
            concerned = differing(self.marks, marks)
            self.marks = marks
            uses = {use.name: use for use in actors.actor}
            renew(group.tree, supervisor_of(actors, without=concerned))  # one that comes back meanwhile starts none of these
            for name in concerned:
                await self.end(group, name, uses.get(name))
            group.room.bus.hosts = frozenset(name for name, use in uses.items() if use.place != PROCESS)
            self.read_limits()
            renew(group.tree, supervisor_of(actors))
            for name in concerned:
                if name in uses:
                    self.note(await self.start(group, name, actors), name)
            renew(group.tree, supervisor_of(actors))

    async def end(self, group: Group, name: str, use: ActorUse | None) -> None:
        """It is taken out where it is not there any more, or is below another supervisor now."""
        if (holder := holder_of(group.tree, name)) is not None:
            await holder.terminate_child(name)
            if use is None or holder is not home_of(group.tree, use):
                await holder.delete_child(name)
        if use is None:
            group.tell(name, GONE, "")

    async def start(self, group: Group, name: str, actors: Actors) -> str:
        """An actor or a supervisor of some, by its table as it is now; the error, empty where there is none. One that is known
        keeps its place among the others; one whose supervisor is down is started with it.
        """
        use = next((one for one in actors.actor if one.name == name), None)
        if use is not None and (home := home_of(group.tree, use)) is not None:
            return await started(home, child_of(use))
        specs = {child.id: child for child in supervisor_of(actors).children}
        supervisor = name if use is None else use.supervisor
        return await started(group.tree, specs[supervisor]) if supervisor in specs else "not found"

    def read_limits(self) -> None:
        node = config_from_dict(read_prepared(self.folder).config).node
        self.lease_s, self.memory_bytes = node.lease_s, node.memory_mb << 20

    def note(self, error: str, name: str) -> None:
        if error:
            self.error = f"{name} could not be started: {error}"
            sys.stderr.write(f"{name}: it could not be started: {error}\n")

    async def watch(self, group: Group) -> None:
        """For ever: look at those in processes of their own, all at once, for one that hangs takes its time."""
        desks: dict[str, Inquiry] = {}
        while True:
            looks = []
            for tree, child in group.tree.each():
                name, running = child.spec.id, tree.running.get(child.number)
                if isinstance(running, InProcess) and child.is_up:
                    desk = desks.get(name) or desks.setdefault(name, group.questions(f"{name}.desk", ASK_S))
                    looks.append(self.look(group, name, running, desk))
                else:
                    self.forget_silence(name)
            await asyncio.gather(*looks, asyncio.sleep(WATCH_S))

    async def look(self, group: Group, name: str, running: InProcess, desk: Inquiry) -> None:
        """Tell that it is silent, and kill one that has been for a lease; start one again that has grown too large."""
        asked_s = asyncio.get_running_loop().time()
        if await ask_desk(desk, "status") is not None:
            if self.forget_silence(name):
                group.tell(name, ANSWERS, "")
            if self.memory_bytes and running.pid and memory_of(running.pid) > self.memory_bytes:
                sys.stderr.write(f"{name}: it has grown beyond {self.memory_bytes >> 20} MB and is started again\n")
                self.begin(self.restart(group, name))
            return
        if name not in self.told_silent:
            self.told_silent.add(name)
            group.tell(name, SILENT, "")
        since_s = self.silent.setdefault(name, asked_s)
        if asyncio.get_running_loop().time() - since_s > self.lease_s:
            sys.stderr.write(f"{name}: it has been silent for more than {self.lease_s:g} s and is killed\n")
            running.ask_where()
            await asyncio.sleep(WORDS_S)
            running.kill()
            self.forget_silence(name)

    def forget_silence(self, name: str) -> bool:
        """Whether it had been told as silent."""
        self.silent.pop(name, None)
        was_told = name in self.told_silent
        self.told_silent.discard(name)
        return was_told


def holder_of(tree: Tree, name: str) -> Tree | None:
    """Whose child it is; None where nobody has it, or its supervisor is down."""
    return next((holder for holder, child in tree.each() if child.spec.id == name), None)


def home_of(tree: Tree, use: ActorUse) -> Tree | None:
    """Whose child it is to be; None where that supervisor is down."""
    return tree.below.get(use.supervisor) if use.supervisor else tree


async def started(tree: Tree, spec: ChildSpec) -> str:
    """The error of a start by this spec, empty where there is none, or where it is running or about to."""
    child = tree.machine.find(spec.id)
    if child is None:
        return await tree.start_child(spec)
    child.spec = spec
    error = await tree.restart_child(spec.id)
    return "" if error in ("running", "restarting") else error


def renew(tree: Tree, spec: SupervisorSpec) -> None:
    """Children in the order of the configuration; a supervisor that begins anew does so with those of now."""
    order = [child.id for child in spec.children]
    tree.machine.children.sort(key=lambda child: order.index(child.spec.id) if child.spec.id in order else -1)
    for child in spec.children:
        if isinstance(child.start, SupervisorSpec) and (known := tree.machine.find(child.id)) is not None:
            known.spec = child
            if (below := tree.below.get(child.id)) is not None:
                renew(below, child.start)


def differing(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """The names whose marks are not the same."""
    return [name for name in {**before, **after} if before.get(name) != after.get(name)]


def safe_mark(use: ActorUse) -> str:
    """Of code that cannot be found what is wrong with it: the actor ends of it when it is started, and no other."""
    try:
        return mark_of(use)
    except Exception as error:  # looking for a module runs the packages that it is in
        return error_text(error)
