"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from enum import IntEnum

class QueueKind(IntEnum):
    RISK_AVERSE = 1
    BY_POWER = 2
    BY_LOG = 3

class Standing:
    def __init__(self, kind: int, ahead: int, half_powers: int = 6) -> None: ...
    def trade(self, lots: int) -> int: ...
    def change(self, before: int, after: int) -> None: ...
    @property
    def ahead(self) -> float: ...

def log_of(x: float) -> float: ...
