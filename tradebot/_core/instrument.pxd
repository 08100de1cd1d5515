"""An instrument version as the core sees it: ratios of integers, no text."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    typedef __int128 tb_i128;

    static inline int tb_add(int64_t* total, int64_t amount, int* overflow) {
        *overflow |= __builtin_add_overflow(*total, amount, total);
        return 0;
    }

    static inline int tb_subtract(int64_t* total, int64_t amount, int* overflow) {
        *overflow |= __builtin_sub_overflow(*total, amount, total);
        return 0;
    }

    /* floor((a * b * c + carry) / d), the remainder left in carry; d > 0. */
    static inline int64_t tb_muldiv_carry(int64_t a, int64_t b, int64_t c, int64_t d, int64_t* carry, int* overflow) {
        tb_i128 exact = (tb_i128)a * b, q, r;
        if (__builtin_mul_overflow(exact, (tb_i128)c, &exact) || __builtin_add_overflow(exact, (tb_i128)*carry, &exact)) {
            *overflow = 1;
            return 0;
        }
        if (d == 1 && exact <= INT64_MAX && exact >= INT64_MIN) { *carry = 0; return (int64_t)exact; }
        if (exact >= 0 && exact <= INT64_MAX) { *carry = (int64_t)exact % d; return (int64_t)exact / d; }
        q = exact / d;
        r = exact % d;
        if (r < 0) { r += d; q -= 1; }
        if (q > INT64_MAX || q < INT64_MIN) { *overflow = 1; return 0; }
        *carry = (int64_t)r;
        return (int64_t)q;
    }

    /* a * b * c * e / (d * f), rounded up where `up`, else down; d and f > 0. */
    static inline int64_t tb_quotient(
        int64_t a, int64_t b, int64_t c, int64_t e, int64_t d, int64_t f, int up, int* overflow
    ) {
        tb_i128 exact = (tb_i128)a * b, divisor = (tb_i128)d * f, q, r;
        if (__builtin_mul_overflow(exact, (tb_i128)c, &exact) || __builtin_mul_overflow(exact, (tb_i128)e, &exact) || divisor <= 0) {
            *overflow = 1;
            return 0;
        }
        q = exact / divisor;
        r = exact % divisor;
        if (r > 0 && up) q += 1;
        if (r < 0 && !up) q -= 1;
        if (q > INT64_MAX || q < INT64_MIN) { *overflow = 1; return 0; }
        return (int64_t)q;
    }

    /* lots * num / (ticks * den), taken up to a 2^-30 of a unit; the whole units, the rest left in carry, 0 <= carry < 2^30. */
    static inline int64_t tb_inverse_carry(
        int64_t lots, int64_t num, int64_t ticks, int64_t den, int64_t* carry, int* overflow
    ) {
        tb_i128 exact = (tb_i128)lots * num, divisor = (tb_i128)ticks * den, q, r;
        if (__builtin_mul_overflow(exact, (tb_i128)1 << 30, &exact) || divisor <= 0) { *overflow = 1; return 0; }
        q = exact / divisor;
        r = exact % divisor;
        if (r > 0) q += 1;
        q += *carry;
        *carry = (int64_t)(q & (((tb_i128)1 << 30) - 1));
        q >>= 30;
        if (q > INT64_MAX || q < INT64_MIN) { *overflow = 1; return 0; }
        return (int64_t)q;
    }
    """
    int add "tb_add"(int64_t* total, int64_t amount, int* overflow) noexcept nogil
    int subtract "tb_subtract"(int64_t* total, int64_t amount, int* overflow) noexcept nogil
    int64_t muldiv_carry "tb_muldiv_carry"(int64_t a, int64_t b, int64_t c, int64_t d, int64_t* carry, int* overflow) noexcept nogil
    int64_t quotient "tb_quotient"(int64_t a, int64_t b, int64_t c, int64_t e, int64_t d, int64_t f, int up, int* overflow) noexcept nogil
    int64_t inverse_carry "tb_inverse_carry"(int64_t lots, int64_t num, int64_t ticks, int64_t den, int64_t* carry, int* overflow) noexcept nogil

cdef enum:
    FEE_SCALE = 100000000       # fee rates are fractions in 1e-8


cdef enum InstrumentKind:
    SPOT = 0
    LINEAR = 1                  # a contract on base, margined and settled in quote
    INVERSE = 2                 # a contract of so much quote, margined and settled in base


