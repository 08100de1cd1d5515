"""Instruments inside the core: what a tick and a lot are worth, as exact ratios.

Products of ticks, lots and a ratio are taken in 128 bits and rounded once; a result beyond 64 bits is an overflow that
the caller turns into a refusal or an assertion, never a wrong number.
"""

assert sizeof(InstrumentC) == 88


cdef int instrument_from_tuple(InstrumentC* instrument, tuple row) except -1:
    """(id, base asset, quote asset, tick n, tick d, lot n, lot d, value n, value d, base n, base d, quantity_min, notional_min)."""
    (
        instrument.id, instrument.base, instrument.quote,
        instrument.tick_num, instrument.tick_den, instrument.lot_num, instrument.lot_den,
        instrument.value_num, instrument.value_den, instrument.base_num, instrument.base_den,
        instrument.quantity_min, instrument.notional_min,
    ) = row
    assert instrument.tick_num > 0 and instrument.tick_den > 0
    assert instrument.lot_num > 0 and instrument.lot_den > 0
    assert instrument.value_num > 0 and instrument.value_den > 0
    assert instrument.base_num > 0 and instrument.base_den > 0
    return 0
