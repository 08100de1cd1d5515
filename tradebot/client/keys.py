"""`python -m tradebot.client.keys FILE`: make a client's key pair. The secret key goes into the file, which only the user can
read; the public one is printed, to be put into the node's configuration.
"""

import os
import sys
from pathlib import Path

from tradebot.client.curve import make_keys
from tradebot.domain.errors import EXIT_DONE, EXIT_USAGE


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0].startswith("-"):
        sys.stderr.write("usage: python -m tradebot.client.keys FILE\n")
        return EXIT_USAGE
    path = Path(arguments[0])
    public, secret = make_keys()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        sys.stderr.write(f"expected to make {path}, found: {error.strerror}; choose another name, a key is never overwritten\n")
        return EXIT_USAGE
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")
    sys.stdout.write(f"{public}\n")
    return EXIT_DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
