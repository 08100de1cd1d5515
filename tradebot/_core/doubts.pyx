"""Bars that do not tell which of a stop and a target came first, each with what the other order of things would have brought.

A bar tells four prices and not their order. Where it reached both a stop and a target that guard one position, the stop is taken, and
what the target first would have brought more is kept here, in money and with its fee. A run's result is then an interval: what it
came to, and that with the sum of the differences. Later decisions are those of the run as it was. Where trades of the bar are
stored they tell the order; such a bar is counted as known, and its difference is nothing.
"""

from libc.string cimport memcpy, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport FEE_SCALE, muldiv_up, notional_up
from tradebot._core.priced cimport DoubtC
from tradebot._core.types cimport Side

assert sizeof(DoubtC) == 64


cdef int doubts_add(
    SimulatorC* simulator, uint32_t index, uint64_t stop, uint64_t target, uint16_t strategy, uint8_t side, int64_t lots,
    int64_t stop_price, int64_t target_price, bint target_rests, bint known,
) except -1 nogil:
    """`target_rests`: it would have been a maker's."""
    cdef DoubtListC* doubts = &simulator.doubts
    cdef DoubtC* doubt
    cdef int64_t by_stop = worth(simulator, index, side, lots, stop_price, simulator.taker_fee)
    cdef int64_t by_target = worth(
        simulator, index, side, lots, target_price, simulator.maker_fee if target_rests else simulator.taker_fee
    )
    grow(<void**>&doubts.items, sizeof(DoubtC), &doubts.items_max, doubts.count + 1)
    doubt = &doubts.items[doubts.count]
    memset(doubt, 0, sizeof(DoubtC))
    doubt.time_ns = simulator.markets[index].priced.open_ns
    doubt.stop = stop
    doubt.target = target
    doubt.lots = lots
    doubt.stop_price = stop_price
    doubt.target_price = target_price
    doubt.difference = 0 if known else by_target - by_stop
    doubt.instrument = simulator.markets[index].terms.id
    doubt.strategy = strategy
    doubt.known = known
    doubts.count += 1
    return 0


cdef int64_t worth(const SimulatorC* simulator, uint32_t index, uint8_t side, int64_t lots, int64_t price, int64_t rate) except? -1 nogil:
    """Money units that a trade brings, negative for a purchase, less its fee."""
    cdef int overflow = 0
    cdef int64_t amount = notional_up(&simulator.markets[index].terms, price, lots, &overflow)
    cdef int64_t fee = muldiv_up(amount, rate, 1, FEE_SCALE, &overflow)
    if overflow:
        with gil:
            raise OverflowError(f"the worth of {lots} lots at {price} ticks leaves 64 bits")
    return (-amount if side == Side.BUY else amount) - fee


cdef bytes doubts_to_bytes(const DoubtListC* doubts):
    return (<const char*>doubts.items)[: doubts.count * sizeof(DoubtC)] if doubts.count else b""


cdef int doubts_from_bytes(DoubtListC* doubts, bytes body) except -1:
    cdef const char* data = body
    doubts.count = <uint32_t>(len(body) // sizeof(DoubtC))
    grow(<void**>&doubts.items, sizeof(DoubtC), &doubts.items_max, doubts.count + 1)
    memcpy(doubts.items, data, len(body))
    return 0
