"""Asks the parts of a running node at their desks, from another process."""

import time
from pathlib import Path
from typing import Any, Final

import msgspec

from tradebot.actors.mailbox import ask
from tradebot.domain.errors import LocalError, NotRunning, TimedOut
from tradebot.node.config import config_from_dict
from tradebot.node.session_files import ENGINE, GATEWAY, find_current, mailboxes_of, read_prepared

ASK_S: Final = 2.0
POLL_S: Final = 0.05


def ask_node(home: Path, name: str, verb: str, **words: str) -> dict[str, Any]:
    """Ask a part of the home's node. Raises NotRunning where nobody answers, LocalError where it refuses."""
    folder = find_current(home)
    desks = mailboxes_of(folder)
    found = ask(desks, f"{name}.desk", msgspec.json.encode({"verb": verb, **words}), ASK_S) if desks else None
    if found is None:
        raise NotRunning(
            f"expected the {name} of run {folder.name} to answer within {ASK_S:g} s, found nobody: is the node running?"
        )
    answer = msgspec.json.decode(found, type=dict[str, Any])
    if "error" in answer:
        raise LocalError(f"expected the {name} to do {verb}, found: {answer['error']}")
    return answer


def reconcile_node(home: Path, timeout_s: float) -> dict[str, Any]:
    """Have a round made now, and wait for it: three books and what differs. Raises NotRunning, TimedOut."""
    number = ask_node(home, ENGINE, "reconcile")["round"]
    until = time.monotonic() + timeout_s
    while (found := ask_node(home, ENGINE, "books"))["round"] < number:
        if time.monotonic() > until:
            gateway = ask_node(home, GATEWAY, "status")
            raise TimedOut(
                f"expected a moment within {timeout_s:g} s in which nothing is under way, found none: {gateway['orders']} orders "
                f"at the gateway, {len(gateway['unknown'])} unknown; pause trading, or try again"
            )
        time.sleep(POLL_S)
    return found


def node_fills(home: Path) -> tuple[list[dict[str, Any]], dict[str, Any] | None]:
    """Every fill of the home's run, from its journal: the engine is not asked; and from when on that is there."""
    from tradebot.node.facts import beginning_of, fills_of

    folder = find_current(home)
    beginning = beginning_of(folder / ENGINE)
    prepared = read_prepared(folder)
    names = [use.name for use in config_from_dict(prepared.config).strategy]
    fills = [{**one, "strategy_name": names[one["strategy"]]} for one in fills_of(folder, prepared.plan)]
    return fills, beginning


def is_running(home: Path) -> bool:
    """Whether the engine of the home's run answers."""
    try:
        ask_node(home, ENGINE, "status")
    except NotRunning:
        return False
    return True
