"""What a run is matched on: the finest that the store holds, what is asked for, and a refusal with its remedy elsewhere."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.core.price_support import bar, ticks, walk
from tests.support import SECOND, stream
from tradebot._core.types import Kind
from tradebot.domain.errors import ConfigError
from tradebot.engine.plan import Grade
from tradebot.engine.ports import Records
from tradebot.node import build
from tradebot.node.config import Config, config_from_dict
from tradebot.node.grades import find_grade, graded_stream
from tradebot.node.progress import Silent
from tradebot.store.client import Store, open_store
from tradebot.store.imports import ImportSource
from tradebot.store.instruments import spot_instrument

CROSSOVER = "tradebot.strategies.crossover:Crossover"
CANDLES, TICKS, BOOK, EMPTY, TWO, QUOTES = (f"{name}/USD" for name in ("CANDLES", "TICKS", "BOOK", "EMPTY", "TWO", "QUOTES"))


def config(*instruments: str, **parts: object) -> Config:
    params = {"interval": "5s", "fast": 2, "slow": 5, "notional": 5.0}
    return config_from_dict(
        {
            "account": {"venue": "test", "start": "100000 USD"},
            "strategy": [{"use": CROSSOVER, "name": f"one{at}", "instruments": [name], "params": params} for at, name in
                         enumerate(instruments)],
            **parts,
        }
    )  # fmt: skip


def keep(store: Store, name: str, facts: Records, part: str = "1") -> None:
    instrument = spot_instrument(f"{name}@test", tick="0.5", lot="0.001")
    facts = facts.copy()
    facts["instrument"] = instrument.id
    source = ImportSource("test", 1, f"{name}{part}".encode().hex(), name)
    store.import_records(instrument, source, [facts])


def quoted(trades: Records) -> Records:
    """These trades, each behind a quote of a tick to both sides of it."""
    quotes = trades.copy()
    quotes["kind"], quotes["flags"] = int(Kind.QUOTE), 0
    quotes["price"] -= 1
    quotes["id"], quotes["id2"] = trades["price"] + 1, quotes["quantity"] + 5
    return np.stack([quotes, trades], axis=1).reshape(-1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    book = stream(3, 20_000)
    minutes = np.concatenate([bar(at, 2_000, 2_010, 1_990, 2_000, 50, 60 * SECOND) for at in range(5)])
    with open_store(tmp_path_factory.mktemp("grades") / "data") as opened:
        keep(opened, CANDLES, walk(1, 300))
        keep(opened, TICKS, ticks(1, 3_000))
        keep(opened, BOOK, book[book["kind"] != Kind.TRADE])
        keep(opened, EMPTY, np.concatenate([bar(at, 2_000, 2_010, 1_990, 2_000, 0) for at in range(5)]))
        keep(opened, TWO, walk(2, 300))
        keep(opened, TWO, minutes, "2")
        keep(opened, QUOTES, quoted(ticks(1, 3_000)))
        yield opened


@pytest.fixture
def run(store: Store, tmp_path: Path) -> Callable[..., dict[str, object]]:
    (tmp_path / "results").mkdir()

    def call(*instruments: str, **parts: object) -> dict[str, object]:
        found = build.backtest_in(store, config(*instruments, **parts), tmp_path, Silent(), "test")
        assert found["quarantined"] == []
        folder = Path(str(found["report"])).parent
        assert build.replay_in(store, folder, Silent())["identical"] is True
        return {**found, "manifest": json.loads((folder / "manifest.json").read_text()), "folder": folder}

    return call


@pytest.mark.parametrize(
    ("name", "grade", "note"),
    [
        (CANDLES, "bars", "bar grade: orders are matched on stored bars of 1s"),
        (TICKS, "trades", "trade grade: orders are matched on the stored trades"),
        (BOOK, "book", ""),
    ],
)
def test_the_finest_that_is_stored_is_the_default(run: Callable, name: str, grade: str, note: str) -> None:
    found = run(name)
    assert (found["grade"], found["note"]) == (grade, note)
    assert found["manifest"]["config"]["data"]["grade"] == grade
    assert int(found["fills"]) > 0 or name == BOOK


def test_a_coarser_grade_shows_nothing_finer_to_strategies(store: Store) -> None:
    instruments = [store.instrument(f"{BOOK}@test")]
    for data, kinds in (({"grade": "trades"}, {Kind.TRADE}), ({"grade": "bars", "bars": "1s"}, {Kind.TRADE, Kind.BAR})):
        graded = find_grade(store, config(BOOK, data=data).data, instruments, None, None)
        shown = np.concatenate(list(graded_stream(store, graded, instruments, None, None)))
        assert set(np.unique(shown["kind"])) == {int(kind) for kind in kinds}
    assert graded.note == "bar grade: orders are matched on bars of 1s made of the stored trades"


def test_ticks_are_run_at_bar_grade_on_bars_made_of_them(run: Callable) -> None:
    found = run(BOOK, data={"grade": "bars", "bars": "1s"})
    assert found["grade"] == "bars" and int(found["fills"]) > 0
    assert found["manifest"]["identity"]["plan"]["bars_ns"] == [SECOND]


def test_the_smallest_stored_interval_fills_and_another_can_be_named(store: Store) -> None:
    instruments = [store.instrument(f"{TWO}@test")]
    for data, interval_ns in (({}, SECOND), ({"grade": "bars", "bars": "1m"}, 60 * SECOND)):
        assert find_grade(store, config(TWO, data=data).data, instruments, None, None).bars_ns == [interval_ns]


def test_several_instruments_share_the_finest_grade_that_all_hold(store: Store) -> None:
    names = [TICKS, BOOK]
    instruments = [store.instrument(f"{name}@test") for name in names]
    found = find_grade(store, config(*names).data, instruments, None, None)
    assert (found.grade, found.executions) == (Grade.TRADES, [instruments[1].id])


@pytest.mark.parametrize(
    ("names", "data", "said"),
    [
        ([CANDLES], {"grade": "trades"}, 'expected trades of CANDLES/USD@test in the store, found bars of 1s; .*grade = "bars"'),
        ([TICKS], {"grade": "book"}, 'expected a book of TICKS/USD@test in the store, found trades; .*grade = "trades"'),
        ([TICKS], {"grade": "bars"}, r'expected stored bars of TICKS/USD@test, found trades; .*data\.bars = "1m"'),
        ([CANDLES], {"grade": "bars", "bars": "7s"}, "expected stored bars of 7s of .*, found bars of 1s; .*stored interval: 1s"),
        ([EMPTY], {}, "expected a volume in the stored bars of EMPTY/USD@test, found zero in every one"),
        ([CANDLES, TICKS], {}, "expected one grade .* found CANDLES/USD@test: bars of 1s; TICKS/USD@test: trades"),
    ],
)
def test_what_the_store_does_not_hold_is_refused_with_the_remedy(store: Store, names: list[str], data: object, said: str) -> None:
    with pytest.raises(ConfigError, match=rf"data\.grade: {said}"):
        build.prepare(store, config(*names, data=data))


def test_an_interval_without_bar_grade_is_refused() -> None:
    with pytest.raises(ConfigError, match=r'data\.bars: counts at bar grade only: set data\.grade = "bars"'):
        config(TICKS, data={"bars": "1m"})


def test_costs_without_a_book_are_pessimistic_by_default_and_told(run: Callable) -> None:
    costs = run(CANDLES)["manifest"]["costs"]
    assert (costs["spread"], costs["slippage"], costs["participation"]) == ("0.001", "0.0005", "0.1")
    instrument = spot_instrument(f"{CANDLES}@test", tick="0.5", lot="0.001")
    assert build.make_plan(config(CANDLES), [instrument], 0).half_spread == 50_000


def test_the_report_is_headed_with_the_grade_and_says_what_is_assumed(run: Callable) -> None:
    found = run(CANDLES)
    page = (found["folder"] / "report.html").read_text()
    assert "<b>bar grade</b>: orders are matched on stored bars of 1s" in page
    assert "share of a bar&#x27;s volume" in page and "slippage of a market order" in page
    assert "A limit fills at its own price" in page and "queue model" not in page
    assert 'role="alert"' not in page
    assert "<b>trade grade</b>" in (run(TICKS)["folder"] / "report.html").read_text()


BRACKET = """
from tradebot import Strategy

