"""`replay RUN [--verify]`: fold a run again, a backtest or a node's; with --verify, say whether it came out the same, bit for
bit.
"""

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED


def add(verbs: Verbs) -> None:
    verb = verbs.add("replay", run, "run a run again, from its manifest or its journal")
    verb.add_argument(
        "run_name", metavar="RUN", help="a run id, the start of one, its folder, or last"
    )
    verb.add_argument(
        "--verify", action="store_true", help="fail where the replay differs, and name the first place"
    )


def run(call: Call) -> int:
    call.refuse_config("a replay takes all from the run's manifest; give it to `tradebot backtest`")
    from tradebot.node.build import run_replay

    found = run_replay(call.words.run_name, call.home, call.output.progress)
    rows = [(name, value) for name, value in found.items() if value not in (None, [])]
    call.output.answer(found, lambda: call.output.table(("replay", "value"), rows))
    if call.words.verify and not found["identical"]:
        call.output.note(f"tradebot: expected the same digest, found another: {found['first_difference']}")
        return EXIT_FAILED
    return EXIT_DONE
