"""What two runs are compared by: a 128-bit chain over every fact and command, in order.

Each 64-byte slot is folded in with 64x64 -> 128-bit multiplies (the "mum" step of Wang Yi's wyhash, 2019); the
constants are hexadecimal digits of pi. It detects difference; it is no defence against an adversary. The plain
Python version in tests/reference/digest.py is the specification's twin.
"""

from libc.string cimport memcpy, memset


def digest_bytes(data: bytes) -> str:
    """The digest of `data` as 32 hex digits, the last slot padded with zeros.

    Snapshots and files are hashed with this; a run's chain uses the same step per record.
    """
    cdef DigestC digest
    cdef uint64_t slot[8]
    cdef const uint8_t* at = data
    cdef Py_ssize_t left = len(data)
    digest_open(&digest)
    while left > 0:
        memset(slot, 0, 64)
        memcpy(slot, at, min(left, 64))
        digest_slot(&digest, slot)
        at += 64
        left -= 64
    slot_length(&digest, len(data))
    return f"{digest.high:016x}{digest.low:016x}"


cdef int slot_length(DigestC* digest, uint64_t length) noexcept nogil:
    """End with the length, so that trailing zeros count."""
    cdef uint64_t slot[8]
    memset(slot, 0, 64)
    slot[0] = length
    return digest_slot(digest, slot)
