"""Frames: how facts and what came of them lie in a journal. Pure bytes, no file.

A frame is written into memory that may be a mapping which another process reads at the same moment. So the magic is written
last, after a fence, and the checksum guards where a machine or a power cut reorders: a reader finds zeros, or a whole frame,
or says what is wrong. What follows a frame is zeros until the next one is written; that is what preallocation gives.

The writer is called once a frame and makes no object per slot. Frames begin at multiples of 64 bytes, so that a search for
the next one after damage looks at few places.

Deliberately absent: what facts mean. `facts_count` is the caller's word, held only to what the slots allow: a fact takes one
slot or two, and facts that lie in the body take none.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stddef cimport size_t
from libc.string cimport memcpy, memset

from tradebot._core.crc32c cimport crc32c_by_instruction, crc32c_by_table, crc32c_close, crc32c_has_instruction, crc32c_make_tables, crc32c_open

cdef extern from *:
    """
    #define tb_release_fence() __atomic_thread_fence(__ATOMIC_RELEASE)
    #define tb_acquire_fence() __atomic_thread_fence(__ATOMIC_ACQUIRE)
    """
    void release_fence "tb_release_fence"() noexcept nogil
    void acquire_fence "tb_acquire_fence"() noexcept nogil

assert sizeof(FrameC) == 64

cdef enum:
    MAGIC_WORD = 0x314A4254             # "TBJ1" as the four bytes lie
    FORMAT_VERSION = 1
    SLOT = 64

MAGIC = b"TBJ1"
HEADER_BYTES = 64

crc32c_make_tables()
cdef bint HAS_INSTRUCTION = crc32c_has_instruction()


class FrameError(ValueError):
    """No frame could be read where one begins; `offset` says where and `why` in words."""

    def __init__(self, offset, why):
        super().__init__(f"frame at byte {offset}: {why}")
        self.offset = offset
        self.why = why


def crc32c(data, uint32_t start=0) -> int:
    """The CRC32C of `data`, going on from that of what stood before it."""
    return checksum_of(data, start, HAS_INSTRUCTION)


def crc32c_portable(data, uint32_t start=0) -> int:
    """The same without the processor's instruction: what other machines compute, so that tests can hold both equal."""
    return checksum_of(data, start, False)


cdef uint32_t checksum_of(data, uint32_t start, bint is_quick) except? 0xFFFFFFFF:
    cdef Py_buffer buffer
    cdef uint32_t state = crc32c_open(start)
    PyObject_GetBuffer(data, &buffer, PyBUF_SIMPLE)
    if is_quick:
        state = crc32c_by_instruction(state, buffer.buf, <size_t>buffer.len)
    else:
        state = crc32c_by_table(state, buffer.buf, <size_t>buffer.len)
    PyBuffer_Release(&buffer)
    return crc32c_close(state)


def frame_bytes(uint32_t facts_bytes, uint32_t outputs_bytes, uint32_t body_bytes) -> int:
    """How long the frame of such parts is."""
    return frame_size(facts_bytes, outputs_bytes, body_bytes)


