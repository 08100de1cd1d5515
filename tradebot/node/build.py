"""The composition root: takes a checked configuration and plugs store, engine, research and report together."""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import msgspec
import numpy as np
from msgspec import Struct

from tradebot._core.queue_model import QueueKind
from tradebot._core.types import FACT_DTYPE, SAMPLE_DTYPE
from tradebot.domain.errors import BadContainer, ConfigError, LocalError, UsageError
from tradebot.domain.instrument import Instrument
from tradebot.domain.orders import TradingState
from tradebot.domain.units import NS_PER_SECOND, money_from_text, money_text, parse_decimal, steps_exactly
from tradebot.engine.plan import Limits, Place, Plan
from tradebot.engine.ports import Nobody, Recorder, Records
from tradebot.node import identity, runs
from tradebot.node.config import Config, FeeRates, Grid, Loaded, config_from_dict, config_identity, config_to_dict
from tradebot.node.grades import BY_BOOK, Graded, find_grade, graded_stream, resolved
from tradebot.node.latencies import latency_models, latency_text
from tradebot.node.loading import source_hash
from tradebot.node.margins import check_funding, make_margins, margin_text
from tradebot.node.overlaps import overlap_notes
from tradebot.node.places import store_path, store_place
from tradebot.node.progress import Progress
from tradebot.node.schema import Costs
from tradebot.node.sources import Table, leaves
from tradebot.node.strategies import load_class, make_strategy
from tradebot.research import backtest
from tradebot.research.recording import FolderRecorder
from tradebot.research.replay import changed_environment, first_difference
from tradebot.research.results import Beside, BookCheck, GridCell, Manifest, open_results

if TYPE_CHECKING:
    from tradebot.store.client import Store
    from tradebot.store.ticks import Selection

_SAMPLES_MAX: Final = 7_500
_SAMPLE_GRID_S: Final = (1, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400)
_CHUNK_ROWS: Final = 1 << 16
_FEE_DIGITS: Final = 8

QUEUES: Final = {"risk-averse": QueueKind.RISK_AVERSE, "power": QueueKind.BY_POWER, "log": QueueKind.BY_LOG}


class Setup(Struct, frozen=True):
    """A configuration joined with what the store knows: what a run needs, and nothing that it does."""

    config: Config
    instruments: list[Instrument]
    selection: "Selection"
    plan: Plan
    from_ns: int | None
    to_ns: int | None
    graded: Graded
    overlaps: list[str]

    @property
    def names(self) -> list[str]:
        return [use.name for use in self.config.strategy]


def run_backtest(loaded: Loaded, home: Path, progress: Progress, command: str) -> dict[str, object]:
    """One backtest of a configuration over the home's store; the keys are those of CLI.md, and `quarantined`."""
    from tradebot.store.client import open_store

    if loaded.config.mode != "backtest":
        raise ConfigError(
            f'mode: expected "backtest" for a backtest, found {loaded.config.mode!r}: add --set mode=backtest, or start a node '
            "with `tradebot run`"
        )
    with open_store(store_place(home, loaded.config.store)) as store:
        return backtest_in(store, loaded.config, home, progress, command)


def backtest_in(
    store: "Store",
    config: Config,
    home: Path,
    progress: Progress,
    command: str,
    check: BookCheck | None = None,
    beside: Beside | None = None,
) -> dict[str, object]:
    """One backtest over an open store: run, measure, report, and put the results into the store."""
    setup = prepare(store, config)
    manifest = describe(setup, command)
    folder = runs.make_folder(home, identity.identity(manifest["identity"]))
    manifest = {"run_id": folder.name, **manifest, **msgspec.to_builtins({"book_check": check, "beside": beside})}
    try:
        runs.write_manifest(folder, manifest)
        with FolderRecorder(folder) as recorder:
            done = run_once(store, setup, recorder, progress, "backtest")
        manifest |= result_of(setup, done, late_rows(store, setup))
        runs.write_manifest(folder, manifest)
    except BaseException:  # also an interrupt: what did not end can be neither replayed nor reported
        runs.remove_folder(folder)
        raise
    grid = config.report.grid_wanted
    if grid is not None:
        manifest["grid"] = msgspec.to_builtins(run_grid(store, setup, grid, progress))
    runs.write_manifest(folder, manifest)
    report = write_report(folder)
    keep_results(store, folder, manifest, setup.names)
    return answer(folder, done, report, setup)


