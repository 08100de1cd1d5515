"""Letters on a socket: each message in a letter of its own, numbered if it was sent, and copied once on either side."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcpy

from tradebot.actors.letters cimport HEADER_BYTES, Incoming, Outgoing
from tradebot.actors.wire cimport MessageC, Wire, library


@cython.final
cdef class Line:
    """The way to one mailbox."""

    def __init__(self, Wire wire, Outgoing outgoing) -> None:
        self.wire, self.outgoing = wire, outgoing

    def tell(self, bytes body) -> bool:
        """False where there is no room for it, and nothing was sent."""
        cdef MessageC message
        cdef char* data
        if library.message_init_size(&message, HEADER_BYTES + PyBytes_GET_SIZE(body)) < 0:
            raise MemoryError("expected memory for a message, found none")
        self.outgoing._number_body(body)
        data = <char*>library.message_data(&message)
        memcpy(data, &self.outgoing._header, HEADER_BYTES)
        memcpy(data + HEADER_BYTES, PyBytes_AS_STRING(body), PyBytes_GET_SIZE(body))
        if self.wire._put_message(&message):
            return True
        library.message_close(&message)
        self.outgoing._unseal()
        return False


def take_bodies(Wire wire, Incoming incoming, Py_ssize_t most) -> tuple[list[bytes], int]:
    """What is to be taken of the letters that wait, at most so many, and how many there were. Fewer: none is left, and the
    descriptor will tell of the next.
    """
    cdef list found = []
    cdef Py_ssize_t count = 0
    cdef MessageC message
    while count < most and wire._receive(&message):
        count += 1
        try:
            incoming._open(<const char*>library.message_data(&message), library.message_size(&message), found)
        finally:
            library.message_close(&message)
    return found, count
