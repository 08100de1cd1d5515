"""Latency models: constant, drawn from a seeded distribution, or interpolated from measured round trips.

A connection keeps its order, so a message never arrives before one that was sent earlier, whatever was drawn. Draws are
SplitMix64 (Steele, Lea and Flood, 2014) of seed and count, so a restored run goes on where it was. The excess of EXPONENTIAL is
-mean * ln(u) by the core's own logarithm. RECORDED interpolates linearly between measurements, and holds the first and the last.
"""

from libc.stdlib cimport calloc, free
from libc.string cimport memset

from tradebot._core.logarithm cimport natural_log


cdef int latency_open(LatencyC* latency, object spec) except -1:
    """`spec` is (kind, least_ns, spread_ns, seed, times_ns, values_ns). Raises ValueError on what is none."""
    cdef uint32_t at
    kind, least, spread, seed, times, values = spec
    memset(latency, 0, sizeof(LatencyC))
    if kind == LatencyKind.RECORDED:
        if not times or len(times) != len(values) or list(times) != sorted(times):
            raise ValueError("expected measured latencies with ascending times, as many as values, found none or others")
        least, spread = min(values), 0
    if least < 0 or spread < 0:
        raise ValueError(f"expected latencies of 0 ns or more, found {min(least, spread)}")
    latency.kind = kind
    latency.least_ns = least
    latency.spread_ns = spread
    latency.seed = seed
    if kind == LatencyKind.RECORDED:
        latency.count = len(times)
        latency.times_ns = <int64_t*>calloc(latency.count, sizeof(int64_t))
        latency.values_ns = <int64_t*>calloc(latency.count, sizeof(int64_t))
        if latency.times_ns == NULL or latency.values_ns == NULL:
            raise MemoryError(f"no memory for {latency.count} measured latencies")
        for at in range(latency.count):
            latency.times_ns[at] = times[at]
            latency.values_ns[at] = values[at]
    return 0


cdef int latency_close(LatencyC* latency) noexcept nogil:
    free(latency.times_ns)
    free(latency.values_ns)
    memset(latency, 0, sizeof(LatencyC))
    return 0


cdef int64_t latency_arrival(LatencyC* latency, int64_t sent_ns) noexcept nogil:
    """When a message sent at `sent_ns` arrives. Messages are asked for in the order in which they are sent."""
    cdef int64_t arrival = sent_ns + latency.least_ns
    if latency.kind != LatencyKind.CONSTANT:
        arrival = sent_ns + latency_of(latency, sent_ns)
    if arrival < latency.last_ns:
        arrival = latency.last_ns
    latency.last_ns = arrival
    return arrival


cdef int64_t latency_of(LatencyC* latency, int64_t sent_ns) noexcept nogil:
    cdef double unit
    if latency.kind == LatencyKind.RECORDED:
        return latency_between(latency, sent_ns)
    latency.draws += 1
    unit = (<double>(split_mix(latency.seed, latency.draws) >> 11) + 0.5) / 9007199254740992.0
    if latency.kind == LatencyKind.UNIFORM:
        return latency.least_ns + <int64_t>(unit * <double>latency.spread_ns)
    return latency.least_ns + <int64_t>(-natural_log(unit) * <double>latency.spread_ns)


cdef inline uint64_t split_mix(uint64_t seed, uint64_t number) noexcept nogil:
    cdef uint64_t z = seed + number * <uint64_t>0x9E3779B97F4A7C15ULL
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9ULL
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EBULL
    return z ^ (z >> 31)


cdef int64_t latency_between(LatencyC* latency, int64_t sent_ns) noexcept nogil:
    cdef int64_t span, rise
    while latency.at + 1 < latency.count and latency.times_ns[latency.at + 1] <= sent_ns:
        latency.at += 1
    if sent_ns <= latency.times_ns[0] or latency.at + 1 == latency.count:
        return latency.values_ns[latency.at]
    span = latency.times_ns[latency.at + 1] - latency.times_ns[latency.at]
    rise = latency.values_ns[latency.at + 1] - latency.values_ns[latency.at]
    return latency.values_ns[latency.at] + <int64_t>(<double>rise * (<double>(sent_ns - latency.times_ns[latency.at]) / <double>span))


cdef list latency_to_list(const LatencyC* latency):
    return [latency.draws, latency.at, latency.last_ns]


cdef int latency_from_list(LatencyC* latency, object state) except -1:
    latency.draws, latency.at, latency.last_ns = state
    return 0


cdef class Latency:
    """A model for Python: tests and tools. `spec` as the plan has it: (kind, least_ns, spread_ns, seed, times_ns, values_ns)."""

    cdef LatencyC latency

    def __cinit__(self, spec: tuple):
        latency_open(&self.latency, spec)

    def __dealloc__(self):
        latency_close(&self.latency)

    def arrival(self, sent_ns: int) -> int:
        """When a message sent then arrives; ask in the order of sending."""
        return latency_arrival(&self.latency, sent_ns)
