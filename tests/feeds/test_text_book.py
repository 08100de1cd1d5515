"""The book of texts against a dict that is sorted anew each time, over a seeded stream."""

import random

from tradebot.feeds.text_book import TextBook, Texts


def test_levels_are_listed_from_the_best_as_a_sorted_dict_lists_them() -> None:
    chance = random.Random(7)
    book, sides = TextBook(), (dict[int, Texts](), dict[int, Texts]())
    for _ in range(3_000):
        side, ticks, lots = chance.randint(0, 1), chance.randint(1, 60), chance.choice((0, 1, 2))
        text = (f"{ticks}.0", str(lots))
        book.apply([(side, ticks, lots)], [text])
        if lots:
            sides[side][ticks] = text
        else:
            sides[side].pop(ticks, None)
        if chance.random() < 0.1:
            kept = sorted(sides[0], reverse=True)[:20]
            assert book.bids.cut(20) == sorted(set(sides[0]) - set(kept), reverse=True)
            sides = ({ticks: sides[0][ticks] for ticks in kept}, sides[1])
        assert book.bids.best(5) == [sides[0][ticks] for ticks in sorted(sides[0], reverse=True)[:5]]
        assert book.asks.best(100) == [sides[1][ticks] for ticks in sorted(sides[1])]
