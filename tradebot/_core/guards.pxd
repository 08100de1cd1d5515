"""What the kernel does about guards."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t

from tradebot._core.context cimport WishC
from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.orders cimport OrderC
from tradebot._core.types cimport ExtraC, RecordC, Reject


cdef int note_guards(Kernel kernel, Seat seat, const OrderC* order, const RecordC* record, const ExtraC* extra) except -1
cdef int give_way(Kernel kernel, const OrderC* guard, uint64_t closing_id) noexcept nogil
cdef int note_closing_ended(Kernel kernel, Seat seat, uint64_t id) except -1
cdef int relock_reducing(Kernel kernel, const OrderC* gone) noexcept nogil
cdef int guard_refused(Kernel kernel, uint64_t id, Reject why) except -1
cdef int guard_again(Kernel kernel, uint64_t number) except -1
cdef int guard_later(Kernel kernel, uint64_t number, int64_t now_ns) except -1
cdef int settle_protection(Kernel kernel, uint64_t id) except -1
cdef int protect(Kernel kernel, Seat seat, const WishC* wish) except -1
cdef int note_protection(Kernel kernel, const WishC* wish, int64_t filled, bint entry_done) except -1
cdef int64_t lots_shared(Kernel kernel, uint64_t parent, uint64_t id) noexcept nogil
cdef int64_t spare_of_guards(Kernel kernel, uint16_t strategy, uint32_t index, uint64_t id, int64_t kept) noexcept nogil
