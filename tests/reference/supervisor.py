"""OTP's supervisor as its documentation and behaviour have it, in the plainest form: recursive, synchronous, with a mailbox.

Starting and stopping a child are calls into a `World`, which decides how they come out and may let others die meanwhile; what
dies lands in the mailbox and is dealt with when the supervisor is idle. A child that is a supervisor is one of these.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tradebot.actors.child_spec import AutoShutdown, ChildSpec, Restart, Strategy, SupervisorSpec

RESTARTING = "restarting"
WANTED = ("normal", "shutdown")


class ReferenceSupervisor:
    def __init__(self, spec: SupervisorSpec, world: World, name: str) -> None:
        self.spec, self.world, self.name = spec, world, name
        self.children: list[list] = [[child, None] for child in spec.children]  # spec, pid
        self.restarts: list[int] = []
        self.mailbox: deque[tuple] = deque()
        self.is_up = self.is_over = False

    # start and end

    def start(self) -> bool:
        failed = self.start_children(self.children)
        if failed is None:
            self.is_up = True
            return True
        self.terminate()
        return False

    def terminate(self) -> None:
        self.children = self.terminate_children(self.children)
        self.is_over = True

    def start_children(self, children: list[list]) -> list | None:
        for child in children:
            child[1] = self.world.start(self, child[0])
            if child[1] is None:
                return child
        return None

    def terminate_children(self, children: list[list]) -> list[list]:
        """What is left of them: temporary ones go."""
        for child in reversed(children):
            self.terminate_one(child)
        return [child for child in children if child[0].restart is not Restart.TEMPORARY]

    def terminate_one(self, child: list) -> None:
        pid, child[1] = child[1], None
        if pid in (None, RESTARTING):
            return
        waiting = [mail for mail in self.mailbox if mail[:2] == ("exit", pid)]
        self.mailbox = deque(mail for mail in self.mailbox if mail not in waiting)
        if not waiting:
            self.world.stop(self, child[0], pid)

    # the mailbox

    def work(self) -> None:
        while self.mailbox and not self.is_over:
            what, *words = self.mailbox.popleft()
            goes_on = getattr(self, "on_" + what)(*words)
            if not goes_on:
                self.terminate()
                self.world.ended(self)

    def on_exit(self, pid: int, reason: str) -> bool:
        child = next((one for one in self.children if one[1] == pid), None)
        if child is None:
            return True
        kind = child[0].restart
        if kind is Restart.PERMANENT or (kind is Restart.TRANSIENT and reason not in WANTED):
            return self.restart(child)
        self.delete(child)
        return not self.shuts_down(child[0])

    def shuts_down(self, spec: ChildSpec) -> bool:
        if not spec.is_significant or self.spec.auto_shutdown is AutoShutdown.NEVER:
            return False
        if self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        return not any(one[0].is_significant and one[1] is not None for one in self.children)

    def delete(self, child: list) -> None:
        child[1] = None
        if child[0].restart is Restart.TEMPORARY:
            self.children = [one for one in self.children if one is not child]

    def restart(self, child: list) -> bool:
        now = self.world.now_ns
        self.restarts = [at for at in [now, *self.restarts] if now - at <= self.spec.period_s * 1e9]
        if len(self.restarts) > self.spec.intensity:
            self.delete(child)
            return False
        child[1] = RESTARTING
        if self.spec.strategy is Strategy.ONE_FOR_ONE:
            before, group = [], [child]
        elif self.spec.strategy is Strategy.ONE_FOR_ALL:
            before, group = [], self.children
        else:
            at = next(at for at, one in enumerate(self.children) if one is child)
            before, group = self.children[:at], self.children[at:]
        group = self.terminate_children(group)
        failed = self.start_children(group)
        if self.spec.strategy is not Strategy.ONE_FOR_ONE:
            self.children = before + group
        if failed is not None:
            failed[1] = RESTARTING
            self.mailbox.append(("try_again", failed[0].id))
        return True

    def on_try_again(self, name: str) -> bool:
        child = self.find(name)
        return child is None or child[1] != RESTARTING or self.restart(child)

    def on_stop(self) -> bool:
        return False

    # calls

    def find(self, name: str) -> list | None:
        return next((one for one in self.children if one[0].id == name), None)

    def on_call(self, number: int, verb: str, argument: object) -> bool:
        self.world.answer(number, getattr(self, verb)(argument))
        return True

    def start_child(self, spec: ChildSpec) -> str:
        known = self.find(spec.id)
        if known is not None:
            return "already started" if known[1] not in (None, RESTARTING) else "already present"
        child = [spec, None]
        self.children = [*self.children, child]
        child[1] = self.world.start(self, spec)
        if child[1] is None:
            self.children = [one for one in self.children if one is not child]
            return "failed"
        return ""

    def terminate_child(self, name: str) -> str:
        child = self.find(name)
        if child is None:
            return "not found"
        self.terminate_one(child)
        self.delete(child)
        return ""

    def restart_child(self, name: str) -> str:
        child = self.find(name)
        why = self.why_not(child)
        if why or child is None:
            return why
        child[1] = self.world.start(self, child[0])
        return "" if child[1] is not None else "failed"

    def delete_child(self, name: str) -> str:
        child = self.find(name)
        why = self.why_not(child)
        if not why:
            self.children = [one for one in self.children if one is not child]
        return why

    def why_not(self, child: list | None) -> str:
        if child is None:
            return "not found"
        if child[1] == RESTARTING:
            return "restarting"
        return "running" if child[1] is not None else ""


class World:
    """How starts and stops come out: a script of what is told by their count, the same for both sides of a comparison."""

    def __init__(self, fails: Callable[[int], bool], is_deaf: Callable[[int], bool], dies: Callable[[int], int | None]) -> None:
        self.fails, self.is_deaf, self.dies = fails, is_deaf, dies
        self.now_ns = 0
        self.trace: list[tuple] = []
        self.starts = self.stops = self.pids = 0
        self.living: dict[int, tuple[ReferenceSupervisor, ChildSpec]] = {}  # leaves
        self.nested: dict[int, ReferenceSupervisor] = {}
        self.root: ReferenceSupervisor

    def settle(self) -> None:
        """Until nobody has anything to do, those below first."""
        while busy := [one for one in [self.root, *self.nested.values()] if one.mailbox and not one.is_over]:
            max(busy, key=lambda one: one.name.count("/")).work()

    def start(self, parent: ReferenceSupervisor, spec: ChildSpec) -> int | None:
        self.trace.append(("start", parent.name, spec.id))
        self.pids += 1
        pid = self.pids
        if isinstance(spec.start, SupervisorSpec):
            child = ReferenceSupervisor(spec.start, self, f"{parent.name}/{spec.id}")
            self.nested[pid] = child
            if not child.start():
                del self.nested[pid]
                return None
            return pid
        count = self.starts
        self.starts += 1
        self.someone_dies(parent, count)
        if self.fails(count):
            return None
        self.living[pid] = parent, spec
        return pid

    def someone_dies(self, parent: ReferenceSupervisor, count: int) -> None:
        """While this one is at work, one of its own."""
        at, own = self.dies(count), [pid for pid, (one, _) in sorted(self.living.items()) if one is parent]
        if at is not None and own and (parent.is_up or parent is self.root):
            self.die(own[at % len(own)], "crash")

    def die(self, pid: int, reason: str) -> None:
        parent, _ = self.living.pop(pid)
        parent.mailbox.append(("exit", pid, reason))

    def stop(self, parent: ReferenceSupervisor, spec: ChildSpec, pid: int) -> None:
        if pid in self.nested:
            self.trace.append(("stop", parent.name, spec.id))
            self.nested.pop(pid).terminate()
            return
        if spec.shutdown_s != 0:
            self.trace.append(("stop", parent.name, spec.id))
            count = self.stops
            self.stops += 1
            if not self.is_deaf(count) or spec.shutdown_s is None:
                del self.living[pid]
                return
        self.trace.append(("kill", parent.name, spec.id))
        del self.living[pid]

    def ended(self, supervisor: ReferenceSupervisor) -> None:
        """One gave up, or was told to end: its own supervisor hears of it."""
        self.trace.append(("ended", supervisor.name))
        for pid, one in list(self.nested.items()):
            if one is supervisor:
                parent = self.parent_of(one)
                del self.nested[pid]
                parent.mailbox.append(("exit", pid, "shutdown"))

    def parent_of(self, supervisor: ReferenceSupervisor) -> ReferenceSupervisor:
        name = supervisor.name.rpartition("/")[0]
        return self.root if self.root.name == name else next(one for one in self.nested.values() if one.name == name)

    def answer(self, number: int, error: str) -> None:
        self.trace.append(("answer", number, error))
