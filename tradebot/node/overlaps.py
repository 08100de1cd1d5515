"""Facts that a run is given twice, because two imports of its selection hold the same kind over the same time.

Nobody can tell from outside whether they are one recording in two files or two halves of one stream, so the run is made; it
says so wherever it says what it assumes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tradebot.domain.instrument import Instrument
from tradebot.domain.market import kind_name
from tradebot.domain.units import time_text

if TYPE_CHECKING:
    from tradebot.store.client import Store


def overlap_notes(
    store: "Store", instruments: Sequence[Instrument], from_ns: int | None, to_ns: int | None, imports: Sequence[str]
) -> list[str]:
    """A sentence for each pair of imports, of a kind and an instrument."""
    from tradebot.store.facts import find_overlaps

    return [
        f"{instrument.name}: imports {found.imports[0]} and {found.imports[1]} both hold {kind_name(found.kind)} from "
        f"{time_text(found.first_ns)} to {time_text(found.last_ns)}: where they are the same recording its facts count twice; "
        "take one out with `tradebot data remove IMPORT`"
        for instrument in instruments
        for found in find_overlaps(store, instrument.id, from_ns, to_ns, imports)
    ]
