"""Latency models of a plan: from the configuration's words, or from a file of measured round trips."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tradebot._core.latency import LatencyKind
from tradebot.domain.errors import BadContainer, ConfigError
from tradebot.domain.units import duration_text
from tradebot.engine.plan import Latency
from tradebot.node.schema import Costs, Delays
from tradebot.node.values import LATENCY_MAX_NS, LatencyModel

COLUMNS: Final = "time_ns,order_ns,answer_ns"
MEASUREMENTS_MAX: Final = 1_000_000


def latency_models(costs: Costs) -> tuple[Latency | None, Latency | None]:
    """Of orders and of answers; None where it is the constant that the plan holds already.

    Raises ConfigError or BadContainer where the file of measurements is none.
    """
    delays = costs.latency if isinstance(costs.latency, Delays) else Delays()
    if delays.recorded is not None:
        return _recorded(Path(delays.recorded))
    models = costs.latency_ns
    # Two streams of draws, so that the way there tells nothing of the way back.
    return _drawn(models.order, 2 * delays.seed), _drawn(models.answer, 2 * delays.seed + 1)


def latency_text(model: Latency | None) -> str:
    """For people; empty where it is constant."""
    if model is None:
        return ""
    least, spread = duration_text(model.least_ns), duration_text(model.spread_ns)
    if model.kind == LatencyKind.UNIFORM:
        return f"{least} to {duration_text(model.least_ns + model.spread_ns)}, drawn evenly, seed {model.seed}"
    if model.kind == LatencyKind.EXPONENTIAL:
        return f"at least {least}, {spread} more in the mean, drawn exponentially, seed {model.seed}"
    return f"{len(model.values_ns):,} measurements, interpolated"


def _drawn(model: LatencyModel, seed: int) -> Latency | None:
    if model.kind == LatencyKind.CONSTANT:
        return None
    return Latency(kind=int(model.kind), least_ns=model.least_ns, spread_ns=model.spread_ns, seed=seed % 2**63)


def _recorded(path: Path) -> tuple[Latency, Latency]:
    rows = list(_read(path))
    if not rows:
        raise ConfigError(f"costs.latency.recorded: expected measurements in {path}, found none below the header")
    times, orders, answers = (list(column) for column in zip(*rows, strict=True))
    kind = int(LatencyKind.RECORDED)
    return Latency(kind=kind, times_ns=times, values_ns=orders), Latency(kind=kind, times_ns=times, values_ns=answers)


def _read(path: Path) -> Iterator[tuple[int, ...]]:
    before = -(2**63)
    with path.open(encoding="ascii", errors="replace") as lines:
        found = lines.readline().strip()
        if found != COLUMNS:
            raise BadContainer(f"expected the columns {COLUMNS} in {path}, found {found[:80]!r}")
        for number, line in enumerate(lines, 2):
            row = _row(line.strip(), path, number)
            if row[0] < before or number > MEASUREMENTS_MAX:
                what = "times that ascend" if row[0] < before else f"at most {MEASUREMENTS_MAX} measurements"
                raise BadContainer(f"{path}:{number}: expected {what}, found {line.strip()[:80]!r}")
            before = row[0]
            yield row


def _row(line: str, path: Path, number: int) -> tuple[int, ...]:
    cells = line.split(",")
    if len(cells) == 3 and all(cell.isdecimal() for cell in cells):
        row = tuple(map(int, cells))
        if row[0] < 2**63 and max(row[1:]) <= LATENCY_MAX_NS:
            return row
    raise BadContainer(f"{path}:{number}: expected a time and two latencies of at most 1 h, whole ns, found {line[:80]!r}")
