"""A ZeroMQ socket without what Python adds around each call: nothing is raised where nothing waits, and nothing asked twice.

The descriptor of a ZeroMQ socket tells of a change once. So a reader has to read until there is no more, and that end is the
dearest thing of a small message: pyzmq says it by an exception, which costs as much as ten messages. Here it is a return value. The
functions are those of the library that pyzmq brings and has loaded, found in it by name; what is built, set and bound is built by
pyzmq.

A wire owns its socket: once it is closed it takes in nothing and gives out nothing.
"""

import ctypes

import zmq
from zmq.backend.cython import _zmq

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.errno cimport EAGAIN, EINTR
from libc.stdint cimport uintptr_t

cdef int NOBLOCK = zmq.NOBLOCK
cdef int SNDMORE = zmq.SNDMORE
cdef int EVENTS = zmq.EVENTS
cdef int POLLOUT = zmq.POLLOUT

assert sizeof(MessageC) == 64


cdef int find_library() except -1:
    """Raises AttributeError where pyzmq is none that is built on libzmq."""
    cdef dict found = {}
    loaded = ctypes.CDLL(_zmq.__file__)
    for name in ("msg_init", "msg_recv", "msg_data", "msg_size", "msg_more", "msg_close", "send", "getsockopt", "errno",
                 "msg_init_size", "msg_send"):
        found[name] = ctypes.cast(getattr(loaded, f"zmq_{name}"), ctypes.c_void_p).value
    library.message_init = <int (*)(MessageC*) noexcept nogil><uintptr_t>found["msg_init"]
    library.message_receive = <int (*)(MessageC*, void*, int) noexcept nogil><uintptr_t>found["msg_recv"]
    library.message_data = <void* (*)(MessageC*) noexcept nogil><uintptr_t>found["msg_data"]
    library.message_size = <size_t (*)(const MessageC*) noexcept nogil><uintptr_t>found["msg_size"]
    library.message_more = <int (*)(const MessageC*) noexcept nogil><uintptr_t>found["msg_more"]
    library.message_close = <int (*)(MessageC*) noexcept nogil><uintptr_t>found["msg_close"]
    library.message_init_size = <int (*)(MessageC*, size_t) noexcept nogil><uintptr_t>found["msg_init_size"]
    library.message_send = <int (*)(MessageC*, void*, int) noexcept nogil><uintptr_t>found["msg_send"]
    library.send = <int (*)(void*, const void*, size_t, int) noexcept nogil><uintptr_t>found["send"]
    library.get = <int (*)(void*, int, void*, size_t*) noexcept nogil><uintptr_t>found["getsockopt"]
    library.error = <int (*)() noexcept nogil><uintptr_t>found["errno"]
    return 0


find_library()


@cython.final
cdef class Wire:
    """Reads and writes a socket that pyzmq has made; never waits."""

    def __init__(self, socket) -> None:
        self.socket = socket
        self._handle = <void*><uintptr_t>socket.underlying

    def take(self, Py_ssize_t most) -> list[bytes]:
        """Messages of one frame that wait, at most so many. Fewer: none is left, and the descriptor will tell of the next."""
        cdef list found = []
        cdef bint has_more
        while len(found) < most:
            frame = self._take_frame(&has_more)
            if frame is None:
                break
            found.append(frame)
        return found

    def take_frames(self) -> list[bytes]:
        """The next message, frame by frame; empty where none is left, and then the descriptor will tell of the next."""
        cdef list found = []
        cdef bint has_more = True
        while has_more:
            frame = self._take_frame(&has_more)
            if frame is None:
                break
            found.append(frame)
        return found

    def put(self, *frames) -> bool:
        """Send a message; False where there is no room for it, and nothing was sent."""
        cdef Py_ssize_t at, last = len(frames) - 1
        for at in range(last + 1):  # once its first frame is taken, a message is taken whole
            if not self._put_frame(frames[at], NOBLOCK | (SNDMORE if at < last else 0)):
                return False
        return True

    def close(self, int linger) -> None:
        self._handle = NULL
        self.socket.close(linger=linger)

    cdef object _take_frame(self, bint* has_more):
        """None where nothing waits."""
        cdef MessageC message
        has_more[0] = False
        if not self._receive(&message):
            return None
        try:
            has_more[0] = library.message_more(&message) != 0
            return PyBytes_FromStringAndSize(<char*>library.message_data(&message), library.message_size(&message))
        finally:
            library.message_close(&message)

    cdef bint _receive(self, MessageC* message) except -1:
        """The next frame, to be closed by who asked; False where nothing waits, and then there is nothing to close."""
        cdef int error
        if self._handle is NULL:
            return False
        library.message_init(message)
        while library.message_receive(message, self._handle, NOBLOCK) < 0:
            error = library.error()
            if error != EINTR:
                library.message_close(message)
                if error == EAGAIN:
                    return False
                raise zmq.ZMQError(error)
        return True

    cdef bint _put_frame(self, bytes frame, int flags) except -1:
        cdef int tries = 0
        if self._handle is NULL:
            return False
        while library.send(self._handle, PyBytes_AS_STRING(frame), PyBytes_GET_SIZE(frame), flags) < 0:
            if self._is_full(library.error(), &tries):
                return False
        return True

    cdef bint _put_message(self, MessageC* message) except -1:
        """Send a message of one frame, which is the library's then; False where there is no room, and it is still the caller's."""
        cdef int tries = 0
        if self._handle is NULL:
            return False
        while library.message_send(message, self._handle, NOBLOCK) < 0:
            if self._is_full(library.error(), &tries):
                return False
        return True

    cdef bint _is_full(self, int error, int* tries) except -1:
        """A socket may say that it is full because it has not yet heard that its peer has read: it hears so when it is asked what
        it is ready for, and then it is worth another try.
        """
        cdef int events
        cdef size_t size = sizeof(int)
        if error == EINTR:
            return False
        if error != EAGAIN:
            raise zmq.ZMQError(error)
        tries[0] += 1
        return tries[0] > 1 or library.get(self._handle, EVENTS, &events, &size) < 0 or not events & POLLOUT
