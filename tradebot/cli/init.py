"""`init DIR`: a project of the user's own, ready to run."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from tradebot.cli.call import Call, Verbs
from tradebot.domain.errors import EXIT_DONE


def add(verbs: Verbs) -> None:
    verb = verbs.add("init", run, "make a project of your own: configuration, strategy, test, README")
    verb.add_argument("folder", metavar="DIR", help="a folder that is empty, or not there yet")


def run(call: Call) -> int:
    call.refuse_config("a new project brings its own configuration; give yours to `tradebot backtest`")
    from tradebot.node.project import begin_project

    found = begin_project(Path(call.words.folder))

    def draw() -> None:
        call.output.line(f"made {found['path']} with {', '.join(cast(Sequence[str], found['files']))}")
        call.output.line(f"next: cd {shlex.quote(call.words.folder)}; its README.md has the commands in order")

    call.output.answer(found, draw)
    return EXIT_DONE
