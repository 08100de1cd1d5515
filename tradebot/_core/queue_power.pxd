"""Queue position on price levels: the chance that a decrease was behind us, by powers of the lots on either side.

p(behind) = f(behind) / (f(behind) + f(ahead)) with f(x) = x**n. Source: R. Rigtorp, "Estimating Order Queue Position" (2013), who
proposes the form for any increasing f. n is given in halves, so that + * and sqrt suffice.
"""

from libc.math cimport sqrt


cdef inline double power_weight(double lots, int half_powers) noexcept nogil:
    """lots ** (half_powers / 2); 0 for none."""
    cdef double weight = 1.0
    cdef int at
    if lots <= 0.0:
        return 0.0
    for at in range(half_powers // 2):
        weight *= lots
    return weight * sqrt(lots) if half_powers & 1 else weight


cdef inline double power_chance(double ahead, double behind, int half_powers) noexcept nogil:
    """The share of a decrease that is taken behind us; 1 where nothing stands on either side."""
    cdef double mine = power_weight(behind, half_powers), whole = mine + power_weight(ahead, half_powers)
    return mine / whole if whole > 0.0 else 1.0
