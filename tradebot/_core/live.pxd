"""An engine over facts that arrive."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from tradebot._core.kernel cimport Kernel
from tradebot._core.types cimport ExtraC, FactC, RecordC


cdef class Live:
    cdef readonly Kernel kernel
    cdef RecordC* slots                 # consumed since taken: what a journal keeps
    cdef uint32_t slot_count
    cdef uint32_t slots_max
    cdef FactC* outputs                 # commands and refusals since taken
    cdef uint32_t output_count
    cdef uint32_t outputs_max
    cdef readonly uint64_t taken_facts  # facts in `slots`
    cdef readonly bint started

    cdef int take_in(self, const RecordC* record, const ExtraC* extra) except -1
    cdef int fire_before(self, int64_t time_ns, int64_t begins_ns) except -1
    cdef int keep(self, const RecordC* record, const ExtraC* extra) except -1
    cdef int gather(self, bint is_answer) except -1
