"""Records to columns and back: bit for bit, at any address, and nothing else is taken for records."""

import numpy as np
import pytest

from tradebot._core.columns import gather_records, scatter_records
from tradebot._core.types import FACT_DTYPE, RECORD_DTYPE


def records(count: int) -> np.ndarray:
    return np.frombuffer(np.random.default_rng(count).bytes(count * 64), RECORD_DTYPE).copy()


@pytest.mark.parametrize("count", [0, 1, 2, 1_000])
def test_columns_are_the_slots_and_make_the_same_records(count: int) -> None:
    given = records(count)
    columns = scatter_records(given)
    for name, column in zip(RECORD_DTYPE.names, columns, strict=True):
        assert column.dtype == RECORD_DTYPE[name] and np.array_equal(column, given[name])
    assert gather_records(columns).tobytes() == given.tobytes()


def test_columns_may_lie_at_odd_addresses() -> None:
    given = records(100)
    columns = [
        np.frombuffer(b"?" + column.tobytes(), column.dtype, len(column), 1) for column in scatter_records(given)
    ]
    assert not columns[0].flags.aligned
    assert gather_records(columns).tobytes() == given.tobytes()


def test_columns_of_another_type_length_or_number_are_refused() -> None:
    columns = scatter_records(records(10))
    with pytest.raises(ValueError, match="int64 for price, found 10 of float64"):
        gather_records([*columns[:3], columns[3].astype(float), *columns[4:]])
    with pytest.raises(ValueError, match=r"expected 10 .* found 9"):
        gather_records([*columns[:-1], columns[-1][:9]])
    with pytest.raises(ValueError):
        gather_records(columns[:-1])
    with pytest.raises(ValueError):
        gather_records([*columns, columns[0]])
    with pytest.raises(ValueError):
        gather_records([columns[0][::-1], *columns[1:]])


def test_only_contiguous_records_are_scattered() -> None:
    for other in (records(10)[::2], np.zeros(3, FACT_DTYPE), np.zeros(3), [1]):
        with pytest.raises(TypeError, match="contiguous array of RECORD_DTYPE"):
            scatter_records(other)


def test_records_and_columns_that_are_given_are_filled() -> None:
    given, target = records(1_000), records(1_001)
    columns = [np.zeros(1_200, RECORD_DTYPE[name]) for name in RECORD_DTYPE.names]
    parts = [column[100:1_100] for column in columns]
    assert all(a is b for a, b in zip(scatter_records(given, parts), parts, strict=True))
    assert all(not column[:100].any() and not column[1_100:].any() for column in columns)
    assert gather_records(parts, target[1:]).base is target
    assert target[1:].tobytes() == given.tobytes()


def test_what_does_not_fit_is_not_filled() -> None:
    given = records(10)
    columns = scatter_records(given)
    with pytest.raises(ValueError, match="expected columns of 10 rows"):
        scatter_records(given, [column[:9] for column in columns])
    with pytest.raises(ValueError, match="expected 10 records to fill, found 9"):
        gather_records(columns, records(9))
    with pytest.raises(TypeError, match="contiguous array of RECORD_DTYPE"):
        gather_records(columns, records(20)[::2])
