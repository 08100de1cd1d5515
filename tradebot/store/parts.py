"""Parts of tables, the folders that the engine keeps rows in: frozen in one store, hung into another, and counted.

A frozen part is a set of links that nothing changes any more, so a copy of it is consistent while others write. The order
of freezing is what makes the whole consistent: first the manifest rows of imports, then the ticks that they promise,
then the announcements, which name every import that may have ticks. A part is never trusted for what it says of itself:
rows are counted and hashed by a query over what was hung in.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tradebot.store.backend import Backend

# Every table but that of the version, which a manifest has.
FREEZE_ORDER: Final = ("imports", "ticks", "imports_begun", "instruments", "runs", "orders", "fills", "equity")

_NAME: Final = "tradebot_backup"

Copy = Callable[[Path, Path], object]


@contextmanager
def frozen(backend: Backend, path: Path) -> Iterator[dict[str, list[Path]]]:
    """The parts of each table of the embedded store at `path`, which another process may own, as they are now."""
    with backend.lease("a backup", 0):
        _thaw(path)  # of a backup that was killed
        try:
            yield {table: _freeze(backend, table) for table in FREEZE_ORDER}
        finally:
            _thaw(path)


def _freeze(backend: Backend, table: str) -> list[Path]:
    rows = backend.rows(f"ALTER TABLE {table} FREEZE WITH NAME '{_NAME}' SETTINGS alter_partition_verbose_result = 1")
    return sorted(Path(row[-1]) for row in rows)


def _thaw(path: Path) -> None:
    shutil.rmtree(path / "shadow" / _NAME, ignore_errors=True)


def hang_in(backend: Backend, table: str, parts: list[Path], copy: Copy) -> None:
    """Make copies of parts a part of an empty store's table. Raises StoreError where the engine refuses one."""
    (paths,) = backend.rows(f"SELECT data_paths FROM system.tables WHERE database = currentDatabase() AND name = '{table}'")
    detached = Path(paths[0][0]) / "detached"
    for part in parts:
        copy_part(part, detached / part.name, copy)
        backend.command(f"ALTER TABLE {table} ATTACH PART '{part.name}'")


def copy_part(part: Path, target: Path, copy: Copy) -> None:
    for folder, _, files in os.walk(part):
        place = target / Path(folder).relative_to(part)
        place.mkdir(parents=True)
        for name in sorted(files):
            copy(Path(folder) / name, place / name)


def count_rows(backend: Backend, table: str) -> tuple[int, str]:
    """Rows and checksum; see manifest.TableCopy."""
    rows, city, other = backend.rows(f"SELECT count(), sum(cityHash64(*)), sum(xxHash64(*)) FROM {table}")[0]
    return rows, f"{city:016x}{other:016x}"
