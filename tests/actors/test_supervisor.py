"""A supervisor does what OTP's does, over generated trees, failures and calls; and what it does beyond OTP waits as it says."""

import os
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.reference.supervisor import ReferenceSupervisor, World
from tradebot.actors.child_spec import (
    FOR_EVER,
    KILLED,
    NORMAL,
    SHUTDOWN,
    AutoShutdown,
    Backoff,
    ChildSpec,
    Kind,
    Restart,
    Strategy,
    SupervisorSpec,
)
from tradebot.actors.supervisor import NS, Answer, Ended, Kill, Ready, Said, Start, Stop, Supervisor, counts

CASES: Final = 10_000 if os.environ.get("TRADEBOT_FULL") == "1" else 1_000
AS_OTP: Final = Backoff(first_s=0)
REASONS: Final = (NORMAL, SHUTDOWN, "crash")


class Tree:
    """Drives real supervisors in step with what a `World` of the reference would do."""

    def __init__(self, spec: SupervisorSpec, world: World) -> None:
        self.world = world  # for its script, its counts and its time
        self.trace: list[tuple[Any, ...]] = []
        self.pids = self.starts = self.stops = 0
        self.living: dict[int, tuple[Node, int, ChildSpec]] = {}
        self.root = Node(self, spec, "", None, 0)
        self.root.do(self.root.machine.begin(0))

    def die(self, pid: int, reason: str) -> None:
        node, number, _ = self.living.pop(pid)
        node.do(node.machine.exited(number, reason, self.world.now_ns))


class Node:
    """One supervisor of a tree, and what it says carried out at once."""

    def __init__(self, tree: Tree, spec: SupervisorSpec, name: str, parent: "Node | None", number: int) -> None:
        self.tree, self.name, self.parent, self.number = tree, name, parent, number
        self.machine = Supervisor(spec)
        self.nested: dict[int, Node] = {}
        self.pids: dict[int, int] = {}
        self.is_up = self.is_over = False

    def do(self, said: list[Said]) -> None:
        """What its own supervisor hears comes last."""
        for one in said:
            if isinstance(one, Start):
                self.start(one)
            elif isinstance(one, Stop):
                self.stop(one)
            elif isinstance(one, Kill):
                self.tree.trace.append(("kill", self.name, one.child.id))
                self.gone(one.number)
            elif isinstance(one, Answer):
                self.tree.trace.append(("answer", one.call, one.error))
        for one in said:
            if isinstance(one, Ready):
                self.is_up = True
                if self.parent is not None:
                    self.parent.do(self.parent.machine.started(self.number, self.tree.world.now_ns))
            elif isinstance(one, Ended):
                self.end()

    def end(self) -> None:
        self.is_over = True
        parent, now = self.parent, self.tree.world.now_ns
        if parent is None:
            self.tree.trace.append(("ended", self.name))
            return
        was_told = parent.nested.pop(self.number, None) is None
        if not self.is_up:
            parent.do(parent.machine.failed(self.number, "failed", now))
            return
        if not was_told:
            self.tree.trace.append(("ended", self.name))
        parent.do(parent.machine.exited(self.number, SHUTDOWN, now))

    def start(self, one: Start) -> None:
        tree = self.tree
        tree.trace.append(("start", self.name, one.child.id))
        tree.pids += 1
        pid = tree.pids
        if isinstance(one.child.start, SupervisorSpec):
            nested = self.nested[one.number] = Node(tree, one.child.start, f"{self.name}/{one.child.id}", self, one.number)
            nested.do(nested.machine.begin(tree.world.now_ns))
            return
        count = tree.starts
        tree.starts += 1
        own = sorted(pid for pid, (node, _, _) in tree.living.items() if node is self)
        at = tree.world.dies(count)
        if at is not None and own and (self.is_up or self.parent is None):
            tree.die(own[at % len(own)], "crash")
        if tree.world.fails(count):
            self.do(self.machine.failed(one.number, "failed", tree.world.now_ns))
            return
        tree.living[pid], self.pids[one.number] = (self, one.number, one.child), pid
        self.do(self.machine.started(one.number, tree.world.now_ns))

    def stop(self, one: Stop) -> None:
        self.tree.trace.append(("stop", self.name, one.child.id))
        if one.number in self.nested:
            nested = self.nested.pop(one.number)
            nested.do(nested.machine.stop(self.tree.world.now_ns))
            return
        count = self.tree.stops
        self.tree.stops += 1
        if not self.tree.world.is_deaf(count) or one.child.shutdown_s is None:
            self.gone(one.number)
            return
        due = self.machine.next_due_ns
        assert one.child.shutdown_s is not None and due == self.tree.world.now_ns + one.child.shutdown_s * NS
        self.do(self.machine.wake(due))  # the world's time stands still

    def gone(self, number: int) -> None:
        del self.tree.living[self.pids[number]]
        self.do(self.machine.exited(number, "killed", self.tree.world.now_ns))


