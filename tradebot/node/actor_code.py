"""Loads users' actors by the names that the configuration gives."""

from typing import Final

import msgspec

from tradebot._core.types import Kind
from tradebot.actors.actor import EVERY_KIND, Actor
from tradebot.domain.errors import ConfigError, StrategyBlocked
from tradebot.node import identity, loading
from tradebot.node.loading import LOAD_LIMIT_S, Sort
from tradebot.node.schema import ActorUse
from tradebot.research.watchdog import limited

SORT: Final = Sort(Actor, "an Actor", "actors")
MORE_EVENTS: Final = frozenset({"answer_refused", "journal_begins"})  # which are no facts


def make_actor(use: ActorUse) -> Actor:
    """Raises ConfigError: no such code, code that fails, a parameter that is unknown or out of bounds, an event that is none."""
    what = f"actor {use.name!r}"
    found: type[Actor] = loading.load_class(what, use.target, SORT)
    check_events(what, found)
    try:
        with limited(LOAD_LIMIT_S, f"{what} was not made"):
            return found(use.params)
    except ConfigError as error:
        raise ConfigError(f"{what}: {error}") from error
    except StrategyBlocked:
        raise
    except (Exception, SystemExit) as error:
        raise loading.unloadable(what, error) from error


def check_events(what: str, actor: type[Actor]) -> None:
    """One that is misspelt would never be heard of, and nobody would be told."""
    known = {kind.name.lower() for kind in Kind} | MORE_EVENTS
    if isinstance(actor.events, str) or (wrong := sorted(set(actor.events) - known - EVERY_KIND)):
        found = repr(actor.events) if isinstance(actor.events, str) else wrong[0]
        raise ConfigError(
            f"{what}: expected events to be a set of kinds such as order_filled and strategy_quarantined, found {found}"
        )


def mark_of(use: ActorUse) -> str:
    """Names what an actor is made of: other code or other words, another mark. Raises as `make_actor`."""
    found = loading.load_class(f"actor {use.name!r}", use.target, SORT)
    return identity.identity([loading.source_hash(found), msgspec.to_builtins(use)])
