"""Names of the compiled module that Python may use; held true by tests/test_stubs.py."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

class Simulator:
    def __init__(
        self,
        instruments: list[tuple[int, ...]],
        order_latency: tuple[int, int, int, int, Sequence[int], Sequence[int]],
        answer_latency: tuple[int, int, int, int, Sequence[int], Sequence[int]],
        maker_fee: int,
        taker_fee: int,
        fee_in_base: bool,
        queue_kind: int = ...,
        half_powers: int = 6,
        whole_fills: bool = False,
        horizons_ns: tuple[int, int, int] = (1_000_000_000, 5_000_000_000, 30_000_000_000),
        margins: Sequence[tuple[int, bool, list[tuple[int, int, int]]] | None] = (),
        opening: Sequence[int] = (),
        strategies: int = 0,
        pays_funding: bool = True,
        fee_asset: tuple[int, int, int] = ...,
    ) -> None: ...
    def market(self, records: npt.NDArray[np.void]) -> None: ...
    def send(self, commands: npt.NDArray[np.void]) -> None: ...
    def advance(self, time_ns: int) -> None: ...
    def take_answers(self) -> npt.NDArray[np.void]: ...
    def take_markouts(self) -> npt.NDArray[np.void]: ...
    def resting(self, index: int, side: int) -> list[tuple[int, int, int, int]]: ...
    def clearing(self) -> list[Any] | None: ...
    def snapshot(self) -> list[Any]: ...
    def restore(self, state: list[Any]) -> None: ...
