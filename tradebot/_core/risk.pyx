"""Every order of every mode passes here, and nowhere else.

Checks run in the order of their numbers, and the first failure wins: malformed (1xx), instrument (2xx), price and
size (3xx), capital (4xx), halted (5xx). Nothing here looks at a clock or allocates; a refusal is a number.

The position limit counts open orders at their worst: all open buys and this one filled, no sale filled, and the other way
round. In REDUCING an order passes only if, at its worst, it brings the position nearer to zero. An order that only reduces cannot
make a position larger, so no limit on positions holds it back; a protective one passes halts, rates and our own maxima too, since
not guarding a position is the greater risk.
"""

from libc.stdlib cimport calloc, free

from tradebot._core.instrument cimport FEE_SCALE, instrument_from_tuple, muldiv_down, quote_notional_up
from tradebot._core.types cimport OrderFlag, OrderType, TimeInForce, TradingState


cdef int rate_open(RateC* rate, uint32_t count, int64_t interval_ns) except -1:
    rate.count = count
    rate.interval_ns = interval_ns
    rate.at = 0
    rate.times = <int64_t*>calloc(count + 1, sizeof(int64_t))
    if rate.times == NULL:
        raise MemoryError("no memory for the order rate")
    return 0


cdef int rate_close(RateC* rate) noexcept nogil:
    free(rate.times)
    rate.times = NULL
    return 0


cdef inline bint rate_is_exceeded(const RateC* rate, int64_t time_ns) noexcept nogil:
    """The oldest of the last `count` sends is still inside the interval."""
    return rate.count != 0 and rate.times[rate.at] != 0 and time_ns - rate.times[rate.at] < rate.interval_ns


cdef int rate_take(RateC* rate, int64_t time_ns) noexcept nogil:
    """Count one send."""
    if rate.count:
        rate.times[rate.at] = time_ns
        rate.at = rate.at + 1 if rate.at + 1 < rate.count else 0
    return 0


cdef Reject check_order(
    const LimitsC* limits, const RateC* rate, const InstrumentC* instrument, const IntentC* intent
) noexcept nogil:
    """The first rule that the order breaks, or ACCEPTED."""
    cdef Reject found = check_form(intent)
    if found == Reject.ACCEPTED:
        found = check_size(limits, instrument, intent)
    if found == Reject.ACCEPTED:
        found = check_capital(intent)
    if found == Reject.ACCEPTED:
        found = check_halts(limits, rate, intent)
    return found


cdef Reject check_form(const IntentC* intent) noexcept nogil:
    if intent.is_sell > 1:
        return Reject.SIDE_UNKNOWN
    if intent.order_type < OrderType.LIMIT or intent.order_type > OrderType.TRAILING_STOP:
        return Reject.ORDER_TYPE_UNKNOWN
    if intent.time_in_force < TimeInForce.GTC or intent.time_in_force > TimeInForce.POST_ONLY:
        return Reject.TIME_IN_FORCE_UNKNOWN
    if intent.quantity < 0:
        return Reject.QUANTITY_NOT_POSITIVE
    if intent.reference <= 0:
        return Reject.NO_MARKET
    if intent.price <= 0 and intent.order_type != OrderType.MARKET:
        return Reject.PRICE_MISSING
    if intent.order_type > OrderType.MARKET:
        if intent.trigger <= 0:
            return Reject.TRIGGER_MISSING
        if intent.trigger_price <= 0:
            return Reject.NO_TRIGGER_PRICE
    return Reject.ACCEPTED


cdef uint8_t UNBOUNDED = OrderFlag.PROTECTIVE | OrderFlag.REDUCE_ONLY
"""Of orders whose size is bounded by the position: whoever may hold it may leave it at once."""


cdef Reject check_size(const LimitsC* limits, const InstrumentC* instrument, const IntentC* intent) noexcept nogil:
    cdef int overflow = 0
    cdef int64_t notional = quote_notional_up(instrument, intent.price, intent.quantity, &overflow)
    if intent.quantity == 0 or intent.quantity < instrument.quantity_min:
        return Reject.QUANTITY_TOO_SMALL
    if limits.quantity_max and intent.quantity > limits.quantity_max and not intent.flags & UNBOUNDED:
        return Reject.QUANTITY_TOO_LARGE
    if overflow:
        return Reject.NOTIONAL_TOO_LARGE
    if notional < instrument.notional_min:
        return Reject.NOTIONAL_TOO_SMALL
    if limits.notional_max and notional > limits.notional_max and not intent.flags & UNBOUNDED:
        return Reject.NOTIONAL_TOO_LARGE
    if limits.band and intent.order_type == OrderType.LIMIT and is_out_of_band(limits.band, intent):
        return Reject.PRICE_OUT_OF_BAND
    if intent.flags & OrderFlag.REDUCE_ONLY:
        return Reject.ACCEPTED if has_to_reduce(intent) else Reject.NOTHING_TO_REDUCE
    if limits.position_max and worst_position(intent) > limits.position_max:
        return Reject.POSITION_TOO_LARGE
    return check_guards(intent)


