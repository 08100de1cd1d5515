"""The one folder that everything written goes into: `data/ journal/ results/ models/ logs/ secrets/`, each
0700."""

from pathlib import Path
from typing import Final

from tradebot.domain.errors import UsageError

FOLDERS: Final = ("data", "journal", "results", "models", "logs", "secrets")
MODE: Final = 0o700


def make_home(home: Path) -> Path:
    """Make what is missing and give the path back, whole. A folder that was there keeps its mode: it may be
    anything.

    Raises UsageError where a file stands in the way or the place cannot be written.
    """
    try:
        home.mkdir(mode=MODE, parents=True, exist_ok=True)
        for name in FOLDERS:
            (home / name).mkdir(mode=MODE, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{home}: expected a folder for --home, found a file at {error.filename}") from error
    except PermissionError as error:
        raise UsageError(
            f"{home}: expected a folder we may write, found no permission: choose another --home"
        ) from error
    return home.resolve()
