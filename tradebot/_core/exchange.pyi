"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

class OperationKind(IntEnum):
    PLACE = 1
    CANCEL = 2
    MARKET = 3

OPERATION_DTYPE: np.dtype[np.void]

class Exchange:
    def apply(self, operations: npt.NDArray[np.void]) -> int: ...
    def best(self, side: int) -> tuple[int, int] | None: ...
    def validate(self) -> None: ...
    @property
    def operations(self) -> int: ...
    @property
    def fills(self) -> int: ...
    @property
    def refused(self) -> int: ...
    @property
    def volume(self) -> int: ...
    @property
    def live(self) -> int: ...
    @property
    def digest_text(self) -> str: ...
