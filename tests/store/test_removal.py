"""Rows go for good, also where a merge ends while they are looked for: by a backend that plays the merge, and by refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.store.support import FIRST, random_records, source
from tradebot.domain.errors import StoreError, StoreFull
from tradebot.store.client import open_store
from tradebot.store.removal import ATTEMPTS_MAX, delete_rows


class Merging:
    """A backend whose parts are other ones by the time they are asked for; `looks` says how many times."""

    def __init__(self, looks: int, error: type[StoreError] | None = None) -> None:
        self.looks, self.error, self.left = looks, error, 1

    @contextmanager
    def lease(self, what: str, wait_s: float) -> Iterator[None]:
        yield

    def parts(self, table: str) -> str:
        return "parts"

    def check_room(self, size: int) -> None:
        pass

    def rows(self, query: str) -> list[Any]:
        if query.startswith("SELECT 1 "):
            return [(1,)] * self.left
        self.looks -= 1
        return [("all_1_1_0", 64, True)] if self.error or self.looks < 0 else []

    def command(self, text: str) -> None:
        if "DROP PART" in text:
            if self.error and self.looks >= 0:
                raise self.error("no such part")
            self.left = 0


@pytest.mark.parametrize("error", [None, StoreError])
def test_a_part_that_a_merge_took_away_is_looked_for_again(error: type[StoreError] | None) -> None:
    backend = Merging(3, error)
    delete_rows(backend, "ticks", "`row` = 1")  # type: ignore[arg-type]
    assert backend.left == 0


def test_rows_that_do_not_go_are_an_error_and_so_is_a_full_disk_at_once() -> None:
    with pytest.raises(StoreError, match="found some of them after 10 attempts"):
        delete_rows(Merging(ATTEMPTS_MAX + 1), "ticks", "`row` = 1")  # type: ignore[arg-type]
    full = Merging(ATTEMPTS_MAX + 1, StoreFull)
    with pytest.raises(StoreFull):
        delete_rows(full, "ticks", "`row` = 1")  # type: ignore[arg-type]
    assert full.looks == ATTEMPTS_MAX


def test_no_refused_import_leaves_a_row(tmp_path: Path) -> None:
    """Among imports that stay, so that there is always something to merge."""

    def failing(seed: int) -> Any:
        yield random_records(FIRST, 20, seed)
        raise StoreError("the source broke")

    with open_store(tmp_path / "data") as store:
        for seed in range(60):
            store.import_records(FIRST, source(f"good {seed}"), [random_records(FIRST, 20, seed)])
            with pytest.raises(StoreError, match="the source broke"):
                store.import_records(FIRST, source("refused"), failing(seed))
            assert store._backend.rows("SELECT count() FROM ticks") == [(20 * (seed + 1),)]
