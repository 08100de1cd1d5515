"""Ratios of daily returns: growth, volatility, Sharpe, Sortino, Calmar, and the largest drawdown.

A year has 365 days, returns are simple, the risk-free and the required return are zero. Each equals the
figure of empyrical-reloaded of the same name with annualization=365; where that answers NaN or infinity, ours
is None. Whether there are enough returns to speak of a year is decided in `metrics`, not here.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

DAYS_PER_YEAR: Final = 365

Floats = npt.NDArray[np.float64]


def max_drawdown_fraction(equity: Floats) -> float | None:
    """The largest fall as a fraction of the peak before it, at most zero; None where the equity is not
    positive.

    Equal to empyrical's max_drawdown where `equity` begins with the opening value.
    """
    if not len(equity) or equity[0] <= 0:
        return None
    peaks = np.maximum.accumulate(equity)
    return min(float(np.min(equity / peaks - 1.0)), 0.0)


def annual_return(returns: Floats) -> float | None:
    """Compound growth a year of daily returns, a fraction; None without returns or after ruin."""
    growth = float(np.prod(1.0 + returns)) if len(returns) else -1.0
    return float(growth ** (DAYS_PER_YEAR / len(returns)) - 1.0) if growth >= 0 else None


def annual_volatility(returns: Floats) -> float | None:
    """The sample deviation of daily returns times the root of 365, a fraction; None under two returns."""
    return float(np.std(returns, ddof=1) * np.sqrt(DAYS_PER_YEAR)) if len(returns) > 1 else None


def sharpe_ratio(returns: Floats) -> float | None:
    """Mean over sample deviation of daily returns, times the root of 365; None where all returns are
    equal."""
    if len(returns) < 2 or returns.max() == returns.min():
        return None
    return float(np.mean(returns) / np.std(returns, ddof=1) * np.sqrt(DAYS_PER_YEAR))


def sortino_ratio(returns: Floats) -> float | None:
    """Mean over downside deviation below zero, times the root of 365; None without a loss."""
    downside = float(np.sqrt(np.mean(np.square(np.minimum(returns, 0.0))))) if len(returns) > 1 else 0.0
    return float(np.mean(returns) / downside * np.sqrt(DAYS_PER_YEAR)) if downside > 0 else None


def calmar_ratio(returns: Floats) -> float | None:
    """Annual return over the size of the largest drawdown of daily returns; None where there is none."""
    annual = annual_return(returns)
    fall = max_drawdown_fraction(np.cumprod(np.concatenate((np.ones(1), 1.0 + returns)), dtype=np.float64))
    return annual / -fall if annual is not None and fall else None
