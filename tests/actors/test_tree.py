"""A tree of real processes: started in order, seen when they die, started again within milliseconds, and none left behind."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from tests.actors.children import Nursery, below, is_alive, run, until
from tradebot.actors.child_spec import Backoff, ChildSpec, Kind, Restart, Strategy, SupervisorSpec
from tradebot.actors.running import InLoop, Report, Running
from tradebot.actors.tree import Tree
from tradebot.domain.errors import LocalError

PLACES = ["fork", "spawn"]
AT_ONCE = Backoff(first_s=0)


def spec(*children: ChildSpec, **rules: Any) -> SupervisorSpec:
    return SupervisorSpec(**{"intensity": 20, "backoff": AT_ONCE} | rules, children=children)


def child(name: str, start: Any, **rules: Any) -> ChildSpec:
    return ChildSpec(id=name, start=start, **rules)


@pytest.mark.parametrize("place", PLACES)
def test_children_start_in_order_end_in_the_opposite_one_and_none_is_left(tmp_path: Path, place: str) -> None:
    async def body(nursery: Nursery) -> None:
        events: list[tuple[str, str]] = []
        tree = Tree(
            spec(child("a", f"{place} runs"), child("b", f"{place} runs")),
            nursery.begin, lambda what, one, _: events.append((what, one.id)),
        )  # fmt: skip
        await tree.start()
        assert events == [("start", "a"), ("started", "a"), ("start", "b"), ("started", "b")]
        pids = [tree.process_of(one) for one in tree.children()]
        assert pids == [nursery.pids("a")[0], nursery.pids("b")[0]]
        await tree.stop()
        assert events[4:] == [("stop", "b"), ("exited", "b"), ("stop", "a"), ("exited", "a")]
        assert not any(is_alive(pid) for pid in pids if pid)

    run(tmp_path, body)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_what_dies_is_started_again_and_what_it_died_of_is_known(tmp_path: Path, place: str, number: signal.Signals) -> None:
    async def body(nursery: Nursery) -> None:
        told: list[str] = []
        tree = Tree(
            spec(child("a", f"{place} runs"), child("b", f"{place} runs")),
            nursery.begin, lambda what, _, why: told.append(why) if what == "exited" else None,
        )  # fmt: skip
        await tree.start()
        first, other = nursery.pids("a")[0], nursery.pids("b")[0]
        os.kill(first, number)
        await until(lambda: len(nursery.pids("a")) == 2 and tree.children()[0].is_up)
        assert told == ["killed" if number == signal.SIGKILL else f"signal {number.name}"]
        assert nursery.pids("b") == [other] and is_alive(other), "one for one"
        await tree.stop()

    run(tmp_path, body)


def test_killing_the_zygote_fells_nobody_and_hides_no_death(tmp_path: Path) -> None:
    """What it forked is ours: its end is seen, its code known, and it is no zombie."""

    async def body(nursery: Nursery) -> None:
        told: list[str] = []
        tree = Tree(
            spec(child("a", "fork runs"), child("b", "fork runs")),
            nursery.begin, lambda what, _, why: told.append(why) if what == "exited" else None,
        )  # fmt: skip
        await tree.start()
        zygote, (first,), (other,) = nursery.zygote.pid, nursery.pids("a"), nursery.pids("b")
        assert zygote is not None and {first, other} <= set(below(os.getpid()))
        await until(lambda: below(zygote) == [])  # what it forked last in between has ended, and it reaps that
        os.kill(zygote, signal.SIGKILL)
        await until(lambda: nursery.zygote.pid is None)
        assert is_alive(first) and is_alive(other)
        os.kill(first, signal.SIGABRT)
        await until(lambda: len(nursery.pids("a")) == 2 and tree.children()[0].is_up)
        assert told == ["signal SIGABRT"] and nursery.zygote.starts == 2 and is_alive(other)
        assert not Path(f"/proc/{first}").exists()
        await tree.stop()

    run(tmp_path, body)


def test_a_zygote_that_dies_while_it_warms_up_is_made_anew(tmp_path: Path) -> None:
    async def body(nursery: Nursery) -> None:
        warming = asyncio.create_task(nursery.zygote.warm())
        await until(lambda: nursery.zygote.pid is not None)
        os.kill(nursery.zygote.pid or 0, signal.SIGKILL)
        await warming
        assert nursery.zygote.starts == 2

    run(tmp_path, body)


def test_who_asks_for_a_child_and_stops_waiting_holds_up_no_end(tmp_path: Path) -> None:
    """A node is told to end while a part of it starts."""

    async def body(nursery: Nursery) -> None:
        tree = Tree(spec(child("a", "fork runs"), child("b", "fork runs")), nursery.begin)
        await tree.start()
        starting = asyncio.create_task(tree.start_child(child("c", "fork late")))
        await until(lambda: len(tree.children()) == 3)
        starting.cancel()
        await asyncio.wait([starting])
        await asyncio.wait_for(tree.stop(), 10.0)
        assert not [pid for name in "abc" for pid in nursery.pids(name) if is_alive(pid)]

    run(tmp_path, body)


def test_a_zygote_that_stands_still_is_killed_for_it_and_hides_no_death(tmp_path: Path) -> None:
    async def body(nursery: Nursery) -> None:
        told: list[str] = []
        before = set(below(os.getpid()))
        tree = Tree(
            spec(child("a", "fork runs"), child("b", "fork runs")),
            nursery.begin, lambda what, _, why: told.append(why) if what == "exited" else None,
        )  # fmt: skip
        await tree.start()
        for count, asks_first in ((2, False), (3, True)):
            zygote, pid, (other,) = nursery.zygote.pid, nursery.pids("a")[-1], nursery.pids("b")
            assert zygote is not None
            os.kill(zygote, signal.SIGSTOP)
            if asks_first:  # a fork is under way when it stands still
                assert await tree.start_child(child("c", "fork runs")) == ""
            os.kill(pid, signal.SIGABRT)
            await until(lambda count=count: len(nursery.pids("a")) == count and tree.children()[0].is_up)
            assert nursery.zygote.starts == count and nursery.zygote.pid != zygote and is_alive(other)
        assert told == ["signal SIGABRT"] * 2
        await until(lambda: below(nursery.zygote.pid or 0) == [])  # what it forked in between has ended, and it reaps that
        living = set(below(os.getpid())) - {nursery.zygote.pid} - before
        assert living == {nursery.pids(name)[-1] for name in "abc"}, "none that nobody knows of"
        await tree.stop()

    run(tmp_path, body)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_zygote_that_ends_or_hangs_at_any_moment_of_a_fork_leaves_nobody_unseen(
    tmp_path: Path, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, between and behind its two forks: one child comes to be, and what else was forked is gone, zombies too."""
    monkeypatch.setattr("tradebot.actors.zygote.FORK_S", 0.3)

    async def body(nursery: Nursery) -> None:
        before = set(below(os.getpid()))
        tree = Tree(spec(), nursery.begin)
        await tree.start()
        for count in range(16):
            await nursery.zygote.warm()
            zygote = nursery.zygote.pid
            assert zygote is not None
            starting = asyncio.create_task(tree.start_child(child(f"c{count}", "fork runs")))
            await asyncio.sleep(count * 0.0004)
            os.kill(zygote, number)
            assert await starting == ""
            with contextlib.suppress(ProcessLookupError):  # it stood still before it was asked, and has been killed for it
                os.kill(zygote, signal.SIGKILL)
            await until(lambda zygote=zygote: nursery.zygote.pid != zygote)
        await nursery.zygote.warm()
        living = set(below(os.getpid())) - before - {nursery.zygote.pid}
        assert living == {tree.process_of(one) for one in tree.children()} and len(living) == 16
        assert all(len(nursery.pids(f"c{count}")) == 1 for count in range(16)), "no other ever began"
        await tree.stop()

    run(tmp_path, body)


