"""The composition root: a configuration becomes a plan of integers, and a run over a store becomes results that stay."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradebot.domain.errors import ConfigError, EmptyRange, LocalError, UnknownInstrument
from tradebot.domain.units import NS_PER_SECOND
from tradebot.node import build
from tradebot.node.config import Config, config_from_dict
from tradebot.node.progress import Silent
from tradebot.node.runs import MANIFEST
from tradebot.store import synthetic
from tradebot.store.client import Store, open_store
from tradebot.store.instruments import spot_instrument

BTC = spot_instrument("BTC/USD@bitstamp", tick="1", lot="0.00000001")
MAKER = "tradebot.strategies.maker:InventoryMaker"


def config(venue: str = "bitstamp", **parts: object) -> Config:
    return config_from_dict(
        {
            "account": {"venue": venue, "start": ["100000 USD", "1 BTC"]},
            "strategy": [{"use": MAKER, "name": "maker", "instruments": ["BTC/USD"]}],
            **parts,
        }
    )


class Interrupting(Silent):
    """Ctrl-C as soon as a piece of work of that name begins."""

    def __init__(self, at: str) -> None:
        self.at = at

    def start(self, what: str, total: int | None) -> None:
        if what == self.at:
            raise KeyboardInterrupt


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with open_store(tmp_path_factory.mktemp("build") / "data") as opened:
        opened.import_records(synthetic.INSTRUMENT, *synthetic.open_source(events=5_000))
        yield opened


def test_a_plan_is_the_configuration_in_integers() -> None:
    costs = {"fees": {"maker": "0.02%", "taker": "0.1%", "asset": "base"}, "latency": {"order": "3ms", "answer": "70us"}}
    risk = {"quantity_max": "0.5", "notional_max": "1000", "position_max": "2", "price_band": "1%", "order_rate": "7/2s"}
    plan = build.make_plan(config(costs=costs, risk=risk), [BTC], 60 * NS_PER_SECOND)
    assert (plan.maker_fee, plan.taker_fee, plan.fee_in_base) == (20_000, 100_000, True)
    assert (plan.order_latency_ns, plan.answer_latency_ns) == (3_000_000, 70_000)
    assert (plan.rate_orders, plan.rate_interval_ns) == (7, 2 * NS_PER_SECOND)
    assert plan.opening == {"USD": 100_000 * 10**8, "BTC": 10**8} and plan.assets == ["BTC", "USD"]
    (place,) = plan.places
    (limits,) = place.limits
    assert place.markets == [0]
    assert (limits.quantity_max, limits.position_max) == (50_000_000, 200_000_000)
    assert (limits.notional_max, limits.band, limits.orders_open_max) == (1000 * 10**8, 1_000_000, 200)


def test_strategies_of_a_plan_sit_at_their_own_instruments() -> None:
    eth = spot_instrument("ETH/USD@bitstamp", tick="0.1", lot="0.001")
    strategies = [
        {"use": MAKER, "name": "one", "instruments": ["BTC/USD", "ETH/USD"]},
        {"use": MAKER, "name": "two", "instruments": ["ETH/USD@bitstamp"]},
    ]
    plan = build.make_plan(config(strategy=strategies, risk={"quantity_max": "1"}), [BTC, eth], 0)
    assert [place.markets for place in plan.places] == [[0, 1], [1]]
    assert [[limits.quantity_max for limits in place.limits] for place in plan.places] == [[10**8, 1000], [1000]]


def test_a_limit_finer_than_a_lot_is_refused() -> None:
    coarse = spot_instrument("BTC/USD@bitstamp", tick="1", lot="0.01")
    for name in ("quantity_max", "position_max"):
        with pytest.raises(ConfigError, match=rf"risk\.{name} = '0\.001'.*the lot of BTC/USD@bitstamp"):
            build.make_plan(config(risk={name: "0.001"}), [coarse], 0)


@pytest.mark.parametrize("span_s", [0, 1, 1_800, 86_400, 30 * 86_400, 3_650 * 86_400])
def test_a_long_run_is_sampled_more_coarsely_so_that_samples_stay_few(span_s: int) -> None:
    interval_ns = build.make_plan(config(), [BTC], span_s * NS_PER_SECOND).sample_interval_ns
    assert interval_ns >= NS_PER_SECOND
    assert span_s * NS_PER_SECOND / interval_ns <= 7_500
    assert build.make_plan(config(report={"sample": "7s"}), [BTC], span_s).sample_interval_ns == 7 * NS_PER_SECOND


def test_fractions_are_written_as_short_decimals() -> None:
    assert [build.fraction_text(units) for units in (300_000, 0, -10_000, 10**8, 1)] == [
        "0.003", "0", "-0.0001", "1", "0.00000001",
    ]  # fmt: skip


def test_what_the_store_does_not_know_is_refused_before_anything_is_written(store: Store, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(UnknownInstrument, match="BTC/USD@bitstamp"):
        build.backtest_in(store, config(), tmp_path, Silent(), "test")
    with pytest.raises(EmptyRange, match="2026-01-05"):
        build.backtest_in(store, config("synthetic", data={"from": "2031-01-01"}), tmp_path, Silent(), "test")
    assert list((tmp_path / "results").iterdir()) == []


def test_the_identity_of_a_run_holds_neither_time_nor_command(store: Store) -> None:
    setup = build.prepare(store, config("synthetic"))
    one, two = build.describe(setup, "tradebot one"), build.describe(setup, "tradebot two")
    assert one["identity"] == two["identity"] and one["command"] != two["command"]
    other = build.describe(build.prepare(store, config("synthetic", costs={"latency": "51ms"})), "tradebot one")
    assert other["identity"] != one["identity"]


def test_an_interrupted_run_leaves_nothing(store: Store, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(KeyboardInterrupt):
        build.backtest_in(store, config("synthetic"), tmp_path, Interrupting("backtest"), "test")
    assert list((tmp_path / "results").iterdir()) == []


def test_an_interrupted_grid_leaves_the_finished_run(store: Store, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    wished = config("synthetic", report={"grid": True})
    with pytest.raises(KeyboardInterrupt):
        build.backtest_in(store, wished, tmp_path, Interrupting("fee x latency"), "test")
    (folder,) = (tmp_path / "results").iterdir()
    assert json.loads((folder / MANIFEST).read_text())["digest"]
    assert build.replay_in(store, folder, Silent())["identical"] is True
    assert build.write_report(folder).is_file()


def test_a_run_whose_manifest_has_no_digest_is_not_replayed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    found = build.backtest_in(store, config("synthetic"), tmp_path, Silent(), "test")
    folder = Path(str(found["report"])).parent
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "digest": None}))
    with pytest.raises(LocalError, match="found one that did not end: run it again"):
        build.replay_in(store, folder, Silent())
    assert [row[0] for row in store.query("SELECT run_id FROM runs")] == [folder.name]


def test_an_account_that_can_trade_nothing_of_the_run_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"account\.start: expected some of BTC, USD, which the run trades, found XYZ"):
        build.make_plan(config(account={"venue": "bitstamp", "start": "10000 XYZ"}), [BTC], 0)
