"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from collections.abc import Sequence
from enum import IntEnum

class LatencyKind(IntEnum):
    CONSTANT = 0
    UNIFORM = 1
    EXPONENTIAL = 2
    RECORDED = 3

class Latency:
    def __init__(self, spec: tuple[int, int, int, int, Sequence[int], Sequence[int]]) -> None: ...
    def arrival(self, sent_ns: int) -> int: ...
