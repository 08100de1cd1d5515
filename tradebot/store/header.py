"""Columns by their names: how the first line of a table says where each thing stands.

Names are compared in lower case, and each thing may go by several; where a table has more than one of them,
the earlier in the list is taken.
"""

from collections.abc import Mapping, Sequence

from tradebot.domain.errors import BadContainer

Names = Mapping[str, Sequence[str]]


def split_header(line: str) -> list[str]:
    """The names in a line of CSV, in lower case, without the quotes that some writers put."""
    return [name.strip().strip('"').lower() for name in line.rstrip("\r\n").split(",")]


def find_columns(found: Sequence[str], wanted: Names) -> dict[str, int]:
    """Where each thing stands; what is not there is left out."""
    places = {name: place for place, name in reversed(list(enumerate(found)))}
    return {
        thing: next(places[name] for name in names if name in places)
        for thing, names in wanted.items()
        if any(name in places for name in names)
    }


def require_columns(found: Sequence[str], wanted: Names, where: str) -> dict[str, int]:
    """The same. Raises BadContainer that names what is missing."""
    columns = find_columns(found, wanted)
    for thing, names in wanted.items():
        if thing not in columns:
            raise BadContainer(
                f"expected a column for the {thing} ({' or '.join(name or 'no name' for name in names)}) in {where}, "
                f"found {','.join(found)[:120]!r}"
            )
    return columns
