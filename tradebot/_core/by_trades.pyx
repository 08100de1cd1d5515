"""Trade grade: the simulated venue where the data tell trades and no book. The rules of `by_price`, trade by trade.

A market order fills at the first trade after it arrived, and at those that follow, each for at most what was traded there, at its
price and half the stated spread beyond. A limit fills at a trade that goes through its price, for at most its lots. A trade at
the instant of an arrival comes before it, as every recorded event does. A trigger watches the trades; its order fills from the next
instant on. Bars and quotes fill nothing.
"""

from libc.stdint cimport int64_t

from tradebot._core.by_price cimport price_fill_through, price_fill_waiting
from tradebot._core.types cimport Kind, Side
from tradebot._core.venue cimport VenueMarketC

cdef int64_t ANY_TIME = 0x7FFFFFFFFFFFFFFF


cdef int trades_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in one recorded fact."""
    cdef VenueMarketC* market = &simulator.markets[index]
    if record.kind != Kind.TRADE or record.price <= 0:
        return 0
    market.priced.marked2 = 2 * record.price
    market.priced.room = record.quantity
    if market.priced.waiting.count:
        price_fill_waiting(simulator, index, record.price, ANY_TIME)
    if market.resting[0].count:
        price_fill_through(simulator, index, Side.BUY, record.price, ANY_TIME, ANY_TIME)
    if market.resting[1].count:
        price_fill_through(simulator, index, Side.SELL_SIDE, record.price, ANY_TIME, ANY_TIME)
    return 0
