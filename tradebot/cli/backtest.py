"""`backtest`: one run of a configuration over stored ticks."""

from collections.abc import Mapping, Sequence
from typing import cast

from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED
from tradebot.domain.words import one_line


def add(verbs: Verbs) -> None:
    verbs.add("backtest", run, "run a configuration over stored ticks")


def run(call: Call) -> int:
    """A strategy that raised is quarantined and the run goes on; the exit code then says that it failed."""
    loaded = call.load_config()
    from tradebot.node.build import run_backtest

    found = run_backtest(loaded, call.make_home(), call.output.progress, call.command)
    call.output.answer(found, lambda: draw_run(call.output, found))
    for overlap in cast(list[str], found["overlaps"]):
        call.output.note(f"warning: {overlap}")
    quarantined = list(cast(list[object], found.get("quarantined") or []))
    for strategy in quarantined:
        call.output.note(f"tradebot: quarantined: {one_line(str(strategy))}")
    return EXIT_FAILED if quarantined else EXIT_DONE


def draw_run(output: Output, found: Mapping[str, object]) -> None:
    """A run for people: what it did, what its report says in red, its metrics, what was assumed, where the report lies."""
    names = ("run_id", "grade", "events", "seconds", "events_per_s", "orders", "fills", "digest")
    metrics = cast(Mapping[str, object], found["metrics"])
    output.table(("run", "value"), [(name, found[name]) for name in names])
    if found["note"]:
        output.line(str(found["note"]))
    for line in cast(Sequence[str], found["warnings"]):
        output.line(f"warning: {line}")
    output.line("")
    output.table(("metric", "value"), [(name, value) for name, value in metrics.items() if not isinstance(value, list | dict)])
    _draw_refusals(output, cast(Mapping[str, int], metrics["rejects_by_reason"]), cast(int, found["fills"]))
    _draw_doubts(output, cast(Mapping[str, object], found["doubts"]))
    output.line("")
    output.table(("assumed", "value"), list(cast(Mapping[str, str], found["stated"]).items()))
    output.line("")
    output.line(f"report: {found['report']}")


def _draw_doubts(output: Output, doubts: Mapping[str, object]) -> None:
    if doubts["bars"]:
        output.line("")
        output.line(
            f"{doubts['bars']} bars reached a stop and a target: the stop was taken; the target first would have brought "
            f"{doubts['difference']} more"
        )


def _draw_refusals(output: Output, refusals: Mapping[str, int], fills: int) -> None:
    if not refusals:
        return
    output.line("")
    reasons = ", ".join(f"{count:,} {reason.lower()}" for reason, count in refusals.items())
    output.line(f"{sum(refusals.values()):,} rejected: {reasons}")
    if not fills:
        output.line("no order was filled: look at the refusals above, and at the risk section with `tradebot config show`")
