"""`bench match`: how fast orders, cancels and market orders go through the matcher, alone.

The stream is `ops.npy` of `benchmarks/yardsticks/gen_stream.py`. Beside it may lie `meta.json`, the generator's own account of
what its orders came to: fills, volume, live orders, best prices and sizes; a run that comes to anything else is an error, so
no figure is told of a matcher that is wrong. Loading is timed apart, and nothing is called back.
"""

import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Struct

from tradebot._core.exchange import OPERATION_DTYPE, Exchange, OperationKind
from tradebot.domain.errors import BadContainer, LocalError

REPEATS: Final = 5
_FIELDS: Final = frozenset({"oid", "px", "qty", "kind", "side"})
_KINDS: Final = np.array([OperationKind.PLACE, OperationKind.CANCEL, OperationKind.MARKET], np.uint8)


class Matched(Struct, frozen=True, kw_only=True):
    """The keys of CLI.md, and what the orders came to. `checked`: it is what the generator says."""

    operations: int
    ns_per_op: float
    fills: int
    volume: int
    live: int
    bid: int
    ask: int
    bid_quantity: int
    ask_quantity: int
    load_s: float
    checked: bool
    digest: str


class Truth(Struct, frozen=True):
    """What of `meta.json` is compared."""

    nops: int
    n_fills: int
    volume: int
    live: int
    bid: int
    ask: int
    bq: int
    aq: int


def match(path: Path) -> Matched:
    """Load a stream and match it several times; the median counts. Raises BadContainer; LocalError where it comes out wrong."""
    started = time.perf_counter()
    operations, truth = load(path), read_truth(path.with_name("meta.json"))
    load_s = time.perf_counter() - started
    times, exchange = [], Exchange()
    for _ in range(REPEATS):
        exchange = Exchange()
        started = time.perf_counter()
        exchange.apply(operations)
        times.append(time.perf_counter() - started)
    exchange.validate()
    found = _told(exchange, sorted(times)[REPEATS // 2], load_s, truth is not None)
    if truth is not None:
        check(found, truth)
    return found


def load(path: Path) -> npt.NDArray[np.void]:
    """Operations of a stream. Raises BadContainer."""
    try:
        rows = np.load(path)
        if not set(rows.dtype.names or ()) >= _FIELDS or rows.ndim != 1 or not len(rows):
            raise ValueError(f"{rows.dtype} of shape {rows.shape}")
        if not np.isin(rows["kind"], (0, 1, 2)).all() or not np.isin(rows["side"], (1, -1)).all():
            raise ValueError("kinds other than 0, 1, 2, or sides other than 1 and -1")
    except (OSError, ValueError, EOFError, AttributeError) as error:
        raise BadContainer(
            f"expected a stream of orders with the fields {', '.join(sorted(_FIELDS))} in {path}, found: {error}; "
            "make one with benchmarks/yardsticks/gen_stream.py"
        ) from error
    operations = np.zeros(len(rows), OPERATION_DTYPE)
    operations["id"], operations["price"], operations["quantity"] = rows["oid"], rows["px"], rows["qty"]
    operations["kind"], operations["side"] = _KINDS[rows["kind"]], rows["side"] < 0
    return operations


def read_truth(path: Path) -> Truth | None:
    """None where there is none. Raises BadContainer where it cannot be read."""
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Truth)
    except (OSError, msgspec.MsgspecError) as error:
        raise BadContainer(f"expected the generator's account in {path}, found: {error}; make the stream again") from error


def check(found: Matched, truth: Truth) -> None:
    """Raises LocalError that names what differs."""
    ours = {
        "nops": found.operations, "n_fills": found.fills, "volume": found.volume, "live": found.live, "bid": found.bid,
        "ask": found.ask, "bq": found.bid_quantity, "aq": found.ask_quantity,
    }  # fmt: skip
    wrong = [f"{name} {getattr(truth, name)}, found {value}" for name, value in ours.items() if getattr(truth, name) != value]
    if wrong:
        raise LocalError(f"expected what the generator's meta.json says: {'; '.join(wrong)}; is it of this stream?")


def _told(exchange: Exchange, seconds: float, load_s: float, checked: bool) -> Matched:
    (bid, bid_quantity), (ask, ask_quantity) = (exchange.best(side) or (0, 0) for side in (0, 1))
    return Matched(
        operations=exchange.operations,
        ns_per_op=round(seconds / exchange.operations * 1e9, 2),
        fills=exchange.fills,
        volume=exchange.volume,
        live=exchange.live,
        bid=bid,
        ask=ask,
        bid_quantity=bid_quantity,
        ask_quantity=ask_quantity,
        load_s=round(load_s, 3),
        checked=checked,
        digest=exchange.digest_text,
    )
