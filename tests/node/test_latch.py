"""The latch of `kill`: whoever asks stands in it, and the engine does what it read, the strongest once."""

import threading
from pathlib import Path

import pytest

from tradebot.node.latch import EndingAct, Latch, killed_path, lift_killed, new_ask, read_killed, set_latch


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One whose journals are on another disk."""
    elsewhere = tmp_path / "disk" / "deep" / "journals"
    (elsewhere / "run").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "journal").symlink_to(elsewhere)
    return tmp_path / "home"


def kill(home: Path, who: str, act: EndingAct) -> str:
    asked = new_ask(who, f"{who} wants it", act)
    set_latch(home, asked)
    return asked.nonce


def latch_of(home: Path) -> Latch:
    """As an engine that starts now has it."""
    return Latch(home / "journal" / "run")


def done(latch: Latch) -> list[tuple[str, str]]:
    """What an engine does by it, until there is nothing more."""
    found = []
    while (asked := latch.wants()) is not None:
        found.append((asked.who, asked.act))
        latch.carried_out(asked.nonce)
    return found


def test_what_is_asked_for_is_done_once_and_across_starts(home: Path) -> None:
    latch = latch_of(home)
    assert latch.wants() is None and not latch.is_set and read_killed(home) is None
    kill(home, "ann", "CANCEL_ENTRIES")
    assert latch.is_set and done(latch) == [("ann", "CANCEL_ENTRIES")]
    assert done(latch) == [] and done(latch_of(home)) == []
    lift_killed(home)
    assert not latch.is_set
    kill(home, "ann", "CANCEL_ENTRIES")
    assert done(latch) == [("ann", "CANCEL_ENTRIES")], "another kill"


def test_of_several_that_wait_the_strongest_is_done_and_a_weaker_one_takes_nothing_back(home: Path) -> None:
    latch = latch_of(home)
    nonces = [kill(home, "ann", "FLATTEN"), kill(home, "bob", "CANCEL_ENTRIES")]
    found = read_killed(home)
    assert found is not None and (found.who, found.why) == ("ann", "ann wants it"), "the first reason is kept"
    assert done(latch) == [("ann", "FLATTEN")]
    assert all(latch.has_done(one) for one in nonces)
    assert latch.has_done(kill(home, "bob", "CANCEL_ALL")) is False
    assert done(latch) == [], "what it wants was done"
    kill(home, "eve", "FLATTEN")
    assert done(latch) == [("eve", "FLATTEN")], "what came meanwhile is closed too"


def test_one_that_comes_while_another_is_carried_out_is_done_as_well(home: Path) -> None:
    latch = latch_of(home)
    kill(home, "ann", "CANCEL_ENTRIES")
    asked = latch.wants()
    assert asked is not None
    kill(home, "bob", "FLATTEN")
    latch.carried_out(asked.nonce)
    assert done(latch) == [("bob", "FLATTEN")]


def test_however_many_ask_at_once_each_stands_in_it(home: Path) -> None:
    def ask(number: int) -> None:
        for _ in range(5):
            kill(home, f"operator {number}", "FLATTEN" if number == 3 else "CANCEL_ENTRIES")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    found = read_killed(home)
    assert found is not None
    assert sorted(one.who for one in found.asks) == sorted(f"operator {number}" for number in range(8) for _ in range(5))
    assert done(latch_of(home)) == [("operator 3", "FLATTEN")]
    assert sorted(one.name for one in killed_path(home).parent.iterdir()) == ["killed", "killed.lock", "run"]


def test_a_latch_that_cannot_be_read_halts_and_cancels(home: Path) -> None:
    latch = latch_of(home)
    killed_path(home).write_bytes(b'{"who":"ann"} and rubbish')
    assert done(latch) == [("unknown", "CANCEL_ENTRIES")] and done(latch) == []
