"""What the tree of a node is, as data: its parts in the order of their start, and which of them live in one process."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from tradebot.actors.child_spec import FOR_EVER, Backoff, ChildSpec, SupervisorSpec
from tradebot.actors.watching import ROOT
from tradebot.node.node_schema import Node, Supervisor
from tradebot.node.session_files import ACTORS, API, ENGINE, FEED, GATEWAY, STORE, VENUE

TRADING: Final = "trading"
"""The process of the parts that trade, where they live together. It has a desk of its own, for each of them may be down."""

APART: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)  # the store ends last, with all in it
HOSTED: Final = (VENUE, GATEWAY, ENGINE, FEED)
STOP_S: Final = 5.0
ENDS_MAX: Final = 6  # times in a row that a part ends by itself
MAIN: Final = "tradebot.node.part_main"
RESERVED: Final = frozenset({ROOT, STORE, VENUE, GATEWAY, ENGINE, FEED, API, ACTORS, TRADING, "zygote"})
"""Names that no actor of a user's may have."""
GONE, SILENT, ANSWERS = "gone", "silent", "answers"
"""What the root is told of an actor: that it was taken away, or lives and does not answer, or answers again."""
GAVE_UP: Final = 100
"""The exit code of a process of several parts of which too many died; one more and further: which of them ended too often."""


class Shape(Struct, frozen=True):
    """Which processes a node has, in the order of their start, which parts live in the one where they live together, and which
    actors of a user's are below the one that is theirs.
    """

    processes: tuple[str, ...]
    hosted: tuple[str, ...]
    actors: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()  # those of the actors with processes of their own
    supervisors: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of actors, below the first, each with its own

    @property
    def below_actors(self) -> tuple[str, ...]:
        """A user's actors, and their supervisors."""
        return (*self.actors, *(name for name, _ in self.supervisors))

    def process_of(self, part: str) -> str:
        """The process that a part lives in, or is below."""
        return TRADING if part in self.hosted else ACTORS if part in self.below_actors else part

    def parts_in(self, process: str) -> tuple[str, ...]:
        """Those that share its fate."""
        return {TRADING: self.hosted, ACTORS: (*self.actors, ACTORS)}.get(process, (process,))


def shape_of(place: str, alone: Sequence[str] = (), has_clients: bool = False, actors: Sequence[str] = ()) -> Shape:
    """Of a node whose parts live `apart` or `together`; those `alone` have a process of their own all the same, and so has always
    the part that clients reach. One that would be alone together is alone. A user's actors come last.
    """
    hosted = tuple(name for name in HOSTED if place == "together" and name not in alone)
    hosted = hosted if len(hosted) > 1 else ()
    processes = dict.fromkeys(TRADING if name in hosted else name for name in APART)
    more = (*([API] if has_clients else []), *([ACTORS] if actors else []))
    return Shape((*processes, *more), hosted, tuple(actors))


def shape_of_node(node: Node) -> Shape:
    if (actors := node.actors) is None:
        return shape_of(node.place, node.alone, node.api is not None)
    uses = actors.actor
    own = tuple((rules.name, tuple(one.name for one in uses if one.supervisor == rules.name)) for rules in actors.supervisor)
    found = shape_of(node.place, node.alone, node.api is not None, [one.name for one in uses])
    return msgspec.structs.replace(found, apart=tuple(one.name for one in uses if one.place == "process"), supervisors=own)


def waits_of(supervisor: Supervisor) -> Backoff:
    """Waiting keeps deaths apart; however many come in a row, they are no more than those within a period."""
    return Backoff(first_s=supervisor.backoff_s, max_s=supervisor.backoff_max_s, row_max=FOR_EVER)


def root_spec(supervisor: Supervisor) -> SupervisorSpec:
    """Of the node's processes. The root itself counts those in a row, for clients and actors end no node."""
    return SupervisorSpec(intensity=supervisor.intensity, period_s=supervisor.period_s, backoff=waits_of(supervisor))


def together(hosted: Sequence[str], supervisor: Supervisor) -> SupervisorSpec:
    """Of parts that live together."""
    spec = root_spec(supervisor)
    children = tuple(ChildSpec(id=name, shutdown_s=STOP_S) for name in hosted)
    backoff = msgspec.structs.replace(spec.backoff, row_max=ENDS_MAX - 1)
    return msgspec.structs.replace(spec, backoff=backoff, children=children)


def gave_up_code(worn_out: str) -> int:
    """The exit code of a process whose supervisor gave up: because of one part, or, where that is empty, of all of them."""
    return GAVE_UP + ("", *HOSTED).index(worn_out)


def who_gave_up(reason: str) -> str | None:
    """By the reason of its end, whose deaths ended a process of several parts, empty where it was those of all; None of one that
    ended otherwise.
    """
    codes = {f"exit {gave_up_code(name)}": name for name in ("", *HOSTED)}
    return codes.get(reason)
