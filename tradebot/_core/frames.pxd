"""The frame that a journal is made of: a header of 64 bytes, then facts, outputs and body, padded to whole slots."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


cpdef enum FrameKind:
    SEGMENT = 1                 # the first of a segment; its body says of which journal
    FACTS = 2                   # facts, what came of them, and at times a body
    BODY = 3                    # a body only


cdef struct FrameC:             # little-endian, as it lies in the file
    uint32_t magic              # written last; zero where no frame is yet
    uint8_t version
    uint8_t kind                # FrameKind
    uint16_t flags              # none yet
    uint32_t epoch
    uint32_t fact_slots
    uint32_t output_slots
    uint32_t body_bytes
    uint32_t facts              # facts, where a fact of two slots counts once
    uint32_t crc                # CRC32C of the whole frame, padding included, with zero here
    int64_t base_sequence       # facts before this frame
    int64_t time_ns             # the engine's stamp
    uint64_t digest_low         # of the run after this frame
    uint64_t digest_high


cdef struct PartsC:             # where the parts of a frame lie
    const uint8_t* facts
    const uint8_t* outputs
    const uint8_t* body


cdef int64_t frame_size(uint64_t fact_bytes, uint64_t output_bytes, uint64_t body_bytes) noexcept nogil
cdef int frame_write(uint8_t* target, FrameC* frame, const PartsC* parts) noexcept nogil
cdef const char* frame_check(const uint8_t* source, int64_t left, FrameC* frame) noexcept nogil
