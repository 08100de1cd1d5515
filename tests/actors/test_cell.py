"""Parts in one loop: told through rings and asked at desks; what one raises ends it alone, and it is started again."""

import asyncio
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tradebot.actors.bus import Bus
from tradebot.actors.cell import STEPS_KEPT, Addressed, Cell, LinkedEnd, Plain, Room, Steps
from tradebot.actors.child_spec import Backoff, ChildSpec, SupervisorSpec
from tradebot.actors.clock import Clock
from tradebot.actors.mailbox import Posts, ask
from tradebot.actors.process import Group, Lines
from tradebot.domain.codec import Message
from tradebot.domain.market import Records
from tradebot.domain.signals import Exit

SPEC = SupervisorSpec(intensity=9, backoff=Backoff(first_s=0), children=(ChildSpec(id="one"), ChildSpec(id="two")))


class Counts(Plain):
    """Tells the other each number that it takes, plus one, up to 40; the other raises at a number that it is told to."""

    def __init__(self, name: str, other: str, log: list[str], raises_at: int) -> None:
        self.name, self.other, self.log, self.raises_at = name, other, log, raises_at
        self.closed = False

    def open(self, now_ns: int) -> Iterable[Addressed]:
        self.log.append(f"{self.name} opens")
        return [(self.other, Records(1, 0, b""))] if self.name == "two" else []

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        for one in messages:
            assert isinstance(one, Records)
            if one.sequence == self.raises_at:
                self.raises_at = -1
                raise ArithmeticError("no such number")
            self.log.append(f"{self.name} takes {one.sequence}")
            if one.sequence < 40:
                yield self.other, Records(1, one.sequence + 1, b"")

    def on_clock(self, now_ns: int) -> Iterable[Addressed]:
        return ()

    def ask(
        self, body: bytes, now_ns: int, figures: Callable[[], dict[str, Any]]
    ) -> tuple[bytes, Iterable[Addressed]]:
        letters = {"garbage", "versions", "doubled", "late", "repaired", "lost", "told_again", "refused_peers"}
        assert set(figures()) == letters | {"messages", "depth", "most_waited", "step_us_p50", "step_us_p99"}
        return self.name.encode() + body, ()

    def refused(self, name: str, message: Message) -> None:
        self.log.append(f"{name} was full")

    traps_exits = False

    def close(self) -> None:
        self.log.append(f"{self.name} closes")


def play(folder: Path, raises_at: int) -> list[str]:
    log: list[str] = []
    made: list[str] = []

    async def body() -> None:
        def make(name: str) -> Counts:
            made.append(name)
            return Counts(name, "two" if name == "one" else "one", log, raises_at if made.count(name) == 1 else -1)

        told = asyncio.Event()
        tree = asyncio.create_task(
            Group(make, "both", SPEC, lambda what, child, why: None, Room(Bus(folder), Clock())).run(Lines(None, None))
        )
        while not told.is_set():
            await asyncio.sleep(0.01)
            if "one takes 40" in log or (raises_at > 0 and made.count("one") + made.count("two") > 2):
                told.set()
        await asyncio.sleep(0.05)
        answers = [await asyncio.to_thread(ask, folder, f"{name}.desk", b"?", 5.0) for name in ("one", "two")]
        assert answers == [b"one?", b"two?"]
        tree.cancel()
        await asyncio.wait([tree])

    asyncio.run(asyncio.wait_for(body(), 20))
    return log


def test_parts_of_one_loop_tell_each_other_in_order(tmp_path: Path) -> None:
    log = play(tmp_path, raises_at=-1)
    assert log[:2] == ["one opens", "two opens"] and log[-2:] == ["two closes", "one closes"]
    assert log[2:-2] == [f"{'two' if number % 2 else 'one'} takes {number}" for number in range(41)]


