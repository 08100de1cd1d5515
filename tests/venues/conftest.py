"""A server for each test, and a world in which nobody waits."""

from collections.abc import Iterator
from math import inf

import pytest

from tests.venues.local_server import LocalServer
from tradebot.venues.patience import Pace, Patience


class Clock:
    """Time that passes only where somebody sleeps; `slept` lists how long."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds

    def read(self) -> float:
        return self.now_s

    def patience(self, attempts_max: int = 6) -> Patience:
        return Patience(attempts_max, self.sleep, lambda: 1.0)

    def pace(self, per_s: float = inf) -> Pace:
        return Pace(per_s, self.sleep, self.read)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with LocalServer().running() as running:
        yield running
