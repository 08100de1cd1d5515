"""Letters between actors, and what each end remembers of them."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    HEADER_BYTES = 40


cdef packed struct HeaderC:
    uint16_t mark
    uint8_t version
    uint8_t kind
    uint32_t zero
    char[16] name     # of the sender, filled up with zeros
    uint64_t stream   # of the sender: larger for each of its starts
    uint64_t number   # from 1, of this sender to this receiver


cdef class Outgoing:
    cdef HeaderC _header            # of the last letter
    cdef list _kept                 # bodies by number, modulo its length
    cdef Py_ssize_t _bytes          # of them
    cdef readonly uint64_t oldest   # the first number that is still kept
    cdef uint64_t _seen             # by the last beat
    cdef uint32_t _quiet            # beats since a letter
    cdef readonly uint64_t told_again

    cdef int _number_body(self, bytes body) except -1
    cdef int _unseal(self) except -1
    cdef int _forget(self) except -1
    cdef bytes _make(self, int kind, uint64_t number, bytes body)


cdef class _Sender:
    cdef char[16] name
    cdef uint64_t stream, next, highest
    cdef dict held                  # by number: what came before its turn
    cdef int64_t asked_ns, missing_ns
    cdef uint64_t missing           # the number that is missing since `missing_ns`


cdef class Incoming:
    cdef HeaderC _own
    cdef list _senders
    cdef readonly list asked        # (name, stream, first, last): what others lack of what this actor said
    cdef readonly list lost         # (name, first, last): what was not told again, and was gone on without
    cdef readonly uint64_t garbage, doubled, late, repaired, gone

    cdef _Sender _sender(self, const HeaderC* header)
    cdef bint _forget_one(self) except -1
    cdef int _open(self, const char* letter, Py_ssize_t size, list found) except -1
    cdef int _take(self, const HeaderC* header, const char* text, Py_ssize_t size, list found) except -1
    cdef int _begin(self, _Sender sender, const HeaderC* header, list found) except -1
    cdef int _release(self, _Sender sender, list found) except -1
    cdef int _skip(self, _Sender sender, uint64_t upto, list found) except -1
