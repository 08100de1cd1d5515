"""The results folder of a run, read back: its manifest and the three arrays beside it.

A run leaves `manifest.json` and raw arrays of fixed records. Everything that looks at a finished run
(metrics, report) starts here and only reads. The arrays are mapped, not loaded, so that a long run costs no
memory until a slice of it is asked for. Keys of the manifest that this file does not name are ignored: the
writer may add to it.
"""

from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.types import FACT_DTYPE, MARKOUT_DTYPE, SAMPLE_DTYPE
from tradebot.domain.errors import BadContainer
from tradebot.domain.instrument import Instrument
from tradebot.research.doubts import Doubts

MANIFEST_NAME: Final = "manifest.json"
ARRAYS: Final = {"facts.bin": FACT_DTYPE, "samples.bin": SAMPLE_DTYPE, "markouts.bin": MARKOUT_DTYPE}

Records = npt.NDArray[np.void]


class Selection(Struct, frozen=True, kw_only=True):
    """Which ticks went in. Times are UTC nanoseconds; `void_rows` are kept in the store and applied to nothing;
    `late_rows` of its imports were received before the row in front of them, and were put in their place."""

    rows: int = 0
    first_ns: int = 0
    last_ns: int = 0
    checksum: str | int = ""
    imports: list[object] = []
    void_rows: int | None = None
    late_rows: int = 0


class StrategyEntry(Struct, frozen=True, kw_only=True):
    """One strategy of the run; `number` is the owner slot of its facts."""

    number: int
    name: str
    use: str = ""
    params: dict[str, object] = {}
    source_hash: str = ""


class Costs(Struct, frozen=True, kw_only=True):
    """What trading was assumed to cost. Fees are fractions of the notional as decimal text: "0.003" is 0.3
    %."""

    maker_fee: str = "0"
    taker_fee: str = "0"
    fee_asset: str = ""
    fee_price: str = ""
    fee_origin: str = ""
    order_latency_ns: int = 0
    answer_latency_ns: int = 0
    order_latency: str = ""
    answer_latency: str = ""
    queue: str = ""
    spread: str = "0"
    slippage: str = "0"
    participation: str = "1"
    funding: str = ""
    margin: str = ""


class Amount(Struct, frozen=True):
    asset: str
    amount: str


class Account(Struct, frozen=True):
    start: list[Amount] = []


class Counters(Struct, frozen=True, kw_only=True):
    """What the run counted; `gaps` are holes the feed reported."""

    events: int = 0
    facts: int = 0
    commands: int = 0
    orders: int = 0
    fills: int = 0
    seconds: float = 0.0
    events_per_s: float = 0.0
    gaps: int = 0


class GridCell(Struct, frozen=True):
    """The same run at another maker fee and latency; `net` in money units of the quote asset."""

    fee: str
    latency_ns: int
    net: int
    fills: int = 0


class GradeEntry(Struct, frozen=True):
    """What orders were matched on: book, trades or bars, and a sentence that says which."""

    name: str = "book"
    note: str = ""


class Beside(Struct, frozen=True, kw_only=True):
    """The same strategy on the same ticks at another grade, a run of its own; money as decimal text of the quote asset."""

    run_id: str
    grade: GradeEntry
    gross_pnl: str
    fees: str
    net_pnl: str
    orders: int
    fills: int


class BookCheck(Struct, frozen=True, kw_only=True):
    """How many of the venue's real takers and trades the book reproduced, and the misses by name."""

    takers: int = 0
    takers_exact: int = 0
    trades: int = 0
    trades_exact: int = 0
    misses: list[str] = []


class Manifest(Struct, frozen=True, kw_only=True):
    """What the metrics and the report need of manifest.json."""

    run_id: str
    instruments: list[Instrument]
    mode: str = "backtest"
    created: str = ""
    command: str = ""
    config: dict[str, object] = {}
    selection: Selection = Selection()
    versions: dict[str, str] = {}
    strategies: list[StrategyEntry] = []
    costs: Costs = Costs()
    account: Account = Account()
    counters: Counters = Counters()
    digest: str | int | None = None
    quarantined: list[str | int] = []
    assets: list[str] = []
    opening: dict[str, str] = {}
    closing: dict[str, str] = {}
    grid: list[GridCell] | None = None
    book_check: BookCheck | None = None
    beside: Beside | None = None
    assumptions: list[str] = []
    overlaps: list[str] = []
    grade: GradeEntry = GradeEntry()
    doubts: Doubts = Doubts()

    def instrument(self, id_: int) -> Instrument:
        """The instrument version of that id. Raises BadContainer where the manifest does not list it."""
        for instrument in self.instruments:
            if instrument.id == id_:
                return instrument
        raise BadContainer(
            f"expected instrument {id_} in the manifest of run {self.run_id}, found "
            f"{[one.id for one in self.instruments]}; run the backtest again"
        )

    def strategy_name(self, number: int) -> str:
        names = {one.number: one.name for one in self.strategies}
        return names.get(number, f"strategy {number}")


class RunFiles(Struct, frozen=True, kw_only=True):
    """A results folder, open for reading: facts, samples and markouts in the order in which they were
    written."""

    folder: Path
    manifest: Manifest
    facts: Records
    samples: Records
    markouts: Records


def open_results(folder: Path) -> RunFiles:
    """Open a results folder. Raises BadContainer where a file is missing, torn or not what it claims to
    be."""
    arrays = {name: _map_array(folder / name, dtype) for name, dtype in ARRAYS.items()}
    return RunFiles(
        folder=folder,
        manifest=_read_manifest(folder / MANIFEST_NAME),
        facts=arrays["facts.bin"],
        samples=arrays["samples.bin"],
        markouts=arrays["markouts.bin"],
    )


def _read_manifest(path: Path) -> Manifest:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise _missing(path) from None
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise BadContainer(
            f"expected a run's manifest in {path}, found {error}; run the backtest again"
        ) from error


def _map_array(path: Path, dtype: np.dtype[np.void]) -> Records:
    if not path.is_file():
        raise _missing(path)
    size, rest = divmod(path.stat().st_size, dtype.itemsize)
    if rest:
        raise BadContainer(
            f"expected whole records of {dtype.itemsize} bytes in {path}, found {rest} bytes over; "
            "run the backtest again"
        )
    if size == 0:  # an empty file cannot be mapped
        return np.empty(0, dtype=dtype)
    return np.memmap(path, dtype=dtype, mode="r", shape=(size,))


def _missing(path: Path) -> BadContainer:
    return BadContainer(f"expected {path.name} in {path.parent}, found no such file; run the backtest again")
