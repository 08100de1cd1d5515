"""The simulated venue: our orders in the recorded queue, answers after a latency."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from tradebot._core.arena cimport IdIndexC
from tradebot._core.book cimport BookC
from tradebot._core.instrument cimport InstrumentC
from tradebot._core.match cimport MatchesC
from tradebot._core.queue cimport QueueC
from tradebot._core.types cimport FactC, RecordC

cdef enum:
    HORIZONS = 3                # markouts after each fill


cdef struct RestingC:           # an order of ours that rests at the venue
    uint64_t id
    int64_t price               # ticks
    int64_t remaining           # lots
    uint64_t rank               # its place in the queue of its price, among the book's ranks
    uint16_t strategy


cdef struct RestingListC:       # of one side, the best price first, then by arrival
    RestingC* items
    uint32_t count
    uint32_t items_max


cdef struct VenueMarketC:
    InstrumentC terms
    BookC book                  # recorded orders only; what we took is gone from it
    int64_t instant_ns          # the venue time being handled, and
    int64_t instant_middle2     # bid + ask before it, ticks; 0 where a side was empty
    RestingListC resting[2]     # by Side
    IdIndexC taken              # recorded order -> lots we took of it, as an index into taken_lots
    int64_t* taken_lots
    uint32_t taken_count
    uint32_t taken_max


cdef struct MarkoutC:
    int64_t time_ns
    uint64_t trade_id
    int64_t horizon_ns
    int64_t middle2
    int64_t price
    int64_t quantity
    uint32_t instrument
    uint16_t strategy
    uint16_t maker
    int64_t spare


cdef struct PendingC:           # markouts of one horizon that wait for their time, first in first
    MarkoutC* items
    uint32_t items_max
    uint32_t head
    uint32_t tail


cdef struct SimulatorC:
    VenueMarketC* markets
    uint32_t market_count
    QueueC arrivals             # commands under way to the venue
    QueueC answers              # facts under way back
    MatchesC matches
    int64_t order_latency_ns
    int64_t answer_latency_ns
    int64_t maker_fee           # fractions in 1e-8; negative is a rebate
    int64_t taker_fee
    uint8_t fee_in_base
    int64_t time_ns             # of the venue
    uint64_t trade_number
    int64_t horizons_ns[3]
    PendingC pending[3]
    MarkoutC* markouts          # done, until taken
    uint32_t markout_count
    uint32_t markouts_max


cdef int simulator_send(void* simulator, const FactC* command) except -1 nogil
cdef int simulator_market(SimulatorC* simulator, uint32_t index, const RecordC* record, int64_t time_ns) except -1 nogil
cdef int simulator_arrive(SimulatorC* simulator) except -1 nogil


cdef class Simulator:
    cdef SimulatorC simulator
    cdef IdIndexC by_id
