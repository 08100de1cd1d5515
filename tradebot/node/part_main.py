"""`python -m tradebot.node.part_main NAME FOLDER`: one process of a node, as the root starts it."""

import sys
import traceback
from argparse import ArgumentParser
from pathlib import Path

from tradebot.actors.process import run_process
from tradebot.domain.errors import EXIT_FAILED, TradebotError
from tradebot.node.parts import make_part
from tradebot.node.session_files import ipc_folder


def main() -> int:
    parser = ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epoch", type=int, default=0)
    parser.add_argument("--life-line", type=int)
    parser.add_argument("--clock-offset", type=int)
    words = parser.parse_args()
    try:
        run_process(
            lambda: make_part(words.name, words.folder, words.epoch),
            words.name,
            ipc_folder(words.folder),
            words.life_line,
            words.clock_offset,
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
    sys.exit(main())