def prepare(store: "Store", config: Config) -> Setup:
    """Find the instruments and the ticks. Raises UnknownInstrument, EmptyRange, ConfigError."""
    return prepare_range(store, config, config.data.from_ns, config.data.to_ns)


def prepare_range(
    store: "Store", config: Config, from_ns: int | None, to_ns: int | None, only: Sequence[str] | None = None
) -> Setup:
    """As `prepare`, over the range and the imports that another run had: ticks that came later are not part of it."""
    names = list(dict.fromkeys(name for use in config.strategy for name in use.instrument_names(config.account.venue)))
    instruments = [store.instrument(name) for name in names]
    selection = store.selection([one.id for one in instruments], from_ns, to_ns, only)
    check_funding(store, config, instruments, only)
    graded = find_grade(store, config.data, instruments, from_ns, to_ns, only)
    plan = make_plan(config, instruments, selection.last_ns - selection.first_ns, graded)
    overlaps = overlap_notes(store, instruments, from_ns, to_ns, selection.imports)
    return Setup(resolved(config, graded), instruments, selection, plan, from_ns, to_ns, graded, overlaps)


def make_plan(config: Config, instruments: list[Instrument], span_ns: int, graded: Graded = BY_BOOK) -> Plan:
    """Everything that decides what a run does, as integers."""
    fees, latency, rate = config.fee_rates, config.costs.latency_ns, config.risk.order_rate_max
    order_latency, answer_latency = latency_models(config.costs)
    names = [one.name for one in instruments]
    places = []
    for use in config.strategy:
        markets = [names.index(name) for name in use.instrument_names(config.account.venue)]
        places.append(Place(markets, [make_limits(config, instruments[at]) for at in markets]))
    check_opening(config.account.balances, instruments)
    return Plan(
        instruments=instruments,
        opening=config.account.balances,
        places=places,
        maker_fee=fees.maker,
        taker_fee=fees.taker,
        fee_in_base=fees.asset == "base",
        order_latency_ns=latency.order_ns,
        answer_latency_ns=latency.answer_ns,
        order_latency=order_latency,
        answer_latency=answer_latency,
        queue=int(QUEUES[config.costs.queue]),
        queue_half_powers=round(2 * config.costs.queue_power),
        whole_fills=config.costs.fills == "whole",
        grade=int(graded.grade),
        half_spread=config.costs.half_spread,
        slippage=config.costs.slippage_fraction,
        participation=config.costs.participation_fraction,
        bars_ns=graded.bars_ns,
        rate_orders=rate.count_max,
        rate_interval_ns=rate.window_ns,
        worst_band=config.risk.price_band_fraction,
        trading_state=int(TradingState[config.risk.trading_state.upper()]),
        triggers_by_mark=config.risk.stop_trigger == "mark",
        sample_interval_ns=config.report.sample_ns or _sample_interval(span_ns),
        margins=make_margins(config.account, instruments),
        pays_funding=config.costs.funding == "recorded",
        fee_asset=fees.third,
        fee_worth=parse_decimal(fees.price or "1").as_integer_ratio(),
    )


def check_opening(opening: Mapping[str, int], instruments: Sequence[Instrument]) -> None:
    """Raise ConfigError where nothing that the account holds can trade any of the instruments."""
    usable = sorted({asset for one in instruments for asset in ((one.settle,) if one.is_contract else (one.base, one.quote))})
    if not any(opening.get(asset, 0) > 0 for asset in usable):
        raise ConfigError(
            f"account.start: expected some of {', '.join(usable)}, which the run trades, found {', '.join(opening) or 'nothing'}"
        )


def make_limits(config: Config, instrument: Instrument) -> Limits:
    """The risk section in the instrument's own units. Raises ConfigError where a limit is finer than a lot."""
    risk = config.risk

    def lots(name: str, text: str | None) -> int:
        try:
            return 0 if text is None else steps_exactly(parse_decimal(text), instrument.lot_size)
        except ValueError as error:
            raise ConfigError(f"risk.{name} = {text!r}: {error}, the lot of {instrument.name}") from error

    return Limits(
        quantity_max=lots("quantity_max", risk.quantity_max),
        notional_max=0 if risk.notional_max is None else money_from_text(risk.notional_max),
        position_max=lots("position_max", risk.position_max),
        band=risk.price_band_fraction,
        orders_open_max=risk.orders_open_max,
    )


