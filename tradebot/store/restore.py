"""A backup put back: into a place where there is no store, and only after everything in it has been proven.

The store is built beside its place, under `NAME.restoring`; its rows are counted there against the manifest and it gets
its name last. A restore that was killed leaves that folder, which the same command replaces.
"""

import shutil
from contextlib import closing
from pathlib import Path
from typing import Final

from tradebot.domain.errors import StoreError, UsageError
from tradebot.store.backup import alone_in, as_store_errors, put_in_place
from tradebot.store.engine import Engine, check_room
from tradebot.store.manifest import PARTS, Manifest, Progress, check_files, read_manifest
from tradebot.store.migrations import prepare
from tradebot.store.owner import Owner
from tradebot.store.parts import count_rows, hang_in
from tradebot.store.schema import VERSION

# Versions whose tables have today's columns, so that their parts fit.
FITTING: Final = frozenset({1, 2})


def restore(backup: Path, path: Path, progress: Progress) -> Manifest:
    """Make the store at `path` from a backup; `progress` gets bytes, of which each file has twice as many as its size.

    Raises BadContainer where the backup is not whole, UsageError where something lies at `path`, StoreOwned, StoreFull,
    StoreError; nothing is then there that was not before.
    """
    manifest = read_manifest(backup)
    _check_version(backup, manifest)
    _check_empty(path)
    with as_store_errors(path), Owner(path):
        _check_empty(path)
        check_files(backup, manifest, progress)
        staging = path.with_name(f"{path.name}.restoring")
        with alone_in(staging):
            check_room(staging, manifest.bytes)
            _build(backup, manifest, staging, progress)
            put_in_place(staging, path)
    return manifest


def _build(backup: Path, manifest: Manifest, staging: Path, progress: Progress) -> None:
    def copy(source: Path, target: Path) -> None:
        shutil.copyfile(source, target)
        progress(target.stat().st_size)

    with closing(Engine(staging)) as engine:
        prepare(engine)
        for table in manifest.tables:
            hang_in(engine, table.name, [backup / PARTS / table.name / part for part in table.parts], copy)
            found = count_rows(engine, table.name)
            if found != (table.rows, table.checksum):
                raise StoreError(
                    f"expected {table.rows} rows of {table.name} with the checksum {table.checksum}, found {found[0]} with "
                    f"{found[1]} after the restore of {backup}; take another backup: this one is not used"
                )


def _check_version(backup: Path, manifest: Manifest) -> None:
    if manifest.schema_version > VERSION:
        raise StoreError(
            f"expected a backup of schema version {VERSION} at most in {backup}, found {manifest.schema_version}; update tradebot"
        )
    if manifest.schema_version not in FITTING:
        raise StoreError(
            f"expected a backup of schema version {', '.join(map(str, sorted(FITTING)))} in {backup}, found "
            f"{manifest.schema_version}; restore it with tradebot {manifest.program} and run `tradebot store migrate`"
        )


def _check_empty(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(
            f"expected no store at {path}, found something there; give a new --home, or move it away: nothing is overwritten"
        )
