"""What `bench latency` offers: messages of market facts at a steady pace, of which some hold a trade that is answered."""

from typing import Any, Final

import numpy as np
from msgspec import Struct

from tradebot._core.types import RECORD_DTYPE, Flag, Kind
from tradebot.domain.market import RECORDS_MAX
from tradebot.store import synthetic

MESSAGES_PER_S: Final = 1_000  # at most; faster, and a message holds more facts
RATE_MAX: Final = MESSAGES_PER_S * RECORDS_MAX
ORDERS_PER_S: Final = 200  # at most
BID: Final = 5_000_000
ASK: Final = 5_000_002
DEEP: Final = 4_000_000  # far below

Rows = np.ndarray[Any, np.dtype[np.void]]


class Stream(Struct, frozen=True, kw_only=True):
    """`facts` in a message, a message every `every_ns`, of `count`; each `orders_every`th holds a trade, as its last fact."""

    facts: int
    every_ns: int
    count: int
    orders_every: int

    def has_trade(self, beat: int) -> bool:
        return (beat + 1) % self.orders_every == 0

    @property
    def trades(self) -> int:
        return self.count // self.orders_every

    def book(self) -> Rows:
        """What stands before the first message: an order on each side."""
        rows = np.zeros(2, RECORD_DTYPE)
        rows["kind"], rows["instrument"], rows["quantity"], rows["id"] = Kind.L3_ADD, synthetic.INSTRUMENT.id, 10**9, [1, 2]
        rows["price"], rows["flags"] = [BID, ASK], [0, Flag.SELL]
        return rows

    def message(self, beat: int, time_ns: int) -> bytes:
        """An order deep in the book comes and goes, again and again; then a trade, where there is one."""
        rows = np.zeros(self.facts, RECORD_DTYPE)
        rows["instrument"], rows["quantity"], rows["time_ns"], rows["venue_ns"] = synthetic.INSTRUMENT.id, 1, time_ns, time_ns
        numbers = np.arange(beat * self.facts, (beat + 1) * self.facts)
        rows["kind"], rows["price"], rows["id"] = np.where(numbers % 2, Kind.L3_DELETE, Kind.L3_ADD), DEEP, 10 + numbers // 2
        if self.has_trade(beat):
            rows[-1]["kind"], rows[-1]["price"], rows[-1]["id"] = Kind.TRADE, BID + 1, 0
        return rows.tobytes()


def stream_of(rate: int, seconds: float) -> Stream:
    """Facts at that rate. Messages of one fact, up to so many a second; above that they hold more."""
    facts = max(1, -(-rate // MESSAGES_PER_S))
    assert rate <= RATE_MAX
    messages_per_s = rate / facts
    return Stream(
        facts=facts,
        every_ns=round(1e9 / messages_per_s),
        count=max(20, round(seconds * messages_per_s)),
        orders_every=max(1, round(messages_per_s / ORDERS_PER_S)),
    )
