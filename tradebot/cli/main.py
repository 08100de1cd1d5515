"""`tradebot VERB`: parse, run the verb, and turn whatever happens into an exit code and at most one line.

Options that every verb shares may stand before the verb or after it. An error is one line on stderr that says
what was expected, what was found and what to do; its traceback appears only with --debug. A verb that is not
built is not here.
"""

import os
import sys
from collections.abc import Sequence

from tradebot import __version__
from tradebot.cli import (
    backtest,
    bench,
    chaos,
    compare,
    config,
    data,
    demo,
    doctor,
    init,
    journal,
    monitor,
    node,
    replay,
    report,
    restart,
    store,
    watching,
)
from tradebot.cli.call import Parser, Run, Verbs, make_call, shared_options
from tradebot.cli.output import Output
from tradebot.domain.errors import EXIT_DONE, EXIT_FAILED, TradebotError, UsageError
from tradebot.domain.words import error_text, one_line

GROUPS = (
    demo, doctor, init, config, data, store, backtest, replay, report, compare, node, restart, watching, monitor, journal, bench,
    chaos,
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Run one call; the exit code is what CLI users and scripts see. Nothing is raised."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except SystemExit as error:  # argparse ends this way after --help
        return error.code if isinstance(error.code, int) else EXIT_DONE
    except BrokenPipeError:
        return _leave_pipe()
    except (KeyboardInterrupt, Exception) as error:
        if "--debug" in arguments:
            _print_traceback()
        print(f"tradebot: {one_line(_message(error))}", file=sys.stderr)
        return error.exit_code if isinstance(error, TradebotError) else EXIT_FAILED


def _run(arguments: list[str]) -> int:
    shared, rest = shared_options().parse_known_args(arguments)
    output = Output(is_json=getattr(shared, "json", False))
    if getattr(shared, "version", False):
        output.answer({"version": __version__}, lambda: output.line(__version__))
        return EXIT_DONE
    words, left = _parser().parse_known_args(rest)
    if left:
        raise UsageError(f"unrecognized arguments: {' '.join(left)}; see `tradebot {words.verb_name} --help`")
    run: Run = words.run
    try:
        with output.guarded():
            return run(make_call(words, shared, arguments, output))
    finally:
        output.close()


def _parser() -> Parser:
    shared = shared_options()
    parser = Parser(
        prog="tradebot",
        description="One deterministic engine for backtest, sandbox and live. Begin with: tradebot demo",
        parents=[shared],
        allow_abbrev=False,
    )
    verbs = Verbs(parser, shared)
    for group in GROUPS:
        group.add(verbs)
    return parser


def _message(error: BaseException) -> str:
    if isinstance(error, TradebotError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "interrupted: run the same command again to go on"
    if isinstance(error, MemoryError):
        return "expected enough memory, found none left: choose a shorter selection or end other programs"
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}: check the path, its permissions and the space that is left"
    return f"internal error: {error_text(error)}; run it again with --debug for the traceback"


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def _leave_pipe() -> int:
    """The reader of our output has gone: say nothing, also not when the interpreter flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_FAILED


if __name__ == "__main__":
    raise SystemExit(main())
