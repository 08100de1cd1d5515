"""A supervisor as OTP documents it, without a process, a loop or a clock: it is told what happened and when, and says what to do.

Children start left to right, each when the one before it has started, and end right to left, each when the one after it has
ended. A child that is told to end and does not in its time is killed. A restart is counted; more than `intensity` of them within
`period_s`, and the supervisor ends its children and itself, and its own supervisor decides. A start that fails while
restarting is a restart to be tried again, and counts.

It does one thing after the other, as OTP's does: what is asked for or dies meanwhile waits in order. Beyond OTP: the first
restart is at once, one that follows soon waits (`Backoff`), while the children that a strategy ends with it have ended already.
They start with it, whoever starts it, and without it, where it is forgotten meanwhile. And since waiting keeps deaths apart, a
child that dies soon more than `intensity` times in a row ends the supervisor too.

    who drives it                           says
    begin, stop, call, wake, and            Start, Stop, Kill: do this with a child
    started, failed, exited of a start      Ready, Ended, Answer
"""

import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Final

from msgspec import Struct

from tradebot.actors.child_spec import (
    KILLED,
    SHUTDOWN,
    AutoShutdown,
    ChildSpec,
    Kind,
    Restart,
    Strategy,
    SupervisorSpec,
    check_significance,
    is_wanted,
)

NS: Final = 1_000_000_000
NEVER_NS: Final = sys.maxsize


class Start(Struct, frozen=True):
    """Start a child; `started` or `failed` of this number is to follow."""

    number: int
    child: ChildSpec


class Stop(Struct, frozen=True):
    """Ask a child to end; `exited` of this number is to follow."""

    number: int
    child: ChildSpec


class Kill(Struct, frozen=True):
    """End a child by force; `exited` of this number is to follow."""

    number: int
    child: ChildSpec


class Ready(Struct, frozen=True):
    """All children have started for the first time."""


class Ended(Struct, frozen=True):
    """The supervisor has ended, and all of its children."""

    reason: str


class Answer(Struct, frozen=True):
    """What came of a call; `error` is empty where it was done."""

    call: int
    error: str = ""


Said = Start | Stop | Kill | Ready | Ended | Answer


class Child(Struct):
    """A child as it is now. `number` is that of its start while it lives or is starting, else 0; `reason` is set once it has
    exited and nobody has dealt with that; a restart waits until `due_ns`, or is to be tried again, while `is_restarting`. One
    that was ended with another, whose restart waits, starts with that one, which is `waits_for`.
    """

    spec: ChildSpec
    number: int = 0
    is_up: bool = False
    reason: str | None = None
    is_restarting: bool = False
    waits_for: str = ""
    due_ns: int = 0
    starts: int = 0
    began_ns: int = 0
    quick_deaths: int = 0
    own_deaths: int = 0  # of those, in a row and not by a kill
    last_reason: str = ""

    @property
    def state(self) -> str:
        """running, starting, restarting or stopped."""
        if self.number:
            return "running" if self.is_up else "starting"
        return "restarting" if self.is_restarting or self.waits_for else "stopped"

    def lie_down(self) -> None:
        """It neither runs nor is about to."""
        self.number, self.reason, self.is_up, self.is_restarting, self.due_ns = 0, None, False, False, 0


class Waits(Struct):
    """What work under way waits for: an answer to a start, or the end of a child, `until_ns`."""

    child: Child
    is_start: bool
    until_ns: int = NEVER_NS


Work = Generator[Waits, str | bool, bool]
"""A piece of work: it is sent the error of a start, empty where it started, or whether a child ended in time; it gives back
whether the supervisor goes on.
"""


