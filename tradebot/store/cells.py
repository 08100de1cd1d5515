"""Typed columns of a binary table into the integers of a row: the counterpart of `table` for Feather and
Parquet.

Text is read exactly, as in a CSV. A float of a price or size is brought to the nearest step (`float_steps`).
A row in which any cell is wrong is listed with its number in the file, the first being 1.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

import numpy as np
import numpy.typing as npt

from tradebot.domain.instrument import Instrument
from tradebot.store.arrow import ArrowFile, Cells
from tradebot.store.float_steps import nearest_steps, why_not
from tradebot.store.imports import Findings
from tradebot.store.table import Column, Rows

_SIZES: Final = frozenset({"quantity", "volume"})
_LEAST: Final = {"quantity": 1}  # of a trade; other fields may be nought

Wrong = dict[int, str]


def step_of(field: str, instrument: Instrument) -> Decimal | None:
    """The grid of a field; None where it has none."""
    if field in ("time", "id", "side"):
        return None
    return instrument.lot_size if field in _SIZES else instrument.tick_size


def read_rows(
    file: ArrowFile,
    names: Mapping[str, str],
    columns: Mapping[str, Column],
    instrument: Instrument,
    dtype: np.dtype[np.void],
    findings: Findings,
) -> Iterator[Rows]:
    """Rows of `dtype` from the columns that `names` gives for its fields; other fields are zero."""
    first = 1
    for block in file.blocks(list(names.values())):
        rows = np.zeros(len(block[0]), dtype)
        rows["line"] = np.arange(first, first + len(rows))
        first += len(rows)
        wrong: Wrong = {}
        for field, cells in zip(names, block, strict=True):
            step = step_of(field, instrument)
            rows[field], wrong_here = _read_cells(cells, columns[field], field, step)
            wrong |= wrong_here
        for place in sorted(wrong):
            findings.reject(file.path.name, int(rows["line"][place]), wrong[place])
        kept = np.ones(len(rows), np.bool_)
        kept[list(wrong)] = False
        yield rows[kept]


def _read_cells(
    cells: Cells, column: Column, field: str, step: Decimal | None
) -> tuple[npt.NDArray[np.int64] | list[int], Wrong]:
    if isinstance(cells, np.ndarray) and cells.dtype.kind == "f" and step is not None:
        return _read_floats(cells, field, step)
    texts = cells if isinstance(cells, list) else _texts(cells)
    try:
        return list(column.read_many(texts)), {}
    except (ValueError, KeyError):
        return _read_each(texts, column)


def _read_floats(
    values: npt.NDArray[np.float64], field: str, step: Decimal
) -> tuple[npt.NDArray[np.int64], Wrong]:
    counts, good = nearest_steps(values, step)
    least = _LEAST.get(field, 0)
    low = good & (counts < least)
    wrong = {place: why_not(float(values[place]), field, step) for place in np.flatnonzero(~good).tolist()}
    for place in np.flatnonzero(low).tolist():
        wrong[place] = f"expected a {field} of {least} steps or more, found {float(values[place])!r}"
    return counts, wrong


def _read_each(texts: Sequence[str], column: Column) -> tuple[list[int], Wrong]:
    numbers, wrong = [0] * len(texts), {}
    for place, text in enumerate(texts):
        try:
            numbers[place] = column.read_one(text)
        except ValueError as error:
            wrong[place] = str(error)
    return numbers, wrong


def _texts(values: npt.NDArray[np.generic]) -> list[str]:
    """Numbers as text that is read again exactly; a whole float is written as an integer."""
    return [
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
        for value in values.tolist()
    ]
