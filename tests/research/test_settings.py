"""What was set apart: by group, with defaults, as it took effect; and what says the same in other words is not told."""

from tradebot.research.results import Costs, Manifest, Selection, StrategyEntry
from tradebot.research.settings import differing


def manifest(**changes: object) -> Manifest:
    settings: dict[str, object] = {
        "run_id": "one",
        "instruments": [],
        "config": {"costs": {"fees": "account", "queue": "log"}, "risk": {"position_max": "1"}, "report": {"sample": "1s"}},
        "strategies": [StrategyEntry(number=0, name="maker", use="maker.py:Maker", params={"size": 1}, source_hash="ab" * 32)],
    }
    return Manifest(**(settings | changes))  # type: ignore[arg-type]


def told(*manifests: Manifest) -> list[tuple[str, str, list[str | None]]]:
    return [(one.group, one.name, one.values) for one in differing(manifests)]


def test_the_same_run_twice_has_nothing_set_apart() -> None:
    assert told(manifest(), manifest(run_id="two")) == []


def test_each_group_tells_its_own_in_one_order() -> None:
    other = manifest(
        config={"costs": {"queue": "power"}, "risk": {"position_max": "2"}},
        costs=Costs(maker_fee="0.001", order_latency_ns=5_000_000),
        selection=Selection(rows=1_000, first_ns=0, last_ns=1_000_000_000, checksum="ff"),
        strategies=[StrategyEntry(number=0, name="maker", use="maker.py:Maker", params={"size": 2}, source_hash="ab" * 32)],
        versions={"numpy": "2"},
    )
    assert told(manifest(), other) == [
        ("params", "size", ["1", "2"]),
        ("data", "to", ["1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:01.000000000Z"]),
        ("data", "rows", ["0", "1,000"]),
        ("data", "checksum", ["", "ff"]),
        ("costs", "maker fee", ["0", "0.001"]),
        ("costs", "latency to the venue", ["0ns", "5ms"]),
        ("costs", "queue", ["log", "power"]),
        ("config", "risk.position_max", ["1", "2"]),
        ("versions", "numpy", [None, "2"]),
    ]


def test_the_grade_is_told_with_the_data_and_the_range_once() -> None:
    bars = manifest(config={**manifest().config, "data": {"grade": "bars", "bars": "1m", "from": "2026-01-05"}})
    assert told(bars, manifest()) == [("data", "grade", ["bars", None]), ("data", "bars", ["1m", None])]


def test_fees_that_come_to_the_same_do_not_differ_however_they_are_written() -> None:
    spelt = {"costs": {"fees": {"maker": "0.3%", "taker": "0.4%"}, "queue": "log"}, "risk": {"position_max": "1"}}
    assert told(manifest(), manifest(config=spelt)) == []


def test_what_a_report_is_made_of_and_what_is_not_set_do_not_count() -> None:
    other = {"costs": {"queue": "log"}, "risk": {"position_max": "1", "notional_max": None}, "report": {"sample": "5s"}}
    assert told(manifest(), manifest(config=other)) == []


def test_several_strategies_are_told_by_their_numbers() -> None:
    one, two = (
        [StrategyEntry(number=at, name=name, params={"n": value}) for at, name in enumerate(("a", "b"))] for value in (1, 2)
    )
    assert told(manifest(strategies=one), manifest(strategies=two)) == [
        ("params", "0.n", ["1", "2"]),
        ("params", "1.n", ["1", "2"]),
    ]


def test_a_third_run_without_a_parameter_leaves_its_place_empty() -> None:
    bare = manifest(strategies=[StrategyEntry(number=0, name="maker", use="maker.py:Maker", source_hash="ab" * 32)])
    assert told(manifest(), manifest(), bare) == [("params", "size", ["1", "1", None])]
