"""The control ladder as questions to the engine's desk: what each rung asks, in order."""

from collections.abc import Mapping
from typing import Final

from tradebot.domain.wire import Argument
from tradebot.node.latch import EndingAct

Step = dict[str, str]

_FIRST: Final[dict[str, list[Step]]] = {
    "pause": [{"verb": "state", "state": "HALTED"}],
    "resume": [{"verb": "state", "state": "ACTIVE"}],
    "cancel-all": [],
    "flatten": [{"verb": "state", "state": "REDUCING"}],  # so that nothing is opened again
    "kill": [],  # it goes by the latch
}
ARGUMENTS: Final[dict[str, frozenset[str]]] = {
    "pause": frozenset(),
    "resume": frozenset(),
    "cancel-all": frozenset({"guards"}),
    "flatten": frozenset(),
    "kill": frozenset({"guards", "flatten"}),
}
"""What each may be told beside the reason: true or false."""


def steps_of(verb: str, arguments: Mapping[str, Argument], is_killed: bool = False) -> list[Step]:
    """Raises ValueError for an argument that the verb does not have, or that is neither true nor false. A home that was killed is
    halted, and stays so.
    """
    for name, value in arguments.items():
        if name not in ARGUMENTS[verb]:
            raise ValueError(f"expected of {verb} {_listed(ARGUMENTS[verb])}, found {name[:40]!r}")
        if not isinstance(value, bool):
            raise ValueError(f"expected true or false for {name}, found {str(value)[:40]!r}")
    first = [] if is_killed and verb == "flatten" else _FIRST[verb]
    return [*first, *_act_of(verb, arguments)]


def _act_of(verb: str, arguments: Mapping[str, Argument]) -> list[Step]:
    if verb in ("pause", "resume", "kill"):
        return []
    return [{"verb": "act", "act": act_of(is_flat=verb == "flatten", takes_guards=bool(arguments.get("guards")))}]


def act_of(is_flat: bool, takes_guards: bool) -> EndingAct:
    """The act by which what is open ends."""
    if is_flat:
        return "FLATTEN"
    return "CANCEL_ALL" if takes_guards else "CANCEL_ENTRIES"


def _listed(names: frozenset[str]) -> str:
    return f"at most {', '.join(sorted(names))}" if names else "no argument"
