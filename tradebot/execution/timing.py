"""How long a gateway waits."""

from typing import Final

from msgspec import Struct

MS: Final = 1_000_000


class Timing(Struct, frozen=True, kw_only=True):
    """In ns. `age_max_ns`: an order that is older than this when it could first be tried is not tried any more, unless it guards
    or closes a position.
    """

    reply_ns: int = 1_000 * MS
    ask_again_ns: int = 300 * MS
    say_again_ns: int = 500 * MS
    hole_ns: int = 10 * MS
    stream_ns: int = 10_000 * MS
    age_max_ns: int = 5_000 * MS
