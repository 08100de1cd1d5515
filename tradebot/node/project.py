"""A user's project out of nothing: one configuration, one strategy, its test, and a README with the commands in order.

The files lie beside this one as they will lie there, with `.txt` behind their names so that no tool takes them for ours. They
are read as package data. A folder that holds anything is left as it is: what a user wrote is worth more than what we write.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

from tradebot.domain.errors import UsageError

SUFFIX: Final = ".txt"


def begin_project(folder: Path) -> dict[str, object]:
    """Make a project in a folder that is not there, or is empty; gives its path and its files. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(path.name for path in folder.iterdir())
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError(f"{folder}: expected a folder, found a file at {error.filename}: choose another name") from error
    except PermissionError as error:
        raise UsageError(f"{folder}: expected a folder we may write, found no permission: choose another place") from error
    if held:
        more = f" and {len(held) - 1} more" if len(held) > 1 else ""
        raise UsageError(f"{folder}: expected an empty folder, found {held[0]}{more}: nothing was written; choose another name")
    texts = template()
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return {"path": str(folder.resolve()), "files": sorted(texts)}


def template() -> dict[str, str]:
    """The files of a project, by name."""
    found = (files("tradebot.node") / "template").iterdir()
    return {one.name.removesuffix(SUFFIX): one.read_text("utf-8") for one in found if one.name.endswith(SUFFIX)}