def test_a_zygote_that_dies_together_with_its_child_costs_one_restart(tmp_path: Path) -> None:
    async def body(nursery: Nursery) -> None:
        tree = Tree(spec(child("a", "fork runs")), nursery.begin)
        await tree.start()
        for count in range(2, 8):
            zygote, pid = nursery.zygote.pid, nursery.pids("a")[-1]
            assert zygote is not None
            for victim in (pid, zygote) if count % 2 else (zygote, pid):
                os.kill(victim, signal.SIGKILL)
            await until(lambda count=count: len(nursery.pids("a")) == count and tree.children()[0].is_up)
        assert tree.children()[0].starts == 7
        await tree.stop()

    run(tmp_path, body)


@pytest.mark.parametrize("place", PLACES)
def test_a_deaf_child_and_one_that_stands_still_are_killed_in_their_time(tmp_path: Path, place: str) -> None:
    async def body(nursery: Nursery) -> None:
        events: list[tuple[str, str]] = []
        tree = Tree(
            spec(child("deaf", f"{place} deaf", shutdown_s=0.2), child("still", f"{place} runs", shutdown_s=0.5)),
            nursery.begin, lambda what, one, _: events.append((what, one.id)),
        )  # fmt: skip
        await tree.start()
        os.kill(nursery.pids("still")[0], signal.SIGSTOP)
        await tree.stop()
        assert events[4:] == [("stop", "still"), ("exited", "still"), ("stop", "deaf"), ("kill", "deaf"), ("exited", "deaf")]

    run(tmp_path, body)


