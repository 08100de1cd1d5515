"""A CSV table of integers: ids, times, decimal steps, words. Whole columns at a time where all is well.

Decimal text becomes a count of steps by exact decimal arithmetic and never by way of a float. A chunk in
which any cell is wrong is read again row by row, to say which and why, so bad rows are dear and good ones are
not. One chunk is held at a time, unless the caller wants the whole table.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from tradebot.domain.errors import BadContainer
from tradebot.domain.units import STEPS_MAX
from tradebot.store.archive import Archive
from tradebot.store.imports import Findings

_CACHE_MAX: Final = 1 << 16
_CHUNK_CELLS: Final = 1 << 16
_DIGITS: Final = frozenset("0123456789.eE+-")

Rows = npt.NDArray[np.void]


class Column(NamedTuple):
    """How a column is read: one cell, which can say what is wrong with it, or many at once, which is ten
    times faster and raises ValueError or KeyError for all.
    """

    read_one: Callable[[str], int]
    read_many: Callable[[Sequence[str]], Iterable[int]]


Columns = Sequence[Column]


class Placed(NamedTuple):
    """Which column of a file fills which field, for files that have more columns, or others, than we read."""

    columns: Sequence[Column | None]
    fields: Sequence[str]


def place(places: Mapping[str, int], columns: Mapping[str, Column], width: int) -> Placed:
    """`places` says at which of `width` columns a field stands."""
    placed: list[Column | None] = [None] * width
    for field, at in places.items():
        placed[at] = columns[field]
    return Placed(placed, sorted(places, key=lambda field: places[field]))


def read_table(
    archive: Archive, name: str, columns: Columns, dtype: np.dtype[np.void], findings: Findings
) -> Rows:
    """Rows as an array. A row that cannot be read is listed with its file and line, and the rest goes on."""
    placed = Placed(columns, [field for field in dtype.names or () if field != "line"])
    assert len(placed.fields) == len(columns)
    return np.concatenate([np.empty(0, dtype), *read_blocks(archive, name, placed, dtype, findings)])


def read_blocks(
    archive: Archive,
    name: str,
    placed: Placed,
    dtype: np.dtype[np.void],
    findings: Findings,
    header_lines: int = 1,
) -> Iterator[Rows]:
    """The same, a few thousand rows at a time; fields of `dtype` that the file does not fill are zero."""
    member = archive.locate(name)
    with archive.open_text(name) as text:
        lines = whole_lines(text, len(placed.columns), f"{member} of {archive.path}")
        first = 1 + len(list(islice(lines, header_lines)))
        while chunk := list(islice(lines, 1 + _CHUNK_CELLS // len(placed.columns))):
            yield _read_chunk(chunk, first, member, placed, dtype, findings)
            first += len(chunk)


def whole_lines(text: Iterable[str], columns: int, where: str) -> Iterator[str]:
    """Lines without their ends. Raises BadContainer where the text stops inside the last one."""
    line, number = "\n", 0
    for line in text:
        number += 1
        yield line.rstrip("\r\n")
    if not line.endswith("\n") and line.count(",") + 1 != columns:
        raise BadContainer(f"expected a whole last line in {where}, found line {number} cut after {line[-40:]!r}; fetch it again")


def _read_chunk(
    chunk: list[str],
    first: int,
    member: str,
    placed: Placed,
    dtype: np.dtype[np.void],
    findings: Findings,
) -> Rows:
    try:
        return _read_columns(chunk, first, placed, dtype)
    except (ValueError, KeyError):
        return _read_rows(chunk, first, member, placed, dtype, findings)


def _read_columns(chunk: list[str], first: int, placed: Placed, dtype: np.dtype[np.void]) -> Rows:
    if chunk[0].count(",") + 1 != len(placed.columns):
        raise ValueError("more or fewer fields than columns")
    rows = np.zeros(len(chunk), dtype)
    fields = iter(placed.fields)
    cells = zip(*(line.split(",") for line in chunk), strict=True)
    for column, values in zip(placed.columns, cells, strict=True):
        if column is not None:
            rows[next(fields)] = list(column.read_many(values))
    rows["line"] = np.arange(first, first + len(chunk))
    return rows


def _read_rows(
    chunk: list[str],
    first: int,
    member: str,
    placed: Placed,
    dtype: np.dtype[np.void],
    findings: Findings,
) -> Rows:
    kept = []
    for line, text in enumerate(chunk, first):
        try:
            kept.append((*_read_cells(text.split(","), placed.columns), line))
        except ValueError as error:
            findings.reject(member, line, str(error))
    rows = np.zeros(len(kept), dtype)
    for field, values in zip((*placed.fields, "line"), zip(*kept, strict=True), strict=bool(kept)):
        rows[field] = values
    return rows


def _read_cells(cells: list[str], columns: Sequence[Column | None]) -> list[int]:
    if len(cells) != len(columns):
        raise ValueError(f"expected {len(columns)} fields, found {len(cells)}")
    return [column.read_one(cell) for column, cell in zip(columns, cells, strict=True) if column is not None]


def read_integers(what: str, largest: int) -> Column:
    def read_one(text: str) -> int:
        if not text.isdigit() or (number := int(text)) > largest:
            raise ValueError(f"expected {what} of at most {largest}, found {text!r}")
        return number

    def read_many(texts: Sequence[str]) -> list[int]:
        if not all(map(str.isdigit, texts)) or max(numbers := list(map(int, texts))) > largest:
            raise ValueError(what)
        return numbers

    return Column(read_one, read_many)


def read_steps(what: str, steps: Callable[[str], int], least: int = 0) -> Column:
    """Exact decimal reading, remembered: most texts of a book come again."""

    @lru_cache(maxsize=_CACHE_MAX)
    def read_one(text: str) -> int:
        if not text or not _DIGITS.issuperset(text):
            raise ValueError(f"expected a decimal {what}, found {text!r}")
        count = steps(text)
        if not least <= count <= STEPS_MAX:
            raise ValueError(f"expected a {what} from {least} to {STEPS_MAX} steps, found {text}")
        return count

    return Column(read_one, partial(map, read_one))


def or_nothing(column: Column, nothing: int) -> Column:
    """The same, but an empty cell is `nothing`."""

    def read_one(text: str) -> int:
        return column.read_one(text) if text else nothing

    def read_many(texts: Sequence[str]) -> Iterable[int]:
        return map(read_one, texts) if "" in texts else column.read_many(texts)

    return Column(read_one, read_many)


def read_words(words: dict[str, int]) -> Column:
    def read_one(text: str) -> int:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}, found {text!r}")
        return words[text]

    return Column(read_one, partial(map, words.__getitem__))
