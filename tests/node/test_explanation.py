"""The life of an order as its journal tells it, on a run made within the test; and that of a backtest from its audit."""

from pathlib import Path

import pytest

from tests.node.journaled import RUN_ID, filled_then_cancelled, pruned
from tradebot.domain.errors import UsageError
from tradebot.node.explanation import NUMBER_MASK, explain


@pytest.fixture
def home(tmp_path: Path) -> Path:
    filled_then_cancelled(tmp_path)
    return tmp_path


def test_a_filled_order_is_told_from_the_fact_that_led_to_it_to_its_last_fill(home: Path) -> None:
    found = explain(home, 1, None)
    assert (found["state"], found["filled"], found["fills"], found["strategy"]) == ("filled", "0.010", 2, "buyer")
    assert (found["cause"]["event"], found["cause"]["price"], found["cause"]["instrument"]) == ("trade", "100.5", "BTC/USD@test")
    assert found["cause"]["sequence"] == 4, "an epoch, two levels of the book, then the trade"
    mine = [(one["event"], one["age_ms"]) for one in found["life"] if one["event"] != "guard_placed"]
    assert mine == [("place_order", 0), ("order_accepted", 1_000), ("order_filled", 2_000), ("order_filled", 2_500)]
    assert [one["since_ms"] for one in found["life"] if one["event"] == "order_accepted"] == [1_000]


def test_its_guards_name_it_and_it_names_them(home: Path) -> None:
    found = explain(home, 1, None)
    assert len(found["guards"]) == 1
    guard = explain(home, found["guards"][0], None)
    assert (guard["parent"], guard["type"], guard["side"], guard["trigger"]) == (found["order"], "stop", "sell", "90.0")
    assert (guard["cause"]["event"], guard["cause"]["order"]) == ("order_filled", found["order"])


def test_a_cancel_by_an_operator_says_who_and_why(home: Path) -> None:
    found = explain(home, 4, None)
    assert found["state"] == "cancelled"
    cancel = next(one for one in found["life"] if one["event"] == "cancel_order")
    assert (cancel["cause"]["event"], cancel["cause"]["who"], cancel["cause"]["why"]) == ("operator_act", "ann", "lunch")


def test_an_order_that_we_refused_is_told_with_the_reason(home: Path) -> None:
    found = explain(home, 3, None)
    assert (found["state"], found["life"][0]["reject"]) == ("refused", "balance too small")
    assert found["cause"]["price"] == "150.0"


def test_whole_id_and_number_mean_the_same(home: Path) -> None:
    found = explain(home, 1, None)
    assert found["order"] & NUMBER_MASK == 1
    assert explain(home, found["order"], RUN_ID) == found


def test_an_unknown_order_is_answered_with_what_is_near(home: Path) -> None:
    known = explain(home, 1, None)["order"]
    with pytest.raises(UsageError, match=rf"none with id 77; near it: .*of \d in all, {known} to"):
        explain(home, 77, None)


def test_of_an_order_older_than_the_journal_the_rest_is_told(tmp_path: Path) -> None:
    """Its place and its acceptance are gone; an order that is gone altogether is not known, and it is said why."""
    run = pruned(tmp_path)
    found = explain(tmp_path, run.old, None)
    assert found["life"][0]["event"] == "order_filled" and found["cause"] is None and found["state"] == "filled"
    assert found["journal_from"]["fact"] > 0
    with pytest.raises(UsageError, match=r"in all, .*; the journal begins behind fact \d+, at .*: what was before"):
        explain(tmp_path, 4_000, None)
    assert explain(tmp_path, run.last, None)["life"][0]["event"] == "place_order"