def describe(setup: Setup, command: str) -> dict[str, object]:
    """The manifest of a run before it starts. `identity` holds what decides its digest."""
    config, plan, selection = setup.config, setup.plan, setup.selection
    fees = config.fee_rates
    strategies = [
        {
            "number": number,
            "name": use.name,
            "use": use.use,
            "params": msgspec.to_builtins(make_strategy(use).params),
            "source_hash": source_hash(load_class(use)),
        }
        for number, use in enumerate(config.strategy)
    ]
    ticks = msgspec.to_builtins(selection)
    return {
        "mode": config.mode,
        "created": runs.now_text(),
        "command": command,
        "config": {name: value for name, value in config_to_dict(config).items() if name not in ("download", "node")},
        "instruments": msgspec.to_builtins(setup.instruments),
        "selection": ticks,
        "versions": identity.versions(),
        "strategies": strategies,
        "costs": {
            "maker_fee": fraction_text(fees.maker),
            "taker_fee": fraction_text(fees.taker),
            "fee_asset": fee_asset_text(fees, setup.instruments),
            "fee_price": fees.price or "",
            "fee_origin": fees.origin,
            "order_latency_ns": plan.order_latency_ns,
            "answer_latency_ns": plan.answer_latency_ns,
            "order_latency": latency_text(plan.order_latency),
            "answer_latency": latency_text(plan.answer_latency),
            "queue": queue_text(config.costs),
            "spread": fraction_text(2 * plan.half_spread),
            "slippage": fraction_text(plan.slippage),
            "participation": fraction_text(plan.participation),
            "funding": config.costs.funding,
            "margin": margin_text(plan.margins, config.account, setup.instruments),
        },
        "grade": {"name": setup.graded.name, "note": setup.graded.note},
        "account": {
            "start": [{"asset": name, "amount": money_text(units)} for name, units in plan.opening.items()]
        },
        "assets": plan.assets,
        "opening": {name: money_text(units) for name, units in plan.opening.items()},
        "assumptions": [
            *setup.overlaps,
            *backtest.ASSUMPTIONS[plan.grade],
            *(backtest.CONTRACT_ASSUMPTIONS if plan.margins else []),
        ],
        "overlaps": setup.overlaps,
        "identity": {
            "config": config_identity(config),
            "plan": msgspec.to_builtins(plan),
            "strategies": [one["source_hash"] for one in strategies],
            "ticks": selection.checksum,
            "code": identity.code_hash(),
        },
    }


def fee_asset_text(fees: FeeRates, instruments: Sequence[Instrument]) -> str:
    """For people."""
    if fees.third:
        return f"{fees.third} at {fees.price}, while it lasts"
    return instruments[0].settle if instruments[0].is_contract else fees.asset


def queue_text(costs: Costs) -> str:
    """For people: where our orders stood in their queues."""
    power = f" {costs.queue_power:g}" if costs.queue == "power" else ""
    whole = ", whole fills" if costs.fills == "whole" else ""
    return f"exact order by order; {costs.queue}{power}{whole} where only totals are told"


def run_once(
    store: "Store", setup: Setup, recorder: Recorder, progress: Progress, what: str, plan: Plan | None = None
) -> backtest.Outcome:
    """Drive fresh strategies over the selection once, perhaps under another plan."""
    strategies = [make_strategy(use) for use in setup.config.strategy]
    progress.start(what, setup.selection.rows)
    try:
        source = _counted(store, setup, progress.advance)
        return backtest.run(plan or setup.plan, strategies, setup.names, source, recorder)
    finally:
        progress.done()


def _counted(store: "Store", setup: Setup, advance: Callable[[int], None]) -> Iterator[Records]:
    for batch in graded_stream(
        store, setup.graded, setup.instruments, setup.from_ns, setup.to_ns, setup.selection.imports
    ):
        yield batch
        advance(len(batch))


def late_rows(store: "Store", setup: Setup) -> int:
    """Rows that the selected imports received out of order."""
    return sum(report.late for report in store.import_reports(setup.selection.imports))


def result_of(setup: Setup, done: backtest.Outcome, late: int) -> dict[str, object]:
    """What a finished run adds to its manifest."""
    selection = msgspec.to_builtins(setup.selection) | {"void_rows": done.voids, "late_rows": late}
    counters = {
        "events": done.events,
        "facts": done.facts,
        "commands": done.commands,
        "orders": done.orders,
        "fills": done.fills,
        "seconds": done.seconds,
        "events_per_s": done.events_per_s,
        "gaps": done.gaps,
    }
    return {
        "selection": selection,
        "counters": counters,
        "digest": done.digest,
        "quarantined": done.failures,
        "doubts": msgspec.to_builtins(done.doubts),
        "closing": {
            name: money_text(total) for name, (_, total, _) in zip(setup.plan.assets, done.balances, strict=True)
        },
    }