class Supervisor:
    """`chance` gives numbers from 0 to 1, for the jitter of restarts."""

    def __init__(self, spec: SupervisorSpec, chance: Callable[[], float] = lambda: 0.0) -> None:
        self.spec = spec
        self.children = [Child(child) for child in spec.children]
        self.reason: str | None = None
        self.worn_out = ""  # the child that died too often in a row, where that ended it
        self._chance = chance
        self._now_ns = 0
        self._numbers = 0
        self._restarts: deque[int] = deque()
        self._said: list[Said] = []
        self._todo: deque[Callable[[], Work]] = deque()
        self._work: Work | None = None
        self._waits: Waits | None = None

    # What it is told

    def begin(self, now_ns: int) -> list[Said]:
        """Start the children. Where one fails, those before it end, and so does the supervisor."""
        return self._do(self._begin, now_ns)

    def stop(self, now_ns: int, reason: str = SHUTDOWN) -> list[Said]:
        """Its own supervisor wants it to end."""
        return self._do(lambda: self._end(reason), now_ns)

    def started(self, number: int, now_ns: int) -> list[Said]:
        return self._hear_start(number, "", now_ns)

    def failed(self, number: int, why: str, now_ns: int) -> list[Said]:
        """A start came to nothing, and nothing is left of it."""
        return self._hear_start(number, why or "it failed", now_ns)

    def exited(self, number: int, reason: str, now_ns: int) -> list[Said]:
        """A child that had started is no more. Of one that is gone already it says nothing."""
        self._now_ns = now_ns
        child = next((one for one in self.children if one.number == number and number), None)
        if child is None or child.reason is not None:
            return self._flush()
        child.reason = child.last_reason = reason
        if self._waits is not None and self._waits.child is child and not self._waits.is_start:
            self._go_on(True)
        else:
            self._todo.append(lambda: self._deal_with(number))
        return self._run()

    def wake(self, now_ns: int) -> list[Said]:
        """Time has come to `now_ns`."""
        self._now_ns = now_ns
        if self._waits is not None and now_ns >= self._waits.until_ns:
            self._go_on(False)
        for child in self.children:
            if child.is_restarting and child.due_ns and now_ns >= child.due_ns:
                child.due_ns = 0
                self._todo.append(lambda child=child: self._restart_due(child))  # type: ignore[misc]
        return self._run()

    @property
    def next_due_ns(self) -> int:
        """When `wake` has something to do next."""
        due = [child.due_ns for child in self.children if child.is_restarting and child.due_ns]
        return min([*due, NEVER_NS if self._waits is None else self._waits.until_ns])

    # What it is asked; an answer of the same number follows

    def start_child(self, call: int, child: ChildSpec, now_ns: int) -> list[Said]:
        """Add a child behind the others and start it; one that fails is not kept."""
        return self._do(lambda: self._add(call, child), now_ns)

    def terminate_child(self, call: int, name: str, now_ns: int) -> list[Said]:
        """End a child; it stays known and is not started again by itself. A temporary one is forgotten."""
        return self._do(lambda: self._terminate_by_call(call, name), now_ns)

    def restart_child(self, call: int, name: str, now_ns: int) -> list[Said]:
        """Start a known child that does not run."""
        return self._do(lambda: self._start_by_call(call, name), now_ns)

    def delete_child(self, call: int, name: str, now_ns: int) -> list[Said]:
        """Forget a child that does not run."""
        return self._do(lambda: self._delete(call, name), now_ns)

    # Work

    def _begin(self) -> Work:
        failed = yield from self._start_all(self.children)
        if failed is not None:
            return (yield from self._end(f"{SHUTDOWN}: failed to start {failed.spec.id}: {failed.last_reason}"))
        self._said.append(Ready())
        return True

    def _end(self, reason: str) -> Work:
        yield from self._terminate_all(list(self.children))
        self.reason = reason
        self._said.append(Ended(reason))
        return False

    def _deal_with(self, number: int) -> Work:
        """A child exited by itself."""
        child = next((one for one in self.children if one.number == number), None)
        if child is None or child.reason is None:
            return True  # it has been dealt with since
        reason = child.reason
        if child.spec.restart is Restart.PERMANENT or (child.spec.restart is Restart.TRANSIENT and not is_wanted(reason)):
            return (yield from self._restart(child))
        self._forget(child)
        if self._ends_with(child.spec):
            return (yield from self._end(SHUTDOWN))
        return True

    def _ends_with(self, spec: ChildSpec) -> bool:
        """Whether the end of a significant child ends the supervisor."""
        if not spec.is_significant or self.spec.auto_shutdown is AutoShutdown.NEVER:
            return False
        others = [one for one in self.children if one.spec.is_significant and (one.number or one.is_restarting or one.waits_for)]
        return self.spec.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT or not others

    def _restart(self, child: Child) -> Work:
        """Count it, end who ends with it, and start them, at once or later."""
        is_soon = self.spec.backoff.is_soon((self._now_ns - child.began_ns) / NS, child.last_reason)
        child.quick_deaths = child.quick_deaths + 1 if is_soon else min(child.quick_deaths, 1)
        child.own_deaths = child.own_deaths + 1 if is_soon and child.last_reason != KILLED else 0
        child.lie_down()
        if not self._may_restart(child):
            self._forget(child)
            return (yield from self._end(SHUTDOWN))
        child.is_restarting = True
        delay_s = self.spec.backoff.delay_s(child.quick_deaths, self._chance())
        if not delay_s:
            return (yield from self._restart_due(child))
        child.due_ns = self._now_ns + round(delay_s * NS)
        others = [one for one in self._group(child) if one is not child]
        yield from self._terminate_all(others)
        for one in others:
            one.waits_for = child.spec.id
        return True

    def _restart_due(self, child: Child) -> Work:
        """Start a child again, and who starts with it. Where one fails it is tried again, after what waits."""
        if not child.is_restarting:
            return True  # somebody has ended it, or started it, since
        yield from self._terminate_all([one for one in self._group(child) if one is not child])
        failed = yield from self._start_all(self._group(child))
        if failed is not None:
            self._try_later(failed)
        return True

    def _try_later(self, child: Child) -> None:
        """Its start failed while restarting: after what waits."""
        child.is_restarting = True
        self._todo.append(lambda: self._try_again(child))

    def _try_again(self, child: Child) -> Work:
        if not child.is_restarting:
            return True
        return (yield from self._restart(child))

    def _may_restart(self, child: Child) -> bool:
        """Count a restart, and those of the period with it; and how often this child died in a row."""
        if self.spec.backoff.is_worn_out(child.own_deaths, self.spec.intensity):
            self.worn_out = child.spec.id
            return False
        self._restarts.append(self._now_ns)
        while self._now_ns - self._restarts[0] > self.spec.period_s * NS:
            self._restarts.popleft()
        return len(self._restarts) <= self.spec.intensity

    def _group(self, child: Child) -> list[Child]:
        """Who is ended and started with a child, itself among them, in the order of their starts."""
        if self.spec.strategy is Strategy.ONE_FOR_ONE:
            return [child]
        first = 0 if self.spec.strategy is Strategy.ONE_FOR_ALL else self.children.index(child)
        return self.children[first:]

    def _start_all(self, children: Iterable[Child]) -> Generator[Waits, str | bool, Child | None]:
        """Start them in order; the first that fails, and then none after it."""
        for child in children:
            if (yield from self._start(child)):
                return child
        return None

    def _start(self, child: Child) -> Generator[Waits, str | bool, str]:
        """The error, empty where it started."""
        self._numbers += 1
        child.number, child.reason, child.is_up = self._numbers, None, False
        child.is_restarting, child.due_ns, child.waits_for = False, 0, ""
        child.starts += 1
        child.began_ns = self._now_ns
        self._said.append(Start(child.number, child.spec))
        error = yield Waits(child, is_start=True)
        if error:
            child.number, child.last_reason = 0, str(error)
        child.is_up = not error
        return str(error)

    def _terminate_all(self, children: list[Child]) -> Generator[Waits, str | bool, None]:
        for child in reversed(children):
            yield from self._terminate(child)
            self._forget(child)

    def _terminate(self, child: Child) -> Generator[Waits, str | bool, None]:
        if child.number and child.reason is None:
            ended: str | bool = False
            if child.spec.shutdown_s != 0:
                self._said.append(Stop(child.number, child.spec))
                limit = child.spec.shutdown_s
                until_ns = NEVER_NS if limit is None else self._now_ns + round(limit * NS)
                ended = yield Waits(child, is_start=False, until_ns=until_ns)
            if not ended:
                self._said.append(Kill(child.number, child.spec))
                yield Waits(child, is_start=False)

    def _forget(self, child: Child) -> None:
        """It runs no more; a temporary one is not known any more either."""
        child.lie_down()
        if child.spec.restart is Restart.TEMPORARY:
            self.children = [one for one in self.children if one is not child]

    def _add(self, call: int, spec: ChildSpec) -> Work:
        known = self.find(spec.id)
        if known is not None:
            return self._answer(call, "already started" if known.number else "already present")
        try:
            check_significance(spec, self.spec.auto_shutdown)
        except ValueError as wrong:
            return self._answer(call, str(wrong))
        child = Child(spec)
        self.children.append(child)
        error = yield from self._start(child)
        if error:
            self.children = [one for one in self.children if one is not child]
        return self._answer(call, error)

    def _terminate_by_call(self, call: int, name: str) -> Work:
        child = self.find(name)
        if child is None:
            return self._answer(call, "not found")
        yield from self._terminate(child)
        self._forget(child)
        return self._answer(call)

    def _start_by_call(self, call: int, name: str) -> Work:
        child = self.find(name)
        error = _why_not(child)
        if child is not None and not error:
            error = yield from self._start_with(child)
        return self._answer(call, error)

    def _start_with(self, child: Child) -> Generator[Waits, str | bool, str]:
        """One that was asked for, and in their order those that wait for it; its own error."""
        error = ""
        for one in [one for one in self.children if one is child or one.waits_for == child.spec.id]:
            failure = yield from self._start(one)
            if one is child:
                error = failure
            elif failure:
                self._try_later(one)
        return error

    def _delete(self, call: int, name: str) -> Work:
        child = self.find(name)
        error = _why_not(child)
        if not error:
            self.children = [one for one in self.children if one is not child]
            for one in [one for one in self.children if one.waits_for == name]:
                if (yield from self._start(one)):
                    self._try_later(one)
        return self._answer(call, error)

    def _answer(self, call: int, error: str = "") -> bool:
        self._said.append(Answer(call, error))
        return True

    def find(self, name: str) -> Child | None:
        return next((one for one in self.children if one.spec.id == name), None)

    # How work gets on

    def _do(self, work: Callable[[], Work], now_ns: int) -> list[Said]:
        self._now_ns = now_ns
        self._todo.append(work)
        return self._run()

    def _hear_start(self, number: int, error: str, now_ns: int) -> list[Said]:
        self._now_ns = now_ns
        if self._waits is not None and self._waits.is_start and self._waits.child.number == number:
            self._go_on(error)
        return self._run()

    def _run(self) -> list[Said]:
        """Begin what waits, one after the other, until something must be waited for."""
        while self._work is None and self._todo and self.reason is None:
            self._work = self._todo.popleft()()
            self._go_on(None)
        return self._flush()

    def _go_on(self, answer: str | bool | None) -> None:
        """Work goes on until it has to wait for something that has not happened yet."""
        assert self._work is not None
        self._waits = None
        try:
            self._waits = self._work.send(answer)  # type: ignore[arg-type]
        except StopIteration:
            self._work = None

    def _flush(self) -> list[Said]:
        said, self._said = self._said, []
        return said


def _why_not(child: Child | None) -> str:
    """Why a child cannot be started, or forgotten."""
    if child is None:
        return "not found"
    if child.number:
        return "running"
    return "restarting" if child.is_restarting else ""


def counts(children: Iterable[Child]) -> dict[str, int]:
    """OTP's count_children: specs, active, supervisors, workers."""
    found = list(children)
    return {
        "specs": len(found),
        "active": sum(one.number != 0 for one in found),
        "supervisors": sum(one.spec.kind is Kind.SUPERVISOR for one in found),
        "workers": sum(one.spec.kind is Kind.WORKER for one in found),
    }
