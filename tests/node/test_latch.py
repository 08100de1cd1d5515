"""The latch of `kill`: whoever asks stands in it, and the engine does what it read, the strongest once."""

import threading
from pathlib import Path

import pytest

from tradebot.node.latch import EndingAct, Latch, lift_killed, new_kill, read_killed, set_latch


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One whose journals are on another disk."""
    elsewhere = tmp_path / "disk" / "deep" / "journals"
    (elsewhere / "run").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "journal").symlink_to(elsewhere)
    return tmp_path / "home"


def kill(home: Path, who: str, act: EndingAct) -> str:
    name, killed = new_kill(who, f"{who} wants it", act)
    set_latch(home, name, killed)
    return name


def latch_of(home: Path) -> Latch:
    """As an engine that starts now has it."""
    return Latch(home / "journal" / "run")


def done(latch: Latch) -> list[tuple[str, str]]:
    """What an engine does by it, until there is nothing more."""
    found = []
    while (wanted := latch.wants()) is not None:
        name, killed = wanted
        found.append((killed.who, killed.act))
        latch.carried_out({name: killed.act})
    return found


def test_what_is_asked_for_is_done_once_and_across_starts(home: Path) -> None:
    latch = latch_of(home)
    assert latch.wants() is None and not latch.is_set and read_killed(home) is None
    kill(home, "ann", "CANCEL_ENTRIES")
    assert latch.is_set and done(latch) == [("ann", "CANCEL_ENTRIES")]
    assert done(latch) == [] and done(latch_of(home)) == []
    lift_killed(home)
    assert not latch.is_set and read_killed(home) is None
    kill(home, "ann", "CANCEL_ENTRIES")
    assert done(latch) == [("ann", "CANCEL_ENTRIES")], "another kill"


def test_of_several_that_wait_the_strongest_is_done_and_a_weaker_one_takes_nothing_back(home: Path) -> None:
    latch = latch_of(home)
    names = [kill(home, "ann", "FLATTEN"), kill(home, "bob", "CANCEL_ENTRIES")]
    found = read_killed(home)
    assert found is not None and found.told() == {"who": "ann", "why": "ann wants it", "time": found.time}
    assert done(latch) == [("ann", "FLATTEN")]
    assert all(latch.has_done(one) for one in names)
    later = kill(home, "bob", "CANCEL_ALL")
    assert done(latch) == [] and latch.has_done(later), "what it wants was done"
    kill(home, "eve", "FLATTEN")
    assert done(latch) == [("eve", "FLATTEN")], "what came meanwhile is closed too"


def test_one_that_comes_while_another_is_carried_out_is_done_as_well(home: Path) -> None:
    latch = latch_of(home)
    kill(home, "ann", "CANCEL_ENTRIES")
    wanted = latch.wants()
    assert wanted is not None
    kill(home, "bob", "FLATTEN")
    latch.carried_out({wanted[0]: wanted[1].act})
    assert done(latch) == [("bob", "FLATTEN")]


def test_a_kill_that_comes_when_another_is_lifted_stands_and_is_measured_by_nothing_before_it(home: Path) -> None:
    latch, stops = latch_of(home), threading.Event()
    kill(home, "ann", "FLATTEN")
    assert done(latch) == [("ann", "FLATTEN")]
    names: list[str] = []

    def lift() -> None:
        while not stops.is_set():
            lift_killed(home)

    lifting = threading.Thread(target=lift)
    lifting.start()
    for _ in range(50):
        names.append(kill(home, "bob", "CANCEL_ENTRIES"))  # the folder may go at any moment of it
    stops.set()
    lifting.join()
    last = kill(home, "bob", "CANCEL_ENTRIES")
    assert latch.is_set and done(latch) == [("bob", "CANCEL_ENTRIES")] and latch.has_done(last)


def test_however_many_ask_at_once_each_stands_in_it(home: Path) -> None:
    def ask(number: int) -> None:
        for _ in range(5):
            kill(home, f"operator {number}", "FLATTEN" if number == 3 else "CANCEL_ENTRIES")

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(list((home / "journal" / "kills").iterdir())) == 40
    assert done(latch_of(home)) == [("operator 3", "FLATTEN")]


@pytest.mark.parametrize("where", ["kills/1", "killed"])
def test_a_latch_that_cannot_be_read_is_set_and_cancels_also_the_next_time(home: Path, where: str) -> None:
    latch, path = latch_of(home), home / "journal" / where
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b'{"who":"ann"} and rubbish')
    assert latch.is_set and latch.first().who == "unknown"
    assert done(latch) == [("unknown", "CANCEL_ENTRIES")] and done(latch) == []
    lift_killed(home)
    assert not latch.is_set
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    assert latch.is_set, "and while it is, trading is halted"


def test_a_folder_that_cannot_be_read_is_a_latch(home: Path) -> None:
    (home / "journal" / "kills").write_text("no folder")
    assert latch_of(home).is_set and done(latch_of(home)) == [("unknown", "CANCEL_ENTRIES")]
    with pytest.raises(OSError, match="exists"):
        kill(home, "ann", "FLATTEN")
