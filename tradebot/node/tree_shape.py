"""What the tree of a node is, as data: its parts in the order of their start, and which of them may live in one process."""

from typing import Final

from tradebot.actors.child_spec import Backoff, ChildSpec, SupervisorSpec
from tradebot.node.session_files import API, ENGINE, FEED, GATEWAY, STORE, VENUE

TRADING: Final = "trading"
"""The process of the parts that trade, where they live together."""

APART: Final = (STORE, VENUE, GATEWAY, ENGINE, FEED)  # the store ends last, with all in it
HOSTED: Final = (VENUE, GATEWAY, ENGINE, FEED)
STOP_S: Final = 5.0
SUPERVISOR: Final = SupervisorSpec(intensity=20, period_s=10.0, backoff=Backoff(first_s=0.1, max_s=5.0, steady_s=10.0))
TOGETHER: Final = SupervisorSpec(
    intensity=SUPERVISOR.intensity,
    period_s=SUPERVISOR.period_s,
    backoff=SUPERVISOR.backoff,
    children=tuple(ChildSpec(id=name, shutdown_s=STOP_S) for name in HOSTED),
)


def parts_of(place: str, has_clients: bool = False) -> tuple[str, ...]:
    """The processes of a node whose parts live `apart` or `together`, in the order of their start; the part that clients reach is
    always one of its own.
    """
    trading = APART if place == "apart" else (STORE, TRADING)
    return (*trading, API) if has_clients else trading


def process_of(part: str, place: str) -> str:
    """The process that a part lives in."""
    return TRADING if place == "together" and part in HOSTED else part