cdef int64_t frame_size(uint64_t fact_bytes, uint64_t output_bytes, uint64_t body_bytes) noexcept nogil:
    return <int64_t>((SLOT + fact_bytes + output_bytes + body_bytes + SLOT - 1) // SLOT * SLOT)


def write_frame(
    target, Py_ssize_t offset, int kind, uint32_t epoch, int64_t base_sequence, uint32_t facts_count, int64_t time_ns,
    uint64_t digest_low, uint64_t digest_high, facts, outputs, body,
) -> int:
    """Write one frame into `target` at `offset`, a multiple of 64; the offset after it, or -1 where it does not fit and nothing
    was written. Facts and outputs are whole slots of 64 bytes. Raises ValueError.
    """
    cdef FrameC frame
    cdef PartsC parts
    cdef int64_t size
    cdef Py_buffer held[4]
    memset(held, 0, sizeof(held))
    try:
        PyObject_GetBuffer(target, &held[0], PyBUF_WRITABLE)
        PyObject_GetBuffer(facts, &held[1], PyBUF_SIMPLE)
        PyObject_GetBuffer(outputs, &held[2], PyBUF_SIMPLE)
        PyObject_GetBuffer(body, &held[3], PyBUF_SIMPLE)
        check_parts(offset, kind, facts_count, held[1].len, held[2].len, held[3].len)
        size = frame_size(held[1].len, held[2].len, held[3].len)
        if size > held[0].len - offset:
            return -1
        memset(&frame, 0, sizeof(frame))
        frame.kind = <uint8_t>kind
        frame.epoch = epoch
        frame.fact_slots = <uint32_t>(held[1].len // SLOT)
        frame.output_slots = <uint32_t>(held[2].len // SLOT)
        frame.body_bytes = <uint32_t>held[3].len
        frame.facts = facts_count
        frame.base_sequence, frame.time_ns = base_sequence, time_ns
        frame.digest_low, frame.digest_high = digest_low, digest_high
        parts.facts, parts.outputs, parts.body = <const uint8_t*>held[1].buf, <const uint8_t*>held[2].buf, <const uint8_t*>held[3].buf
        frame_write(<uint8_t*>held[0].buf + offset, &frame, &parts)
        return offset + size
    finally:
        PyBuffer_Release(&held[0])
        PyBuffer_Release(&held[1])
        PyBuffer_Release(&held[2])
        PyBuffer_Release(&held[3])


cdef int check_parts(
    Py_ssize_t offset, int kind, uint32_t facts_count, Py_ssize_t facts, Py_ssize_t outputs, Py_ssize_t body
) except -1:
    if offset < 0 or offset % SLOT:
        raise ValueError(f"expected an offset that is a multiple of {SLOT}, found {offset}")
    if kind < FrameKind.SEGMENT or kind > FrameKind.BODY:
        raise ValueError(f"expected a FrameKind, found {kind}")
    if facts % SLOT or outputs % SLOT:
        raise ValueError(f"expected facts and outputs of whole slots of {SLOT} bytes, found {facts} and {outputs} bytes")
    if facts >> 32 or outputs >> 32 or body >> 32:
        raise ValueError(f"expected parts below 4 GiB, found {facts}, {outputs} and {body} bytes")
    if 2 * <int64_t>facts_count < facts // SLOT:
        raise ValueError(f"expected a fact for every two slots at least, found {facts_count} in {facts // SLOT} slots")
    return 0


cdef int frame_write(uint8_t* target, FrameC* frame, const PartsC* parts) noexcept nogil:
    """Fill in what is the same in every frame, and the checksum, and write it all, the magic last."""
    cdef uint64_t fact_bytes = <uint64_t>frame.fact_slots * SLOT, output_bytes = <uint64_t>frame.output_slots * SLOT
    cdef uint64_t used = fact_bytes + output_bytes + frame.body_bytes
    cdef uint64_t padded = (used + SLOT - 1) // SLOT * SLOT
    cdef uint8_t* at = target + SLOT
    cdef uint32_t magic = MAGIC_WORD
    memcpy(at, parts.facts, fact_bytes)
    memcpy(at + fact_bytes, parts.outputs, output_bytes)
    memcpy(at + fact_bytes + output_bytes, parts.body, frame.body_bytes)
    memset(at + used, 0, padded - used)
    frame.magic = magic
    frame.version = FORMAT_VERSION
    frame.crc = 0
    frame.crc = checksum(frame, at, padded)
    frame.magic = 0
    memcpy(target, frame, SLOT)
    release_fence()
    memcpy(target, &magic, 4)
    return 0


cdef uint32_t checksum(const FrameC* frame, const uint8_t* rest, uint64_t size) noexcept nogil:
    """Of the header, whose crc field is zero, and of the rest of the frame."""
    cdef uint32_t state = crc32c_open(0)
    if HAS_INSTRUCTION:
        state = crc32c_by_instruction(state, frame, SLOT)
        state = crc32c_by_instruction(state, rest, size)
    else:
        state = crc32c_by_table(state, frame, SLOT)
        state = crc32c_by_table(state, rest, size)
    return crc32c_close(state)


def frame_parts(source, Py_ssize_t offset):
    """The frame at `offset` as (kind, epoch, base_sequence, facts_count, time_ns, digest, facts, outputs, body).

    None where there is none: zeros where the magic would be, or no room for a header. Raises FrameError where something else
    stands there, or the frame is damaged. `domain.frames.read_frame` gives it names.
    """
    cdef FrameC frame
    cdef Py_buffer held
    cdef const char* why
    cdef const uint8_t* at
    cdef Py_ssize_t facts, outputs
    PyObject_GetBuffer(source, &held, PyBUF_SIMPLE)
    try:
        if offset < 0 or offset % SLOT:
            raise ValueError(f"expected an offset that is a multiple of {SLOT}, found {offset}")
        if held.len - offset < SLOT:
            return None
        at = <const uint8_t*>held.buf + offset
        why = frame_check(at, held.len - offset, &frame)
        if why != NULL:
            raise FrameError(offset, why.decode())
        if frame.magic == 0:
            return None
        at += SLOT
        facts, outputs = <Py_ssize_t>frame.fact_slots * SLOT, <Py_ssize_t>frame.output_slots * SLOT
        return (
            frame.kind, frame.epoch, frame.base_sequence, frame.facts, frame.time_ns,
            f"{frame.digest_high:016x}{frame.digest_low:016x}",
            at[:facts], at[facts:facts + outputs], at[facts + outputs:facts + outputs + frame.body_bytes],
        )
    finally:
        PyBuffer_Release(&held)


cdef const char* frame_check(const uint8_t* source, int64_t left, FrameC* frame) noexcept nogil:
    """Copy the header out and say what is wrong with the frame; NULL where nothing is, or its magic is zero. At least a header
    must be left. The copy matters: what another process writes meanwhile cannot change what was checked.
    """
    cdef int64_t size
    cdef uint32_t crc
    frame.magic = 0
    memcpy(&frame.magic, source, 4)
    if frame.magic == 0:
        return NULL
    acquire_fence()
    memcpy(frame, source, SLOT)
    if frame.magic != MAGIC_WORD:
        return b"no frame begins here, yet there are bytes"
    if frame.version != FORMAT_VERSION:
        return b"its format version is not the one of this tradebot"
    size = frame_size(<uint64_t>frame.fact_slots * SLOT, <uint64_t>frame.output_slots * SLOT, frame.body_bytes)
    if size > left:
        return b"it is longer than what is left of the segment"
    crc, frame.crc = frame.crc, 0
    if checksum(frame, source + SLOT, size - SLOT) != crc:
        return b"its checksum differs"
    if frame.kind < FrameKind.SEGMENT or frame.kind > FrameKind.BODY:
        return b"its kind is unknown"
    return NULL
