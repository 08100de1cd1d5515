"""Where an order of ours stands in a price level of which only the total is known."""

from libc.stdint cimport int64_t, uint8_t

from tradebot._core.queue_log cimport log_chance
from tradebot._core.queue_power cimport power_chance
from tradebot._core.queue_risk_averse cimport risk_averse_ahead


cdef struct QueueModelC:
    uint8_t kind                # QueueKind
    int half_powers             # of BY_POWER: twice the exponent


cdef struct StandingC:
    double ahead                # lots before us; whole numbers where the model is risk-averse
    int64_t traded              # lots that traded at our price since the level's total was last told


cpdef enum QueueKind:
    RISK_AVERSE = 1
    BY_POWER = 2
    BY_LOG = 3


cdef inline int64_t queue_trade(StandingC* standing, int64_t lots) noexcept nogil:
    """A trade of `lots` at our price: returns the lots of it that came to us, and what was ahead is that much less."""
    cdef int64_t reached
    standing.traded += lots
    standing.ahead -= <double>lots
    if standing.ahead >= 0.0:
        return 0
    reached = <int64_t>(0.5 - standing.ahead)
    if reached > 0:
        standing.ahead = 0.0
    return reached


cdef inline int queue_change(const QueueModelC* model, StandingC* standing, int64_t before, int64_t after) noexcept nogil:
    """The level's total went from `before` to `after`. What trades explain of a decrease is not counted again."""
    cdef int64_t decrease = before - after - standing.traded
    cdef double ahead = standing.ahead, behind, chance, rest
    standing.traded = 0
    if model.kind == QueueKind.RISK_AVERSE or decrease <= 0:
        standing.ahead = risk_averse_ahead(ahead, after)
        return 0
    behind = <double>before - ahead
    if model.kind == QueueKind.BY_POWER:
        chance = power_chance(ahead, behind, model.half_powers)
    else:
        chance = log_chance(ahead, behind)
    rest = behind - chance * <double>decrease
    ahead -= (1.0 - chance) * <double>decrease
    if rest < 0.0:
        ahead += rest                   # more left than stood behind us: the rest was ahead
    standing.ahead = risk_averse_ahead(ahead if ahead > 0.0 else 0.0, after)
    return 0
