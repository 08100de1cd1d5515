"""Children of a supervisor as data, in the words of OTP (supervisor(3), erlang.org/doc/man/supervisor.html)."""

import sys
from enum import StrEnum
from typing import Annotated, Any, Final

from msgspec import UNSET, Meta, Struct
from msgspec.structs import force_setattr

SHUTDOWN: Final = "shutdown"
NORMAL: Final = "normal"
KILLED: Final = "killed"
"""Reasons of an exit. The first two are wanted: a transient child that ends by them is not started again."""

FOR_EVER: Final = sys.maxsize
WORKER_SHUTDOWN_S: Final = 5.0

_UNSAID: Final[Any] = UNSET


class Restart(StrEnum):
    """Whether a child that ended is started again: always, only after an end that was not wanted, never."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"


class Strategy(StrEnum):
    """Who is started again with a child: nobody else, all, or those that were started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class AutoShutdown(StrEnum):
    """Whether a supervisor ends by itself when a significant child ends as it should: never, with any, with the last of them."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


class Kind(StrEnum):
    WORKER = "worker"
    SUPERVISOR = "supervisor"


class ChildSpec(Struct, frozen=True, kw_only=True):
    """One child. `start` is what the tree makes it of, opaque here but for a `SupervisorSpec`, which is a supervisor below this
    one; `shutdown_s`: how long it may take to end when told to, 0: it is killed at once, None: as long as it takes. A supervisor
    takes as long as its children do, where nothing else is said, and a worker 5 s.
    """

    id: str
    start: Any = None
    restart: Restart = Restart.PERMANENT
    shutdown_s: Annotated[float, Meta(ge=0)] | None = _UNSAID
    kind: Kind = _UNSAID
    is_significant: bool = False

    def __post_init__(self) -> None:
        if self.kind is _UNSAID:
            force_setattr(self, "kind", Kind.SUPERVISOR if isinstance(self.start, SupervisorSpec) else Kind.WORKER)
        if self.shutdown_s is _UNSAID:
            force_setattr(self, "shutdown_s", None if self.kind is Kind.SUPERVISOR else WORKER_SHUTDOWN_S)
        if self.is_significant and self.restart is Restart.PERMANENT:
            raise ValueError(f"expected a significant child that may end, found {self.id!r}, which is permanent")


class Backoff(Struct, frozen=True, kw_only=True):
    """How long a restart waits: not at all after a life of `steady_s` or more, else longer with each death in a row, with
    jitter. One that was killed, which comes from outside, needs a life of `steady_killed_s` only. `first_s` 0: it never
    waits, as in OTP.

    Waiting keeps deaths apart, so that no number of them comes to lie within a period. So those that come soon, in a row, and
    not by a kill, count as if they did: more than `row_max` of one child, None: than the intensity, end the supervisor.
    """

    first_s: float = 0.1
    max_s: float = 5.0
    steady_s: float = 10.0
    steady_killed_s: float = 1.0
    row_max: int | None = None

    def is_soon(self, lived_s: float, reason: str) -> bool:
        """Whether a death counts to those in a row."""
        return lived_s < (min(self.steady_s, self.steady_killed_s) if reason == KILLED else self.steady_s)

    def is_worn_out(self, deaths_in_a_row: int, intensity: int) -> bool:
        """Whether it is not to be tried again after so many deaths of its own."""
        return self.first_s != 0 and deaths_in_a_row > (intensity if self.row_max is None else self.row_max)

    def delay_s(self, quick_deaths: int, chance: float) -> float:
        """After so many deaths in a row that came soon; `chance` is from 0 to 1."""
        if quick_deaths < 2 or self.first_s == 0:
            return 0.0
        most = min(self.max_s, self.first_s * 2.0 ** min(quick_deaths - 2, 60))
        return most * (0.5 + chance / 2)


class SupervisorSpec(Struct, frozen=True, kw_only=True):
    """A supervisor: more than `intensity` restarts within `period_s` end it, and its own supervisor decides."""

    strategy: Strategy = Strategy.ONE_FOR_ONE
    intensity: Annotated[int, Meta(ge=0)] = 1
    period_s: Annotated[float, Meta(gt=0)] = 5.0
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    backoff: Backoff = Backoff()
    children: tuple[ChildSpec, ...] = ()

    def __post_init__(self) -> None:
        names = [child.id for child in self.children]
        if doubled := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"expected children with ids of their own, found {', '.join(doubled)} more than once")
        for child in self.children:
            check_significance(child, self.auto_shutdown)


def check_significance(child: ChildSpec, auto_shutdown: AutoShutdown) -> None:
    """Raises ValueError for a significant child of a supervisor that does not end by itself."""
    if child.is_significant and auto_shutdown is AutoShutdown.NEVER:
        raise ValueError(f"expected a supervisor with auto_shutdown for the significant child {child.id!r}, found never")


def is_wanted(reason: str) -> bool:
    """Whether an end for that reason is a normal one: "normal", "shutdown" or "shutdown: why"."""
    return reason in (NORMAL, SHUTDOWN) or reason.startswith(SHUTDOWN + ": ")
