"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from enum import IntEnum
from typing import Any

import numpy.typing as npt
from typing_extensions import Buffer

Part = Buffer | npt.NDArray[Any]

class FrameKind(IntEnum):
    SEGMENT = 1
    FACTS = 2
    BODY = 3

class FrameError(ValueError):
    offset: int
    why: str
    def __init__(self, offset: int, why: str) -> None: ...

MAGIC: bytes
HEADER_BYTES: int

def crc32c(data: Buffer, start: int = 0) -> int: ...
def crc32c_portable(data: Buffer, start: int = 0) -> int: ...
def frame_bytes(facts_bytes: int, outputs_bytes: int, body_bytes: int) -> int: ...
def write_frame(
    target: Buffer, offset: int, kind: int, epoch: int, base_sequence: int, facts_count: int, time_ns: int, digest_low: int, digest_high: int, facts: Part, outputs: Part, body: Part
) -> int: ...
def frame_parts(source: Part, offset: int) -> tuple[int, int, int, int, int, str, bytes, bytes, bytes] | None: ...
