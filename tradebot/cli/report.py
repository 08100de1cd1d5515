"""`report RUN`: write the HTML and JSON report of a run again."""

from typing import cast

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE


def add(verbs: Verbs) -> None:
    verb = verbs.add("report", run, "write the HTML and JSON report of a run")
    verb.add_argument(
        "run_name", metavar="RUN", help="a run id, the start of one, its results folder, or last"
    )


def run(call: Call) -> int:
    from tradebot.node.build import run_report

    found = run_report(call.words.run_name, call.home)
    call.output.answer(found, lambda: call.output.line(f"report: {found['report']}"))
    for overlap in cast(list[str], found["overlaps"]):
        call.output.note(f"warning: {overlap}")
    return EXIT_DONE