def test_one_that_raises_is_started_again_and_the_other_knows_nothing_of_it(tmp_path: Path) -> None:
    log = play(tmp_path, raises_at=8)
    assert log.count("one opens") == 2 and log.count("two opens") == 1
    assert log.index("one closes") < len(log) - 1 - log[::-1].index("one opens")
    assert "one takes 6" in log and "one takes 8" not in log


def test_the_figures_of_a_mailbox_are_of_its_last_steps() -> None:
    steps = Steps()
    assert steps.figures() == {"messages": 0, "step_us_p50": None, "step_us_p99": None}
    for number in range(STEPS_KEPT + 100):
        steps.note(1 + number % 3, 1.0 if number < 100 else 1e-6)
    messages = sum(1 + number % 3 for number in range(STEPS_KEPT + 100))
    assert steps.figures() == {"messages": messages, "step_us_p50": 1.0, "step_us_p99": 1.0}


class Linked(Counts):
    """Ends with the other, or decides by itself."""

    def __init__(self, name: str, log: list[str], traps_exits: bool) -> None:
        super().__init__(name, "nobody", log, -1)
        self.traps_exits = traps_exits

    def open(self, now_ns: int) -> Iterable[Addressed]:
        return ()

    def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
        self.log += [type(one).__name__ for one in messages]
        return ()


@pytest.mark.parametrize("traps_exits", [False, True])
def test_one_that_is_linked_takes_what_came_before_and_ends_unless_it_traps_exits(tmp_path: Path, traps_exits: bool) -> None:
    log: list[str] = []

    async def body() -> None:
        room = Room(Bus(tmp_path), Clock())
        cell = Cell(Linked("one", log, traps_exits), "one", room, lives_together=True)
        running = asyncio.create_task(cell.run(lambda: None))
        await asyncio.sleep(0.05)
        posts = Posts(room.bus, "two", 1)
        for message in (Records(1, 1, b""), Exit(1, "two", "exit 1"), Records(1, 2, b"")):
            assert posts.send("one", message)
        if traps_exits:
            await asyncio.sleep(0.05)
            cell.end()
            await running
        else:
            with pytest.raises(LinkedEnd, match="two, to which it is linked, ended: exit 1"):
                await running
        posts.close()
        room.close()

    asyncio.run(asyncio.wait_for(body(), 20))
    assert log == (["Records", "Exit", "Records"] if traps_exits else ["Records"]) + ["one closes"]


@pytest.mark.parametrize("is_here", [False, True])
def test_the_figures_tell_how_much_waited_and_how_much_waits(tmp_path: Path, is_here: bool) -> None:
    """More than a drain takes; the part itself looks while it takes them, the first time so slowly that others come."""
    most, seen = 9_000, []

    class Looks(Linked):
        def take(self, messages: list[Message], now_ns: int) -> Iterable[Addressed]:
            if not seen:
                time.sleep(0.2)
            seen.append((len(messages), cell.figures()["depth"]))
            return ()

    async def body() -> None:
        nonlocal cell
        room, other = Room(Bus(tmp_path), Clock()), Bus(tmp_path)
        cell = Cell(Looks("one", [], False), "one", room, lives_together=is_here)
        posts = Posts(room.bus if is_here else other, "two", 1)
        if not is_here:  # they wait at the sender until there is a mailbox
            assert all(posts.send("one", Records(1, number, b"")) for number in range(most))
        running = asyncio.create_task(cell.run(lambda: None))
        await asyncio.sleep(0.05)
        if is_here:
            assert all(posts.send("one", Records(1, number, b"")) for number in range(most))
            assert cell.figures()["depth"] == most
        while cell.steps.messages < most:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        figures = cell.figures()
        assert figures["depth"] == 0 and figures["most_waited"] <= most
        assert figures["most_waited"] == most if is_here else figures["most_waited"] > 256
        assert max(count for count, _ in seen) <= 256 and max(depth for _, depth in seen) > 256
        cell.end()
        await running
        posts.close()
        room.close()
        other.close()

    cell: Cell
    asyncio.run(asyncio.wait_for(body(), 20))
