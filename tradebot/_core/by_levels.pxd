"""The simulated venue on price levels."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.depth cimport depth_apply
from tradebot._core.match cimport MatchesC
from tradebot._core.types cimport Flag, Kind, RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC


cdef int levels_trade(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int levels_move(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int levels_bound(VenueMarketC* market) noexcept nogil
cdef int levels_fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil
cdef int levels_match(const VenueMarketC* market, MatchesC* matches, uint8_t side, int64_t limit, int64_t quantity) except -1 nogil
cdef int levels_take(VenueMarketC* market, const MatchesC* matches, uint8_t side) except -1 nogil


cdef inline int levels_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil:
    """Take in one level or trade. What is far from our orders costs what it costs the book, and two compares."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = record.flags & Flag.SELL
    if record.kind == Kind.TRADE:
        return levels_trade(simulator, index, record) if market.resting[1 - side].count else 0
    if market.resting[side].low <= record.price <= market.resting[side].high and not record.flags & Flag.SNAPSHOT:
        levels_move(simulator, index, record)
    else:
        depth_apply(&market.depth, record)
    if record.flags & Flag.LAST:
        if record.flags & Flag.SNAPSHOT:
            levels_bound(market)
        if market.depth.ask <= market.resting[0].high or market.depth.bid >= market.resting[1].low:
            levels_fill_crossed(simulator, index)
    return 0
