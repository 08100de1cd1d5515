"""The way to one mailbox."""

from tradebot.actors.letters cimport Outgoing
from tradebot.actors.wire cimport Wire


cdef class Line:
    cdef readonly Wire wire
    cdef readonly Outgoing outgoing
