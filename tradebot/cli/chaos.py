"""`chaos`: a node whose processes are killed, and what is left of its orders and money."""

from pathlib import Path

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED

KILLS: int = 20


def add(verbs: Verbs) -> None:
    verb = verbs.add("chaos", chaos, "kill the processes of a node at random, then compare the venue's books with the strategy's")
    verb.add_argument("--venue", metavar="V", default="paper", help="what the node trades at (default paper)")
    verb.add_argument("--kills", metavar="N", type=int, default=KILLS, help=f"by SIGKILL (default {KILLS})")
    verb.add_argument("--faults", metavar="N", type=int, help="parts held by SIGSTOP for a while (default a tenth of the kills)")
    verb.add_argument("--seed", metavar="S", type=int, default=1, help="chooses whom and when (default 1)")
    verb.add_argument("--pause", metavar="S", type=float, default=1.0, help="longest time between two kills (default 1 s)")
    verb.add_argument("--place", choices=("apart", "together"), default="apart", help="node.place of the node (default apart)")
    verb.add_argument("--folder", metavar="DIR", type=Path, help="where the node lives and stays (default: one that is removed)")


def chaos(call: Call) -> int:
    """Exit 1 where anything is lost, doubled, unknown or different: the folder then stays, and is named."""
    call.refuse_config("chaos has a node of its own; choose it by its options")
    from tradebot.testing.calls import ChaosWords, chaos_answer

    words = ChaosWords(**{name: getattr(call.words, name) for name in ChaosWords.__struct_fields__})
    call.output.progress.start("killing", words.kills)
    found, is_good = chaos_answer(words, call.output.progress.advance, call.output.note)
    call.output.answer(found, lambda: call.output.table(("chaos", "value"), list(found.items())))
    return EXIT_DONE if is_good else EXIT_FAILED
