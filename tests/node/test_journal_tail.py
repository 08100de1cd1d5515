"""The end of a journal, read once for several: each hears all of it once and in order, whenever it came, however slow it is."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.node.journaled import Run
from tests.node.test_api_journal import gap, heard
from tradebot.node import api_journal, chronicle
from tradebot.node.api_journal import JournalNews
from tradebot.node.journal_tail import Tail

LISTENERS = 5
GAPS = 300


def gaps(found: list[dict[str, Any]]) -> list[int]:
    return [one["sequence"] for one in found if one["event"] == "gap"]


def started(run: Run, tail: Tail, name: str, after: int | None = 0) -> JournalNews:
    news = JournalNews(run.folder, name, after, tail)
    news.start()
    return news


def until_joined(tail: Tail, count: int) -> None:
    end = time.monotonic() + 20
    while len(tail._listeners) != count:
        assert time.monotonic() < end, len(tail._listeners)
        time.sleep(0.01)


def test_who_come_while_it_grows_hear_all_of_it_once_and_in_order(tmp_path: Path) -> None:
    run, tail, all_news = Run(tmp_path, segment_bytes=1 << 16), Tail(), list[JournalNews]()
    for number in range(GAPS):
        gap(run, number)
        if number % (GAPS // LISTENERS) == 0:
            all_news.append(started(run, tail, f"n{number}"))
        time.sleep(0.001)
    found = [gaps(heard(news, lambda found: len(gaps(found)) >= GAPS)) for news in all_news]
    until_joined(tail, LISTENERS)
    assert len(found[0]) == GAPS and found[0] == sorted(set(found[0])) and all(one == found[0] for one in found)
    for news in all_news:
        news.close(5)
    until_joined(tail, 0)


def test_what_follows_the_end_is_read_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, tail = Run(tmp_path), Tail()
    gap(run, 0)
    all_news = [started(run, tail, f"n{at}") for at in range(LISTENERS)]
    until_joined(tail, LISTENERS)
    readers, events_of = set[str](), chronicle.events_of
    monkeypatch.setattr(chronicle, "events_of", lambda *of: readers.add(threading.current_thread().name) or events_of(*of))
    gap(run, 1)
    for news in all_news:
        assert len(gaps(heard(news, lambda found: len(gaps(found)) >= 2))) == 2
    assert readers == {"journal-tail"}
    for news in all_news:
        news.close(5)


def test_one_that_takes_nothing_holds_up_no_other_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_journal, "BATCHES_MAX", 2)
    run, tail = Run(tmp_path), Tail()
    slow, quick = started(run, tail, "slow", None), started(run, tail, "quick", None)
    until_joined(tail, 2)
    found: list[dict[str, Any]] = []
    for number in range(12):
        gap(run, number)
        found += heard(quick, lambda found: len(gaps(found)) >= 1)
    until_joined(tail, 1)
    late = gaps(heard(slow, lambda found: len(gaps(found)) >= 12))
    assert len(late) == 12 and late == gaps(found)
    until_joined(tail, 2)
    slow.close(5)
    quick.close(5)
