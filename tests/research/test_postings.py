"""The journal of a run's books: opening and postings are the closing balances of the engine, whatever was traded."""

from pathlib import Path

import numpy as np
import pytest

from tests.engine.test_contracts import INV, LIN, Trades, facts_of, margin, settings
from tests.strategies.support import BTC
from tests.support import stream
from tradebot.domain.instrument import Instrument
from tradebot.domain.units import money_text
from tradebot.engine.plan import Plan, make_merge
from tradebot.engine.ports import Records
from tradebot.research.fills import books, disagreements, signed_lots
from tradebot.research.postings import balance_differences, closing_balances, postings
from tradebot.research.results import Manifest, RunFiles

UNIT = 10**8


def run_of(plan: Plan, facts: Records) -> RunFiles:
    merge = make_merge(plan, [Trades({"seed": 4, "eager": 0.9})])
    merge.feed(facts)
    merge.finish()
    assert merge.kernel.failures == []
    balances = zip(plan.assets, merge.kernel.balances(), strict=True)
    manifest = Manifest(
        run_id="made",
        instruments=plan.instruments,
        assets=plan.assets,
        opening={name: money_text(units) for name, units in plan.opening.items()},
        closing={name: money_text(total) for name, (_, total, _) in balances},
    )
    audit = merge.kernel.take_audit()
    return RunFiles(folder=Path(), manifest=manifest, facts=audit, samples=merge.take_samples(), markouts=np.empty(0))


@pytest.mark.parametrize("instrument", [LIN, INV, BTC], ids=["linear", "inverse", "spot"])
@pytest.mark.parametrize("third", [False, True])
def test_opening_and_postings_are_the_closing_balances(instrument: Instrument, third: bool) -> None:
    fees = {"fee_asset": "BNB", "fee_worth": (7, 1)} if third else {}
    opening = {"USDT": 20 * UNIT, "BTC": 5 * UNIT, "USD": 10**12, "BNB": UNIT // 100}
    plan = settings(
        instrument, margin(20, rate="0.005"), maker_fee=20_000, taker_fee=50_000, opening=opening,
        **({"margins": []} if instrument is BTC else {}), **fees,
    )  # fmt: skip
    run = run_of(plan, stream(5, 3_000) if instrument is BTC else facts_of(5, 3_000))
    assert balance_differences(run) == []
    names = {one.what for one in postings(run)}
    assert names == ({"value", "base", "fee"} if instrument is BTC else {"realised", "fee", "funding", "liquidation"})
    assert {one.asset for one in postings(run) if one.what == "fee"} >= ({"BNB"} if third else set())


def test_the_books_of_a_run_whose_fees_are_in_base_agree_with_its_fills() -> None:
    plan = settings(
        BTC, margin(20), maker_fee=20_000_000, taker_fee=50_000_000, opening={"USD": 10**12, "BTC": 5 * UNIT}, margins=[],
        fee_in_base=True, sample_interval_ns=10**8,
    )  # fmt: skip
    run = run_of(plan, stream(5, 3_000))
    books_ = books(run)
    assert balance_differences(run) == disagreements(run, books_) == []
    assert any(one.asset == "BTC" for one in postings(run) if one.what == "fee")
    assert sum(int(np.count_nonzero(book.moved != signed_lots(book.fills))) for book in books_) > 10


def test_a_balance_that_differs_is_said_with_both_amounts() -> None:
    run = run_of(settings(LIN, margin(20), opening={"USDT": 20 * UNIT}), facts_of(5, 500))
    run.manifest.closing["USDT"] = "1.00000000"
    total = closing_balances(run)["USDT"]
    assert balance_differences(run) == [
        f"the balance of USDT is {money_text(total)} by the postings, 1.00000000 by the ledger"
    ]
