"""Letters: whatever the way between two actors does, each is taken once and in order, or its loss is told."""

import random
import struct

import pytest

from tradebot.actors.letters import NAME_MAX, Incoming, Outgoing

MS = 1_000_000
HEADER = struct.Struct("<2sBB4x16sQQ")
FORGOTTEN, MISSING = 2, 3


def body(number: int) -> bytes:
    return b"body %d" % number


def bodies(first: int, last: int) -> list[bytes]:
    return [body(number) for number in range(first, last + 1)]


def told(outgoing: Outgoing, count: int) -> list[bytes]:
    return [outgoing.seal(body(outgoing.number + 1)) for _ in range(count)]


class Way:
    """Between two actors, and it loses, doubles and reorders."""

    def __init__(self, seed: int, loses: float) -> None:
        self.chance, self.loses = random.Random(seed), loses
        self.out, self.back = Outgoing("a", 7), Incoming("a", 7)
        self.incoming = Incoming("b", 3)
        self.under_way: list[bytes] = []
        self.found: list[bytes] = []
        self.now_ns = 0

    def put(self, letters: list[bytes]) -> None:
        for letter in letters:
            for _ in range(0 if self.chance.random() < self.loses else self.chance.choice((1, 1, 2))):
                self.under_way.insert(self.chance.randrange(max(0, len(self.under_way) - 5), len(self.under_way) + 1), letter)

    def pass_on(self) -> None:
        count = self.chance.randrange(len(self.under_way) + 1)
        self.found += self.incoming.open(self.under_way[:count])
        del self.under_way[:count]

    def beat(self) -> None:
        self.now_ns += 20 * MS
        self.put([letter for letter in [self.out.pulse()] if letter])
        for name, letter in self.incoming.asks(self.now_ns):
            assert name == "a"
            self.back.open([letter] if self.chance.random() >= self.loses else [])
        for name, stream, first, last in self.back.take_asked():
            assert (name, stream) == ("b", 7)
            self.put(self.out.again(first, last))
        self.found += self.incoming.give_up(self.now_ns)


@pytest.mark.parametrize("seed", range(60))
def test_what_a_way_loses_doubles_and_reorders_arrives_once_and_in_order(seed: int) -> None:
    way = Way(seed, loses=0.2)
    first = told(way.out, 1)
    way.found += way.incoming.open(first)  # where a new receiver begins
    for _ in range(50):
        way.put(told(way.out, way.chance.randrange(20)))
        way.pass_on()
        way.beat()
    last = way.out.number
    for _ in range(1_200):
        way.pass_on()
        way.beat()
    assert way.found == bodies(1, last), "also the last of them, which only a pulse tells of"
    assert way.incoming.gone == 0 and way.incoming.take_lost() == []
    assert way.incoming.repaired > 0 and way.incoming.doubled > 0 and way.out.told_again > 0


def test_a_way_that_loses_nothing_has_nothing_to_repair() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    assert incoming.open(told(out, 3_000)) == bodies(1, 3_000)
    assert incoming.asks(MS) == [] and incoming.give_up(10**12) == []
    assert (incoming.garbage, incoming.doubled, incoming.late, incoming.repaired, incoming.gone) == (0, 0, 0, 0, 0)


def test_what_is_no_longer_kept_is_told_as_lost_and_the_rest_is_taken() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    letters = told(out, 10_000)
    assert incoming.open(letters[:10]) == bodies(1, 10)
    assert incoming.open(letters[9_999:]) == []
    ((name, letter),) = incoming.asks(MS)
    assert name == "a" and HEADER.unpack_from(letter)[2] == MISSING
    back = Incoming("a", 1)
    back.open([letter])
    assert back.take_asked() == [("b", 1, 11, 9_999)] and back.take_asked() == []
    again = out.again(11, 9_999)
    assert HEADER.unpack_from(again[0])[2] == FORGOTTEN and out.oldest == 10_000 - 8_191
    found = incoming.open(again)
    while found[-1] != body(10_000):
        ((name, letter),) = incoming.asks(2 * MS + 20 * MS * len(found))
        back.open([letter])
        found += incoming.open(out.again(*back.take_asked()[0][2:]))
    assert found == bodies(out.oldest, 10_000)
    assert incoming.take_lost() == [("a", 11, out.oldest - 1)] and incoming.gone == out.oldest - 11


def test_large_letters_are_kept_up_to_so_many_bytes() -> None:
    out = Outgoing("a", 1)
    for _ in range(1_000):
        out.seal(b"x" * 16_344)
        out.seal(b"refused" * 1_000)
        out.unseal()
    assert out.oldest == 1_000 - (8 << 20) // 16_384 + 2, "one made room for what was then refused"
    assert len(out.again(out.oldest, 1_000)) == 256
    out.seal(b"x" * (9 << 20))
    assert out.oldest == 1_001, "the last is kept, however large"


