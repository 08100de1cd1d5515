"""`compare RUN RUN...`: what was set apart, which figures differ and by how much, and a page of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

from tradebot.cli.call import Call, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE

_ALWAYS: Final = ("net_pnl", "spread_earned", "adverse_selection", "fees", "orders", "fills")


def add(verbs: Verbs) -> None:
    verb = verbs.add("compare", run, "hold runs against the first of them, figure by figure")
    verb.add_argument(
        "run_names", metavar="RUN", nargs="+", help="a run id, the start of one, its results folder, last, or last~1"
    )


def run(call: Call) -> int:
    call.refuse_config("a comparison takes all from the runs' manifests; give it to `tradebot backtest`")
    from tradebot.node.comparison import compare_runs

    found = compare_runs(call.words.run_names, call.home)
    call.output.answer(found, lambda: _draw(call.output, found))
    return EXIT_DONE


def _draw(output: Output, found: Mapping[str, object]) -> None:
    runs = cast(Sequence[Mapping[str, object]], found["runs"])
    ids = [str(one["run_id"]) for one in runs]
    if not found["comparable"]:
        output.line("NOT COMPARABLE: what differs below differs for more than one reason")
    for line in cast(Sequence[str], found["warnings"]):
        output.line(line)
    marks = [f"{chr(ord('A') + at)} {run_id}" for at, run_id in enumerate(ids)]
    settings = cast(Sequence[Mapping[str, object]], found["settings"])
    rows = [(f"{one['group']}: {one['name']}", *cast(Mapping[str, object], one["values"]).values()) for one in settings]
    if rows:
        output.table(("set apart", *marks), rows)
        output.line("")
    output.table(_heads(marks), list(_figures(found, runs, ids)))
    output.line("")
    output.line(f"page: {found['page']}")


def _heads(marks: Sequence[str]) -> tuple[str, ...]:
    return ("metric", *marks, *(f"{mark[0]} less A" for mark in marks[1:]))


def _figures(found: Mapping[str, object], runs: Sequence[Mapping[str, object]], ids: Sequence[str]) -> Iterator[Sequence[object]]:
    """The sum of the money first, also where it does not differ; then what else differs."""
    apart = cast(Mapping[str, Mapping[str, Mapping[str, object]]], found["differences"])
    rest = (name for name in apart if name not in _ALWAYS and not name.startswith("markouts."))  # those are on the page
    for name in (*_ALWAYS, *rest):
        if name in apart:
            values, less = apart[name]["values"], apart[name]["difference"]
            yield (name, *(values[run_id] for run_id in ids), *(less[run_id] for run_id in ids[1:]))
        else:
            yield (name, *(cast(Mapping[str, object], one["metrics"])[name] for one in runs), *([None] * (len(ids) - 1)))
