"""What an engine is plugged into. A backtest, a sandbox and a live session differ in these and in nothing else."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]


class Source(Protocol):
    """Where facts come from: batches of RECORD_DTYPE in order of receive time, of any size."""

    def __iter__(self) -> Iterator[Records]: ...


class Recorder(Protocol):
    """Where what a run did goes; called between batches, in order. It must not look back into the engine."""

    def facts(self, facts: Records) -> None:
        """Commands and account facts: FACT_DTYPE."""

    def samples(self, samples: Records) -> None:
        """Prices, positions and profit on a grid of time: SAMPLE_DTYPE."""

    def markouts(self, markouts: Records) -> None:
        """The middle price at fixed times after fills: MARKOUT_DTYPE."""


class Nobody:
    """A recorder that keeps nothing, for runs that are made for their digest or their counts."""

    def facts(self, facts: Records) -> None:
        pass

    def samples(self, samples: Records) -> None:
        pass

    def markouts(self, markouts: Records) -> None:
        pass
