"""Runs side by side: what was set apart, which figures differ and by how much, where the money differs, where they part.

The first run is what the others are held against. A comparison is only worth its data: two runs that did not see the same
facts differ for two reasons at once, and nobody can tell them apart. So that is looked for first, and said before any
figure. Money in different assets has no difference at all; ratios still do.

Differences of money are exact, of decimal text; of counts, of ints; of ratios, of floats.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from tradebot.domain.errors import UsageError
from tradebot.domain.units import parse_decimal, time_text
from tradebot.research.metrics import DEFINITIONS, Metrics, measure
from tradebot.research.results import Manifest, RunFiles, open_results
from tradebot.research.settings import Setting, differing

RUNS_MAX: Final = 12  # columns that a page can show, and lines that an eye can tell apart

# Where the net P&L comes from, each with its sign in the sum; those that runs are measured by.
_TERMS: Final = (("spread_earned", 1), ("adverse_selection", 1), ("fees", -1), ("funding", -1))
MONEY_TERMS: Final = tuple((name, sign) for name, sign in _TERMS if name in Metrics.__struct_fields__)

Value = bool | int | float | str | None


class Measured(Struct, frozen=True):
    """One run of a comparison; `mark` is its letter, `figures` its metrics without nesting."""

    mark: str
    run: RunFiles
    metrics: Metrics
    figures: dict[str, Value]

    @property
    def run_id(self) -> str:
        return self.run.manifest.run_id


class Comparison(Struct, frozen=True):
    """Some runs, the first to compare with. `doubts` say why they are not comparable; empty where they are."""

    runs: list[Measured]
    settings: list[Setting]
    doubts: list[str]
    remarks: list[str]

    @property
    def assets(self) -> list[str]:
        """Each run's quote asset."""
        return [one.metrics.quote_asset for one in self.runs]

    @property
    def is_one_currency(self) -> bool:
        return len(set(self.assets)) == 1


def compare(folders: Sequence[Path]) -> Comparison:
    """Read and measure finished runs, and hold them against the first.

    Raises UsageError on fewer than two different runs or more than `RUNS_MAX`, BadContainer where one cannot be read.
    """
    if not 2 <= len(folders) <= RUNS_MAX:
        raise UsageError(f"expected 2 to {RUNS_MAX} runs to compare, found {len(folders)}: name each by its id, or last, last~1")
    runs = [_measured(chr(ord("A") + at), folder) for at, folder in enumerate(folders)]
    ids = [one.run_id for one in runs]
    for run_id in ids:
        if ids.count(run_id) > 1:
            raise UsageError(f"expected different runs, found {run_id} twice: name another, as last~1")
    manifests = [one.run.manifest for one in runs]
    return Comparison(runs, differing(manifests), list(_doubts(runs)), list(_remarks(runs)))


def differences(found: Comparison) -> dict[str, dict[str, dict[str, Value]]]:
    """For each figure that differs: `values` by run, and `difference` to the first by run, None where it has none."""
    first, *others = found.runs
    names = list(dict.fromkeys(name for one in found.runs for name in one.figures))
    answer: dict[str, dict[str, dict[str, Value]]] = {}
    for name in names:
        values = {one.run_id: one.figures.get(name) for one in found.runs}
        if any(value != values[first.run_id] for value in values.values()):
            apart = {one.run_id: difference(found, name, one) for one in others}
            answer[name] = {"values": values, "difference": apart}
    return answer


def difference(found: Comparison, name: str, other: Measured) -> Value:
    """A figure less that of the first run; None where either has none, or it is money of another asset."""
    first = found.runs[0]
    if _is_money(name) and other.metrics.quote_asset != first.metrics.quote_asset:
        return None
    return _less(other.figures.get(name), first.figures.get(name))


def figures(metrics: Metrics) -> dict[str, Value]:
    """All metrics by dotted name, each a plain value: `net_pnl`, `buy_and_hold.net_pnl`, `rejects_by_reason.TOO_LARGE`."""
    data: dict[str, Any] = msgspec.to_builtins(metrics)
    data["markouts"] = {_markout_name(one): _mean(one) for one in data["markouts"]}
    return {name: value for name, value in _flat(data, "") if not isinstance(value, list)}


def _measured(mark: str, folder: Path) -> Measured:
    run = open_results(folder)
    metrics = measure(run)
    return Measured(mark, run, metrics, figures(metrics))


def _markout_name(one: Mapping[str, Any]) -> str:
    return f"{one['instrument']}.{one['side']}.{one['liquidity']}.{one['horizon_s']:g}s"


def _mean(one: Mapping[str, Any]) -> dict[str, Value]:
    return {name: one[name] for name in ("count", "mean", "mean_basis_points")}


def _flat(table: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, value


def _is_money(name: str) -> bool:
    return DEFINITIONS[name.partition(".")[0]][0].startswith("quote")


def _less(value: Value, first: Value) -> Value:
    if isinstance(value, bool) or isinstance(first, bool):
        return None
    if isinstance(value, int | float) and isinstance(first, int | float):
        return value - first
    if isinstance(value, str) and isinstance(first, str):
        try:
            return f"{parse_decimal(value) - parse_decimal(first):f}"
        except ValueError:  # words and times have no difference
            return None
    return None


def _doubts(runs: Sequence[Measured]) -> Iterator[str]:
    """Why these runs are not comparable, a sentence each."""
    if said := _apart(runs, _markets):
        yield f"The runs trade different instruments: {said}."
    if said := _apart(runs, _range):
        yield f"The runs cover different times: {said}."
    elif said := _apart(runs, lambda one: f"{one.selection.rows:,} rows, checksum {str(one.selection.checksum)[:16]}"):
        yield f"The runs saw different facts: {said}."


def _remarks(runs: Sequence[Measured]) -> Iterator[str]:
    """What else a reader must know, a sentence each."""
    assets = [one.metrics.quote_asset for one in runs]
    if len(set(assets)) > 1:
        each = ", ".join(f"{one.mark} in {one.metrics.quote_asset}" for one in runs)
        yield f"Money is counted in different currencies, {each}: no difference of money is given, and curves are in percent."
    if grades := _apart(runs, lambda one: f"{one.grade.name.removesuffix('s')} grade"):
        yield (
            f"The runs were matched on different data: {grades}. Without a book no middle price is known, so nothing counts "
            "there as spread earned."
        )
    if _apart(runs, lambda one: one.versions.get("code", "")):
        yield "The runs were made by different code: what differs may be the engine, not the strategy."
    for one in runs:
        for name in one.run.manifest.quarantined:
            shown = one.run.manifest.strategy_name(name) if isinstance(name, int) else name
            yield f"In {one.mark} a strategy raised an error and was quarantined: {shown}."
        if not one.metrics.books_agree:
            yield f"In {one.mark} the books disagree, so no figure of it is to be trusted."


def _apart(runs: Sequence[Measured], say: Callable[[Manifest], str]) -> str:
    """What each run has, where it is not the same in all; else nothing."""
    said = [say(one.run.manifest) for one in runs]
    if len(set(said)) == 1:
        return ""
    return "; ".join(f"{one.mark} {text}" for one, text in zip(runs, said, strict=True))


def _markets(manifest: Manifest) -> str:
    return ", ".join(sorted(one.name for one in manifest.instruments))


def _range(manifest: Manifest) -> str:
    first, last = (time_text(ns)[:19].replace("T", " ") for ns in (manifest.selection.first_ns, manifest.selection.last_ns))
    return f"{first} to {last}"
