"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from typing import Any

import numpy as np
import numpy.typing as npt

def gather_records(
    columns: list[npt.NDArray[Any]], records: npt.NDArray[np.void] | None = None
) -> npt.NDArray[np.void]: ...
def scatter_records(
    records: npt.NDArray[np.void], columns: list[npt.NDArray[Any]] | None = None
) -> list[npt.NDArray[Any]]: ...
