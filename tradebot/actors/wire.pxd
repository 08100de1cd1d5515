"""A ZeroMQ socket without what Python adds around each call."""


cdef union MessageC:
    unsigned char body[64]          # zmq_msg_t, by zmq.h
    void* aligned


cdef struct LibraryC:               # of libzmq, as pyzmq has loaded it
    int (*message_init)(MessageC* message) noexcept nogil
    int (*message_receive)(MessageC* message, void* socket, int flags) noexcept nogil
    void* (*message_data)(MessageC* message) noexcept nogil
    size_t (*message_size)(const MessageC* message) noexcept nogil
    int (*message_more)(const MessageC* message) noexcept nogil
    int (*message_close)(MessageC* message) noexcept nogil
    int (*message_init_size)(MessageC* message, size_t size) noexcept nogil
    int (*message_send)(MessageC* message, void* socket, int flags) noexcept nogil
    int (*send)(void* socket, const void* data, size_t size, int flags) noexcept nogil
    int (*get)(void* socket, int option, void* value, size_t* size) noexcept nogil
    int (*error)() noexcept nogil


cdef LibraryC library


cdef class Wire:
    cdef readonly object socket
    cdef void* _handle              # NULL once it is closed

    cdef object _take_frame(self, bint* has_more)
    cdef bint _receive(self, MessageC* message) except -1
    cdef bint _put_message(self, MessageC* message) except -1
    cdef bint _is_full(self, int error, int* tries) except -1
    cdef bint _put_frame(self, bytes frame, int flags) except -1
