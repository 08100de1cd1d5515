"""A small seeded market and plans over it, for the tests that run the engine."""

from functools import cache

import numpy as np

from tradebot.engine.plan import Limits, Place, Plan
from tradebot.engine.ports import Records
from tradebot.store import synthetic

LIMITS = Limits(band=5_000_000, orders_open_max=200)


@cache
def stream(events: int = 5_000) -> Records:
    found = np.concatenate(list(synthetic.open_source(events=events)[1]))
    found.flags.writeable = False
    return found


def make_plan(strategies: int = 1) -> Plan:
    return Plan(
        instruments=[synthetic.INSTRUMENT],
        opening={"USD": 10**15, "BTC": 10**12},
        places=[Place([0], [LIMITS])] * strategies,
        maker_fee=300_000,
        taker_fee=400_000,
        fee_in_base=False,
        order_latency_ns=50_000_000,
        answer_latency_ns=50_000_000,
        sample_interval_ns=10**9,
    )
