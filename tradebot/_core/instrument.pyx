"""Instruments inside the core: what a tick and a lot are worth, as exact ratios.

Products of ticks, lots and a ratio are taken in 128 bits and rounded once; a result beyond 64 bits is an overflow that
the caller turns into a refusal or an assertion, never a wrong number.

What ticks and lots are worth depends on the kind. Spot and linear contracts are worth ticks * lots of quote; an inverse contract is a
fixed amount of quote, so it is worth lots / ticks of base, and grows dearer in base as the price falls.
"""

assert sizeof(InstrumentC) == 96


cdef int instrument_from_tuple(InstrumentC* instrument, tuple row) except -1:
    """(id, base asset, quote asset, tick n, tick d, lot n, lot d, value n, value d, base n, base d, quantity_min, notional_min,
    kind); without the last it is spot."""
    (
        instrument.id, instrument.base, instrument.quote,
        instrument.tick_num, instrument.tick_den, instrument.lot_num, instrument.lot_den,
        instrument.value_num, instrument.value_den, instrument.base_num, instrument.base_den,
        instrument.quantity_min, instrument.notional_min,
    ) = row[:13]
    instrument.kind = row[13] if len(row) > 13 else SPOT
    assert instrument.tick_num > 0 and instrument.tick_den > 0
    assert instrument.lot_num > 0 and instrument.lot_den > 0
    assert instrument.value_num > 0 and instrument.value_den > 0
    assert instrument.base_num > 0 and instrument.base_den > 0
    return 0