def test_one_who_does_not_tell_again_is_gone_on_without() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    letters = told(out, 5)
    assert incoming.open([letters[0], letters[2], letters[4]]) == bodies(1, 1)
    assert len(incoming.asks(MS)) == 1 and incoming.asks(2 * MS) == [], "not more often than it may be answered"
    assert incoming.give_up(1_000 * MS) == []
    assert incoming.give_up(2_001 * MS) == [body(3)]
    assert len(incoming.asks(2_002 * MS)) == 1, "the next hole"
    assert incoming.give_up(4_003 * MS) == [body(5)]
    assert incoming.take_lost() == [("a", 2, 2), ("a", 4, 4)] and incoming.take_lost() == []


def test_a_new_receiver_begins_with_what_it_gets_and_a_new_sender_from_one() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    letters = told(out, 10)
    assert incoming.open(letters[4:6]) == bodies(5, 6), "what came before was for who was here before"
    again = Outgoing("a", 2)
    new = told(again, 3)
    assert incoming.open([new[1]]) == [], "its first is on the way, or lost"
    assert incoming.open([letters[6]]) == [] and incoming.late == 1, "what a dead one said comes to nothing"
    assert len(incoming.asks(MS)) == 1
    assert incoming.open([new[0], new[2]]) == bodies(1, 3)


def test_what_was_held_of_a_sender_that_died_is_taken_before_what_its_next_start_says() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    letters = told(out, 5)
    incoming.open(letters[:1])
    assert incoming.open(letters[2:]) == []
    assert incoming.open(told(Outgoing("a", 2), 1)) == [*bodies(3, 5), body(1)]
    assert incoming.take_lost() == [("a", 2, 2)]


def test_senders_are_told_apart() -> None:
    incoming, one, two = Incoming("c", 1), Outgoing("a", 1), Outgoing("a" * NAME_MAX, 1)
    mixed = [letter for pair in zip(told(one, 3), told(two, 3), strict=True) for letter in pair]
    assert incoming.open([mixed[0], mixed[1], mixed[4], mixed[3], mixed[5]]) == [body(1), body(1), body(2), body(3)]
    assert [name for name, _ in incoming.asks(MS)] == ["a"]


def test_a_letter_that_was_not_sent_has_no_number() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    sent = told(out, 2)
    out.seal(b"refused")
    out.unseal()
    assert incoming.open([*sent, *told(out, 1)]) == bodies(1, 3)
    assert out.again(3, 3) == [out.again(1, 3)[2]]


def test_a_pulse_comes_once_after_a_burst_and_is_no_body() -> None:
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    assert out.pulse() is None, "nothing was said"
    letters = told(out, 2)
    assert out.pulse() is None, "more may follow"
    pulse = out.pulse()
    assert pulse is not None
    more = [one for one in [out.pulse() for _ in range(1_000)] if one]
    assert len(more) == 1 + 1_000 // 256 and set(more) == {pulse}, "for it may be lost too"
    assert incoming.open([letters[0], pulse]) == bodies(1, 1)
    assert len(incoming.asks(MS)) == 1
    assert Incoming("c", 1).open([pulse]) == []


@pytest.mark.parametrize("name", ["", "a" * (NAME_MAX + 1), "é" * NAME_MAX])
def test_a_name_without_room_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="1 to 16 bytes"):
        Outgoing(name, 1)


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_counted_and_disturbs_nobody(seed: int) -> None:
    chance = random.Random(seed)
    out, incoming = Outgoing("a", 1), Incoming("b", 1)
    for _ in range(200):
        letter = bytearray(told(out, 1)[0])
        spoilt = [chance.randbytes(chance.randrange(80)), bytes(letter[: chance.randrange(40)]), b"TB\1\3" + bytes(40)]
        for at in (0, 1, 2):
            other = bytearray(letter)
            other[at] ^= 1 << chance.randrange(8)
            spoilt.append(bytes(other))
        found = incoming.open([chance.choice(spoilt), bytes(letter), chance.choice(spoilt)])
        assert found == [body(out.number)]
    assert incoming.garbage == 400


def test_numbers_at_the_end_of_what_there_is_do_no_harm() -> None:
    incoming = Incoming("b", 1)
    most = 2**62
    assert incoming.open([HEADER.pack(b"TB", 1, 0, b"a", 1, most - 1) + b"x"]) == [b"x"]
    for kind in (0, 1, 2):
        incoming.open([HEADER.pack(b"TB", 1, kind, b"a", 1, most)])
    incoming.open([HEADER.pack(b"TB", 1, 0, b"a", 1, most + 1), HEADER.pack(b"TB", 1, 0, b"a", 1, 2**64 - 1)])
    assert incoming.garbage == 2
    incoming.asks(MS)
    incoming.give_up(5_000 * MS)
    crowd = [HEADER.pack(b"TB", 1, 0, b"%d" % number, 1, 1) for number in range(3_000)]
    assert len(incoming.open(crowd)) == 3_000, "the one known longest makes room"
    assert Outgoing("a", 1).again(0, most) == []
