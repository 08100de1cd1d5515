"""Feather and Parquet: the one file that touches pyarrow, and turns its columns into arrays and text.

pyarrow is heavy, so it is imported when the first such file is opened. Record batches are read one after the
other; how long one is, the writer of the file chose. What is wrong with a container is a BadContainer.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tradebot.domain.errors import BadContainer

FEATHER: Final = b"ARROW1"
PARQUET: Final = b"PAR1"
BATCH_ROWS: Final = 1 << 16

# A column of one batch: 64-bit integers, floats (not a number where there was nothing), or text ("" there).
# Times with a type of their own are nanoseconds since 1970.
Cells = npt.NDArray[Any] | list[str]


def has_magic(path: Path, magic: bytes) -> bool:
    """Whether the file begins as one of that kind."""
    try:
        with path.open("rb") as file:
            return file.read(len(magic)) == magic
    except OSError:
        return False


class ArrowFile:
    """An open file of either kind. Raises BadContainer where it is neither, or is cut short."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._is_parquet = has_magic(path, PARQUET)
        if not self._is_parquet and not has_magic(path, FEATHER):
            raise BadContainer(
                f"expected a Parquet or Feather (version 2) file, found neither in {path}; is the format right?"
            )
        with _guard(path):
            schema = self._open().schema_arrow if self._is_parquet else self._open().schema
            self.names: list[str] = list(schema.names)
            self.metadata = {
                key.decode(errors="replace"): value.decode(errors="replace")
                for key, value in (schema.metadata or {}).items()
            }

    def blocks(self, names: Sequence[str]) -> Iterator[list[Cells]]:
        """The named columns of each batch of rows, in the order asked for."""
        with _guard(self.path):
            for batch in self._batches(names):
                yield [_cells(batch.column(batch.schema.get_field_index(name))) for name in names]

    def content_sha256(self, names: Sequence[str]) -> str:
        """Over the values of the named columns: neither compression nor batches nor other columns matter."""
        digests = [hashlib.sha256() for _ in names]
        for block in self.blocks(names):
            for digest, cells in zip(digests, block, strict=True):
                digest.update(_cells_bytes(cells))
        total = hashlib.sha256()
        for name, digest in zip(names, digests, strict=True):
            total.update(f"{name}\n{digest.hexdigest()}\n".encode())
        return total.hexdigest()

    def _open(self) -> Any:
        if self._is_parquet:
            from pyarrow.parquet import ParquetFile

            return ParquetFile(self.path, page_checksum_verification=True)
        from pyarrow import ipc, memory_map

        return ipc.open_file(memory_map(str(self.path)))

    def _batches(self, names: Sequence[str]) -> Iterator[Any]:
        file = self._open()
        if self._is_parquet:
            yield from file.iter_batches(batch_size=BATCH_ROWS, columns=list(names))
            return
        for number in range(file.num_record_batches):
            batch = file.get_batch(number)
            batch.validate(full=True)  # offsets of a damaged file would lead anywhere in memory
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)


def write_parquet(
    path: Path, blocks: Iterator[Mapping[str, npt.NDArray[Any] | list[str]]], metadata: Mapping[str, str]
) -> int:
    """Write columns block by block, compressed by zstd; how many rows. There must be one block at least."""
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    writer, rows = None, 0
    try:
        for block in blocks:
            table = pa.table({name: pa.array(values) for name, values in block.items()})
            if writer is None:
                schema = table.schema.with_metadata(dict(metadata))
                writer = ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table.cast(schema))
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    assert rows > 0
    return rows


@contextmanager
def _guard(path: Path) -> Iterator[None]:
    from pyarrow import ArrowException

    try:
        yield
    except (ArrowException, OSError, EOFError, UnicodeError) as error:
        text = " ".join(str(error).split())[:200]
        raise BadContainer(f"expected a whole Parquet or Feather file at {path}, found: {text}") from error


def _cells(column: Any) -> Cells:
    from pyarrow import int64, timestamp, types

    kind = column.type
    if types.is_temporal(kind):
        column = column.cast(timestamp("ns", getattr(kind, "tz", None))).cast(int64())
        kind = column.type
    if types.is_floating(kind):
        return column.cast("float64").to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    if types.is_integer(kind) and not column.null_count:
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _cells_bytes(cells: Cells) -> bytes:
    if isinstance(cells, list):
        return "".join(f"{len(cell)}:{cell}" for cell in cells).encode()
    return np.ascontiguousarray(cells).tobytes()
