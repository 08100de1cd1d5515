"""Loads users' strategy classes by the name the configuration gives, and says in one line what is wrong with them."""

import hashlib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from tradebot.domain.errors import ConfigError
from tradebot.engine.plan import Plan
from tradebot.node import identity, loading
from tradebot.node.loading import Sort, source_hash
from tradebot.node.schema import StrategyUse
from tradebot.strategies.strategy import Strategy

SORT: Final = Sort(Strategy, "a Strategy", "strategies")


def load_class(use: StrategyUse) -> type[Strategy]:
    """The class that `use` names. Raises ConfigError: no such module, file or class, or code that does not load."""
    found = loading.load_class(f"strategy {use.use!r}", use.target, SORT)
    _check_callbacks(use, found)
    return found


def make_strategy(use: StrategyUse) -> Strategy:
    """An instance with its Params. Raises ConfigError on a parameter that is unknown or out of bounds, or code that fails."""
    return loading.make(f"strategy {use.name!r}", load_class(use), use.params)


def fingerprint_of(uses: Sequence[StrategyUse], plan: Plan) -> str:
    """Names code and parameters of the strategies, the plan with its limits and costs, and the engine: what decides whether a
    journal can be stepped again.
    """
    return identity.identity(
        [
            identity.code_hash(),
            hashlib.sha256(msgspec.msgpack.encode(plan)).hexdigest(),
            [[source_hash(load_class(use)), msgspec.to_builtins(make_strategy(use).params)] for use in uses],
        ]
    )


def _check_callbacks(use: StrategyUse, strategy: type[Strategy]) -> None:
    """A misspelt callback would never be called, and nobody would be told."""
    known = [name for name in dir(Strategy) if name.startswith("on_")]
    for name in dir(strategy):
        if name.startswith("on_") and name not in known and callable(getattr(strategy, name)):
            near = get_close_matches(name, known, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"strategy {use.use!r}: expected callbacks of Strategy, found {name}, which is none; the nearest is {near}, "
                "and a helper of your own needs another first word than on"
            )
