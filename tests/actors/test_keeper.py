"""A keeper of real processes: what dies starts again, what cannot live ends the whole, and nobody outlives the keeper."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradebot.actors.keeper import Keeper, Spec

SLEEPS = "import sys, time; time.sleep(60)"
DIES = "import sys; sys.exit(3)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def spec(name: str, code: str) -> Spec:
    return Spec(name=name, command=lambda: ["-c", code])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_what_is_killed_starts_again_at_once(tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []

    async def body() -> None:
        with (tmp_path / "log").open("wb") as log:
            keeper = Keeper([spec("a", SLEEPS), spec("b", SLEEPS)], log, lambda name, code: told.append((name, code)))
            await keeper.start()
            first = keeper.pids()
            os.kill(first["a"], signal.SIGKILL)
            began = time.monotonic()
            while keeper.pids().get("a") in (None, first["a"]):
                await asyncio.sleep(0.01)
            assert time.monotonic() - began < 1.0
            assert keeper.pids()["b"] == first["b"], "one for one"
            last = keeper.pids()
            await keeper.end()
            assert not any(is_alive(pid) for pid in last.values())

    asyncio.run(body())
    assert told == [("a", -signal.SIGKILL)]


def test_what_dies_again_and_again_ends_the_whole_and_waits_longer_each_time(tmp_path: Path) -> None:
    times: list[float] = []

    async def body() -> None:
        with (tmp_path / "log").open("wb") as log:
            keeper = Keeper([spec("a", DIES)], log, lambda name, code: times.append(time.monotonic()), deaths_max=4)
            await keeper.start()
            words = await asyncio.wait_for(keeper.failed, 20)
            assert "a and others died more than 4 times" in words
            await keeper.end()

    asyncio.run(body())
    waits = [after - before for before, after in itertools.pairwise(times)]
    assert len(times) == 5 and waits[-1] > waits[0]


async def failure_of(specs: list[Spec], folder: Path, kill: bool = False) -> str:
    """Why a keeper of these ends the whole; with `kill` each start of the first is killed from outside."""
    with (folder / "log").open("wb") as log:
        keeper = Keeper(specs, log, lambda name, code: None)
        await keeper.start()
        try:
            while not keeper.failed.done():
                for pid in keeper.pids().values() if kill else ():
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.05)
            return keeper.failed.result()
        finally:
            await keeper.end()


def test_what_ends_by_itself_each_time_ends_the_whole(tmp_path: Path) -> None:
    words = asyncio.run(asyncio.wait_for(failure_of([spec("a", DIES), spec("b", SLEEPS)], tmp_path), 30))
    assert words == "a ended 6 times in a row"


def test_a_kill_from_outside_is_no_end_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asyncio.wait_for(failure_of([spec("a", SLEEPS)], tmp_path, kill=True), 2))


def test_what_cannot_even_be_started_again_ends_the_whole(tmp_path: Path) -> None:
    starts = itertools.count()

    def command() -> list[str]:
        if next(starts):
            raise OSError("no space left")
        return ["-c", DIES]

    words = asyncio.run(asyncio.wait_for(failure_of([Spec(name="a", command=command)], tmp_path), 10))
    assert words == "a could not be started: no space left"


def test_one_that_is_stopped_or_deaf_is_ended_all_the_same(tmp_path: Path) -> None:
    async def body() -> None:
        with (tmp_path / "log").open("wb") as log:
            keeper = Keeper([spec("stopped", SLEEPS), spec("deaf", DEAF)], log, lambda name, code: None)
            await keeper.start()
            pids = keeper.pids()
            os.kill(pids["stopped"], signal.SIGSTOP)
            await asyncio.sleep(0.3)
            await keeper.end(grace_s=0.5)
            assert not any(is_alive(pid) for pid in pids.values())

    asyncio.run(body())


HOLDER = """
import asyncio, sys
from tradebot.actors.keeper import Keeper, Spec
async def body():
    child = "import os, select, sys; line = int(sys.argv[-1]); select.select([line], [], []); sys.exit(0)"
    keeper = Keeper([Spec(name="a", command=lambda: ["-c", child])], open(sys.argv[1], "wb"), lambda *words: None)
    await keeper.start()
    print(keeper.pids()["a"], flush=True)
    await asyncio.sleep(60)
asyncio.run(body())
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_sees_by_its_life_line_that_its_keeper_is_gone(tmp_path: Path, number: int) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout is not None
        child = int(keeper.stdout.readline())
        assert is_alive(child)
        keeper.send_signal(number)
    until = time.monotonic() + 5
    while is_alive(child):
        assert time.monotonic() < until, "the child lives on"
        time.sleep(0.02)
