"""Contracts of a configuration: what backs them, and whether the ticks can settle their funding.

Spot and contracts do not share an account here: venues keep them in wallets of their own, and a margin call must not
take what a spot order holds.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tradebot.domain.errors import ConfigError
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import money_text
from tradebot.engine.plan import Margin, margin_tiers
from tradebot.node.schema import MAINTENANCE_ELSEWHERE, Account, Config, fraction_of

SHARE_WHOLE: Final = 10**8  # of a share in 1e-8

if TYPE_CHECKING:
    from tradebot.store.client import Store


def make_margins(account: Account, instruments: Sequence[Instrument]) -> list[Margin | None]:
    """By instrument; empty where all are spot. Raises ConfigError."""
    contracts = [one for one in instruments if one.is_contract]
    if not contracts:
        if account.leverage != 1:
            raise ConfigError(f"account.leverage: expected 1, for spot is not traded on margin here, found {account.leverage}")
        return []
    if len(contracts) < len(instruments):
        spot = next(one.name for one in instruments if not one.is_contract)
        raise ConfigError(
            f"strategy.instruments: expected spot or contracts in one account, found {spot} and {contracts[0].name}: "
            "run each by itself"
        )
    return [make_margin(account, one) for one in instruments]


def make_margin(account: Account, instrument: Instrument) -> Margin:
    """Of one contract: the configuration's tiers, else the instrument's own, else the stated share."""
    rates = account.maintenance_tiers or instrument.margin_tiers or [("0", fraction_of(MAINTENANCE_ELSEWHERE))]
    try:
        tiers = margin_tiers(rates)
    except ValueError as error:
        raise ConfigError(f"account.maintenance: {error}, for {instrument.name}") from error
    least = tiers[0][1]
    if account.leverage * least >= SHARE_WHOLE:
        said = "account.maintenance" if account.maintenance_tiers else "the instrument" if instrument.margin_tiers else "assumed"
        raise ConfigError(
            f"account.leverage: expected a margin above the maintenance of {least / SHARE_WHOLE:.4g} ({said}), found "
            f"{account.leverage}, whose {1 / account.leverage:.4g} would be liquidated at once: lower it, or state the venue's "
            "account.maintenance"
        )
    return Margin(leverage=account.leverage, is_cross=account.margin == "cross", tiers=tiers)


def check_funding(
    store: "Store", config: Config, instruments: Sequence[Instrument], only: Sequence[str] | None = None
) -> None:
    """Raise ConfigError where a perpetual is to settle recorded funding and the range has none of it."""
    if config.costs.funding != "recorded":
        return
    for one in instruments:
        if one.is_perpetual and not store.has_funding(one.id, config.data.from_ns, config.data.to_ns, only):
            raise ConfigError(
                f'costs.funding = "recorded": expected settlements of {one.name} in the range, found none; import its '
                'funding rates, or set costs.funding = "none"'
            )


def margin_text(margins: Sequence[Margin | None], account: Account, instruments: Sequence[Instrument]) -> str:
    """For people; nothing where no contract is traded."""
    known = [one for one in margins if one is not None]
    if not known:
        return ""
    rates = sorted({rate for one in known for _, rate, _ in one.tiers})
    told = " to ".join(f"{money_text(rate * 100).rstrip('0').rstrip('.')} %" for rate in dict.fromkeys((rates[0], rates[-1])))
    assumed = not account.maintenance and any(not one.margin_tiers for one in instruments)
    origin = ", assumed" if assumed else ""
    return f"{account.margin}, leverage {account.leverage}, maintenance {told}{origin}"

