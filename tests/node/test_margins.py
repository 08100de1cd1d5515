"""Contracts of a configuration: their margins as integers, and what is refused in one line."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tradebot._core.types import RECORD_DTYPE, Kind
from tradebot.domain.errors import ConfigError
from tradebot.domain.instrument import INVERSE, Instrument
from tradebot.node import build
from tradebot.node.config import Config, config_from_dict
from tradebot.node.margins import check_funding, make_margins, margin_text
from tradebot.store.client import Store, open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import make_instrument

LIN = make_instrument("BTC/USDT:USDT@binance-linear", tick="0.1", lot="0.001")
INV = make_instrument("BTC/USD:BTC@binance-inverse", tick="0.1", lot="1", multiplier="100")
FUTURE = make_instrument("BTC/USDT:USDT-240628@binance-linear", tick="0.1", lot="0.001")
SPOT = make_instrument("BTC/USDT@binance-linear", tick="0.1", lot="0.001")
UNIT = 10**8


def config(funding: str = "recorded", **account: object) -> Config:
    return config_from_dict(
        {
            "account": {"venue": "binance-linear", "start": ["1000 USDT", "1 BTC"], **account},
            "strategy": [{"use": "tradebot.strategies.maker:InventoryMaker", "instruments": ["BTC/USDT:USDT"]}],
            "costs": {"funding": funding},
        }
    )


def test_spot_has_no_margin_and_no_leverage() -> None:
    assert make_margins(config().account, [SPOT]) == []
    with pytest.raises(ConfigError, match=r"account\.leverage: expected 1, .* found 2"):
        make_margins(config(leverage=2).account, [SPOT])


def test_spot_and_contracts_do_not_share_an_account() -> None:
    with pytest.raises(ConfigError, match="expected spot or contracts in one account, found BTC/USDT@binance-linear and"):
        make_margins(config().account, [LIN, SPOT])


def test_a_contract_without_brackets_has_the_stated_share() -> None:
    (margin,) = make_margins(config(leverage=3, margin="cross").account, [LIN])
    assert margin is not None
    assert (margin.leverage, margin.is_cross, margin.tiers) == (3, True, [(0, 1_000_000, 0)])
    text = margin_text([margin], config(leverage=3, margin="cross").account, [LIN])
    assert text == "cross, leverage 3, maintenance 1 %, assumed"


def test_brackets_of_the_instrument_hold_unless_the_configuration_has_its_own() -> None:
    known = Instrument(
        id=1, symbol="BTC/USD:BTC", venue="x", base="BTC", quote="USD", tick="1", lot="1", kind=INVERSE,
        margin_tiers=[("0", "0.004"), ("5", "0.005")],
    )  # fmt: skip
    account = config().account
    (margin,) = make_margins(account, [known])
    assert margin is not None and margin.tiers == [(0, 400_000, 0), (5 * UNIT, 500_000, UNIT // 200)]
    assert margin_text([margin], account, [known]) == "isolated, leverage 1, maintenance 0.4 % to 0.5 %"
    own = config(maintenance=[{"floor": "0", "rate": "2%"}, {"floor": "10", "rate": "3%"}]).account
    (margin,) = make_margins(own, [known])
    assert margin is not None and margin.tiers[1] == (10 * UNIT, 3_000_000, UNIT // 10)
    assert margin_text([margin], own, [known]) == "isolated, leverage 1, maintenance 2 % to 3 %"


def test_brackets_that_do_not_rise_are_refused_with_their_key() -> None:
    wrong = config(maintenance=[{"floor": "5", "rate": "2%"}]).account
    with pytest.raises(ConfigError, match=r"account\.maintenance: expected tiers .* found 5 and 0\.02\d*, for BTC/USDT:USDT"):
        make_margins(wrong, [LIN])


@pytest.mark.parametrize("maintenance", ["0%", "1", [{"floor": "-1", "rate": "1%"}], [{"floor": "0", "rate": "none"}]])
def test_a_maintenance_margin_that_is_none_is_refused(maintenance: object) -> None:
    with pytest.raises(ConfigError, match=r"account\.maintenance"):
        config(maintenance=maintenance)


def test_an_account_must_hold_what_its_contracts_settle_in() -> None:
    with pytest.raises(ConfigError, match="expected some of BTC, which the run trades, found USDT"):
        build.check_opening({"USDT": UNIT}, [INV])
    build.check_opening({"BTC": UNIT}, [INV])


def test_a_plan_has_the_margins_of_its_contracts_and_whether_funding_is_paid() -> None:
    plan = build.make_plan(config(leverage=5), [LIN], 0)
    assert [one is not None and one.leverage for one in plan.margins] == [5]
    assert plan.pays_funding and not build.make_plan(config(funding="none"), [LIN], 0).pays_funding


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A perpetual with two settlements, at 100 s and 200 s."""
    rows = np.zeros(3, RECORD_DTYPE)
    rows["time_ns"] = rows["venue_ns"] = [50 * 10**9, 100 * 10**9, 200 * 10**9]
    rows["kind"], rows["instrument"], rows["price"] = [Kind.TRADE, Kind.FUNDING, Kind.FUNDING], LIN.id, 600_000
    with open_store(tmp_path / "data") as opened:
        opened.import_records(LIN, ImportSource("test", 1, "a", "a"), iter([rows]))
        yield opened


def narrowed(from_s: int, to_s: int) -> Config:
    values = {"from": f"1970-01-01T00:{from_s // 60:02}:{from_s % 60:02}", "to": f"1970-01-01T00:{to_s // 60:02}:{to_s % 60:02}"}
    return config_from_dict(
        {
            "account": {"venue": "binance-linear", "start": "1000 USDT"},
            "strategy": [{"use": "tradebot.strategies.maker:InventoryMaker", "instruments": ["BTC/USDT:USDT"]}],
            "data": values,
        }
    )


def test_a_perpetual_over_a_range_without_a_settlement_is_refused_unless_funding_is_left_out(store: Store) -> None:
    check_funding(store, config(), [LIN])
    check_funding(store, narrowed(60, 150), [LIN])
    with pytest.raises(ConfigError, match=r'costs\.funding = "recorded": expected settlements of BTC/USDT:USDT@binance-linear'):
        check_funding(store, narrowed(30, 90), [LIN])
    with pytest.raises(ConfigError, match="found none; import its funding rates, or set"):
        check_funding(store, narrowed(201, 300), [LIN])
    check_funding(store, config(funding="none"), [INV])


def test_a_future_settles_no_funding_and_is_not_asked_for_any(store: Store) -> None:
    assert LIN.is_perpetual and INV.is_perpetual and not FUTURE.is_perpetual and not SPOT.is_perpetual
    check_funding(store, config(), [FUTURE])


def test_a_leverage_whose_margin_would_not_last_an_instant_is_refused() -> None:
    (margin,) = make_margins(config(leverage=99).account, [LIN])
    assert margin is not None and margin.leverage == 99
    with pytest.raises(ConfigError, match=r"expected a margin above the maintenance of 0\.01 \(assumed\), found 100"):
        make_margins(config(leverage=100).account, [LIN])