def run_grid(store: "Store", setup: Setup, grid: Grid, progress: Progress) -> list[GridCell]:
    """The run again for each pair of fee and latency, really run: a strategy may act on what it has left."""
    cells = []
    progress.start("fee x latency", len(grid.fee_fractions) * len(grid.latencies_ns) * setup.selection.rows)
    try:
        for latency_ns in grid.latencies_ns:
            for fee in grid.fee_fractions:
                plan = msgspec.structs.replace(
                    setup.plan,
                    maker_fee=fee,
                    taker_fee=fee,
                    order_latency_ns=latency_ns,
                    answer_latency_ns=latency_ns,
                    order_latency=None,
                    answer_latency=None,
                    sample_interval_ns=0,
                )
                strategies = [make_strategy(use) for use in setup.config.strategy]
                source = _counted(store, setup, progress.advance)
                done = backtest.run(plan, strategies, setup.names, source, Nobody())
                cells.append(GridCell(fraction_text(fee), latency_ns, done.net(), done.fills))
    finally:
        progress.done()
    return cells


def write_report(folder: Path) -> Path:
    from tradebot.research.report import write_report

    return write_report(folder)


def keep_results(store: "Store", folder: Path, manifest: dict[str, object], names: Sequence[str]) -> None:
    """Put a run's facts into the store's tables, in chunks, so that they can be asked about with SQL."""
    run_id = str(manifest["run_id"])
    store.write_run(manifest)
    row = 0
    for facts in _chunks(folder / "facts.bin", FACT_DTYPE):
        store.write_orders(run_id, facts, row, names)
        store.write_fills(run_id, facts, row, names)
        row += len(facts)
    for samples in _chunks(folder / "samples.bin", SAMPLE_DTYPE):
        store.write_equity(run_id, samples, names)


def _chunks(path: Path, dtype: np.dtype[np.void]) -> Iterator[Records]:
    with path.open("rb") as file:
        while body := file.read(_CHUNK_ROWS * dtype.itemsize):
            yield np.frombuffer(body, dtype=dtype)


def answer(folder: Path, done: backtest.Outcome, report: Path, setup: Setup) -> dict[str, object]:
    """What `backtest` answers, as CLI.md says, and of its report what a reader of the figures alone would miss."""
    from tradebot.research.metrics import measure
    from tradebot.research.report import stated, warnings

    run = open_results(folder)
    metrics = measure(run)
    return {
        "run_id": folder.name,
        "events": done.events,
        "facts": done.facts,
        "seconds": round(done.seconds, 6),
        "events_per_s": round(done.events_per_s),
        "orders": done.orders,
        "fills": done.fills,
        "digest": done.digest,
        "metrics": msgspec.to_builtins(metrics),
        "report": str(report),
        "quarantined": done.failures,
        "grade": setup.graded.name,
        "note": setup.graded.note,
        "doubts": msgspec.to_builtins(done.doubts),
        "overlaps": setup.overlaps,
        "warnings": warnings(run.manifest, metrics),
        "stated": dict(stated(run.manifest)),
    }


def run_replay(run: str, home: Path, progress: Progress) -> dict[str, object]:
    """Run a run again: a backtest from its manifest and store selection, a node's from its journal. The keys are those of
    CLI.md.
    """
    from tradebot.store.client import open_store

    folder = find_run(home, run, with_nodes=True)
    if runs.is_node(folder):
        from tradebot.node.replaying import replay_node

        return replay_node(folder)
    dsn = recorded_config(folder, finished_manifest(folder)).store
    with open_store(store_place(home, dsn)) as store:
        return replay_in(store, folder, progress)


def replay_in(store: "Store", folder: Path, progress: Progress) -> dict[str, object]:
    """Replay over an open store. `first_difference` names the first fact that differs, and what changed around it."""
    manifest = finished_manifest(folder)
    selection = manifest.selection
    imports = [str(one) for one in selection.imports]
    setup = prepare_range(store, recorded_config(folder, manifest), selection.first_ns, selection.last_ns + 1, imports)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".replay-") as scratch:
        with FolderRecorder(Path(scratch)) as recorder:
            done = run_once(store, setup, recorder, progress, "replay")
        found = first_difference(folder / "facts.bin", Path(scratch) / "facts.bin")
    identical = done.digest == manifest.digest and found is None
    if not identical:
        found = "; ".join([found or "the commands are equal, the facts between them are not", *_changes(folder, setup)])
    return {
        "run_id": manifest.run_id,
        "facts": done.facts,
        "commands": done.commands,
        "digest": done.digest,
        "expected_digest": manifest.digest,
        "identical": identical,
        "first_difference": None if identical else found,
    }


