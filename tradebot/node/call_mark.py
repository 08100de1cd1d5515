"""A strategy whose callback ends the engine, or never returns: known by what outlives the engine, and shut out of its next start.

A callback that raises is quarantined by the kernel. One that crashes in compiled code, or hangs, takes the engine with it; the
answer that it came to is told again to the next engine, so it would kill that too. The kernel says in a file that the engine
maps which callback runs. The root reads it when an engine is dead: a crash within a callback shuts its strategy out
at once, a silence for which the engine was killed at the second time, for a process may stand still by no fault of its
own. Being killed by anybody else says nothing of a strategy.

journal/<run id>/calls     three 64-bit words: the strategy + 1, 0 outside a callback; the fact; 1 while the engine recovers
"""

import mmap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradebot.actors.child_spec import KILLED
from tradebot.engine.session import ShutOut

NAME: Final = "calls"
WORDS: Final = 3
STRATEGY, FACT, RECOVERING = range(WORDS)
OUTSIDE: Final = frozenset({KILLED, "signal SIGTERM", "signal SIGINT", "signal SIGHUP"})
"""Ends that somebody else made."""

IN_A_ROW_S: Final = 900.0  # within which two silences in callbacks of one strategy are in a row

Words = npt.NDArray[np.uint64]


class Mark(NamedTuple):
    """What an engine was at. `strategy` is None outside a callback."""

    strategy: int | None
    fact: int
    is_recovering: bool


def open_words(folder: Path) -> Words:
    """The words of the run in `folder`, mapped, so that they are there after a death. On a disk that has no room for them they
    are this process's own, and a death tells nothing.
    """
    try:
        with (folder / NAME).open("w+b") as file:
            file.write(bytes(8 * WORDS))
            file.flush()
            return np.frombuffer(mmap.mmap(file.fileno(), 8 * WORDS), np.uint64)
    except OSError:
        return np.zeros(WORDS, np.uint64)


def read_mark(folder: Path) -> Mark:
    """What the words say now; nothing where there are none."""
    try:
        words = np.frombuffer((folder / NAME).read_bytes(), np.uint64)
    except (OSError, ValueError):
        words = np.zeros(0, np.uint64)
    if len(words) != WORDS:
        return Mark(None, 0, False)
    strategy = int(words[STRATEGY])
    return Mark(strategy - 1 if strategy else None, int(words[FACT]), bool(words[RECOVERING]))


class Suspects:
    """Judges the deaths of a run's engines; `names` are its strategies'. `told` hears of each that is to be shut out."""

    def __init__(self, folder: Path, names: list[str], told: Callable[[str, str], None]) -> None:
        self.folder, self.names, self.told = folder, names, told
        self.hung: dict[int, float] = {}
        self.shut: ShutOut | None = None
        self.last = Mark(None, 0, False)

    def is_recovering(self) -> bool:
        """Whether the engine, which does not answer until it has recovered, has come further since the last call."""
        before, self.last = self.last, read_mark(self.folder)
        return self.last.is_recovering and self.last.fact != before.fact

    def now(self) -> str:
        """Whose callback has not returned, in words that end a sentence."""
        mark = read_mark(self.folder)
        if mark.strategy is None or not mark.strategy < len(self.names):
            return ""
        return f", for a callback of strategy {self.names[mark.strategy]} on fact {mark.fact} does not return"

    def judge(self, why: str, was_silent: bool) -> None:
        """An engine died of `why` (`actors.running.reason_of`); `was_silent`: it was killed, because it did not answer."""
        mark = read_mark(self.folder)
        if mark.strategy is None or not mark.strategy < len(self.names):
            return
        if was_silent:
            self.note_silence(mark)
        elif why not in OUTSIDE:
            self.shut_out(mark, f"the engine died in a callback of it on fact {mark.fact}: {why}")

    def note_silence(self, mark: Mark) -> None:
        assert mark.strategy is not None
        before, now = self.hung.get(mark.strategy), time.monotonic()
        self.hung[mark.strategy] = now
        if before is not None and now - before < IN_A_ROW_S:
            self.shut_out(mark, f"twice a callback of it did not return, the last time on fact {mark.fact}")

    def shut_out(self, mark: Mark, why: str) -> None:
        assert mark.strategy is not None
        others = self.shut.strategies if self.shut else []
        self.shut = ShutOut(sorted({*others, mark.strategy}), f"{self.names[mark.strategy]}: {why}", mark.is_recovering)
        self.told(self.names[mark.strategy], why)

    def take(self) -> ShutOut | None:
        """Who the next start shuts out; the one after it begins without."""
        found, self.shut = self.shut, None
        return found
