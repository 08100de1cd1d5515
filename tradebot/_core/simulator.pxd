"""The simulated venue: our orders in the recorded queue, answers after a latency."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.depth cimport depth_apply
from tradebot._core.priced cimport BY_BOOK
from tradebot._core.types cimport FactC, Flag, Kind, RecordC
from tradebot._core.venue cimport SimulatorC, VenueMarketC, note_instant


cdef int simulator_send(void* simulator, const FactC* command) except -1 nogil
cdef int simulator_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil
cdef int fill_crossed(SimulatorC* simulator, uint32_t index) except -1 nogil
cdef int simulator_open(SimulatorC* simulator, uint32_t index, const RecordC* bar, int64_t time_ns) except -1 nogil
cdef int simulator_arrive(SimulatorC* simulator) except -1 nogil


cdef inline int simulator_show(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil:
    """`simulator_market`, with the most frequent case in line: a level at a price where no order of ours stands."""
    cdef VenueMarketC* market = &simulator.markets[index]
    cdef uint8_t side = record.flags & Flag.SELL
    if (
        record.kind != Kind.L2_LEVEL or record.flags & (Flag.VOID | Flag.SNAPSHOT) or market.by_orders or market.linked
        or market.by_quotes or simulator.grade != BY_BOOK or simulator.clearing.margins != NULL
        or time_ns > simulator.markout_ns or (market.resting[side].prices >> (record.price & 63)) & 1
    ):
        return simulator_market(simulator, index, record, time_ns)
    simulator.time_ns = time_ns
    note_instant(market, time_ns)
    market.by_levels = 1
    depth_apply(&market.depth, record)
    if record.flags & Flag.LAST and (market.depth.ask <= market.resting[0].high or market.depth.bid >= market.resting[1].low):
        return fill_crossed(simulator, index)
    return 0


cdef class Simulator:
    cdef SimulatorC simulator
    cdef IdIndexC by_id
    cdef uint32_t index_of(self, uint32_t instrument) except? 0xFFFFFFFF
