"""A thread ahead of its reader: the same items in the same order, its errors here, and gone when it is left."""

import threading
from collections.abc import Iterator

import pytest

from tradebot.store.ahead import AHEAD_MAX, read_ahead


def threads() -> int:
    return sum(thread.name == "read-ahead" for thread in threading.enumerate())


@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
def test_the_items_are_the_same(count: int) -> None:
    assert list(read_ahead(range(count))) == list(range(count))
    assert threads() == 0


def test_what_is_raised_there_is_raised_here_after_what_came_before() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise ValueError("the source broke")

    items = read_ahead(broken())
    assert next(items) == 1
    with pytest.raises(ValueError, match="the source broke"):
        next(items)
    assert threads() == 0


def test_a_reader_that_leaves_ends_the_thread_and_closes_what_it_ran() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
        finally:
            closed.append(threading.current_thread().name)

    items = read_ahead(endless())
    assert [next(items), next(items)] == [0, 1]
    items.close()
    assert closed == ["read-ahead"] and threads() == 0


def test_it_is_only_so_far_ahead() -> None:
    made = []

    def noted() -> Iterator[int]:
        for number in range(100):
            made.append(number)
            yield number

    items = read_ahead(noted())
    assert next(items) == 0
    for expected in range(1, 50):
        assert len(made) <= expected + AHEAD_MAX + 1
        assert next(items) == expected
    items.close()