leaf_specs = st.builds(
    lambda restart, shutdown, is_significant: {
        "restart": restart,
        **shutdown,
        "is_significant": is_significant and restart is not Restart.PERMANENT,
    },
    st.sampled_from(Restart), st.sampled_from([{"shutdown_s": one} for one in (0, 3.0, None)] + [{}]), st.booleans(),
)  # fmt: skip


def named(prefix: str, auto: AutoShutdown, leaves: list[dict[str, Any]], nested: SupervisorSpec | None) -> tuple[ChildSpec, ...]:
    rules = [one | {"is_significant": one["is_significant"] and auto is not AutoShutdown.NEVER} for one in leaves]
    children = [ChildSpec(id=f"{prefix}{at}", **one) for at, one in enumerate(rules)]
    if nested is not None:
        at = len(children) // 2
        children.insert(at, ChildSpec(id="below", start=nested))
    return tuple(children)


def supervisors(prefix: str, nested: st.SearchStrategy[SupervisorSpec | None]) -> st.SearchStrategy[SupervisorSpec]:
    return st.builds(
        lambda strategy, intensity, auto, leaves, below: SupervisorSpec(
            strategy=strategy, intensity=intensity, period_s=5.0, auto_shutdown=auto, backoff=AS_OTP,
            children=named(prefix, auto, leaves, below),
        ),
        st.sampled_from(Strategy), st.integers(0, 4), st.sampled_from(AutoShutdown),
        st.lists(leaf_specs, min_size=1, max_size=4), nested,
    )  # fmt: skip


trees = supervisors("a", st.none() | supervisors("b", st.none() | supervisors("c", st.none())))
numbers = st.integers(0, 30)
verbs = st.sampled_from(["start_child", "terminate_child", "restart_child", "delete_child"])
events = st.one_of(
    st.tuples(st.just("die"), numbers, st.sampled_from(REASONS)),
    st.tuples(st.just("die"), numbers, st.just("crash")),
    st.tuples(st.just("call"), verbs, st.tuples(st.sampled_from(["a0", "a1", "a2", "below", "new"]), leaf_specs)),
    st.tuples(st.just("pass"), st.sampled_from([1.0, 5.0, 5.1]), st.just(None)),
)
places = st.integers(0, 40)
scripts = st.tuples(
    st.sets(places, max_size=6), st.sets(places, max_size=20), st.dictionaries(places, st.integers(0, 5), max_size=5)
)


@settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees, st.lists(events, max_size=14), scripts)
def test_it_does_what_otp_documents(spec: SupervisorSpec, script: list[tuple[Any, ...]], world: tuple[Any, Any, Any]) -> None:
    """The same starts, stops, kills, ends and answers in the same order, and the same children in the end."""
    fails, deaf, dies = world
    expected = World(fails.__contains__, deaf.__contains__, dies.get)
    root = expected.root = ReferenceSupervisor(spec, expected, "")
    shadow = World(fails.__contains__, deaf.__contains__, dies.get)
    if not root.start():
        expected.trace.append(("ended", ""))
    expected.settle()
    tree = Tree(spec, shadow)
    for number, event in enumerate(script):
        play(event, number, expected, root)
        play_real(event, number, tree)
        assert tree.trace == expected.trace, event
        assert tree.root.is_over == root.is_over
    if not root.is_over:
        assert [(one.spec.id, one.state) for one in tree.root.machine.children] == [
            (child.id, "stopped" if pid is None else "running") for child, pid in root.children
        ]
        root.mailbox.append(("stop",))
        expected.settle()
        tree.root.do(tree.root.machine.stop(shadow.now_ns))
        assert tree.trace == expected.trace and tree.living == {} and expected.living == {}


def play(event: tuple[Any, ...], number: int, world: World, root: ReferenceSupervisor) -> None:
    what, first, second = event
    if what == "pass":
        world.now_ns += round(first * NS)
    elif what == "die" and world.living:
        world.die(sorted(world.living)[first % len(world.living)], second)
    elif what == "call" and not root.is_over:
        root.mailbox.append(("call", number, first, argument(first, second, root.spec.auto_shutdown)))
    world.settle()


def play_real(event: tuple[Any, ...], number: int, tree: Tree) -> None:
    what, first, second = event
    if what == "pass":
        tree.world.now_ns += round(first * NS)
    elif what == "die" and tree.living:
        tree.die(sorted(tree.living)[first % len(tree.living)], second)
    elif what == "call" and not tree.root.is_over:
        verb: Callable[..., list[Said]] = getattr(tree.root.machine, first)
        spec = argument(first, second, tree.root.machine.spec.auto_shutdown)
        tree.root.do(verb(number, spec, tree.world.now_ns))


def argument(verb: str, words: tuple[str, dict[str, Any]], auto: AutoShutdown) -> Any:
    name, rules = words
    if verb != "start_child":
        return name
    return ChildSpec(id=name, **rules | {"is_significant": rules["is_significant"] and auto is not AutoShutdown.NEVER})


def leaf(name: str, **rules: Any) -> ChildSpec:
    return ChildSpec(id=name, **rules)


def running(spec: SupervisorSpec) -> Supervisor:
    """One whose children have all started, numbered from 1."""
    machine = Supervisor(spec)
    said = machine.begin(0)
    for number, child in enumerate(spec.children, 1):
        assert said == [Start(number, child)]
        said = machine.started(number, 0)
    assert said == [Ready()]
    return machine


def test_the_first_restart_is_at_once_and_the_next_ones_wait_longer() -> None:
    spec = SupervisorSpec(intensity=100, backoff=Backoff(first_s=1.0, max_s=4.0, steady_s=10.0), children=(leaf("a"),))
    machine, now, waits = running(spec), 0, []
    for number in range(1, 7):
        said = machine.exited(number, "crash", now)
        if not said:
            assert machine.children[0].state == "restarting"
            waits.append((machine.next_due_ns - now) / NS)
            assert machine.wake(machine.next_due_ns - 1) == []
            now = machine.next_due_ns
            said = machine.wake(now)
        assert said == [Start(number + 1, leaf("a"))]
        machine.started(number + 1, now)
    assert waits == [0.5, 1.0, 2.0, 2.0, 2.0], "half of it without chance"
    now += 10 * NS
    assert machine.exited(7, "crash", now) == [Start(8, leaf("a"))], "a steady life forgives"
    assert Backoff(first_s=1.0).delay_s(2, 1.0) == 1.0


