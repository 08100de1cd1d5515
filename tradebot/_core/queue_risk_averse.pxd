"""Queue position on price levels, risk-averse: only trades move us forward.

A level that grows grew behind us; a level that shrinks shrank behind us, until it is smaller than what we thought ahead. The
assumption is the worst that the data allows. It is the conservative model of R. Rigtorp, "Estimating Order Queue Position" (2013).
"""

from libc.stdint cimport int64_t


cdef inline double risk_averse_ahead(double ahead, int64_t after) noexcept nogil:
    """Lots ahead when the level's total became `after`."""
    return ahead if ahead < <double>after else <double>after
