"""A copy of a store that can be proven, made while others use it, and put in place only when it is whole.

It is made beside its name, under `NAME.partial`: the parts of every table are frozen and copied, hung into a scratch store
of their own and counted there, so the manifest says what the copy holds, not what the source was believed to hold.
Only then the folder gets its name. A backup that was killed leaves the partial folder, which the same command replaces.
"""

import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from tradebot import __version__
from tradebot.domain.errors import StoreError, UsageError
from tradebot.domain.units import time_text
from tradebot.store.backend import Backend, explain
from tradebot.store.client import is_store, open_as_it_is
from tradebot.store.engine import Engine
from tradebot.store.manifest import (
    FORMAT,
    PARTS,
    FileCopy,
    Manifest,
    Progress,
    TableCopy,
    check_files,
    write_manifest,
)
from tradebot.store.migrations import make_tables, version_of
from tradebot.store.parts import FREEZE_ORDER, copy_part, count_rows, frozen, hang_in

_BLOCK: Final = 1 << 20
_SCRATCH: Final = "scratch"


def back_up(path: Path, target: Path, progress: Progress) -> Manifest:
    """Copy the store at `path` into the new folder `target`; `progress` gets bytes. Another process may own the store.

    Raises UsageError where the folder exists, StoreFull, StoreError; there is then no folder of that name.
    """
    if not is_store(path):
        raise StoreError(f"expected a store at {path}, found none; give the --home that has one")
    if target.exists():
        raise UsageError(f"expected a new folder for the backup, found {target}; choose another name")
    partial = target.with_name(f"{target.name}.partial")
    with as_store_errors(target), alone_in(partial):
        with open_as_it_is(path, is_alone=False) as backend:
            version = version_of(backend)
            files = _copy_parts(backend, path, partial, progress)
        manifest = Manifest(
            format=FORMAT,
            program=__version__,
            schema_version=version or 0,
            made=time_text(time.time_ns()),
            source=str(path),
            tables=_count(partial),
            files=files,
        )
        check_files(partial, manifest, lambda size: None)
        write_manifest(partial, manifest)
        put_in_place(partial, target)
    return manifest


@contextmanager
def as_store_errors(place: Path) -> Iterator[None]:
    """What a disk does as StoreFull or StoreError."""
    try:
        yield
    except OSError as error:
        raise explain(str(place), error) from error


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """A new folder that only we fill, in the place of what was left over; it goes where it is not renamed in time. Raises
    StoreError where another process fills it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _empty(folder)
        yield
    except BlockingIOError as error:
        raise StoreError(f"expected to be alone with {folder}, found it under way elsewhere; wait for that to end") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        os.close(descriptor)


def put_in_place(folder: Path, target: Path) -> None:
    """Give a whole folder its name: all of it or nothing, also after a power cut."""
    os.sync()
    folder.rename(target)
    descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    os.fsync(descriptor)
    os.close(descriptor)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _copy_parts(backend: Backend, path: Path, partial: Path, progress: Progress) -> list[FileCopy]:
    files: list[FileCopy] = []

    def copy(source: Path, target: Path) -> None:
        size, sha256 = _copy_file(source, target)
        files.append(FileCopy(target.relative_to(partial).as_posix(), size, sha256))
        progress(size)

    with frozen(backend, path) as tables:
        for table, parts in tables.items():
            (partial / PARTS / table).mkdir(parents=True)
            for part in parts:
                copy_part(part, partial / PARTS / table / part.name, copy)
    return files


def _copy_file(source: Path, target: Path) -> tuple[int, str]:
    """Bytes and SHA-256 of what was read."""
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK):
            writer.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _count(partial: Path) -> list[TableCopy]:
    """What the copies hold, asked of a scratch store of links to them."""
    tables = []
    with closing(Engine(partial / _SCRATCH)) as engine:
        engine.command("SYSTEM STOP MERGES")
        make_tables(engine)
        for table in FREEZE_ORDER:
            parts = sorted((partial / PARTS / table).iterdir())
            hang_in(engine, table, parts, os.link)
            tables.append(TableCopy(table, *count_rows(engine, table), [part.name for part in parts]))
    shutil.rmtree(partial / _SCRATCH)
    return tables
