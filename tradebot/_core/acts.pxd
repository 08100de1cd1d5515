"""What an operator or a new epoch does to the engine, as facts."""

from libc.stdint cimport uint32_t

from tradebot._core.kernel cimport Kernel, Seat
from tradebot._core.orders cimport OrderC
from tradebot._core.types cimport ExtraC, RecordC


cdef int operator_act(Kernel kernel, const RecordC* record) except -1
cdef int close_again(Kernel kernel, Seat seat, const OrderC* order, const ExtraC* extra, uint32_t index) except -1
cdef int begin_epoch(Kernel kernel, const RecordC* record) noexcept
