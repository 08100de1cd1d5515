"""Queue position on price levels: the chance that a decrease was behind us, by logarithms of the lots on either side.

p(behind) = f(behind) / (f(behind) + f(ahead)) with f(x) = ln(1 + x). Source: R. Rigtorp, "Estimating Order Queue Position" (2013).
"""

from tradebot._core.logarithm cimport natural_log


cdef inline double log_weight(double lots) noexcept nogil:
    """ln(1 + lots); 0 for none."""
    return natural_log(1.0 + lots) if lots > 0.0 else 0.0


cdef inline double log_chance(double ahead, double behind) noexcept nogil:
    """The share of a decrease that is taken behind us; 1 where nothing stands on either side."""
    cdef double mine = log_weight(behind), whole = mine + log_weight(ahead)
    return mine / whole if whole > 0.0 else 1.0
