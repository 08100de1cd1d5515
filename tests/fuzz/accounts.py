"""Whole accounts under fuzz: every grade, spot and contracts, orders of every type, guards, changes, perhaps a compiled strategy.

The rules are those of `tests/engine/markets`; here latencies, fees, margins and markets are of chance, and some facts are
damaged.
"""

import random
from collections.abc import Callable
from typing import Final

import numpy as np

from tests.engine.markets import GRADES, KINDS, Everything, check_run, facts_of, settings
from tests.fuzz.streams import damaged
from tests.support import MS, SECOND
from tradebot._core.queue_model import QueueKind
from tradebot.engine import snapshot
from tradebot.engine.drive import hand_over
from tradebot.engine.plan import Plan, make_merge
from tradebot.engine.ports import Nobody, Records
from tradebot.strategies.strategy import Strategy
from tradebot.testing.compiled_grid import CompiledGrid

Make = Callable[[], list[Strategy]]

REFUSED: Final = (ValueError, OverflowError)
COUNTS: Final = {"bars": 60, "trades": 150, "quotes": 150, "levels": 200, "orders": 250}


def account(chance: random.Random) -> str:
    """Step by step what must be so at every fact, over a market as it is recorded."""
    planned, facts, make = chosen(chance)
    check_run(planned, facts, make())
    return "taken"


def restarts(chance: random.Random) -> str:
    """Damaged or whole, in one piece and from snapshots: one end."""
    planned, facts, make = chosen(chance)
    if chance.random() < 0.5:
        facts = damaged(chance, facts)
        facts["time_ns"] = np.clip(facts["time_ns"], facts["time_ns"][0], facts["time_ns"][0] + 120 * SECOND)
        facts = facts[np.argsort(facts["time_ns"], kind="stable")]
    ends = {ended(planned, facts, make, every) for every in (1 << 40, chance.randrange(1, 60))}
    assert len(ends) == 1, "snapshots gave another run"
    return "refused" if isinstance(next(iter(ends)), str) else "taken"


def chosen(chance: random.Random) -> tuple[Plan, Records, Make]:
    grade, kind = chance.choice(list(GRADES)), chance.choice(list(KINDS))
    fees = chance.choice(("quote", "base", "third")) if kind == "spot" else "quote"
    planned = settings(
        grade, kind, chance.choice((0, 5 * MS, 300 * MS)), fees, chance.random() < 0.5,
        triggers_by_mark=chance.random() < 0.3, queue=int(chance.choice(list(QueueKind))),
    )  # fmt: skip
    facts, seed = facts_of(grade, chance.randrange(1 << 20), COUNTS[grade]), chance.randrange(1 << 20)
    size, is_compiled = chance.choice((2, 6, 20)), chance.random() < 0.3

    def make() -> list[Strategy]:
        params = {"eager": 0.4, "size": size}
        lot = float(KINDS[kind].lot_size)
        second = (
            CompiledGrid({"size": lot, "interval_ns": 100 * MS, "first_ns": int(facts["time_ns"][0]) + SECOND})
            if is_compiled
            else Everything(params | {"seed": seed + 2})
        )
        return [Everything(params | {"seed": seed + 1}), second]

    return planned, facts, make


def ended(planned: Plan, facts: Records, make: Make, every: int) -> str | tuple[str, bytes]:
    merge = make_merge(planned, make())
    try:
        merge.load(facts)
        while merge.run(every):
            hand_over(merge, Nobody())
            saved, merge = snapshot.to_bytes(merge), make_merge(planned, make())
            snapshot.from_bytes(merge, saved)
            assert snapshot.to_bytes(merge) == saved
    except REFUSED as error:
        return f"{type(error).__name__}: {error}"
    merge.kernel.validate()
    assert all(isinstance(error, REFUSED) for _, _, error in merge.kernel.failures)
    return merge.kernel.digest_text, snapshot.to_bytes(merge)


TARGETS: Final = {"account": account, "restarts": restarts}
