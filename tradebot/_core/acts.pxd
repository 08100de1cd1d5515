"""What an operator or a new epoch does to the engine, as facts."""

from tradebot._core.kernel cimport Kernel
from tradebot._core.types cimport RecordC


cdef int operator_act(Kernel kernel, const RecordC* record) except -1
cdef int begin_epoch(Kernel kernel, const RecordC* record) noexcept
