"""`python -m tradebot.node.part_main NAME FOLDER`: one process of a node, forked from the zygote or started by itself."""

import atexit
import contextlib
import faulthandler
import gc
import io
import os
import signal
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TextIO

from tradebot.actors.child_spec import ChildSpec, SupervisorSpec, is_wanted
from tradebot.actors.heap import give_back
from tradebot.actors.life_line import end_with
from tradebot.actors.process import GaveUp, run_process
from tradebot.actors.running import reason_of
from tradebot.domain.errors import EXIT_FAILED, TradebotError
from tradebot.domain.words import error_text, trace_text
from tradebot.engine.session import ShutOut
from tradebot.node.actor_group import ActorGroup, supervisor_of
from tradebot.node.bus import bus_of
from tradebot.node.config import config_from_dict
from tradebot.node.part import Host
from tradebot.node.parts import make_part
from tradebot.node.session_files import ACTORS, ENGINE, next_epoch, read_prepared
from tradebot.node.tree_shape import RESERVED, gave_up_code, together

LEAVE_S: Final = 1.0
TERMINATED: Final = reason_of(-signal.SIGTERM)


def main(arguments: list[str]) -> int:
    code = run(arguments)
    if arguments[0] == ACTORS or arguments[0] not in RESERVED:
        leave(code)
    return code


def leave(code: int) -> None:
    """Of guests: what they wrote is written, and nothing more of theirs is waited for than a moment."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(code))
    signal.setitimer(signal.ITIMER_REAL, LEAVE_S)
    for one in gc.get_objects():
        if isinstance(one, io.IOBase):
            with contextlib.suppress(Exception):
                one.flush()
    atexit._run_exitfuncs()
    os._exit(code)


def run(arguments: list[str]) -> int:
    parser = ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", action="append", default=[])
    parser.add_argument("--bus", default="ipc")
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--shut", type=int, action="append", default=[])
    parser.add_argument("--why", default="")
    parser.add_argument("--fold", action="store_true")
    parser.add_argument("--life-line", type=int)
    parser.add_argument("--ready", type=int)
    parser.add_argument("--parent", type=int)  # of one that was started by itself
    parser.add_argument("--clock-offset", type=int)
    words = parser.parse_args(arguments)
    if words.parent is not None:
        end_with(words.parent)
    give_back()
    shut = ShutOut(words.shut, words.why, words.fold) if words.shut else None
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # the root's question to one that hangs: where?
    try:
        own = group_of(words) if words.name == ACTORS else None
        run_process(
            make_of(words, shut), words.name, lambda: bus_of(words.folder, words.bus), words.life_line, words.clock_offset,
            words.ready, supervisor_of(own.actors) if own is not None else host_of(words), Told(sys.stderr), own,
            words.name not in RESERVED, Host(words.name).ask,
        )  # fmt: skip
    except GaveUp as error:
        sys.stderr.write(f"{words.name}: {error}\n")
        return gave_up_code(error.worn_out)
    except TradebotError as error:
        sys.stderr.write(f"{words.name}: {error}\n")
        return error.exit_code
    except Exception as error:  # its supervisor starts it again; `status` shows the line that has its name
        sys.stderr.write(trace_text(error))
        sys.stderr.write(f"{words.name}: {error_text(error)}\n")
        return EXIT_FAILED
    return 0


def make_of(words: Namespace, shut: ShutOut | None) -> Callable[[str], Any]:
    """Makes parts by name. An engine that is started again beside others in this process begins an epoch of its own, and whoever
    was shut out is so by its journal then.
    """
    epochs, shuts = iter([words.epoch]), iter([shut])

    def make(name: str) -> Any:
        if name != ENGINE:
            return make_part(name, words.folder, 0)
        return make_part(name, words.folder, next(epochs, 0) or next_epoch(words.folder), next(shuts, None))

    return make


def host_of(words: Namespace) -> SupervisorSpec | None:
    """The supervisor of parts that live together in this process; None where it has one alone."""
    if not words.host:
        return None
    return together(words.host, config_from_dict(read_prepared(words.folder).config).node.supervisor)


def group_of(words: Namespace) -> ActorGroup:
    more = ["--bus", words.bus, *(["--clock-offset", str(words.clock_offset)] if words.clock_offset is not None else [])]
    return ActorGroup(words.folder, lambda name: [name, str(words.folder), *more])


class Told:
    """Writes down why parts of this process end, which `status` shows as their last error: an end that was wished for is none."""

    def __init__(self, log: TextIO) -> None:
        self.log = log
        self.ending: set[str] = set()

    def __call__(self, what: str, child: ChildSpec, why: str) -> None:
        if what == "stop":
            self.ending.add(child.id)
        elif what == "kill":
            self.ending.discard(child.id)  # it did not end when it was told to
        elif what in ("exited", "failed"):
            was_told = child.id in self.ending
            self.ending.discard(child.id)
            if not (is_wanted(why) or (was_told and why == TERMINATED)):
                self.log.write(f"{child.id}: {why}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
