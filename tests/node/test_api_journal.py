"""What happened in a run, heard behind a fact: all of it, or all that the journal still has."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node.journaled import Run
from tests.strategies.support import row
from tradebot._core.types import Kind
from tradebot.node.api_journal import JournalNews
from tradebot.node.session_files import ENGINE
from tradebot.store.journal_retention import prune_segments

GAPS = 600


@pytest.fixture
def run(tmp_path: Path) -> Run:
    found = Run(tmp_path, segment_bytes=1 << 16)
    for number in range(GAPS):
        gap(found, number)
    return found


def gap(run: Run, seconds: int) -> None:
    run.session.on_market(row(seconds, Kind.GAP).tobytes())


def heard(news: JournalNews, is_enough: Callable[[list[dict[str, Any]]], bool]) -> list[dict[str, Any]]:
    """What it tells until that is enough."""
    found: list[dict[str, Any]] = []
    until = time.monotonic() + 20
    while not is_enough(found):
        assert time.monotonic() < until, (news.error, len(found))
        found += news.take()
        time.sleep(0.01)
    return found


def all_of(run: Run) -> list[dict[str, Any]]:
    news = JournalNews(run.folder, "all", 0)
    news.start()
    found = heard(news, lambda found: sum("gap" in one["text"] for one in found) == GAPS)
    news.close(1)
    return found


def test_one_that_goes_on_hears_all_behind_its_fact(run: Run) -> None:
    every = all_of(run)
    place = every[len(every) // 2]["sequence"]
    wanted = [one for one in every if one["sequence"] > place]
    news = JournalNews(run.folder, "one", place)
    news.start()
    assert heard(news, lambda found: len(found) >= len(wanted)) == wanted
    news.close(1)


def test_where_what_comes_next_was_removed_it_hears_that_and_all_that_is_left(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    every = all_of(run)
    assert prune_segments(run.folder / ENGINE, 1 << 62, every[-1]["sequence"])
    news = JournalNews(run.folder, "one", 5)
    news.start()
    found = heard(news, lambda found: bool(found) and found[-1] == every[-1])
    news.close(1)
    assert found[0]["event"] == "journal_begins"
    assert found[1:] == [one for one in every if one["sequence"] > found[0]["sequence"]] != every
    assert "one: expected" in capfd.readouterr().err


def test_where_the_journal_ends_before_its_fact_it_goes_on_there(run: Run, capfd: pytest.CaptureFixture[str]) -> None:
    """A power cut may take the end of the journal, and leave the file of the place."""
    news = JournalNews(run.folder, "one", 10**9)
    news.start()
    until = time.monotonic() + 20
    while news.moved_to is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    gap(run, GAPS)
    found = heard(news, lambda found: any("gap" in one["text"] for one in found))
    news.close(1)
    assert min(one["sequence"] for one in found) > news.moved_to
    assert "it goes on there" in capfd.readouterr().err