@pytest.mark.parametrize(("how", "why"), [("fails", "exit 3"), ("late", "killed")])
@pytest.mark.parametrize("place", PLACES)
def test_a_child_that_does_not_start_ends_the_tree_with_what_had_started(tmp_path: Path, place: str, how: str, why: str) -> None:
    async def body(nursery: Nursery) -> None:
        tree = Tree(spec(child("a", f"{place} runs"), child("b", f"{place} {how}")), nursery.begin)
        with pytest.raises(LocalError, match=f"failed to start b: {why}"):
            await tree.start()
        assert not is_alive(nursery.pids("a")[0])

    run(tmp_path, body)


def test_a_tree_below_gives_up_and_the_one_above_decides(tmp_path: Path) -> None:
    """Its intensity is reached: its children end, and it is started anew with fresh counts."""

    async def body(nursery: Nursery) -> None:
        below_spec = spec(child("x", "fork runs"), child("y", "fork runs"), intensity=1, strategy=Strategy.ONE_FOR_ALL)
        tree = Tree(
            spec(child("a", "fork runs"), child("below", below_spec, kind=Kind.SUPERVISOR, shutdown_s=None)), nursery.begin
        )
        await tree.start()
        for count in (2, 3):
            os.kill(nursery.pids("x")[-1], signal.SIGKILL)
            await until(lambda count=count: len(nursery.pids("y")) == count and tree.below["below"].ready.done())
        assert [one.starts for one in tree.children()] == [1, 2]
        await tree.stop()

    run(tmp_path, body)


def test_children_come_and_go_while_it_runs(tmp_path: Path) -> None:
    async def body(nursery: Nursery) -> None:
        tree = Tree(spec(child("a", "fork runs")), nursery.begin)
        await tree.start()
        assert await tree.start_child(child("b", "fork runs")) == ""
        assert await tree.start_child(child("b", "fork runs")) == "already started"
        assert await tree.start_child(child("c", "fork fails")) == "exit 3"
        assert await tree.delete_child("b") == "running"
        assert await tree.terminate_child("b") == "" and not is_alive(nursery.pids("b")[0])
        assert await tree.restart_child("b") == "" and is_alive(nursery.pids("b")[1])
        assert await tree.terminate_child("b") == await tree.delete_child("b") == ""
        assert await tree.restart_child("b") == "not found"
        await tree.stop()
        assert await tree.restart_child("a") == "ended"

    run(tmp_path, body)


def test_a_transient_child_that_is_done_stays_done_and_one_that_fails_does_not(tmp_path: Path) -> None:
    async def body(nursery: Nursery) -> None:
        rules = {"restart": Restart.TRANSIENT}
        tree = Tree(spec(child("a", "fork done", **rules), child("b", "fork dies", **rules), intensity=3), nursery.begin)
        ended = await asyncio.wait_for(_until_ended(tree), 20)
        assert ended == "shutdown" and len(nursery.pids("a")) == 1 and len(nursery.pids("b")) == 4

    run(tmp_path, body)


