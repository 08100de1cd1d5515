"""`demo`: the sample ticks, a market maker over them, its replay, and the report, in one command."""

from collections.abc import Sequence
from typing import cast

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED


def add(verbs: Verbs) -> None:
    verbs.add("demo", run, "fetch the sample ticks, run a market maker over them, write the report")


def run(call: Call) -> int:
    call.refuse_config("the demo is one fixed run; give your own to `tradebot backtest`")
    from tradebot.node.build import run_demo

    found = run_demo(call.make_home(), call.output.progress, call.command)
    lines = cast(Sequence[str], found["lines"])
    answer = {key: value for key, value in found.items() if key != "lines"}
    call.output.answer(answer, lambda: call.output.line("\n".join(lines)))
    return EXIT_DONE if found["replayed_identical"] and not found["quarantined"] else EXIT_FAILED
