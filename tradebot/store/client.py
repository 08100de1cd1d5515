"""The store: market facts in, market facts out in order, results of runs beside them.

`open_store` is one of three: the embedded engine, of which one process at a time is the owner; the owner's service,
where another process is it; a ClickHouse server. Everything else is a method of what it returns, in one SQL.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from tradebot._core.types import Kind
from tradebot.domain.errors import StoreError, StoreFull, StoreGone, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.store import intake, results, tape, ticks, withdrawal
from tradebot.store.backend import Backend, Column, is_disk_full
from tradebot.store.batches import Records
from tradebot.store.engine import Engine
from tradebot.store.following import Following, Opened
from tradebot.store.imports import ImportReport, ImportSource
from tradebot.store.instruments import find_instrument
from tradebot.store.intake import Progress
from tradebot.store.migrations import prepare, version_of
from tradebot.store.owner import Held, Owner
from tradebot.store.remote import Remote
from tradebot.store.results import Chunk, Rows, Standing
from tradebot.store.schema import VERSION
from tradebot.store.server import Server, read_dsn
from tradebot.store.share import Share
from tradebot.store.ticks import Dataset, Selection

OWNER_WAIT_S: Final = 15.0  # for an owner that is just opening or just closing
OWNER_POLL_S: Final = 0.05
REGISTER_WAIT_S: Final = 60.0


def open_store(place: Path | str) -> "Store":
    """Open the store at a path, making it where there is none (0700), or that of a server, by its
    `clickhouse://user:password@host:port/database`. Where another process has the path open, use it through that
    process; where none has, own it and let others in as long as it is open.

    Raises StoreOwned where the process that holds it cannot be asked, StoreFull on a full disk, StoreError where this
    process has another store open or the store was made by another version, UsageError for a DSN that is none.
    """
    if isinstance(place, str):
        return _connect(place)
    path = place.absolute()
    opened = _open_path(path)
    if isinstance(opened.backend, Remote):
        return Store(following := Following(opened, lambda: _open_path(path)), following.close)
    return Store(*opened)


def _connect(dsn: str) -> "Store":
    server = Server(read_dsn(dsn))
    try:
        prepare(server)
    except BaseException:
        server.close()
        raise
    return Store(server, server.close)


def is_store(path: Path) -> bool:
    """Whether a store lies there; nothing is opened."""
    return (path / "store").is_dir()


@contextmanager
def open_as_it_is(place: Path | str, is_alone: bool) -> Iterator[Backend]:
    """The backend of a store of whatever version, to copy or to migrate it. Where it `is_alone`, no other process may
    have the path open, else it is used through that process.

    Raises as `open_store`, but for the version.
    """
    if isinstance(place, str):
        with closing(Server(read_dsn(place))) as server:
            yield server
        return
    opened = _own_as_it_is(place.absolute()) if is_alone else _open_path(place.absolute(), _own_as_it_is)
    try:
        yield opened.backend
    finally:
        opened.close()


def _own_as_it_is(path: Path) -> Opened:
    """Others are let in where they could use it."""
    with ExitStack() as opened:
        opened.enter_context(Owner(path))
        engine = opened.enter_context(closing(Engine(path)))
        if version_of(engine) == VERSION:
            with suppress(OSError):
                opened.enter_context(closing(Share(engine)))
        return Opened(engine, opened.pop_all().close)


def _open_path(path: Path, own: Callable[[Path], Opened] | None = None) -> Opened:
    end = time.monotonic() + OWNER_WAIT_S
    while True:
        try:
            _make_folders(path)
            return (own or _own)(path)
        except Held as held:
            if not held.shares:
                raise
            joined = _join(path, held)
            if joined is not None:
                return joined
            if time.monotonic() > end:
                raise
        except OSError as error:
            raise _unusable(path, error) from error
        time.sleep(OWNER_POLL_S)


def _own(path: Path) -> Opened:
    with ExitStack() as opened:
        opened.enter_context(Owner(path))
        engine = opened.enter_context(closing(Engine(path)))
        prepare(engine)
        with suppress(OSError):  # where no socket can be made the store is ours alone
            opened.enter_context(closing(Share(engine)))
        return Opened(engine, opened.pop_all().close)


def _join(path: Path, held: Held) -> Opened | None:
    """None where the owner is not there yet, or not any more."""
    try:
        remote = Remote(path, held.who)
    except (OSError, StoreGone):
        return None
    return Opened(remote, remote.close)


def _make_folders(path: Path) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in (*reversed(missing), path):
        folder.mkdir(mode=0o700, exist_ok=True)


def _unusable(path: Path, error: OSError) -> StoreError:
    if is_disk_full(error):
        return StoreFull(
            f"expected room on the disk of {path}, found it full; free some, or give another --home"
        )
    return StoreError(f"expected a folder for the store at {path}, found: {error}; give another --home")


class Store:
    """An open store; close it, or use it in a `with`."""

    def __init__(self, backend: Backend, close: Callable[[], None]) -> None:
        self.place = backend.place
        self._backend = backend
        self._close = close

    def close(self) -> None:
        """Give the store up; an owner first finishes what others have under way. May be called again."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def register(self, instrument: Instrument) -> None:
        """Make an instrument version known. Raises UsageError where its id stands for another definition."""
        with self._backend.lease("the list of instruments", REGISTER_WAIT_S):
            if not self._known(instrument):
                text = msgspec.json.encode(instrument).decode()
                row: dict[str, Column] = {"id": [instrument.id], "definition": [text]}
                self._backend.insert("instruments", row, {"id": "UInt32", "definition": "String"})

    def instruments(self) -> list[Instrument]:
        """All that are known, by name and version."""
        rows = self._backend.rows("SELECT DISTINCT definition FROM instruments")
        found = [msgspec.json.decode(row[0], type=Instrument) for row in rows]
        return sorted(found, key=lambda one: (one.name, one.version))

    def instrument(self, text: str) -> Instrument:
        """By "BTC/USD@bitstamp", or "BTC/USD" where one venue has it; the newest version.

        Raises UnknownInstrument, which names the nearest known.
        """
        return find_instrument(self.instruments(), text)

    def import_records(
        self,
        instrument: Instrument,
        source: ImportSource,
        batches: Iterable[Records],
        progress: Progress | None = None,
    ) -> ImportReport:
        """Bring in records of one instrument, ordered by time_ns; all are visible at the end, or none.

        The same import again reads no batch and returns the earlier report with `repeated` set. `progress`
        gets the rows written so far. Raises StoreFull, and whatever the batches raise; the store is then as
        before.
        """
        self._known(instrument)
        return intake.import_records(self._backend, instrument, source, batches, progress, self.register)

    def stream(
        self,
        instrument_ids: Sequence[int],
        from_ns: int | None = None,
        to_ns: int | None = None,
        batch_rows: int = ticks.BLOCK_ROWS,
        kinds: Sequence[int] | None = None,
        only: Sequence[str] | None = None,
    ) -> Iterator[Records]:
        """Records ordered by (time_ns, position of the instrument, import, row of import), `to_ns` exclusive; of some kinds,
        or of some imports (`only`, ids in hex), where these are named.

        Batches have `batch_rows` rows each, the last may be shorter, and their concatenation does not depend
        on it. Memory is bounded by the batch, not by the range. Streams may run side by side.
        """
        return ticks.stream(self._backend, instrument_ids, from_ns, to_ns, batch_rows, kinds, only)

    def selection(
        self,
        instrument_ids: Sequence[int],
        from_ns: int | None = None,
        to_ns: int | None = None,
        only: Sequence[str] | None = None,
    ) -> Selection:
        """What `stream` would give, counted and hashed. Raises EmptyRange, which names the range that exists."""
        return ticks.select(self._backend, self._by_id(instrument_ids), from_ns, to_ns, only)

    def has_funding(
        self,
        instrument_id: int,
        from_ns: int | None = None,
        to_ns: int | None = None,
        only: Sequence[str] | None = None,
    ) -> bool:
        """Whether the range holds a settlement of funding."""
        return ticks.has_kind(self._backend, instrument_id, Kind.FUNDING, from_ns, to_ns, only)

    def catalogue(self) -> list[Dataset]:
        """What the store holds, one entry an instrument version with committed imports."""
        return ticks.catalogue(self._backend, self.instruments())

    def find_import(self, instrument: Instrument, source: ImportSource) -> ImportReport | None:
        """The report of a committed import of this content, in whatever place it stands."""
        return intake.find_content(self._backend, source.content_id(instrument.id))

    def imports(self) -> list[withdrawal.Held]:
        """All finished imports, oldest first."""
        return withdrawal.list_imports(self._backend, self._names())

    def choose_imports(self, wanted: Sequence[str]) -> list[withdrawal.Held]:
        """Imports to be removed, unfinished ones too, by ids in hex or their starts, in the order in which they may go.

        Raises UsageError where one is not there, Refused where another that stays goes on with its book.
        """
        names = self._names()
        held = withdrawal.list_imports(self._backend, names) + withdrawal.list_unfinished(self._backend, names)
        return withdrawal.choose_imports(held, wanted)

    def remove_import(self, import_id: str) -> None:
        """Take an import out, by its id in hex: unseen at once, then gone. Killed in between, the same again goes on."""
        withdrawal.remove_import(self._backend, import_id)

    def import_reports(self, import_ids: Sequence[str]) -> list[ImportReport]:
        """Reports of committed imports, by their ids in hex."""
        found = [intake.find_report(self._backend, int(one, 16)) for one in import_ids]
        return [report for report in found if report is not None]

    def write_run(self, manifest: Mapping[str, Any]) -> None:
        """Begin to write a run: whatever is there of its `run_id` goes first, so writing a run again replaces
        it.
        """
        results.write_run(self._backend, manifest)

    def runs(self) -> list[dict[str, Any]]:
        """The manifests of the runs written, oldest first."""
        return results.read_runs(self._backend)

    def standing(self, run_id: str) -> Standing:
        """How far a run that is written while it goes on is in the tables."""
        return results.find_standing(self._backend, run_id)

    def told(self, run_id: str) -> tape.Told | None:
        """The newest block of market facts that a run recorded."""
        return tape.find_told(self._backend, run_id)

    def write_orders(
        self, run_id: str, facts: Chunk, first_row: Rows = 0, strategies: Sequence[str] = ()
    ) -> None:
        """Add the order events among a chunk of the run's facts, which begins at `first_row` of them."""
        results.write_orders(self._backend, run_id, facts, first_row, strategies)

    def write_fills(
        self, run_id: str, facts: Chunk, first_row: Rows = 0, strategies: Sequence[str] = ()
    ) -> None:
        """Add the fills among a chunk of the run's facts, which begins at `first_row` of them."""
        results.write_fills(self._backend, run_id, facts, first_row, strategies)

    def write_equity(self, run_id: str, samples: Chunk, strategies: Sequence[str] = ()) -> None:
        """Add a chunk of the run's equity samples."""
        results.write_equity(self._backend, run_id, samples, strategies)

    def query(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a small result, for reports and tests."""
        return self._backend.rows(sql, parameters)

    def _known(self, instrument: Instrument) -> bool:
        rows = self._backend.rows(f"SELECT definition FROM instruments WHERE id = {instrument.id}")
        known = [msgspec.json.decode(row[0], type=Instrument) for row in rows]
        if known and known[0] != instrument:
            raise UsageError(
                f"expected {known[0].name} version {known[0].version} with tick {known[0].tick} and lot "
                f"{known[0].lot} for instrument {instrument.id}, found {instrument.name} version "
                f"{instrument.version} with tick {instrument.tick} and lot {instrument.lot}; "
                "give it a new version"
            )
        return bool(known)

    def _names(self) -> dict[int, str]:
        return {one.id: one.name for one in self.instruments()}

    def _by_id(self, instrument_ids: Sequence[int]) -> list[Instrument]:
        known = {one.id: one for one in self.instruments()}
        missing = [one for one in instrument_ids if one not in known]
        if missing:
            raise UsageError(
                f"expected ids of known instruments, found {missing[0]}; see `tradebot data list`"
            )
        return [known[one] for one in instrument_ids]
