"""A node whose disk fails it, or one of whose parts stands still: nothing is lost, and one clear line says what it is.

A full disk is a limit on the size of files (`prlimit`): every write then fails as on a full disk, of that process alone.
"""

import resource
import shutil
import signal
import time
from pathlib import Path
from typing import Final

import pytest

from tests.node.nodes import CONFIG, Place
from tradebot._core.frames import HEADER_BYTES
from tradebot._core.types import Kind, Reject
from tradebot.actors.watching import ROOT
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED
from tradebot.node.facts import answers_of, frames_of
from tradebot.node.session_files import ENGINE, GATEWAY, VENUE
from tradebot.store.journal_segments import walk
from tradebot.store.journal_snapshots import Snapshots
from tradebot.testing.chaos import ZYGOTE
from tradebot.testing.chaos_judge import judge

FREE: Final = resource.RLIM_INFINITY
SMALLEST: Final = 1_024
SMALL: Final = 65_536  # more than what the root says, less than a journal
HURRIED: Final = (
    CONFIG.replace("FILE:Resting", "tradebot.testing.hurried:Hurried").replace("speed = 20.0", "speed = 100.0")
    + "params = { eager = 0.9 }\n"
)


def fill_disk(place: Place, name: str) -> None:
    """That process can write to its log alone, and those that take its place only to small files."""
    makers = place.node.pids(ROOT) + place.node.pids(ZYGOTE)
    for pid, size in [*((one, SMALL) for one in makers), (place.node.pids(name)[0], SMALLEST)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, FREE))


def start_hurried(place: Place, more: str = "") -> None:
    """With write(), which a full disk stops at the next frame and not at the next segment."""
    place.node.config.write_text(HURRIED.replace("segment_mb = 1", f'segment_mb = 1, write = "write"{more}'))
    place.start()
    place.wait(lambda: place.ask("status")["fills"] > 3)


def log_of(place: Place) -> str:
    return next((place.node.home / "logs").glob("*.log")).read_text()


def last_line(place: Place) -> str:
    return (place.folder / "root.log").read_text().splitlines()[-1]


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def written(path: Path) -> int:
    return len(path.read_bytes().rstrip(b"\0"))


@pytest.mark.parametrize("name", [ENGINE, GATEWAY, VENUE])
def test_a_full_disk_ends_the_part_and_it_goes_on_once_there_is_room(place: Place, name: str) -> None:
    start_hurried(place)
    fill_disk(place, name)
    place.wait(lambda: [one for one in place.events() if one["event"] == "restart"])
    for pid in place.node.pids(ROOT) + place.node.pids(ZYGOTE) + place.node.pids(name):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (FREE, FREE))
    place.node.wait_trading()
    place.wait(lambda: not place.ask("status")["commands_waiting"])
    said = [line for line in log_of(place).splitlines() if line.startswith(f"{name}: ")]
    assert said and all("free some space" in line for line in said)
    place.node.settle()
    assert judge(place.node.folder).findings == []


def test_a_disk_that_stays_full_ends_the_node_in_one_line(place: Place) -> None:
    start_hurried(place)
    place.wait(lambda: written(place.node.folder / ENGINE / "00000001.tbj") > SMALL)
    fill_disk(place, ENGINE)
    assert place.node.root is not None
    assert place.node.root.wait(40) == EXIT_FAILED
    said = last_line(place)
    assert said.startswith("tradebot: ") and "engine" in said and "free some space" in said
    assert place.alive() == []
    place.start()
    place.node.settle()
    assert judge(place.node.folder).findings == []


