"""What was recorded, taken in again without the strategies that did it."""

from tradebot._core.kernel cimport Kernel
from tradebot._core.types cimport ExtraC, FactC, RecordC


cdef int fold_fact(Kernel kernel, const RecordC* record, const ExtraC* extra) except -1
cdef int fold_output(Kernel kernel, const FactC* output) except -1