async def _until_ended(tree: Tree) -> str:
    await tree.start()
    return await tree.ended


def test_a_tree_that_stops_while_one_below_is_starting_leaves_nobody(tmp_path: Path) -> None:
    """What is below is killed, waited for, and not started again."""

    async def body(nursery: Nursery) -> None:
        below_spec = spec(child("x", "fork runs"), child("y", "fork late"))
        tree = Tree(spec(child("below", below_spec, kind=Kind.SUPERVISOR, shutdown_s=None)), nursery.begin)
        starting = asyncio.create_task(tree.start())
        await until(lambda: nursery.pids("x") and nursery.starts == 2)
        await asyncio.wait_for(tree.stop(), 5)
        await asyncio.wait([starting])
        assert not is_alive(nursery.pids("x")[0]) and len(nursery.pids("x")) == 1 and nursery.starts == 2

    run(tmp_path, body)


def in_loop(runs: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> Callable[[ChildSpec, Report], Running]:
    async def run(started: Callable[[], None], ending: asyncio.Event) -> str | None:
        started()
        await runs(ending)
        return None

    return lambda child, report: InLoop(run, report, child.id)


def test_who_stops_waiting_for_the_end_of_a_tree_ends_no_end() -> None:
    """The next who waits for it sees it, with nobody left."""
    is_slow = asyncio.Event()

    async def slow(ending: asyncio.Event) -> None:
        await ending.wait()
        await is_slow.wait()

    async def body() -> None:
        tree = Tree(spec(child("a", None), child("b", None)), in_loop(slow))
        await tree.start()
        for _ in range(2):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(tree.stop(), 0.02)
        call = asyncio.create_task(tree.restart_child("a"))
        await asyncio.sleep(0)
        call.cancel()
        is_slow.set()
        await asyncio.wait_for(tree.stop(), 5)
        assert tree.ended.result() == "shutdown" and not tree.running

    asyncio.run(body())


def test_a_child_in_the_loop_that_catches_its_kill_holds_up_no_end(capfd: pytest.CaptureFixture[str]) -> None:
    """It is killed again, which helps where it catches some; then it is given up, and that is said."""
    killed: list[str] = []

    async def body(deaf_to: int) -> None:
        is_over = asyncio.Event()

        async def deaf(_: asyncio.Event) -> None:
            kills = 0
            while kills < deaf_to and not is_over.is_set():
                try:
                    await asyncio.wait_for(is_over.wait(), 60)
                except asyncio.CancelledError:
                    kills += 1
            if not is_over.is_set():
                raise asyncio.CancelledError

        told: list[tuple[str, str]] = []
        tree = Tree(
            spec(child("a", None, shutdown_s=0.01)), in_loop(deaf), lambda what, _, why: told.append((what, why))
        )  # fmt: skip
        await tree.start()
        await asyncio.wait_for(tree.stop(), 5)
        assert told == [("start", ""), ("started", ""), ("stop", ""), ("kill", ""), ("exited", "killed")]
        killed.append(capfd.readouterr().err)
        is_over.set()
        await asyncio.sleep(0.02)
        assert len(told) == 5, "its end, when it comes, is nobody's any more"

    asyncio.run(body(3))
    asyncio.run(body(10**9))
    assert killed == ["", "a: it is deaf: it was killed 20 times and still runs; it is given up\n"]


def test_a_tree_below_that_is_killed_more_than_once_waits_for_what_is_below_it() -> None:
    """Its child is deaf: the tree ends when that is given up, not before."""
    is_over: list[asyncio.Event] = []

    async def deaf(_: asyncio.Event) -> None:
        while not is_over[0].is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await is_over[0].wait()

    async def body() -> None:
        is_over.append(asyncio.Event())
        told: list[tuple[str, str]] = []
        tree = Tree(
            spec(child("below", spec(child("x", None)), shutdown_s=0.01)), in_loop(deaf),
            lambda what, one, _: told.append((what, one.id)),
        )  # fmt: skip
        await tree.start()
        await asyncio.wait_for(tree.stop(), 5)
        assert told[-2:] == [("exited", "x"), ("exited", "below")]
        is_over[0].set()
        await asyncio.sleep(0.02)

    asyncio.run(body())
