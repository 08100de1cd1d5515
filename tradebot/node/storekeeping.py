"""Looking after the store: migrate it, copy it, put a copy back, ask whether it is sound.

The store knows how; this file knows which store a call means, and what a server is asked instead: its copies are the
server's own business.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tradebot.domain.errors import BadContainer, StoreError, UsageError
from tradebot.node.places import store_path, store_place
from tradebot.node.progress import Progress

if TYPE_CHECKING:
    from tradebot.store.manifest import Manifest


def migrate_store(home: Path, dsn: str | None, backup: Path | None, progress: Progress) -> dict[str, object]:
    """Bring the store to this version's tables, after a backup where a folder for one is given. A store that is there already
    stays as it is, and needs no backup.

    Raises StoreError where it is newer, UsageError, StoreFull, StoreOwned.
    """
    from tradebot.store.client import is_store, open_as_it_is
    from tradebot.store.migrations import migrate, version_of
    from tradebot.store.schema import VERSION

    place = store_place(home, dsn)
    if isinstance(place, Path) and not is_store(place):
        raise StoreError(f"expected a store at {place}, found none; the first import makes one")
    with open_as_it_is(place, is_alone=True) as backend:
        found = version_of(backend)
    copied = None
    if backup is not None and found is not None and found < VERSION:
        copied = str(back_up_store(home, dsn, backup, progress)["path"])
    with open_as_it_is(place, is_alone=True) as backend:
        before, steps = migrate(backend)
    return {
        "from_version": before,
        "to_version": VERSION,
        "steps": [{"version": step.version, "why": step.why} for step in steps],
        "backup": copied,
    }


def back_up_store(home: Path, dsn: str | None, target: Path, progress: Progress) -> dict[str, object]:
    """A copy of the home's store in a new folder. Raises as `store.backup.back_up`, and UsageError for a server."""
    from tradebot.store.backup import back_up

    _refuse_server(dsn)
    target = target.absolute()
    return _told(
        lambda tell: back_up(store_path(home), target, tell), f"backing up into {target.name}", None, target, progress
    )


def restore_store(home: Path, dsn: str | None, backup: Path, progress: Progress) -> dict[str, object]:
    """The home's store from a backup. Raises as `store.restore.restore`, and UsageError for a server."""
    from tradebot.node.build import stored_alone
    from tradebot.store.manifest import read_manifest
    from tradebot.store.restore import restore

    _refuse_server(dsn)
    backup, place = backup.absolute(), store_path(home)
    whole = 2 * read_manifest(backup).bytes  # each file is checked, then copied
    found = _told(lambda tell: restore(backup, place, tell), f"restoring {backup.name}", whole, place, progress)
    return {**found, "runs_without_folder": len(stored_alone(home))}


def verify_store(home: Path, dsn: str | None, progress: Progress) -> dict[str, object]:
    """Every check of a store. Raises StoreError where it cannot be asked at all."""
    from tradebot.store.client import is_store, open_as_it_is
    from tradebot.store.soundness import check_store

    place = store_place(home, dsn)
    if isinstance(place, Path) and not is_store(place):
        raise StoreError(f"expected a store at {place}, found none; give the --home that has one")
    with open_as_it_is(place, is_alone=False) as backend:
        progress.start("reading rows", None)
        checks = [finding._asdict() for finding in check_store(backend, progress.advance)]
        progress.done()
        return {"store": backend.place, "sound": all(check["ok"] for check in checks), "checks": checks}


def verify_backup(backup: Path, progress: Progress) -> dict[str, object]:
    """Whether a backup is whole: what restores nothing and needs no engine."""
    from tradebot.store.manifest import check_files, read_manifest

    backup = backup.absolute()
    try:
        manifest = read_manifest(backup)
        progress.start("reading files", manifest.bytes)
        check_files(backup, manifest, progress.advance)
        progress.done()
    except BadContainer as error:
        return {"backup": str(backup), "sound": False, "checks": [{"name": "files", "ok": False, "detail": str(error)}]}
    detail = f"{len(manifest.files)} files of {manifest.made}, schema version {manifest.schema_version}"
    rows = [{"name": one.name, "ok": True, "detail": f"{one.rows} rows, checksum {one.checksum}"} for one in manifest.tables]
    return {"backup": str(backup), "sound": True, "checks": [{"name": "files", "ok": True, "detail": detail}, *rows]}


def _told(
    work: "Callable[[Callable[[int], None]], Manifest]", what: str, whole: int | None, path: Path, progress: Progress
) -> dict[str, object]:
    started = time.monotonic()
    progress.start(what, whole)
    try:
        manifest = work(progress.advance)
    finally:
        progress.done()
    return {
        "path": str(path),
        "schema_version": manifest.schema_version,
        "rows": sum(table.rows for table in manifest.tables if table.name == "ticks"),
        "tables": {table.name: table.rows for table in manifest.tables},
        "bytes": manifest.bytes,
        "files": len(manifest.files),
        "seconds": round(time.monotonic() - started, 3),
    }


def _refuse_server(dsn: str | None) -> None:
    if dsn is not None:
        raise UsageError(
            "expected the store of a home, found a server in the key store; copy a server with its own BACKUP DATABASE, or "
            "leave the key away"
        )
