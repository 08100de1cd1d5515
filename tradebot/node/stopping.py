"""What a stop does before the parts are ended, as `node.on_stop` has it, and how the next start takes that back."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tradebot.node.node_schema import Node
from tradebot.node.session_files import ENGINE, GATEWAY, forget_stopped, mark_stopped, was_stopped
from tradebot.node.supervision import Supervision

STOP_S: Final = 5.0
POLL_S: Final = 0.05
UNKNOWN: Final = "what nobody knows, for the engine or the gateway does not answer"
LISTED: Final = 5  # of what is left, by name
ACTS: Final = {"cancel": "CANCEL_ENTRIES", "flatten": "FLATTEN"}

Ask = Callable[..., Awaitable[dict[str, Any] | None]]
"""Of a part at its desk: `ask(name, verb, **words)`; None where it does not answer."""


async def stop_trading(node: Node, folder: Path, ask: Ask, ended: asyncio.Event, parts: Supervision) -> list[str]:
    """As the configuration says: cancel what does not guard a position, keep all, or cancel all and close the positions. What is
    left of that when it has taken as long as it may, or it was told to end once more; what nobody knows, where the parts have
    been ended meanwhile, because they died too often.
    """
    if node.on_stop == "keep":
        return []
    limit_s, is_over = limit_of(node, parts), parts.tree.ended.done
    if is_over():
        return [UNKNOWN]
    found = await ask(ENGINE, "status")
    if found and found["trading"] == "active":
        mark_stopped(folder)
        await ask(ENGINE, "state", state="REDUCING", who="root", why="stop")
    await ask(ENGINE, "act", act=ACTS[node.on_stop], who="root", why="stop")
    ended.clear()
    until, left = time.monotonic() + limit_s, [UNKNOWN]
    while time.monotonic() < until and not ended.is_set() and not is_over():
        left = await left_open(ask, node.on_stop == "flatten")
        if not left:
            return []
        await asyncio.sleep(POLL_S)
    return left


def limit_of(node: Node, parts: Supervision) -> float:
    """How long a stop may take: a part that hangs is killed meanwhile and is back. That of a node that failed takes less."""
    return STOP_S if parts.failed.done() else node.lease_s + STOP_S


async def end_silent(name: str, lease_s: float, ask: Ask, parts: Supervision, tell: Callable[[str, float], None]) -> None:
    """While the parts are ended: one that has long for it, and is silent for a lease, is killed, for it hangs."""
    since_s = time.monotonic()
    while (part := parts.part(name)) is not None and part.number:
        if await ask(name, "status") is not None:
            since_s = time.monotonic()
        elif time.monotonic() - since_s > lease_s:
            tell(name, time.monotonic() - since_s)
            await parts.kill(name)
            return
        await asyncio.sleep(POLL_S)


async def left_open(ask: Ask, is_flat: bool) -> list[str]:
    """What of that which a stop asked for has yet to happen, in words."""
    gateway, status = await ask(GATEWAY, "status"), await ask(ENGINE, "status")
    orders, positions = await ask(ENGINE, "orders"), await ask(ENGINE, "positions")
    if gateway is None or status is None or orders is None or positions is None:
        return [UNKNOWN]
    open_orders = [one for one in orders["orders"] if is_flat or not one["is_guard"]]
    found = [f"order {one['id']}, {one['side']} {one['quantity']} {one['instrument']}" for one in open_orders]
    held = [one for one in positions["positions"] if is_flat and float(one["quantity"])]
    found += [f"a position of {one['strategy_name']}, {one['quantity']} {one['instrument']}" for one in held]
    under_way = status["commands_waiting"] or gateway["answers_waiting"] or gateway["unknown"]
    return found or (["something under way"] if under_way else [])


async def open_again(folder: Path, ask: Ask) -> str:
    """Trade as before the last stop, which reduced it; the state of trading. What an operator shut stays shut."""
    found = await ask(ENGINE, "status") or {}
    if was_stopped(folder) and found.get("trading") == "reducing":
        await ask(ENGINE, "state", state="ACTIVE", who="root", why="start")
        found = await ask(ENGINE, "status") or {}
    forget_stopped(folder)
    return str(found.get("trading", "unknown"))


def rest_of(left: list[str]) -> str:
    """What is left, for people; the first of it by name."""
    more = f" and {len(left) - LISTED} more" if len(left) > LISTED else ""
    return f"the venue may still have {', '.join(left[:LISTED])}{more}" if left else ""
