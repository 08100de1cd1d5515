"""A strategy tried on the seeded market, without a store, a file or a network: what the tests of a user's project call.

The market is made up, the same on every machine, and nothing about profit can be learnt from it. What can be learnt is
whether a strategy runs at all: it trades, it raises nothing, it comes to the same end twice and after restarts.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import numpy as np

from tradebot.engine.plan import Limits, Place, Plan
from tradebot.engine.ports import Nobody, Records
from tradebot.research import backtest
from tradebot.research.backtest import Outcome
from tradebot.store import synthetic
from tradebot.strategies.strategy import Strategy
from tradebot.testing.contract import check_restarts

EVENTS: Final = 60_000  # over half an hour
RESTART_EVERY: Final = 1_000  # facts

Params = Mapping[str, object]


def trial(strategy: type[Strategy], params: Params | None = None, events: int = EVENTS) -> Outcome:
    """Run it over the seeded market: 100,000 USD and 1 BTC, 0.5% a trade, 50 ms each way. What it raised is in `failures`."""
    return backtest.run(_plan(), [strategy(params)], [strategy.__name__], [_market(events)], Nobody())


def check_contract(strategy: type[Strategy], params: Params | None = None, events: int = EVENTS) -> None:
    """Whether it comes to the same end twice, and restarted all the time. Raises AssertionError that says what to do."""
    first, second = trial(strategy, params, events), trial(strategy, params, events)
    assert not first.failures, first.failures[0]
    assert first.digest == second.digest, "it came to another end the second time: ask no clock, no chance, no set"
    check_restarts(lambda: strategy(params), _plan(), _market(events), RESTART_EVERY)


@cache
def _market(events: int) -> Records:
    records = np.concatenate(list(synthetic.open_source(events=events)[1]))
    records.flags.writeable = False
    return records


def _plan() -> Plan:
    return Plan(
        instruments=[synthetic.INSTRUMENT],
        opening={"USD": 100_000 * 10**8, "BTC": 10**8},
        places=[Place([0], [Limits(band=5_000_000, orders_open_max=200)])],
        maker_fee=500_000,
        taker_fee=500_000,
        fee_in_base=False,
        order_latency_ns=50_000_000,
        answer_latency_ns=50_000_000,
    )
