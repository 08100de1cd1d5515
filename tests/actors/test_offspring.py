"""Processes that were left to us are reaped, and those that somebody waits for are left to whom."""

import asyncio
import os
import subprocess
import sys

from tests.actors.children import below, until
from tradebot.actors import offspring
from tradebot.actors.offspring import STRAY_S, Strays, adopt_orphans, has_ended, spawn

LEAVES = "import subprocess, sys; print(subprocess.Popen(['sleep', '0.2'], stdout=subprocess.DEVNULL).pid)"


def test_an_orphan_that_was_left_to_us_is_reaped_after_a_while() -> None:
    adopt_orphans()
    pid = int(subprocess.run([sys.executable, "-c", LEAVES], stdout=subprocess.PIPE, check=True).stdout)
    asyncio.run(asyncio.wait_for(until(lambda: has_ended(pid)), 20))
    strays = Strays()
    strays.reap(100.0)
    assert pid in below(os.getpid()), "whoever might still be told of it has some seconds"
    strays.reap(100.0 + STRAY_S)
    assert pid not in below(os.getpid())


def test_one_that_somebody_waits_for_is_left_to_whom() -> None:
    async def play() -> int:
        found = spawn(["-c", "raise SystemExit(7)"], sys.stderr.buffer, [])
        while not has_ended(found.pid):
            offspring.os.sched_yield()  # its pidfd is not looked at meanwhile
        strays = Strays()
        for now_s in (0.0, 2 * STRAY_S):
            strays.reap(now_s)
        return await asyncio.wait_for(found.exited, 20)

    assert asyncio.run(play()) == 7
