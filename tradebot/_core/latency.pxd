"""How long a message takes between us and the venue."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cpdef enum LatencyKind:
    CONSTANT = 0
    UNIFORM = 1
    EXPONENTIAL = 2
    RECORDED = 3


cdef struct LatencyC:
    uint8_t kind                # LatencyKind
    int64_t least_ns            # never shorter
    int64_t spread_ns           # UNIFORM: width beyond the least; EXPONENTIAL: mean beyond the least
    uint64_t seed
    uint64_t draws              # made so far
    int64_t* times_ns           # RECORDED: when each was measured, ascending
    int64_t* values_ns          # RECORDED: what was measured
    uint32_t count
    uint32_t at                 # the last measurement not after the time asked for
    int64_t last_ns             # arrival of the last message: none overtakes it


cdef int latency_open(LatencyC* latency, object spec) except -1
cdef int latency_close(LatencyC* latency) noexcept nogil
cdef int64_t latency_arrival(LatencyC* latency, int64_t sent_ns) noexcept nogil
cdef list latency_to_list(const LatencyC* latency)
cdef int latency_from_list(LatencyC* latency, object state) except -1
