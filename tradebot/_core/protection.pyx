"""Which entries are guarded, by what, and how much of them is not yet: the table behind stop_loss=, take_profit= and trail=."""

from libc.stdlib cimport free
from libc.string cimport memmove

from tradebot._core.arena cimport grow
from tradebot._core.instrument cimport muldiv_up


cdef int protections_close(ProtectionsC* protections) noexcept nogil:
    free(protections.items)
    protections.items = NULL
    return 0


cdef int protections_add(ProtectionsC* protections, const ProtectionC* protection) except -1 nogil:
    """Add a copy; pointers to others may move."""
    grow(<void**>&protections.items, sizeof(ProtectionC), &protections.items_max, protections.count + 1)
    protections.items[protections.count] = protection[0]
    protections.count += 1
    return 0


cdef ProtectionC* protections_get(const ProtectionsC* protections, uint64_t id) noexcept nogil:
    """That of an entry, NULL where there is none. The newest are looked at first: they are the busy ones."""
    cdef uint32_t at = protections.count
    while at:
        at -= 1
        if protections.items[at].id == id:
            return &protections.items[at]
    return NULL


cdef ProtectionC* protections_of_timer(const ProtectionsC* protections, uint64_t timer) noexcept nogil:
    cdef uint32_t at
    for at in range(protections.count):
        if protections.items[at].timer == timer:
            return &protections.items[at]
    return NULL


cdef int protections_remove(ProtectionsC* protections, uint64_t id) noexcept nogil:
    cdef uint32_t at
    for at in range(protections.count):
        if protections.items[at].id == id:
            protections.count -= 1
            memmove(&protections.items[at], &protections.items[at + 1], (protections.count - at) * sizeof(ProtectionC))
            return 0
    return 0


cdef int64_t unguarded_after(const ProtectionC* protection, const InstrumentC* terms, int64_t covered) noexcept nogil:
    """Lots to be guarded beyond `covered`; whole lots of a fee that was paid out of them are not there to be sold."""
    cdef int overflow = 0
    cdef int64_t fee = 0
    if protection.fee > 0:
        fee = muldiv_up(protection.fee, terms.base_den, 1, terms.base_num, &overflow)
    return protection.filled - fee - covered


cdef object protections_to_list(const ProtectionsC* protections):
    cdef uint32_t at
    cdef const ProtectionC* one
    rows = []
    for at in range(protections.count):
        one = &protections.items[at]
        rows.append((
            one.id, one.stop_id, one.target_id, one.stop, one.target, one.distance, one.filled, one.fee, one.closed, one.base,
            one.timer, one.instrument, one.strategy, one.is_sell, one.entry_done, one.met, one.yields_to, one.dropped,
        ))
    return rows


cdef int protections_from_list(ProtectionsC* protections, object state) except -1:
    cdef ProtectionC one
    protections.count = 0
    for (
        one.id, one.stop_id, one.target_id, one.stop, one.target, one.distance, one.filled, one.fee, one.closed, one.base,
        one.timer, one.instrument, one.strategy, one.is_sell, one.entry_done, one.met, one.yields_to, one.dropped,
    ) in state:
        protections_add(protections, &one)
    return 0
