"""A writer and a reader of frames in plain Python: the specification's twin of _core/frames."""

import struct
from itertools import pairwise
from typing import NamedTuple

HEADER = struct.Struct("<4sBBHIIIIIIqqQQ")
SLOT = 64


def crc32c(data: bytes, start: int = 0) -> int:
    """Bit by bit."""
    state = start ^ 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


class Plain(NamedTuple):
    kind: int
    epoch: int
    base_sequence: int
    facts_count: int
    time_ns: int
    digest_low: int
    digest_high: int
    facts: bytes
    outputs: bytes
    body: bytes


def frame_bytes(frame: Plain) -> bytes:
    """The frame with its padding."""
    rest = frame.facts + frame.outputs + frame.body
    rest += bytes(-len(rest) % SLOT)

    def header(crc: int) -> bytes:
        return HEADER.pack(
            b"TBJ1", 1, frame.kind, 0, frame.epoch, len(frame.facts) // SLOT, len(frame.outputs) // SLOT, len(frame.body),
            frame.facts_count, crc, frame.base_sequence, frame.time_ns, frame.digest_low, frame.digest_high,
        )  # fmt: skip

    return header(crc32c(header(0) + rest)) + rest


def read_frame(source: bytes, offset: int) -> Plain | str | None:
    """The frame, what is wrong with it, or None where there is none."""
    if len(source) - offset < SLOT or source[offset : offset + 4] == bytes(4):
        return None
    found = HEADER.unpack_from(source, offset)
    magic, version, kind, _, epoch, facts, outputs, body, count, crc, base, time_ns, low, high = found
    if magic != b"TBJ1" or version != 1:
        return "header"
    ends = [SLOT, SLOT * (1 + facts), SLOT * (1 + facts + outputs), SLOT * (1 + facts + outputs) + body]
    size = -(-ends[-1] // SLOT) * SLOT
    if size > len(source) - offset:
        return "length"
    whole = source[offset : offset + size]
    if crc32c(whole[:28] + bytes(4) + whole[32:]) != crc:
        return "checksum"
    if kind not in (1, 2, 3):
        return "kind"
    parts = [whole[start:end] for start, end in pairwise(ends)]
    return Plain(kind, epoch, base, count, time_ns, low, high, *parts)