cdef struct InstrumentC:
    uint32_t id
    uint16_t base               # asset number
    uint16_t quote              # asset number
    int64_t tick_num            # a tick is tick_num / tick_den quote units
    int64_t tick_den
    int64_t lot_num             # a lot is lot_num / lot_den base units
    int64_t lot_den
    int64_t value_num           # ticks * lots * value_num / value_den: money units of quote;
    int64_t value_den           # of an inverse contract lots * value_num / (ticks * value_den): money units of base
    int64_t base_num            # lots * base_num / base_den: money units of base, of an inverse contract of quote
    int64_t base_den
    int64_t quantity_min        # lots
    int64_t notional_min        # money units
    uint8_t kind                # InstrumentKind


cdef int instrument_from_tuple(InstrumentC* instrument, tuple row) except -1


cdef inline int64_t muldiv_down(int64_t a, int64_t b, int64_t c, int64_t d, int* overflow) noexcept nogil:
    """floor(a * b * c / d)."""
    cdef int64_t carry = 0
    return muldiv_carry(a, b, c, d, &carry, overflow)


cdef inline int64_t muldiv_up(int64_t a, int64_t b, int64_t c, int64_t d, int* overflow) noexcept nogil:
    """ceil(a * b * c / d)."""
    cdef int64_t carry = d - 1
    return muldiv_carry(a, b, c, d, &carry, overflow)


cdef inline int64_t lots_begun(const InstrumentC* instrument, int64_t base, int* overflow) noexcept nogil:
    """Lots that `base` money units of the base asset have begun: what is left of the last one is too little to be sold."""
    return muldiv_up(base, instrument.base_den, 1, instrument.base_num, overflow) if base else 0


cdef inline uint16_t settle_asset(const InstrumentC* instrument) noexcept nogil:
    """In which profit, fees and margin are counted: quote, of an inverse contract base."""
    return instrument.base if instrument.kind == INVERSE else instrument.quote


cdef inline int64_t notional_up(const InstrumentC* instrument, int64_t ticks, int64_t lots, int* overflow) noexcept nogil:
    """Money units of the settle asset, rounded up."""
    if instrument.kind == INVERSE:
        return quotient(lots, instrument.value_num, 1, 1, ticks, instrument.value_den, 1, overflow)
    return muldiv_up(ticks, lots, instrument.value_num, instrument.value_den, overflow)


cdef inline int64_t quote_notional_up(const InstrumentC* instrument, int64_t ticks, int64_t lots, int* overflow) noexcept nogil:
    """Money units of the quote asset, rounded up."""
    if instrument.kind == INVERSE:
        return muldiv_up(lots, 1, instrument.base_num, instrument.base_den, overflow)
    return muldiv_up(ticks, lots, instrument.value_num, instrument.value_den, overflow)


cdef inline double price_of(const InstrumentC* instrument, int64_t ticks) noexcept nogil:
    """A price in quote units; one rounding."""
    return <double>(ticks * instrument.tick_num) / <double>instrument.tick_den


cdef inline double quantity_of(const InstrumentC* instrument, int64_t lots) noexcept nogil:
    """A quantity in base units; one rounding."""
    return <double>(lots * instrument.lot_num) / <double>instrument.lot_den


cdef inline int64_t steps_down(double value, int64_t num, int64_t den) noexcept nogil:
    """How many whole steps of num / den are in `value`; a value within 1e-6 of a step, or 1e-15 of itself, counts as on it."""
    cdef double steps = value * <double>den / <double>num
    cdef int64_t near = <int64_t>(steps + 0.5) if steps >= 0 else <int64_t>(steps - 0.5)
    cdef int64_t whole
    cdef double slack = 1e-6 + 1e-15 * (steps if steps >= 0 else -steps)
    if -slack < steps - <double>near < slack:
        return near
    whole = <int64_t>steps
    return whole - 1 if steps < 0 and <double>whole != steps else whole


cdef inline int64_t steps_up(double value, int64_t num, int64_t den) noexcept nogil:
    cdef int64_t down = steps_down(value, num, den)
    cdef double steps = value * <double>den / <double>num
    cdef double slack = 1e-6 + 1e-15 * (steps if steps >= 0 else -steps)
    return down if steps - <double>down < slack else down + 1
