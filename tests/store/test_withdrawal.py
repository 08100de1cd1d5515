"""An import taken out again: all of it, nothing else, killed wherever one likes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.store.support import FIRST, SECOND, Records, joined, random_records, source
from tradebot._core.types import Kind
from tradebot.domain.errors import Refused, StoreError, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.store.client import Store
from tradebot.store.facts import find_overlaps
from tradebot.store.imports import ImportSource


def bring(store: Store, content: str, instrument: Instrument = FIRST, follows: str = "", seed: int = 1) -> str:
    opened = ImportSource("test", 1, content, "nowhere", follows=follows)
    return store.import_records(instrument, opened, [random_records(instrument, 500, seed)]).import_id


def streamed(store: Store, instrument: Instrument = FIRST) -> Records:
    return joined(store.stream([instrument.id]))


def remove(store: Store, *wanted: str) -> None:
    for one in store.choose_imports(wanted):
        store.remove_import(one.import_id)


def test_what_is_removed_is_gone_and_the_rest_is_as_it_was(store: Store) -> None:
    bring(store, "one")
    alone, other = streamed(store), bring(store, "three", SECOND)
    going = bring(store, "two", seed=2)
    assert len(streamed(store)) == 1_000
    remove(store, going)
    assert streamed(store).tobytes() == alone.tobytes()
    assert going not in [one.import_id for one in store.imports()] and other in [one.import_id for one in store.imports()]
    assert store.query("SELECT count() FROM ticks") == [(1_000,)], "the rows are gone, not only hidden"
    assert bring(store, "two", seed=2) == going and len(streamed(store)) == 1_000, "and may come again"


@pytest.mark.parametrize("table", ("imports", "ticks", "imports_begun"))
@pytest.mark.parametrize("after", (True, False))
@pytest.mark.parametrize("again", ("remove", "import"))
def test_a_removal_that_was_killed_ends_well(
    store: Store, monkeypatch: pytest.MonkeyPatch, table: str, after: bool, again: str
) -> None:
    """Killed before or after any of its three steps."""
    bring(store, "one")
    alone, going = streamed(store), bring(store, "two", seed=2)
    both, backend = streamed(store), store._backend
    real: Callable[[str, str], None] = backend.delete

    def delete(name: str, where: str) -> None:
        if name != table:
            return real(name, where)
        if after:
            real(name, where)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backend, "delete", delete)
        with pytest.raises(KeyboardInterrupt):
            store.remove_import(going)
    seen = streamed(store).tobytes()
    assert seen in (alone.tobytes(), both.tobytes()), "all of it is seen, or none"
    if again == "import":
        bring(store, "two", seed=2)
        assert streamed(store).tobytes() == both.tobytes()
        return
    if table == "imports_begun" and after:
        with pytest.raises(UsageError):
            remove(store, going)
    else:
        remove(store, going)
    assert streamed(store).tobytes() == alone.tobytes()
    assert store.query("SELECT count() FROM ticks") == [(500,)]
    assert store.query(f"SELECT count() FROM imports_begun WHERE id = {int(going, 16)}") == [(0,)]


def test_an_import_under_way_is_not_removed(store: Store) -> None:
    going = bring(store, "one")
    with store._backend.lease(f"the import {going}", 0):
        if store.place.startswith("clickhouse"):
            return  # a server has no leases: its own users look after themselves
        with pytest.raises(StoreError):
            store.remove_import(going)
    assert len(streamed(store)) == 500


def test_one_is_named_by_the_start_of_its_id_and_what_is_wrong_is_refused(store: Store) -> None:
    going = bring(store, "one")
    assert [one.import_id for one in store.choose_imports([going[:6], going])] == [going]
    for wrong in ("", going[:3], "zzzz", "0123456789abcdef", "%", "' OR 1"):
        with pytest.raises(UsageError, match="expected the id of an import"):
            store.choose_imports([wrong])


def test_what_another_goes_on_from_goes_only_with_it(store: Store) -> None:
    first = bring(store, "one")
    second = bring(store, "two", follows=first, seed=2)
    third = bring(store, "three", follows=second, seed=3)
    with pytest.raises(Refused, match=f"found {second}; remove that one before it"):
        store.choose_imports([first])
    assert [one.import_id for one in store.choose_imports([first, second, third])] == [third, second, first]
    assert [one.import_id for one in store.choose_imports([third])] == [third]


def rows(count: int, start: int, kind: int, owner: int = 0, **more: Any) -> Records:
    made = random_records(FIRST, count)
    made["time_ns"] = start + np.arange(count)
    made["kind"], made["owner"], made["flags"] = kind, owner, 0
    return made


def overlaps(store: Store, *parts: Records) -> list[tuple[int, int, int]]:
    ids = [store.import_records(FIRST, source(str(at)), [part]).import_id for at, part in enumerate(parts)]
    return [(one.kind, one.first_ns, one.last_ns) for one in find_overlaps(store, FIRST.id, None, None, ids)]


def test_overlaps_are_found_where_two_imports_hold_one_kind_at_one_time(store: Store) -> None:
    assert overlaps(store, rows(10, 100, 1), rows(10, 105, 1), rows(10, 105, 2)) == [(1, 105, 109)]


def test_what_touches_or_fills_a_hole_or_is_another_interval_is_no_overlap(store: Store) -> None:
    bars = [rows(9, 90, int(Kind.BAR), seconds) for seconds in (60, 300)]
    holed = np.concatenate([rows(10, 100, 1), rows(10, 200, 1)])
    assert overlaps(store, holed, rows(10, 150, 1), rows(10, 210, 1), *bars) == []
