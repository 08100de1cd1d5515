"""Prepares the run that a start of a node goes on with, or a new one: its configuration, its plan and the ticks of its feed,
written down before any part is started. A run keeps its account; what would not fit its journal is refused.
"""

import contextlib
import os
import stat
import time
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tradebot._core.types import RECORD_DTYPE
from tradebot.domain.errors import BadContainer, ConfigError, LocalError, NotBuiltYet, Refused, UsageError
from tradebot.engine.plan import Plan
from tradebot.node import identity
from tradebot.node.build import make_plan, prepare
from tradebot.node.config import Loaded, config_from_dict, config_to_dict
from tradebot.node.latch import read_killed
from tradebot.node.places import store_place
from tradebot.node.schema import Config
from tradebot.node.session_files import (
    Prepared,
    current_run,
    ipc_folder,
    read_prepared,
    run_folder,
    write_prepared,
    write_whole,
)
from tradebot.node.strategies import fingerprint_of


def prepare_run(loaded: Loaded, home: Path, is_new: bool) -> Path:
    """The folder of the run that this start goes on with, or of a new one; its ticks and plan written.

    Raises NotBuiltYet for a mode that cannot run, Refused where the home was killed, ConfigError where the account or its
    instruments are others than the run's: its journal would not fit.
    """
    config = loaded.config
    check_mode(config)
    if killed := read_killed(home):
        raise Refused(
            f"expected a home that may trade, found one that {killed.who} killed at {killed.time}: {killed.why}; "
            "`tradebot resume --after-kill` lifts it"
        )
    run_id = None if is_new else current_run(home)
    if run_id is None and not is_new:
        check_none_lost(home)
    if run_id is not None and (folder := prepared_before(home, run_id, config)):
        return folder
    plan, ticks = prepare_ticks(config, home)
    fingerprint = fingerprint_of(config.strategy, plan)
    if run_id is None:
        run_id = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{identity.identity([fingerprint, time.time_ns()])[:8]}"
    else:
        check_same(read_prepared(run_folder(home, run_id)), plan, config)
    folder = run_folder(home, run_id)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_ticks(folder / "ticks.npy", ticks)
    values = config_to_dict(config)
    made = Prepared(
        run_id=run_id, config=values, plan=plan, fingerprint=fingerprint, ticks=len(ticks), ticks_crc=crc_of(folder / "ticks.npy")
    )
    write_prepared(folder, made)
    write_whole(home / "journal" / "current", f"{run_id}\n".encode())
    make_ipc(folder)
    return folder


def check_none_lost(home: Path) -> None:
    """Raises LocalError where the home has runs and does not say which of them goes on."""
    names = sorted(path.parent.name for path in (home / "journal").glob("*/run.bin"))
    if names:
        raise LocalError(
            f"expected {home / 'journal' / 'current'} to name the run that goes on, found none; it has {', '.join(names)}: write "
            "one of these names into it, for their orders and positions stand, or begin another run with --new"
        )


def write_ticks(path: Path, ticks: np.ndarray[Any, np.dtype[np.void]]) -> None:
    """Whole or not at all, on the disk before the call returns."""
    new = path.with_name("ticks.new")
    with new.open("wb") as file:
        np.save(file, ticks)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def crc_of(path: Path) -> int:
    with path.open("rb") as file:
        found = 0
        while chunk := file.read(1 << 20):
            found = zlib.crc32(chunk, found)
    return found


def has_ticks(folder: Path, prepared: Prepared) -> bool:
    """Whether the ticks of a run are as they were written; else they are fetched anew."""
    path = folder / "ticks.npy"
    return path.exists() and (not prepared.ticks_crc or crc_of(path) == prepared.ticks_crc)


def prepared_before(home: Path, run_id: str, config: Config) -> Path | None:
    """The folder of a run that was prepared with this very configuration, which needs no store to go on; else None."""
    folder = run_folder(home, run_id)
    try:
        before = read_prepared(folder)
    except BadContainer:
        return None
    if before.config != config_to_dict(config) or not has_ticks(folder, before):
        return None
    fingerprint = fingerprint_of(config.strategy, before.plan)
    write_prepared(folder, msgspec.structs.replace(before, fingerprint=fingerprint))
    make_ipc(folder)
    return folder


def make_ipc(folder: Path) -> None:
    """The folder of a run's mailboxes, which nobody else may enter. Raises LocalError where it is another's, or a link."""
    ipc = ipc_folder(folder)
    with contextlib.suppress(FileExistsError):
        ipc.mkdir(mode=0o700)
    found = ipc.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise LocalError(f"expected the folder {ipc}, of nobody else, for the sockets of this run, found another's; remove it")
    ipc.chmod(0o700)


def check_mode(config: Config) -> None:
    """Raises UsageError for a backtest, NotBuiltYet for live."""
    if config.mode == "backtest":
        raise UsageError('expected mode = "sandbox" for `tradebot run`, found "backtest": run `tradebot backtest -c FILE`')
    if config.mode == "live":
        raise NotBuiltYet(
            'expected mode = "sandbox", found "live": orders to a real venue come with a later version; nothing was started'
        )


def prepare_ticks(config: Config, home: Path) -> tuple[Plan, np.ndarray[Any, np.dtype[np.void]]]:
    """The plan, and the stored facts that the feed tells."""
    from tradebot.store.client import open_store

    with open_store(store_place(home, config.store)) as store:
        setup = prepare(store, config)
        parts = list(store.stream([one.id for one in setup.instruments], setup.from_ns, setup.to_ns))
    ticks = np.concatenate(parts) if parts else np.zeros(0, RECORD_DTYPE)
    plan = make_plan(config, setup.instruments, 0, setup.graded)
    return msgspec.structs.replace(plan, sample_interval_ns=0), ticks


def check_same(before: Prepared, plan: Plan, config: Config) -> None:
    """A run goes on over the same account: the same instruments, assets, and strategies by name and place. Raises ConfigError."""
    names = [use.name for use in config_from_dict(before.config).strategy]
    if names != (found := [use.name for use in config.strategy]):
        raise ConfigError(
            f"strategy: expected the names {', '.join(names)} in this order, as the run {before.run_id} has them, found "
            f"{', '.join(found)}: positions and orders belong to a strategy by its name and place; put them back (what a name "
            "uses may change), or begin another run with --new"
        )
    pairs = [
        ("instruments", [one.name for one in before.plan.instruments], [one.name for one in plan.instruments]),
        ("account.start", before.plan.opening, plan.opening),
        ("strategy.instruments", [one.markets for one in before.plan.places], [one.markets for one in plan.places]),
        ("account.margin", before.plan.margins, plan.margins),
    ]
    for name, old, new in pairs:
        if old != new:
            raise ConfigError(
                f"{name}: expected that of the run {before.run_id}, {old}, found {new}: a run keeps its account; "
                "start another with --new, or take another --home"
            )