def test_children_that_end_with_one_end_before_it_waits() -> None:
    """Their state rests on the one that died; and what is asked of one that waits is refused, in OTP's words."""
    children = (leaf("a"), leaf("b"), leaf("c"))
    spec = SupervisorSpec(strategy=Strategy.REST_FOR_ONE, intensity=9, backoff=Backoff(first_s=1.0), children=children)
    machine = running(spec)
    assert machine.exited(2, "crash", 0) == [Stop(3, children[2])]
    assert machine.exited(3, SHUTDOWN, 0) == [Start(4, children[1])]
    assert machine.started(4, 0) == [Start(5, children[2])]
    assert machine.started(5, 0) == []
    assert machine.exited(4, "crash", 1) == [Stop(5, children[2])]
    assert machine.exited(5, SHUTDOWN, 2) == []
    assert [one.state for one in machine.children] == ["running", "restarting", "restarting"]
    assert machine.restart_child(7, "b", 3) == [Answer(7, "restarting")]
    assert machine.delete_child(8, "b", 3) == [Answer(8, "restarting")]
    assert machine.wake(machine.next_due_ns) == [Start(6, children[1])]
    assert counts(machine.children) == {"specs": 3, "active": 2, "supervisors": 0, "workers": 3}


def waiting() -> Supervisor:
    """Of three b waits for its restart, and so do the others, which ended with it."""
    children = (leaf("a"), leaf("b"), leaf("c"))
    spec = SupervisorSpec(strategy=Strategy.ONE_FOR_ALL, intensity=9, backoff=Backoff(first_s=1.0), children=children)
    machine = running(spec)
    for first in (1, 4):
        machine.exited(first + 1, "crash", 0)
        machine.exited(first + 2, SHUTDOWN, 0)
        machine.exited(first, SHUTDOWN, 0)
        for number in range(4, 7):
            machine.started(number, 0)
    assert [(one.state, one.number) for one in machine.children] == [("restarting", 0)] * 3
    return machine


def test_those_that_ended_with_one_that_waits_start_with_it_when_it_is_asked_for() -> None:
    machine = waiting()
    a, b, c = (one.spec for one in machine.children)
    assert machine.terminate_child(1, "b", 1) == [Answer(1)]
    assert machine.restart_child(2, "b", 1) == [Start(7, a)]
    assert machine.started(7, 1) == [Start(8, b)]
    assert machine.failed(8, "no", 1) == [Start(9, c)], "its own start fails, and is the answer"
    assert machine.started(9, 1) == [Answer(2, "no")]
    assert [one.state for one in machine.children] == ["running", "stopped", "running"]


def test_those_that_ended_with_one_that_waits_start_when_it_is_forgotten() -> None:
    machine = waiting()
    a, _, c = (one.spec for one in machine.children)
    machine.terminate_child(1, "b", 1)
    assert machine.delete_child(2, "b", 1) == [Start(7, a)]
    assert machine.failed(7, "no", 1) == [Start(8, c)]
    assert machine.started(8, 1) == [Answer(2), Stop(8, c)], "what failed is tried again at once, and all with it, as OTP has it"
    assert machine.exited(8, SHUTDOWN, 1) == [Start(9, a)]


def test_one_that_waits_counts_as_alive_among_the_significant() -> None:
    rules: dict[str, Any] = {"restart": Restart.TRANSIENT, "is_significant": True}
    children = (leaf("a", **rules), leaf("b", **rules))
    spec = SupervisorSpec(
        intensity=9, auto_shutdown=AutoShutdown.ALL_SIGNIFICANT, backoff=Backoff(first_s=1.0), children=children
    )
    machine = running(spec)
    machine.exited(1, "crash", 0)
    machine.started(3, 0)
    assert machine.exited(3, "crash", 0) == []
    assert machine.exited(2, NORMAL, 0) == [], "the other comes back"
    assert machine.wake(machine.next_due_ns) == [Start(4, children[0])]
    machine.started(4, NS)
    assert machine.exited(4, NORMAL, 2 * NS) == [Ended(SHUTDOWN)]


