"""What an operator or a new epoch does to the engine, as facts."""

from libc.stdint cimport uint64_t

from tradebot._core.kernel cimport Kernel
from tradebot._core.types cimport RecordC


cdef int operator_act(Kernel kernel, const RecordC* record) except -1
cdef uint64_t epoch_base(uint64_t order_base, uint64_t epoch) noexcept nogil
