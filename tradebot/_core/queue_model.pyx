"""Queue models on price levels, as Python sees them; the work is in queue_model.pxd and one small file per model.

A level tells its total and nothing of the order in it. A new order of ours stands behind the whole total. Trades at our
price take from the front. For a decrease that no trade explains, the models differ in how much of it they take to have been
ahead of us. An increase is always behind us.
"""

from tradebot._core.logarithm cimport natural_log


cdef class Standing:
    """One order of ours in a level, for tests: `half_powers` is twice the exponent of QueueKind.BY_POWER."""

    cdef QueueModelC model
    cdef StandingC standing

    def __cinit__(self, kind: int, ahead: int, half_powers: int = 6):
        self.model.kind = kind
        self.model.half_powers = half_powers
        self.standing.ahead = ahead
        self.standing.traded = 0

    @property
    def ahead(self) -> float:
        """Lots before us."""
        return self.standing.ahead

    def trade(self, lots: int) -> int:
        """A trade at our price; returns the lots of it that came to us."""
        return queue_trade(&self.standing, lots)

    def change(self, before: int, after: int) -> None:
        """The level's total changed."""
        queue_change(&self.model, &self.standing, before, after)


def log_of(x: float) -> float:
    """The core's own natural logarithm."""
    return natural_log(x)
