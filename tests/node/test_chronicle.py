"""Events of a run: all that happened and nothing of the market, in order, also while the journal grows."""

from pathlib import Path

from tests.node.journaled import filled_then_cancelled, pruned
from tests.strategies.support import row
from tradebot._core.types import Kind
from tradebot.node.chronicle import Chronicle


def test_every_event_is_told_once_in_order_and_no_market_fact(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    found = list(Chronicle(run.folder).events())
    names = [one["event"] for one in found]
    assert names[0] == "epoch_started" and names[-1] == "order_cancelled"
    assert names.count("place_order") == 3 and names.count("order_filled") == 2 and names.count("order_rejected") == 1
    assert not {"trade", "l3_add", "timer"} & set(names)
    assert [one["sequence"] for one in found] == sorted(one["sequence"] for one in found)
    assert [one["time"] for one in found] == sorted(one["time"] for one in found)


def test_controls_say_who_and_why(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    found = {one["event"]: one for one in Chronicle(run.folder).events()}
    assert found["trading_state_changed"]["text"] == "trading is halted, by ann: lunch"
    assert (found["operator_act"]["who"], found["operator_act"]["why"]) == ("ann", "lunch")


def test_it_goes_on_with_what_comes(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    chronicle = Chronicle(run.folder)
    assert len(list(chronicle.events())) > 10
    assert chronicle.poll() == []
    run.session.on_market(row(9, Kind.GAP).tobytes())
    assert [one["text"] for one in chronicle.poll()] == ["gap in the feed of BTC/USD@test"]


def test_an_answer_that_could_not_be_taken_in_is_told_and_halts(tmp_path: Path) -> None:
    run = filled_then_cancelled(tmp_path)
    chronicle = Chronicle(run.folder)
    list(chronicle.events())
    run.answer(9, Kind.ORDER_FILLED, quantity=1, trade_id=9)
    found = chronicle.poll()
    assert [one["event"] for one in found] == ["trading_state_changed", "answer_refused"]
    assert found[0]["who"] == "engine" and "not open" in found[1]["text"]


def test_names_of_strategies_are_those_of_the_configuration(tmp_path: Path) -> None:
    teller = Chronicle(filled_then_cancelled(tmp_path).folder).teller
    assert [teller.strategy(number) for number in (0, 3, 65_535)] == ["buyer", "strategy 3", "all"]


def test_where_the_beginning_is_gone_the_first_event_says_from_when_on_the_journal_is_there(tmp_path: Path) -> None:
    run = pruned(tmp_path)
    found = list(Chronicle(run.folder).events())
    assert [one["event"] for one in found].count("journal_begins") == 1
    begins = found[0]
    assert begins["event"] == "journal_begins" and "what was before it was removed" in begins["text"]
    assert begins["time"] in begins["text"] and found[1]["sequence"] > begins["sequence"] > 0