def find_run(home: Path, name: str, with_nodes: bool = False) -> Path:
    """The results folder of a run, or the journal's of a node's. Raises UsageError, which says what is missing where the home's
    store has the run alone.
    """
    try:
        return runs.find_folder(home, name, with_nodes)
    except UsageError as error:
        alone = next((one for one in stored_alone(home) if name == "last" or str(one["run_id"]).startswith(name)), None)
        if alone is None:
            raise
        raise UsageError(
            f"expected the folder {home / 'results' / str(alone['run_id'])} of a run that is in the store, found none: a backup "
            f"holds the store without result folders; copy it from the home it was made in, or run `{alone.get('command')}` again"
        ) from error


def stored_alone(home: Path) -> list[dict[str, object]]:
    """The manifests of the backtests in the home's own store that have no results folder, newest first."""
    from tradebot.store.client import is_store, open_store

    if not is_store(store_path(home)):
        return []
    with open_store(store_path(home)) as store:
        backtests = [one for one in reversed(store.runs()) if one.get("mode", "backtest") == "backtest"]
    return [one for one in backtests if not (home / "results" / str(one["run_id"]) / runs.MANIFEST).is_file()]


def finished_manifest(folder: Path) -> Manifest:
    """The manifest of a whole results folder. Raises BadContainer where it is torn, LocalError where the run did not end."""
    manifest = open_results(folder).manifest
    if manifest.digest is None:
        raise LocalError(f"expected a finished run in {folder}, found one that did not end: run it again")
    return manifest


def recorded_config(folder: Path, manifest: Manifest) -> Config:
    """The configuration that a run had. Raises BadContainer where the manifest holds none that can be read."""
    try:
        return config_from_dict(manifest.config)
    except ConfigError as error:
        raise BadContainer(
            f"expected the configuration of a run in {folder / runs.MANIFEST}, found: {error}; run the backtest again"
        ) from error


def _changes(folder: Path, setup: Setup) -> list[str]:
    """What is no longer as it was when the run was made."""
    manifest = open_results(folder).manifest
    changes = changed_environment(manifest, identity.versions())
    before = runs.read_manifest(folder).get("identity", {})
    changes += _changed_keys(before, config_identity(setup.config))
    if setup.selection.checksum != manifest.selection.checksum:
        changes.append(f"ticks: checksum {manifest.selection.checksum} -> {setup.selection.checksum}")
    for entry, use in zip(manifest.strategies, setup.config.strategy, strict=False):
        if source_hash(load_class(use)) != entry.source_hash:
            changes.append(f"the source of strategy {entry.name} has changed")
    return changes


def _changed_keys(identified: object, config: Table) -> list[str]:
    """The keys of a manifest's configuration that are not what its identity says."""
    was = dict(leaves(cast(Table, identified["config"]))) if isinstance(identified, dict) and "config" in identified else {}
    return [f"the manifest's {key}: {was[key]} -> {value}" for key, value in leaves(config) if key in was and was[key] != value]


def run_report(run: str, home: Path) -> dict[str, object]:
    """Write the report of a finished run again."""
    folder = find_run(home, run)
    overlaps = finished_manifest(folder).overlaps
    return {"run_id": folder.name, "report": str(write_report(folder).resolve()), "overlaps": overlaps}


def run_demo(home: Path, progress: Progress, command: str) -> dict[str, object]:
    """The sample, a market maker over it, its replay and its report; `lines` is the first screen."""
    from tradebot.node.demo import demo

    return demo(home, progress, command)


def fraction_text(units: int) -> str:
    """A fee rate in 1e-8 as decimal text without trailing zeros: "0.003"."""
    text = money_text(units, _FEE_DIGITS).rstrip("0").rstrip(".")
    return text if text not in ("", "-") else "0"


def _sample_interval(span_ns: int) -> int:
    """The finest round interval that gives at most `_SAMPLES_MAX` samples."""
    for seconds in _SAMPLE_GRID_S:
        if span_ns <= seconds * NS_PER_SECOND * _SAMPLES_MAX:
            return seconds * NS_PER_SECOND
    return _SAMPLE_GRID_S[-1] * NS_PER_SECOND
