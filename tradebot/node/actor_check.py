"""`python -m tradebot.node.actor_check FILE`: loads a user's actors, whose tables are in FILE, and says what is wrong with the
first that has something. In a process of its own, for what is loaded may do as it likes.
"""

import sys
from pathlib import Path

import msgspec

from tradebot.domain.errors import EXIT_DONE, EXIT_USAGE, TradebotError
from tradebot.node.actor_code import check_actor
from tradebot.node.node_schema import ActorUse


def main(arguments: list[str]) -> int:
    try:
        for use in msgspec.json.decode(Path(arguments[0]).read_bytes(), type=list[ActorUse]):
            check_actor(use)
    except TradebotError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
