"""tradebot: one deterministic engine for backtest, sandbox and live trading.

The public names are loaded when first used, so that `import tradebot` stays cheap.
"""

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tradebot.strategies.strategy import Int as Int
    from tradebot.strategies.strategy import Real as Real
    from tradebot.strategies.strategy import Strategy as Strategy

_PUBLIC = {"Strategy", "Int", "Real"}


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        from tradebot.strategies import strategy

        return getattr(strategy, name)
    raise AttributeError(f"module 'tradebot' has no attribute {name!r}")
