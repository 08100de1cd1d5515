"""The simulated venue: our orders in the recorded queue, answers after a latency."""

from libc.stdint cimport int64_t, uint32_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.by_levels cimport levels_market
from tradebot._core.types cimport FactC, Flag, Kind, RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC, markouts_settle, note_instant


cdef int simulator_send(void* simulator, const FactC* command) except -1 nogil
cdef int orders_market(SimulatorC* simulator, uint32_t index, const RecordC* record) except -1 nogil
cdef int simulator_arrive(SimulatorC* simulator) except -1 nogil


cdef inline int simulator_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil:
    """Take in one recorded event at venue time `time_ns`."""
    cdef VenueMarketC* market = &simulator.markets[index]
    markouts_settle(simulator, time_ns)
    simulator.time_ns = time_ns
    note_instant(market, time_ns)
    if record.flags & Flag.VOID or record.kind > Kind.L3_EXECUTE:
        return 0
    if record.kind >= Kind.L3_ADD:
        return orders_market(simulator, index, record)
    if market.by_orders:
        return 0
    market.by_levels |= record.kind == Kind.L2_LEVEL
    return levels_market(simulator, index, record)


cdef class Simulator:
    cdef SimulatorC simulator
    cdef IdIndexC by_id
