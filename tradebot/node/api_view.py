"""How the node stands, for its clients: asked of the desks of engine and gateway at most every `EVERY_S`, however many want to
know, and not at all while nobody does.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.inquiry import Crowded, Inquiry
from tradebot.node.latch import read_killed

EVERY_S: Final = 0.25
ROWS_MAX: Final = 500  # orders that are told; where more are open, the engine is not asked for them

View = dict[str, Any]


class NodeView:
    def __init__(self, home: Path, run_id: str, engine: Inquiry, gateway: Inquiry) -> None:
        self._home, self._run_id = home, run_id
        self._engine, self._gateway = engine, gateway
        self._found: View = {}
        self._found_s = self._asked_s = -EVERY_S
        self._changes = self._seen = 0
        self._poll: asyncio.Task[None] | None = None
        self.polls = 0

    def changed(self) -> None:
        """What was found before is old: a control was done."""
        self._changes += 1

    async def now(self) -> View:
        """At most `EVERY_S` old, and no older than the last control."""
        wanted = self._changes
        while self._seen < wanted or time.monotonic() - self._found_s > EVERY_S:
            if self._poll is None or self._poll.done():
                self._poll = asyncio.get_running_loop().create_task(self._ask())
            await asyncio.shield(self._poll)
        return self._found

    async def _ask(self) -> None:
        await asyncio.sleep(max(0.0, self._asked_s + EVERY_S - time.monotonic()))
        self._asked_s, seen = time.monotonic(), self._changes
        self.polls += 1
        status, gateway = await asyncio.gather(ask_desk(self._engine, "status"), ask_desk(self._gateway, "status"))
        is_small = status is not None and status["orders_open"] <= ROWS_MAX
        orders = await ask_desk(self._engine, "orders") if is_small else None
        positions = await ask_desk(self._engine, "positions") if status is not None else None
        killed = read_killed(self._home)
        self._found = {
            "run_id": self._run_id,
            "is_running": status is not None,
            "status": status,
            "gateway": gateway,
            "orders": (orders or {}).get("orders", []),
            "orders_left_out": status["orders_open"] if status is not None and not is_small else 0,
            "positions": (positions or {}).get("positions", []),
            "killed": None if killed is None else killed.told(),
        }
        self._found_s, self._seen = time.monotonic(), seen


async def ask_desk(desk: Inquiry, verb: str, **words: str) -> dict[str, Any] | None:
    """The answer of a desk; None where it does not answer, or not with one."""
    try:
        found = await desk.ask(msgspec.json.encode({"verb": verb, **words}))
    except Crowded:
        return None
    answer = None if found is None else msgspec.json.decode(found, type=dict[str, Any])
    return None if answer is None or "error" in answer else answer


class Pace:
    """How much each name may ask: `rate` a second, `burst` at once. The time is given to it."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left: dict[str, tuple[float, float]] = {}

    def admits(self, name: str, cost: float = 1.0) -> bool:
        """Whether it may have this now; then it has been had."""
        now = self._clock()
        left, before = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + (now - before) * self._rate)
        is_admitted = left >= cost
        self._left[name] = (left - cost if is_admitted else left, now)
        return is_admitted
