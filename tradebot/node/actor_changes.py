"""How the root has a user's actors changed while the node runs: their process does it, and is there only where there are any."""

import asyncio
import time
from typing import Any, Final

import msgspec

from tradebot.node.node_schema import Actors, Node
from tradebot.node.session_files import ACTORS
from tradebot.node.stopping import Ask
from tradebot.node.supervision import Supervision
from tradebot.node.tree_shape import STOP_S, Shape
from tradebot.node.warden import Warden

POLL_S: Final = 0.05


class ActorChanges:
    """What the root asks of them, by `ask`."""

    def __init__(self, parts: Supervision, warden: Warden, ask: Ask) -> None:
        self.parts, self.warden, self.ask = parts, warden, ask

    async def change(self, before: Actors | None, node: Node, shape: Shape) -> list[str]:
        """Who is started, started again or ended: the process of the actors with all of them, or those that differ."""
        after = node.actors
        if before is None and after is None:
            return []
        self.parts.allow(ACTORS, max(end_s_of(before), end_s_of(after)))
        try:
            return await self.carry_out(before, after, node.lease_s, list(shape.actors))
        finally:
            self.parts.allow(ACTORS, end_s_of(after))

    async def carry_out(self, before: Actors | None, after: Actors | None, lease_s: float, names: list[str]) -> list[str]:
        if before is None:
            await self.parts.add(ACTORS)
        elif after is None:
            await self.parts.remove(ACTORS)
            self.warden.forget([*(one.name for one in before.actor), *(one.name for one in before.supervisor)])
            return [ACTORS]
        elif rules_of(before) != rules_of(after) or not (part := self.parts.part(ACTORS)) or not part.is_up:
            await self.parts.recycle(ACTORS)  # one that waits for its restart begins now
        else:
            return list((await self.tell(lease_s, "change")).get("changed", []))
        return [ACTORS, *names]

    async def restart(self, name: str, lease_s: float) -> None:
        await self.tell(lease_s, "restart", part=name)

    async def tell(self, lease_s: float, verb: str, **words: str) -> dict[str, Any]:
        """The answer of their process; one that gives none for a lease is about to begin anew, as the configuration is then."""
        until = time.monotonic() + lease_s
        while (found := await self.ask(ACTORS, verb, **words)) is None and time.monotonic() < until:
            await asyncio.sleep(POLL_S)
        return found or {}


def end_s_of(actors: Actors | None) -> float:
    """How long their process may take to end: they do one after the other, each in its own time."""
    return STOP_S + (sum(one.shutdown_s for one in actors.actor) if actors is not None else 0.0)


def rules_of(actors: Actors) -> Actors:
    """All but the actors themselves."""
    return msgspec.structs.replace(actors, actor=[])
