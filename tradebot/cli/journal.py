"""`journal inspect / verify / export`: what a run's journal holds, whether it is whole, and its facts as Parquet."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from tradebot.cli.call import Call, Parser, Verbs
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED

FAULTS_SHOWN_MAX: Final = 20

_COUNTS: Final = ("run_id", "from_fact", "segments", "frames", "facts", "commands", "torn", "corrupt")


def add(verbs: Verbs) -> None:
    group = verbs.add_group("journal", "look at a run's journal, prove it, and write it as Parquet")
    _name_run(group.add("inspect", inspect, "segments with their epochs, times and sequences"))
    _name_run(group.add("verify", verify, "every checksum, and that each frame goes on from the one before; changes nothing"))
    exporter = group.add("export", export, "every fact and output as a row of a Parquet file")
    _name_run(exporter)
    exporter.add_argument("--to", metavar="FILE.parquet", required=True, type=Path, help="the file to write")


def _name_run(verb: Parser) -> None:
    verb.add_argument("run_name", metavar="RUN", help="a run id, the start of one, last, or the folder of a journal")


def inspect(call: Call) -> int:
    from tradebot.node.journals import look_at_journal

    found = look_at_journal(call.home, call.words.run_name, call.output.progress)
    call.output.answer(found, lambda: _draw(call.output, found))
    return EXIT_DONE


def verify(call: Call) -> int:
    """A torn tail is no failure, nor is a snapshot that a start would pass over: opening cuts what was never whole."""
    from tradebot.node.journals import verify_run

    found = verify_run(call.home, call.words.run_name, call.output.progress)
    call.output.answer(found, lambda: _draw_verified(call.output, found))
    for fault in cast(Sequence[Mapping[str, object]], found["faults"])[:FAULTS_SHOWN_MAX]:
        call.output.note(f"{fault['segment']} at byte {fault['offset']}: {fault['why']}")
    for text in cast(Sequence[str], found["snapshots_damaged"])[:FAULTS_SHOWN_MAX]:
        call.output.note(f"a start passes over {text}")
    if found["corrupt"]:
        call.output.note(f"tradebot: expected a whole journal, found it damaged in {found['corrupt']} places; bring back a copy")
        return EXIT_FAILED
    return EXIT_DONE


def _draw_verified(output: Output, found: Mapping[str, object]) -> None:
    _draw_counts(output, found)
    others = cast(Mapping[str, Mapping[str, object]], found.get("others", {}))
    if others:
        rows = [(name, one["segments"], one["frames"], one["torn"], one["corrupt"]) for name, one in others.items()]
        output.table(("also read", "segments", "frames", "torn", "corrupt"), rows)


def export(call: Call) -> int:
    from tradebot.node.journals import export_journal

    found = export_journal(call.home, call.words.run_name, call.words.to, call.output.progress)
    call.output.answer(found, lambda: _draw_counts(call.output, found))
    return EXIT_DONE


def _draw_counts(output: Output, found: Mapping[str, object]) -> None:
    names = [*_COUNTS, *(name for name in ("rows", "path") if name in found)]
    output.table(("journal", "value"), [(name, found[name]) for name in names])


def _draw(output: Output, found: Mapping[str, object]) -> None:
    from tradebot.domain.units import time_text

    rows = [
        (
            file["name"], file["frames"], file["facts"], file["commands"],
            f"{file['first_sequence']}-{file['end_sequence']}", f"{file['first_epoch']}-{file['last_epoch']}",
            time_text(cast(int, file["first_ns"])), time_text(cast(int, file["last_ns"])),
        )
        for file in cast(Sequence[Mapping[str, object]], found["files"])
    ]  # fmt: skip
    output.table(("segment", "frames", "facts", "commands", "sequences", "epochs", "from", "to"), rows)
    _draw_counts(output, found)