class Bracket(Strategy):
    def on_start(self):
        self.bars("1s")

    def on_bar(self, bar):
        if self.position.flat and not self.open_orders():
            self.buy(0.001, stop_loss=bar.close - 1.5, take_profit=bar.close + 1.5)
"""


def test_bars_that_reach_a_stop_and_a_target_make_the_result_an_interval(run: Callable, tmp_path: Path) -> None:
    """On bars alone some are in doubt; on the ticks that these bars are made of, none is."""
    (tmp_path / "bracket.py").write_text(BRACKET)
    use = f"{tmp_path / 'bracket.py'}:Bracket"
    stored = run(CANDLES, strategy=[{"use": use, "instruments": [CANDLES]}])
    doubts = stored["doubts"]
    assert isinstance(doubts, dict) and doubts["bars"] > 0 and doubts["known"] == 0
    page = (stored["folder"] / "report.html").read_text()
    assert "The result as an interval" in page and f"{doubts['bars']} bars reached a stop and a target" in page
    derived = run(TICKS, strategy=[{"use": use, "instruments": [TICKS]}], data={"grade": "bars", "bars": "1s"})["doubts"]
    assert isinstance(derived, dict) and derived["bars"] == 0


def test_costs_that_are_switched_off_stand_in_red(run: Callable) -> None:
    found = run(CANDLES, costs={"spread": "0%", "slippage": "0%", "participation": "100%"})
    page = (found["folder"] / "report.html").read_text()
    for said in ("The spread of this run is zero", "The slippage of this run is zero", "may take the whole volume of a bar"):
        assert said in page


def test_best_quotes_are_a_book_of_the_touch_and_the_output_says_so(run: Callable[..., dict[str, object]]) -> None:
    found = run(QUOTES)
    assert (found["grade"], found["manifest"]["grade"]["name"]) == ("book", "book")
    assert found["note"] == "book grade: of QUOTES/USD@test best quotes only are stored, and no depth"
    assert found["fills"] > 0
    assert any("only best quotes are told" in line for line in found["manifest"]["assumptions"])
    assert run(QUOTES, data={"grade": "trades"})["grade"] == "trades"
