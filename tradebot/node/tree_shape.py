"""What the tree of a node is, as data: its parts in the order of their start, and which of them live in one process."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.actors.child_spec import FOR_EVER, Backoff, ChildSpec, SupervisorSpec
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE

TRADING: Final = "trading"
"""The process of the parts that trade, where they live together. It has a desk of its own, for each of them may be down."""

APART: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)  # the store ends last, with all in it
HOSTED: Final = (VENUE, GATEWAY, ENGINE, FEED)
STOP_S: Final = 5.0
ENDS_MAX: Final = 6  # times in a row that a part ends by itself
BACKOFF: Final = Backoff(first_s=0.1, max_s=5.0, steady_s=10.0, row_max=FOR_EVER)  # the root counts, for clients end no node
SUPERVISOR: Final = SupervisorSpec(intensity=20, period_s=10.0, backoff=BACKOFF)
GAVE_UP: Final = 100
"""The exit code of a process of several parts of which too many died; one more and further: which of them ended too often."""


class Shape(Struct, frozen=True):
    """Which processes a node has, in the order of their start, and which parts live in the one where they live together."""

    processes: tuple[str, ...]
    hosted: tuple[str, ...]

    def process_of(self, part: str) -> str:
        """The process that a part lives in."""
        return TRADING if part in self.hosted else part

    def parts_in(self, process: str) -> tuple[str, ...]:
        return self.hosted if process == TRADING else (process,)


def shape_of(place: str, alone: Sequence[str] = (), has_clients: bool = False) -> Shape:
    """Of a node whose parts live `apart` or `together`; those `alone` have a process of their own all the same, and so has always
    the part that clients reach. One that would be alone together is alone.
    """
    hosted = tuple(name for name in HOSTED if place == "together" and name not in alone)
    hosted = hosted if len(hosted) > 1 else ()
    processes = dict.fromkeys(TRADING if name in hosted else name for name in APART)
    return Shape((*processes, API) if has_clients else tuple(processes), hosted)


def together(hosted: Sequence[str]) -> SupervisorSpec:
    """The supervisor of parts that live together."""
    children = tuple(ChildSpec(id=name, shutdown_s=STOP_S) for name in hosted)
    backoff = msgspec.structs.replace(BACKOFF, row_max=ENDS_MAX - 1)
    return msgspec.structs.replace(SUPERVISOR, backoff=backoff, children=children)


def gave_up_code(worn_out: str) -> int:
    """The exit code of a process whose supervisor gave up: because of one part, or, where that is empty, of all of them."""
    return GAVE_UP + ("", *HOSTED).index(worn_out)


def who_gave_up(reason: str) -> str | None:
    """By the reason of its end, whose deaths ended a process of several parts, empty where it was those of all; None of one that
    ended otherwise.
    """
    codes = {f"exit {gave_up_code(name)}": name for name in ("", *HOSTED)}
    return codes.get(reason)
