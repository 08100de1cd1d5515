"""Runs held against the first: exact differences, no difference between currencies, and doubt where the data are not the same."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.research.conftest import INSTRUMENT, START_NS
from tradebot.domain.errors import UsageError
from tradebot.research.comparison import MONEY_TERMS, RUNS_MAX, compare, differences, figures
from tradebot.research.metrics import DEFINITIONS, measure
from tradebot.research.results import open_results

MAKE = Callable[..., Path]
SELECTION = {"rows": 314_057, "first_ns": START_NS, "last_ns": START_NS + 300 * 10**9, "checksum": "5b1e0c77"}


def test_only_what_differs_is_told_with_exact_differences_to_the_first(make_run: MAKE) -> None:
    found = compare([make_run("a", seconds=300, run_id="a"), make_run("b", seconds=300, run_id="b", maker_fee="0.0007")])
    first, second = (one.metrics for one in found.runs)
    told = differences(found)
    assert told["fees"] == {
        "values": {"a": first.fees, "b": second.fees},
        "difference": {"b": f"{Decimal(second.fees) - Decimal(first.fees):f}"},
    }
    assert Decimal(str(told["net_pnl"]["difference"]["b"])) == -Decimal(str(told["fees"]["difference"]["b"])) < 0
    assert not {"spread_earned", "orders", "fills", "quote_asset", "turnover"} & set(told)
    assert found.doubts == [] and found.remarks == []
    assert [(one.group, one.name) for one in found.settings] == [("costs", "maker fee")]


def test_three_runs_are_each_held_against_the_first(make_run: MAKE) -> None:
    found = compare([make_run(name, seconds=300, run_id=name, seed=seed) for name, seed in (("a", 1), ("b", 2), ("c", 3))])
    orders = [one.metrics.orders for one in found.runs]
    told = differences(found)["fills"]
    fills = [one.metrics.fills for one in found.runs]
    assert len(set(fills)) > 1 and orders
    assert told == {
        "values": dict(zip("abc", fills, strict=True)),
        "difference": {"b": fills[1] - fills[0], "c": fills[2] - fills[0]},
    }


def test_the_terms_of_money_add_up_to_the_net_in_each_run(make_run: MAKE) -> None:
    for seed in range(3):
        values = figures(measure(open_results(make_run(f"run{seed}", seconds=300, seed=seed))))
        assert sum(sign * Decimal(str(values[name])) for name, sign in MONEY_TERMS) == Decimal(str(values["net_pnl"]))


def test_every_figure_has_a_definition_and_a_plain_value(make_run: MAKE) -> None:
    values = figures(measure(open_results(make_run(seconds=300))))
    assert {name.partition(".")[0] for name in values} <= set(DEFINITIONS)
    assert all(value is None or isinstance(value, bool | int | float | str) for value in values.values())
    assert {"net_pnl", "buy_and_hold.net_pnl", "markouts.BTC/USD@bitstamp.both.both.1s.mean"} <= set(values)


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        ({"selection": {**SELECTION, "checksum": "other"}}, "The runs saw different facts: A 314,057 rows, checksum 5b1e0c77; "),
        ({"selection": {**SELECTION, "rows": 5}}, "The runs saw different facts: "),
        (
            {"selection": {**SELECTION, "first_ns": START_NS + 60 * 10**9}},
            "The runs cover different times: A 2026-01-05 09:30:00 to 2026-01-05 09:35:00; B 2026-01-05 09:31:00 to ",
        ),
        ({"instruments": [{**INSTRUMENT, "venue": "kraken"}]}, "The runs trade different instruments: A BTC/USD@bitstamp; B "),
    ],
)
def test_runs_over_different_data_are_doubted(make_run: MAKE, change: dict[str, object], doubt: str) -> None:
    a = make_run("a", seconds=300, run_id="a", selection=SELECTION)
    (found,) = compare([a, make_run("b", seconds=300, run_id="b", **{"selection": SELECTION, **change})]).doubts
    assert found.startswith(doubt)


def test_money_of_different_currencies_has_no_difference_and_the_reader_is_told(make_run: MAKE) -> None:
    other = {
        "instruments": [{**INSTRUMENT, "symbol": "BTC/EUR", "quote": "EUR"}],
        "assets": ["EUR", "BTC"],
        "account": {"start": [{"asset": "EUR", "amount": "10000"}]},
        "opening": {"EUR": "10000"},
    }
    found = compare([make_run("a", run_id="a"), make_run("b", run_id="b", seed=8, **other)])
    told = differences(found)
    for name in ("net_pnl", "fees", "max_drawdown", "turnover"):
        assert told[name]["difference"] == {"b": None}
        assert None not in told[name]["values"].values()
    assert told["fills"]["difference"]["b"] is not None
    assert told["net_return_fraction"]["difference"]["b"] is not None
    assert found.remarks[0].startswith("Money is counted in different currencies, A in USD, B in EUR: ")


def test_runs_of_different_grades_are_compared_with_a_word_on_the_spread(make_run: MAKE) -> None:
    found = compare([make_run("a", seconds=60, run_id="a", grade={"name": "bars"}), make_run("b", seconds=60, run_id="b")])
    assert found.doubts == []
    assert found.remarks[0].startswith("The runs were matched on different data: A bar grade; B book grade. Without a book ")


def test_other_code_quarantined_strategies_and_books_that_disagree_are_remarked(make_run: MAKE) -> None:
    a = make_run("a", seconds=300, run_id="a", versions={"code": "1"})
    b = make_run("b", seconds=300, run_id="b", versions={"code": "2"}, quarantined=[1])
    (b / "facts.bin").write_bytes((b / "facts.bin").read_bytes()[:-128])
    assert [line[:44] for line in compare([a, b]).remarks][:2] == [
        "The runs were made by different code: what d",
        "In B a strategy raised an error and was quar",
    ]


def test_one_run_too_many_runs_and_a_run_with_itself_are_refused(make_run: MAKE) -> None:
    a = make_run("a", seconds=60, run_id="a")
    for folders in ([a], [a] * (RUNS_MAX + 1)):
        with pytest.raises(UsageError, match=rf"expected 2 to {RUNS_MAX} runs to compare, found {len(folders)}"):
            compare(folders)
    with pytest.raises(UsageError, match="expected different runs, found a twice"):
        compare([a, make_run("copy", seconds=60, run_id="a")])
