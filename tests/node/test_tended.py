"""A node of real processes whose journals are tended: compressed while it trades, and gone on with after their beginning went."""

import time
from typing import Any

import pytest

from tests.node.nodes import CONFIG, Place
from tradebot.cli.main import main
from tradebot.domain.errors import EXIT_DONE, EXIT_USAGE
from tradebot.node.chronicle import Chronicle
from tradebot.node.config import config_from_dict
from tradebot.node.node_schema import Node
from tradebot.node.session_files import ENGINE, VENUE, read_prepared
from tradebot.node.tending import Tending
from tradebot.store.journal_segments import list_segments

HOURS_NS = 2 * 3_600 * 1_000_000_000
QUICK = CONFIG.replace("speed = 20.0", "speed = 5000.0")
AGAIN = """
from tradebot.strategies.strategy import Strategy


class Resting(Strategy):
    def on_trade(self, trade):
        if self.book.spread > 0 and self.position.quantity == 0 and not self.open_orders():
            self.buy(0.01, stop_loss=self.book.bid - 3_000)
"""  # until trading is open
EDITED = AGAIN.partition("        if ")[0] + """\
        if self.position.quantity > 0 and len(self.open_orders()) < 2:
            self.buy(self.position.quantity, price=self.book.bid - 3_500)
"""


def begin(place: Place, more: str = "") -> None:
    config = QUICK.replace("FILE", str(place.strategy)).replace("snapshot_facts = 1000", f"snapshot_facts = 1000{more}")
    place.node.config.write_text(config)
    if not place.node.home.joinpath("journal").exists():
        place.strategy.write_text(AGAIN)
    place.start()


def sealed(place: Place, name: str) -> int:
    return len(list_segments(place.node.folder / name)) - 1


def journals(place: Place) -> dict[str, Any]:
    return dict(place.ask("status")["journals"])


def test_a_running_node_compresses_what_is_sealed_and_says_how_much_there_is(place: Place) -> None:
    begin(place)
    place.wait(lambda: sealed(place, ENGINE) > 1 and sealed(place, VENUE) > 1)
    place.wait(lambda: all(journals(place).get(name, {}).get("packed_bytes") for name in (ENGINE, VENUE)))
    status = place.ask("status")
    assert status["journals_damaged"] == status["journals_undone"] == []
    assert status["journals"][ENGINE]["plain_bytes"] >= 1 << 20 and status["journals"][ENGINE]["pruned"] == 0
    assert place.stop() == EXIT_DONE
    found = place.ask("replay", "last", "--verify")
    assert found["identical"] and found["from_fact"] == 0
    assert place.ask("journal", "verify", "last")["corrupt"] == 0


def test_a_flipped_bit_that_no_start_reads_is_told_by_status(place: Place) -> None:
    begin(place, ", compress = false")
    place.wait(lambda: sealed(place, ENGINE) > 1)
    assert place.stop() == EXIT_DONE
    segment = place.node.folder / ENGINE / "00000001.tbj"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    begin(place)
    place.wait(lambda: place.ask("status")["journals_damaged"])
    place.capsys.readouterr()
    found = place.ask("status")["journals_damaged"]
    assert len(found) == 1 and str(segment) in found[0] and "bring the file back from a copy" in found[0]
    log = next((place.node.home / "logs").glob("*.log")).read_text()
    assert 1 <= log.count(f"store: {found[0]}") <= 2, "once, and once more where the recorder came upon it as well"
    assert place.stop() == EXIT_DONE and segment.read_bytes() == data


def entries(place: Place) -> list[Any]:
    """What the edited strategy wished for: an entry as large as the position that it found."""
    events = Chronicle(place.node.folder).events()
    return [one for one in events if one["event"] == "place_order" and (one["quantity"], one["type"]) == ("0.01000000", "limit")]


@pytest.mark.parametrize("is_edited", [False, True])
def test_a_node_whose_beginning_is_gone_trades_on_and_says_from_when_on_it_knows(place: Place, is_edited: bool) -> None:
    begin(place)
    place.wait(lambda: sealed(place, ENGINE) > 1 and sealed(place, VENUE) > 1)
    place.wait(lambda: place.ask("fills")["fills"])
    placed = place.ask("fills")["fills"][0]["order"]
    assert place.stop() == EXIT_DONE
    folder = place.node.folder
    prepared = read_prepared(folder)
    assert config_from_dict(prepared.config).node.keep_ns is None
    Tending(folder, prepared.run_id, Node(keep="1h"), lambda: 1 << 60).tend(time.time_ns() + HOURS_NS)
    assert list_segments(folder / ENGINE)[0].number > 1 < list_segments(folder / VENUE)[0].number
    assert place.call(EXIT_DONE, "replay", "last", "--verify")["from_fact"] > 0
    if is_edited:
        place.strategy.write_text(EDITED)
    begin(place, ', keep = "1h"')
    if is_edited:
        place.wait(lambda: entries(place))
    else:
        place.wait_orders(1)
    assert place.ask("reconcile")["equal"]
    assert [one["strategy"] for one in place.ask("pnl")["pnl"]] == [0]
    place.wait(lambda: journals(place).get(ENGINE))
    assert journals(place)[ENGINE]["pruned"] > 0 and journals(place)[ENGINE]["from_fact"] > 0
    place.wait(lambda: [one["quantity"] for one in place.ask("positions")["positions"]] == ["0.01000000"])
    place.wait(lambda: place.ask("status")["parts"]["store"]["is_written"] and not place.ask("status")["parts"]["store"]["error"])
    assert place.stop() == EXIT_DONE
    beginning = place.ask("fills")["journal_from"]
    assert beginning["fact"] == place.ask("journal", "inspect", "last")["from_fact"]
    assert place.ask("journal", "verify", "last")["corrupt"] == 0
    assert place.ask("journal", "export", "last", "--to", str(place.folder / "all.parquet"))["rows"] > 1_000
    found = place.ask("replay", "last", "--verify")
    assert found["identical"] and found["from_fact"] >= beginning["fact"]
    assert "what was before it was removed" in place.call(EXIT_USAGE, "explain", str(placed))["error"]
    place.capsys.readouterr()
    assert main(["--home", str(place.node.home), "logs"]) == EXIT_DONE
    assert beginning["text"] in place.capsys.readouterr().out.splitlines()[0]
