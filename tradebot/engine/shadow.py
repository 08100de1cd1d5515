"""The books of a running engine as its journal has them: folded beside it by a reader, who asks it nothing.

No strategy runs here. A shadow begins at the first frame, or at a snapshot that the engine kept, and comes to the same positions
and balances either way; each digest of the journal is checked on the way.
"""

from typing import Any, Final, Self

import msgspec
import numpy as np

from tradebot._core.types import SAMPLE_DTYPE
from tradebot.domain.frames import Frame, Snapshot
from tradebot.engine.plan import Plan
from tradebot.engine.ports import Records
from tradebot.engine.replay import Unwritten
from tradebot.engine.session import Saved, Session
from tradebot.strategies.strategy import Strategy

_STRATEGY, _INDEX, _QUANTITY, _REALISED, _FEES, _FUNDING = 1, 2, 4, 6, 7, 11  # in the rows of `Kernel.positions`
NOTHING: Final = ""


class Shadow:
    """At the beginning of a run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._session = Session(plan, [Strategy({}) for _ in plan.places], Unwritten(), NOTHING, 0)
        self._kernel = self._session.live.kernel

    @classmethod
    def at(cls, plan: Plan, snapshot: Snapshot) -> Self | None:
        """As the engine stood at a snapshot; None where it is of another version."""
        shadow = cls(plan)
        try:
            saved = msgspec.msgpack.decode(snapshot.data, type=Saved)
            shadow._session.restore(saved, books_only=True)
            shadow._session.epoch = saved.epoch
        except (msgspec.MsgspecError, ValueError):
            return None
        return shadow

    @property
    def sequence(self) -> int:
        """Facts folded."""
        return self._kernel.sequence

    @property
    def time_ns(self) -> int:
        return self._kernel.time_ns

    @property
    def kernel(self) -> Any:
        """The books, to be read."""
        return self._kernel

    @property
    def epoch(self) -> int:
        """Of the snapshot that it began at; 0 where it began at the first frame."""
        return self._session.epoch

    def take(self, frame: Frame) -> None:
        """Fold the next frame. Raises Diverged where its digest is another. Its commands wait for no gateway here."""
        assert frame.base_sequence == self.sequence
        self._session.take_again(frame, is_folded=True)
        self._session.waiting.clear()

    @property
    def waiting(self) -> int:
        """Commands that are held; none, however long it looks on."""
        return len(self._session.waiting)

    def sample(self, time_ns: int) -> Records:
        """SAMPLE_DTYPE: a row for each strategy and instrument, as things stand, under the time given."""
        rows = self._kernel.positions()
        found = np.zeros(len(rows), SAMPLE_DTYPE)
        found["time_ns"] = time_ns
        for sample, row in zip(found, rows, strict=True):
            strategy, index = row[_STRATEGY], row[_INDEX]
            sample["bid"], sample["ask"] = self._kernel.market(index)[:2]
            sample["position"], sample["fees"] = row[_QUANTITY], row[_FEES]
            sample["realised"] = row[_REALISED] - row[_FUNDING]
            sample["unrealised"] = self._kernel.unrealised(strategy, index)
            sample["instrument"], sample["strategy"] = self.plan.instruments[index].id, strategy
        return found
