"""`python -m tradebot.node.part_main NAME FOLDER`: one process of a node, forked from the zygote or started by itself."""

import faulthandler
import signal
import sys
import traceback
from argparse import ArgumentParser
from pathlib import Path

from tradebot.actors.naming import name_process
from tradebot.actors.process import run_process
from tradebot.domain.errors import EXIT_FAILED, TradebotError
from tradebot.engine.session import ShutOut
from tradebot.node.parts import make_part
from tradebot.node.session_files import ipc_folder


def main(arguments: list[str]) -> int:
    parser = ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--shut", type=int, action="append", default=[])
    parser.add_argument("--why", default="")
    parser.add_argument("--fold", action="store_true")
    parser.add_argument("--life-line", type=int)
    parser.add_argument("--ready", type=int)
    parser.add_argument("--clock-offset", type=int)
    words = parser.parse_args(arguments)
    name_process([sys.executable, "-m", "tradebot.node.part_main", *arguments])
    shut = ShutOut(words.shut, words.why, words.fold) if words.shut else None
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # the keeper's question to one that hangs: where?
    try:
        run_process(
            lambda: make_part(words.name, words.folder, words.epoch, shut),
            words.name,
            ipc_folder(words.folder),
            words.life_line,
            words.clock_offset,
            words.ready,
        )
    except TradebotError as error:
        sys.stderr.write(f"{words.name}: {error}\n")
        return error.exit_code
    except Exception as error:  # the keeper starts it again; `status` shows the line that has its name
        traceback.print_exc()
        sys.stderr.write(f"{words.name}: {type(error).__name__}: {error}\n")
        return EXIT_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
