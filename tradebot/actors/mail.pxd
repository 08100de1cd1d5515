"""The in-loop mailbox: a ring of messages, and the questions that wait for an answer."""

from libc.stdint cimport uint64_t


cdef class Questions


cdef class Mail:
    cdef object _take, _key, _call_soon, _drain_call
    cdef list _ring                 # `_count` messages from `_first` on, around its end
    cdef dict _numbers              # by key: the place in the ring
    cdef Questions _questions
    cdef Py_ssize_t _most, _batch_max, _first, _count
    cdef bint _drops, _is_woken, _is_closed, _is_held
    cdef readonly Py_ssize_t most_waited  # at once
    cdef readonly uint64_t refused  # told False
    cdef readonly uint64_t dropped  # the oldest, for want of room
    cdef readonly uint64_t conflated  # overwritten by a later one of their key

    cdef bint _put(self, message) except -1
    cdef bint _is_replaced(self, message) except -1
    cdef object _pop(self)
    cdef int _wake(self) except -1


cdef class Question:
    cdef Questions _questions
    cdef double _due_s
    cdef readonly uint64_t number
    cdef readonly object body, future


cdef class Questions:
    cdef object _create_future, _call_later, _timer
    cdef dict _open                 # by number
    cdef double _timer_due_s
    cdef uint64_t _last

    cdef Question _begin(self, body, double timeout_s)
    cdef bint _answer(self, uint64_t number, value) except -1
    cdef int _set_timer(self, double due_s) except -1
