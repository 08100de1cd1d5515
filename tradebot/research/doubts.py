"""What a bar-grade run leaves in doubt: bars that reached a stop and a target of one position, and what that may be worth.

The run took the stop. Had the target come first each time, it would have brought `difference` more; so the result lies between
the two. Decisions after such a bar are those of the run as it was, so the interval is that of these exits alone.
"""

import numpy as np
from msgspec import Struct

from tradebot.domain.units import money_text
from tradebot.engine.ports import Records


class Doubts(Struct, frozen=True):
    """`bars`: in doubt; `known`: those whose stored trades told the order; `difference`: decimal text, of the quote asset."""

    bars: int = 0
    known: int = 0
    difference: str = "0"


def doubts_of(found: Records) -> Doubts:
    """From an array of DOUBT_DTYPE."""
    known = found["known"] != 0
    total = sum(found["difference"].tolist())
    return Doubts(int(np.count_nonzero(~known)), int(np.count_nonzero(known)), money_text(total))