def test_a_flipped_bit_is_named_and_nothing_trades_on_it(place: Place) -> None:
    start_hurried(place)
    place.node.settle()
    segment = place.node.folder / GATEWAY / "00000001.tbj"
    flip(segment, written(segment) // 2)
    place.node.start()
    assert place.node.root is not None and place.node.root.wait(40) == EXIT_FAILED
    said = last_line(place)
    assert "gateway" in said and str(segment) in said and "journal verify" in said
    flip(segment, written(segment) // 2)
    place.start()
    place.node.settle()
    assert judge(place.node.folder).findings == []


def test_a_flipped_bit_behind_a_snapshot_is_said_and_stops_no_start(place: Place) -> None:
    place.node.config.write_text(HURRIED.replace("segment_mb = 1", "segment_mb = 16"))
    place.start()
    snapshots = Snapshots(place.node.folder / ENGINE)
    place.wait(lambda: len(snapshots.sequences()) > 1)  # the first may be taken right behind the frame that is damaged
    place.node.settle()
    segment = place.node.folder / ENGINE / "00000001.tbj"
    flip(segment, 1_000)
    place.start()
    place.node.wait_trading()
    (said,) = place.ask("status")["opened"]
    assert str(segment) in said and "passed over" in said and said in log_of(place)
    place.node.settle()
    flip(segment, 1_000)
    assert judge(place.node.folder).findings == []


def test_a_frame_that_was_never_whole_is_cut_and_said(place: Place) -> None:
    start_hurried(place)
    place.node.settle()
    segment = place.node.folder / ENGINE / "00000001.tbj"
    data = bytearray(segment.read_bytes())
    end = -(-written(segment) // HEADER_BYTES) * HEADER_BYTES
    data[end : end + 4] = b"torn"
    segment.write_bytes(data)
    place.start()
    assert "00000001.tbj were cut" in log_of(place) and "were cut" in place.ask("status")["opened"][0]
    place.node.settle()
    assert judge(place.node.folder).findings == []


@pytest.mark.parametrize("left", [0, 5_000])
def test_a_newest_segment_that_was_cut_short_is_gone_on_from_or_refused_by_name(place: Place, left: int) -> None:
    """Of the venue, whose orders the others know: it stays halted; what was cut is said."""
    start_hurried(place)
    assert place.stop() == EXIT_DONE
    newest = max((place.node.folder / VENUE).glob("*.tbj"))
    with newest.open("r+b") as file:
        file.truncate(left)
    place.node.start()
    place.wait(lambda: [one for one in place.events() if one["event"] in ("halted", "ready")][1:])
    assert "were no whole frame" in log_of(place)


def test_orders_that_the_venue_took_and_knows_no_more_are_a_difference_and_hold_up_no_comparison(place: Place) -> None:
    start_hurried(place)
    while True:
        place.wait(lambda: any(one["is_guard"] for one in place.ask("orders")["orders"]))
        place.node.end()
        if place.open_at_venue():
            break
        place.start()  # they were filled in that moment
    said = len(place.events())
    for segment in (place.node.folder / VENUE).glob("*.tbj*"):
        segment.unlink()
    shutil.rmtree(place.node.folder / VENUE / "snapshots", ignore_errors=True)
    place.node.start()
    place.wait(lambda: [one for one in place.events()[said:] if one["event"] in ("halted", "ready")])
    (halted,) = [one for one in place.events()[said:] if one["event"] in ("halted", "ready")]
    assert any(one.startswith("order ") for one in halted["differences"]), halted
    assert place.ask("status")["trading"] == "halted"


def test_ticks_that_have_changed_are_fetched_anew_and_a_run_that_cannot_be_read_is_said(place: Place) -> None:
    run_id = place.start()
    assert place.stop() == EXIT_DONE
    ticks, run = place.node.folder / "ticks.npy", place.node.folder / "run.bin"
    whole = ticks.read_bytes()
    for damaged in (whole[:100] + bytes([whole[100] ^ 1]) + whole[101:], b""):
        ticks.write_bytes(damaged)
        assert place.start() == run_id
        assert place.stop() == EXIT_DONE
        assert ticks.read_bytes() == whole
    body = run.read_bytes()
    for damaged in (body[:20] + b"\xff" + body[21:], b"", body[:50]):
        run.write_bytes(damaged)
        assert "bring its run.bin back from a copy, or begin another run with --new" in place.start_refused(EXIT_FAILED)
    run.write_bytes(body)
    current = place.node.home / "journal" / "current"
    for text in ("", None):
        current.write_text(text) if text is not None else current.unlink()
        said = place.start_refused(EXIT_FAILED)
        assert run_id in said and "begin another run with --new" in said
    current.write_text(run_id)
    assert place.start() == run_id


def test_a_gateway_that_lost_what_it_had_tried_is_not_gone_on_with(place: Place) -> None:
    """The engine ended as at a stop, so that its snapshot says what the gateway had."""
    start_hurried(place)
    assert place.node.root is not None
    place.node.root.send_signal(signal.SIGTERM)
    assert place.node.root.wait(30) == EXIT_DONE
    segment = place.node.folder / GATEWAY / "00000001.tbj"
    data = bytearray(segment.read_bytes())
    end = [offset for offset, _ in walk(bytes(data))][-12]
    segment.write_bytes(data[:end] + bytes(len(data) - end))
    place.node.start()
    assert place.node.root is not None and place.node.root.wait(40) == EXIT_FAILED
    assert "expected a gateway that has command" in last_line(place)


@pytest.mark.parametrize("name", [ENGINE, GATEWAY])
def test_a_part_that_stood_still_longer_than_orders_may_wait_sends_none_of_them(place: Place, name: str) -> None:
    """What waited, at the gateway or undone at the engine, was decided on what was true then: it is told as too old."""
    start_hurried(place, ', order_age = "300ms"')
    place.node.signal(name, signal.SIGSTOP)
    time.sleep(1.5)
    place.node.signal(name, signal.SIGCONT)
    place.node.wait_trading()
    place.node.settle()
    assert judge(place.node.folder).findings == []
    answers = [fact for frame in frames_of(place.node.folder / ENGINE) for fact in answers_of(frame)]
    refused = [one for one in answers if one["kind"] == Kind.ORDER_REJECTED and one["reject"] == Reject.TOO_OLD_TO_SEND]
    assert refused


@pytest.mark.parametrize("name", [ENGINE, GATEWAY])
def test_a_part_that_is_silent_for_a_lease_is_killed_and_never_comes_back(place: Place, name: str) -> None:
    """It stood still while another of its kind took over: continued later, it is gone."""
    start_hurried(place, ', lease = "3s"')
    stood = place.node.pids(name)[0]
    place.node.signal(name, signal.SIGSTOP)
    place.wait(lambda: place.node.pids(name) not in ([], [stood]))
    assert not Path(f"/proc/{stood}").exists()
    place.node.wait_trading()
    place.node.settle()
    assert judge(place.node.folder).findings == []
    assert any(one["event"] == "silent" and one["part"] == name for one in place.events())