cdef Reject check_guards(const IntentC* intent) noexcept nogil:
    """A stop lies on the losing side of where the order may fill, a target on the winning one."""
    cdef int64_t entry = intent.reference
    if intent.order_type == OrderType.LIMIT:
        entry = intent.price
    elif intent.order_type > OrderType.MARKET:
        entry = intent.trigger
    if intent.stop and (intent.stop <= entry if intent.is_sell else intent.stop >= entry):
        return Reject.STOP_ON_WRONG_SIDE
    if intent.target and (intent.target >= entry if intent.is_sell else intent.target <= entry):
        return Reject.TARGET_ON_WRONG_SIDE
    if (intent.stop or intent.distance) and intent.trigger_price <= 0:
        return Reject.NO_TRIGGER_PRICE
    if intent.distance and not intent.is_sell and intent.stop == 0 and intent.distance >= intent.trigger_price:
        return Reject.STOP_ON_WRONG_SIDE        # it would follow below zero
    return Reject.ACCEPTED


cdef bint is_out_of_band(int64_t band, const IntentC* intent) noexcept nogil:
    """Either way: a buy far above pays too much, one far below is a slip of the pen."""
    cdef int overflow = 0
    cdef int64_t width = muldiv_down(intent.reference, band, 1, FEE_SCALE, &overflow)
    return intent.price > intent.reference + width or intent.price < intent.reference - width


cdef int64_t worst_position(const IntentC* intent) noexcept nogil:
    """Lots held, without sign, if this order and all open ones of its side fill and none of the other."""
    if intent.is_sell:
        return -(intent.position - intent.open_sells - intent.quantity)
    return intent.position + intent.open_buys + intent.quantity


cdef Reject check_capital(const IntentC* intent) noexcept nogil:
    if intent.needed > (intent.free_base if intent.is_sell else intent.free_quote):
        return Reject.BALANCE_TOO_SMALL
    return Reject.ACCEPTED


cdef bint has_to_reduce(const IntentC* intent) noexcept nogil:
    return intent.position > 0 if intent.is_sell else intent.position < 0


cdef Reject check_halts(const LimitsC* limits, const RateC* rate, const IntentC* intent) noexcept nogil:
    if intent.flags & OrderFlag.PROTECTIVE:
        return Reject.ACCEPTED
    if intent.state == TradingState.HALTED:
        return Reject.TRADING_HALTED
    if intent.state == TradingState.REDUCING and not is_reducing(intent):
        return Reject.TRADING_REDUCING
    if rate_is_exceeded(rate, intent.time_ns):
        return Reject.ORDER_RATE_TOO_HIGH
    if limits.orders_open_max and intent.orders_open >= limits.orders_open_max:
        return Reject.ORDERS_OPEN_TOO_MANY
    if intent.quarantined:
        return Reject.STRATEGY_IS_QUARANTINED
    return Reject.ACCEPTED


cdef bint is_reducing(const IntentC* intent) noexcept nogil:
    if intent.flags & OrderFlag.REDUCE_ONLY:
        return 1
    if intent.is_sell:
        return intent.position >= intent.open_sells + intent.quantity
    return -intent.position >= intent.open_buys + intent.quantity


cdef object rate_to_list(const RateC* rate):
    cdef uint32_t at
    return [rate.at, [rate.times[at] for at in range(rate.count)]]


cdef int rate_from_list(RateC* rate, object state) except -1:
    """Also where the limit is another by now: the last send times that it looks at are kept."""
    cdef uint32_t at
    rate.at, times = state
    if len(times) != rate.count:
        times = [0] * rate.count + times[rate.at :] + times[: rate.at]      # the oldest first
        times = times[len(times) - rate.count :]
        rate.at = 0
    for at in range(rate.count):
        rate.times[at] = times[at]
    return 0


def check(limits: dict, instrument: tuple, intent: dict, sent: list, count: int = 0, interval_ns: int = 0) -> int:
    """The gate for tests: limits and intent by field name, `sent` the send times so far. Returns a Reject number."""
    cdef LimitsC limits_c = limits
    cdef IntentC intent_c = intent
    cdef InstrumentC instrument_c
    cdef RateC rate
    instrument_from_tuple(&instrument_c, instrument)
    rate_open(&rate, count, interval_ns)
    try:
        for time_ns in sent:
            rate_take(&rate, time_ns)
        return check_order(&limits_c, &rate, &instrument_c, &intent_c)
    finally:
        rate_close(&rate)
