"""Intervals by venue time: what has come for each, kept in slots until the interval is closed and can no longer be restated.

Trades of two intervals come mixed where the venue, or the line, does not keep order; and a stored bar of five minutes is made of
five of one minute, any of which may come late or again. So there is a slot per interval of what comes (an interval of the series
for trades, one of the source for stored bars), and a bar is composed from its slots when it closes, and once more when it is
restated. The open is that of the first trade by venue time, and by trade number at one time, not of the first that came;
equal keys keep the order of arrival.

A slot exists only where something came: an empty interval is the caller's to fill.
"""

from libc.stdlib cimport free
from libc.string cimport memmove, memset

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport add
from tradebot._core.types cimport Flag


cdef int bar_add_trade(BarC* bar, int64_t price, int64_t quantity) except -1 nogil:
    """Take in a trade by order of arrival."""
    if bar.trades == 0:
        bar.open = bar.high = bar.low = price
    bar.close = price
    return bar_widen(bar, price, price, quantity)


cdef inline int bar_widen(BarC* bar, int64_t high, int64_t low, int64_t quantity) except -1 nogil:
    cdef int overflow = 0
    if high > bar.high:
        bar.high = high
    if low < bar.low:
        bar.low = low
    add(&bar.volume, quantity, &overflow)
    if overflow:
        with gil:
            raise OverflowError(f"the volume of a bar is beyond 64 bits of lots, after {bar.trades} trades")
    bar.trades += 1
    return 0


cdef int bar_repeat(BarC* bar) noexcept nogil:
    """An interval in which nothing was traded: the last close, and no volume."""
    bar.open = bar.high = bar.low = bar.close
    bar.volume = bar.trades = 0
    return 0


cdef list bar_to_list(const BarC* bar):
    return [bar.open_ns, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades]


cdef int bar_from_list(BarC* bar, object state) except -1:
    bar.open_ns, bar.close_ns, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades = state
    return 0


cdef int intervals_close(IntervalsC* intervals) noexcept nogil:
    free(intervals.items)
    memset(intervals, 0, sizeof(IntervalsC))
    return 0


cdef int intervals_add_trade(IntervalsC* intervals, const RecordC* trade, int64_t venue_ns, int64_t width_ns) except -1 nogil:
    """Take in a trade that happened at `venue_ns`."""
    cdef int64_t label = venue_ns - venue_ns % width_ns
    cdef uint32_t at = intervals_at(intervals, label)
    cdef SlotC* slot
    if at == intervals.count or intervals.items[at].bar.open_ns != label:
        slot = intervals_insert(intervals, at, label, width_ns)
        slot.bar.open = slot.bar.high = slot.bar.low = slot.bar.close = trade.price
        slot.first_ns = slot.last_ns = venue_ns
        slot.first_sequence = slot.last_sequence = trade.venue_sequence
    slot = &intervals.items[at]
    if is_before(venue_ns, trade.venue_sequence, slot.first_ns, slot.first_sequence):
        slot.bar.open = trade.price
        slot.first_ns = venue_ns
        slot.first_sequence = trade.venue_sequence
    if not is_before(venue_ns, trade.venue_sequence, slot.last_ns, slot.last_sequence):
        slot.bar.close = trade.price
        slot.last_ns = venue_ns
        slot.last_sequence = trade.venue_sequence
    return bar_widen(&slot.bar, trade.price, trade.price, trade.quantity)


cdef inline bint is_before(int64_t left_ns, uint64_t left_sequence, int64_t right_ns, uint64_t right_sequence) noexcept nogil:
    return left_ns < right_ns or (left_ns == right_ns and left_sequence < right_sequence)


cdef int intervals_put_bar(IntervalsC* intervals, const RecordC* stored, int64_t width_ns) except -1 nogil:
    """Take in a stored bar. Returns 0 where it was there already and does not say that it is restated."""
    cdef uint32_t at = intervals_at(intervals, stored.venue_ns)
    cdef SlotC* slot
    if at == intervals.count or intervals.items[at].bar.open_ns != stored.venue_ns:
        slot = intervals_insert(intervals, at, stored.venue_ns, width_ns)
    elif stored.flags & Flag.RESTATED:
        slot = &intervals.items[at]
    else:
        return 0
    slot.bar.open = <int64_t>stored.venue_sequence
    slot.bar.high = <int64_t>stored.id
    slot.bar.low = <int64_t>stored.id2
    slot.bar.close = stored.price
    slot.bar.volume = stored.quantity
    slot.bar.trades = 1
    return 1


cdef uint32_t intervals_at(const IntervalsC* intervals, int64_t label) noexcept nogil:
    """Index of the first slot that is not before `label`; looked for from the end, where almost everything comes."""
    cdef uint32_t at = intervals.count
    while at and intervals.items[at - 1].bar.open_ns >= label:
        at -= 1
    return at


cdef SlotC* intervals_insert(IntervalsC* intervals, uint32_t at, int64_t label, int64_t width_ns) except NULL nogil:
    grow(<void**>&intervals.items, sizeof(SlotC), &intervals.items_max, intervals.count + 1)
    memmove(&intervals.items[at + 1], &intervals.items[at], (intervals.count - at) * sizeof(SlotC))
    memset(&intervals.items[at], 0, sizeof(SlotC))
    intervals.items[at].bar.open_ns = label
    intervals.items[at].bar.close_ns = label + width_ns
    intervals.count += 1
    return &intervals.items[at]


cdef int intervals_compose(const IntervalsC* intervals, int64_t open_ns, int64_t close_ns, BarC* bar) except -1 nogil:
    """Make one bar of all slots from `open_ns` to `close_ns`. Returns 0, and leaves the prices, where there is none."""
    cdef uint32_t at
    cdef int64_t trades = 0
    cdef const BarC* part
    bar.open_ns = open_ns
    bar.close_ns = close_ns
    for at in range(intervals_at(intervals, open_ns), intervals.count):
        part = &intervals.items[at].bar
        if part.open_ns >= close_ns:
            break
        if trades == 0:
            bar.open = part.open
            bar.high = part.high
            bar.low = part.low
            bar.volume = 0
        bar_widen(bar, part.high, part.low, part.volume)
        bar.close = part.close
        trades += part.trades
    bar.trades = trades
    return trades > 0


cdef int intervals_drop(IntervalsC* intervals, int64_t before_ns) noexcept nogil:
    """Forget the slots before `before_ns`."""
    cdef uint32_t done = 0
    while done < intervals.count and intervals.items[done].bar.open_ns < before_ns:
        done += 1
    if done:
        intervals.count -= done
        memmove(intervals.items, &intervals.items[done], intervals.count * sizeof(SlotC))
    return 0


cdef list intervals_to_list(const IntervalsC* intervals):
    cdef uint32_t at
    cdef const SlotC* slot
    cdef list rows = []
    for at in range(intervals.count):
        slot = &intervals.items[at]
        rows.append([bar_to_list(&slot.bar), slot.first_ns, slot.first_sequence, slot.last_ns, slot.last_sequence])
    return rows


cdef int intervals_from_list(IntervalsC* intervals, list state) except -1:
    cdef uint32_t at
    cdef SlotC* slot
    grow(<void**>&intervals.items, sizeof(SlotC), &intervals.items_max, <uint32_t>len(state) + 1)
    intervals.count = <uint32_t>len(state)
    for at in range(intervals.count):
        slot = &intervals.items[at]
        bar_from_list(&slot.bar, state[at][0])
        slot.first_ns, slot.first_sequence, slot.last_ns, slot.last_sequence = state[at][1:]
    return 0