def test_a_child_that_does_not_end_in_its_time_is_killed_and_what_happens_meanwhile_waits() -> None:
    children = (leaf("a"), leaf("b", shutdown_s=3.0), leaf("c", shutdown_s=0))
    machine = running(SupervisorSpec(intensity=9, children=children))
    assert machine.stop(0) == [Kill(3, children[2])]
    assert machine.exited(1, "crash", 0) == [], "it is dealt with after what is under way, which is the end"
    assert machine.exited(3, "killed", 0) == [Stop(2, children[1])]
    assert machine.next_due_ns == 3 * NS and machine.wake(3 * NS - 1) == []
    assert machine.wake(3 * NS) == [Kill(2, children[1])]
    assert machine.start_child(1, leaf("d"), 3 * NS) == []
    assert machine.exited(2, "killed", 3 * NS) == [Ended(SHUTDOWN)]
    assert machine.exited(2, "killed", 3 * NS) == [] and machine.reason == SHUTDOWN


def test_specs_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(ValueError, match="ids of their own"):
        SupervisorSpec(children=(leaf("a"), leaf("a")))
    with pytest.raises(ValueError, match="permanent"):
        leaf("a", is_significant=True)
    with pytest.raises(ValueError, match="auto_shutdown"):
        SupervisorSpec(children=(leaf("a", restart=Restart.TRANSIENT, is_significant=True),))


def deaths_until_it_ends(backoff: Backoff, reason: str, lived_s: float) -> tuple[int, str]:
    """How often a child that lives so long may die, up to 60 times, and who ended the supervisor."""
    machine, now = running(SupervisorSpec(intensity=3, period_s=1.0, backoff=backoff, children=(leaf("a"),))), 0
    for count in range(1, 60):
        now += round(lived_s * NS)
        said = machine.exited(count, reason, now)
        if not said:
            now = machine.next_due_ns
            said = machine.wake(now)
        if said == [Ended(SHUTDOWN)]:
            return count, machine.worn_out
        machine.started(count + 1, now)
    return 60, machine.worn_out


def test_deaths_that_waiting_keeps_apart_count_where_they_come_in_a_row() -> None:
    waits = Backoff(first_s=1.0, max_s=4.0, steady_s=10.0)
    assert deaths_until_it_ends(waits, "crash", 0.9) == (4, "a"), "more than the intensity"
    assert deaths_until_it_ends(waits, "crash", 9.9) == (4, "a")
    assert deaths_until_it_ends(waits, "crash", 10.0) == (60, ""), "a steady life forgives"
    assert deaths_until_it_ends(waits, KILLED, 0.9) == (60, ""), "a kill comes from outside"
    assert deaths_until_it_ends(Backoff(first_s=1.0, row_max=7), "crash", 2.0) == (8, "a")
    assert deaths_until_it_ends(Backoff(first_s=1.0, row_max=FOR_EVER), "crash", 2.0) == (60, "")
    assert deaths_until_it_ends(AS_OTP, "crash", 2.0) == (60, ""), "as in OTP: they are not within a period"
    assert deaths_until_it_ends(AS_OTP, "crash", 0.1) == (4, ""), "and here they are"


def test_a_supervisor_takes_as_long_as_its_children_where_nothing_else_is_said() -> None:
    """As supervisor(3) has it: infinity for a supervisor, 5 s for a worker."""
    nested = ChildSpec(id="a", start=SupervisorSpec())
    assert (nested.kind, nested.shutdown_s) == (Kind.SUPERVISOR, None)
    assert (leaf("a").kind, leaf("a").shutdown_s) == (Kind.WORKER, 5.0)
    elsewhere = leaf("a", kind=Kind.SUPERVISOR)
    assert (elsewhere.kind, elsewhere.shutdown_s) == (Kind.SUPERVISOR, None), "one in a process of its own"
    assert ChildSpec(id="a", start=SupervisorSpec(), shutdown_s=2.0, kind=Kind.WORKER).shutdown_s == 2.0
    assert running(SupervisorSpec(children=(nested,))).stop(0) == [Stop(1, nested)]
    assert msgspec.structs.replace(nested, id="b") == ChildSpec(id="b", start=SupervisorSpec())
