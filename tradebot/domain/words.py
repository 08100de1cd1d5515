"""Words of others, such as what their code raises, made safe to tell: on one line, printable, of a length that a line may have.

A terminal would obey what it is told there, a table would break at an end of line, and text that is no Unicode cannot be encoded.
"""

import traceback
from typing import Final

LINE_MAX: Final = 400  # of what an error says
WHY_MAX: Final = 500  # of the reason that somebody gives for an order to the node
LONG_MAX: Final = 10_000
TRACE_MAX: Final = 20_000
_CONTROLS: Final = {number: " " for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"}


def one_line(text: str, most: int = LONG_MAX) -> str:
    """At most `most` characters; what is longer ends with an ellipsis."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text[: 4 * most])
    words = " ".join(printable.split())
    return words if len(words) <= most else f"{words[: most - 1]}…"


def shown(text: str) -> str:
    """Text of several lines for a terminal, which obeys nothing in it."""
    return text.translate(_CONTROLS)


def trace_text(error: BaseException) -> str:
    """Where it was raised and what it says, on several lines, for a log that somebody looks at on a terminal."""
    text = "".join(traceback.format_exception(error))[-TRACE_MAX:]
    return "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in text)


def error_text(error: BaseException, most: int = LINE_MAX) -> str:
    """The kind of an error and what it says. Raises nothing, whoever wrote it."""
    try:
        said = str(error)
    except BaseException as other:  # also what would end this process
        said = f"it cannot say what is wrong, for that raises {type(other).__name__}"
    return one_line(f"{type(error).__name__}: {said}", most)
