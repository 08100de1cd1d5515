"""Client ids that were used."""

import random

from tradebot.domain.orders import client_order_id
from tradebot.venues.spent_ids import PAGE_BITS, SpentIds


def test_what_was_added_is_in_it_and_nothing_else_also_after_a_snapshot() -> None:
    chance, spent = random.Random(1), SpentIds()
    ids = {client_order_id(1, epoch, chance.randrange(1, 50_000)) for epoch in (1, 2, 8_000) for _ in range(500)}
    for one in ids:
        spent.add(one)
    again = SpentIds()
    again.from_list(spent.to_list())
    for one in (spent, again):
        assert all(number in one for number in ids)
        assert not any(number in one for number in (*(number + 1 for number in ids), 0, 77) if number not in ids)


def test_a_million_commands_are_kept_in_an_eighth_of_their_number_of_bytes() -> None:
    spent = SpentIds()
    for page in range(1_000_000 // PAGE_BITS + 1):
        spent.add(client_order_id(1, 1, page * PAGE_BITS + 1))
    assert sum(len(bits) for _, bits in spent.to_list()) < 130_000
