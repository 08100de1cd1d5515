"""What the tree of a node is, as data: its parts in the order of their start, and which of them live in one process."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.actors.child_spec import Backoff, ChildSpec, SupervisorSpec
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE

TRADING: Final = "trading"
"""The process of the parts that trade, where they live together."""

APART: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)  # the store ends last, with all in it
HOSTED: Final = (VENUE, GATEWAY, ENGINE, FEED)
STOP_S: Final = 5.0
SUPERVISOR: Final = SupervisorSpec(intensity=20, period_s=10.0, backoff=Backoff(first_s=0.1, max_s=5.0, steady_s=10.0))


class Shape(Struct, frozen=True):
    """Which processes a node has, in the order of their start, and which parts live in the one where they live together."""

    processes: tuple[str, ...]
    hosted: tuple[str, ...]

    def process_of(self, part: str) -> str:
        """The process that a part lives in."""
        return TRADING if part in self.hosted else part

    def parts_in(self, process: str) -> tuple[str, ...]:
        return self.hosted if process == TRADING else (process,)

    def desk_of(self, process: str) -> str:
        """Whose desk answers for a process: the engine's, where it lives there."""
        parts = self.parts_in(process)
        return ENGINE if ENGINE in parts else parts[0]


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
    return msgspec.structs.replace(SUPERVISOR, children=children)
