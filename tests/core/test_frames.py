"""Frames beside a naive writer and reader in plain Python, the checksum beside published vectors, and every damage noticed."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import frames as reference
from tradebot._core.frames import MAGIC, FrameError, FrameKind, crc32c, crc32c_portable, frame_bytes, frame_parts, write_frame

CHECKSUMS = (crc32c, crc32c_portable)

# RFC 3720, appendix B.4.
VECTORS = [
    (bytes(32), 0x8A9136AA),
    (b"\xff" * 32, 0x62A8AB43),
    (bytes(range(32)), 0x46DD794E),
    (bytes(range(31, -1, -1)), 0x113FDB5C),
    (
        bytes.fromhex(
            "01c00000000000000000000000000000140000000000040000000014000000182800000000000000"
            "0200000000000000"
        ),
        0xD9963A56,
    ),
]

slots = st.integers(0, 6).flatmap(lambda count: st.binary(min_size=64 * count, max_size=64 * count))
frames = st.builds(
    reference.Plain,
    kind=st.sampled_from([1, 2, 3]),
    epoch=st.integers(0, 2**32 - 1),
    base_sequence=st.integers(-(2**63), 2**63 - 1),
    facts_count=st.integers(3, 2**32 - 1),
    time_ns=st.integers(-(2**63), 2**63 - 1),
    digest_low=st.integers(0, 2**64 - 1),
    digest_high=st.integers(0, 2**64 - 1),
    facts=slots,
    outputs=slots,
    body=st.binary(max_size=200),
)


def put(target: bytearray, offset: int, frame: reference.Plain) -> int:
    return write_frame(target, offset, *frame)


@pytest.mark.parametrize("checksum", CHECKSUMS)
def test_the_checksum_is_that_of_the_published_vectors(checksum) -> None:
    assert [checksum(data) for data, _ in VECTORS] == [expected for _, expected in VECTORS]
    assert checksum(b"123456789") == 0xE3069283 and checksum(b"") == 0


@pytest.mark.parametrize("checksum", CHECKSUMS)
@given(data=st.binary(max_size=3_000), cut=st.integers(0, 3_000))
@settings(max_examples=60, deadline=None)
def test_the_checksum_of_any_length_is_that_of_the_bits_and_goes_on(checksum, data: bytes, cut: int) -> None:
    assert checksum(data) == reference.crc32c(data)
    assert checksum(data[cut:], checksum(data[:cut])) == checksum(data)


@pytest.mark.parametrize("size", [767, 768, 769, 1_535, 1_536, 4_160])
def test_lanes_join_at_every_length_about_their_own(size: int) -> None:
    data = bytes((7 * at * at + at >> 3) & 255 for at in range(size))
    assert crc32c(data) == crc32c_portable(data) == reference.crc32c(data)
    assert crc32c(memoryview(data)[1:]) == crc32c_portable(data[1:])


@given(frames, st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_a_frame_is_written_as_the_plain_writer_does_and_read_back(frame: reference.Plain, before: int) -> None:
    expected = reference.frame_bytes(frame)
    target = bytearray(64 * before + len(expected) + 128)
    end = put(target, 64 * before, frame)
    assert bytes(target[64 * before : end]) == expected and not any(target[end:])
    assert end - 64 * before == frame_bytes(len(frame.facts), len(frame.outputs), len(frame.body))
    kind, *numbers, digest, facts, outputs, body = frame_parts(target, 64 * before)
    assert digest == f"{frame.digest_high:016x}{frame.digest_low:016x}"
    assert (kind, *numbers) == frame[:5] and (facts, outputs, body) == frame[7:]
    assert reference.read_frame(bytes(target), 64 * before) == frame
    assert frame_parts(target, end) is None


def small() -> reference.Plain:
    return reference.Plain(2, 3, 1_000, 1, 5, 7, 9, bytes(range(64)), bytes(64), b"body")


def test_every_flipped_bit_is_noticed() -> None:
    whole = reference.frame_bytes(small())
    for bit in range(8 * len(whole)):
        broken = bytearray(whole)
        broken[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(FrameError) as found:
            frame_parts(broken, 0)
        assert found.value.offset == 0 and found.value.why
        assert isinstance(reference.read_frame(bytes(broken), 0), str)


def test_a_frame_whose_end_was_never_written_is_noticed_and_without_its_magic_it_is_not_there() -> None:
    whole = reference.frame_bytes(small())
    for length in range(64, len(whole), 64):
        with pytest.raises(FrameError, match="longer than what is left"):
            frame_parts(whole[:length], 0)
        # The last 64 bytes are body and padding, the ones before are zeros as a preallocated file has them.
        with pytest.raises(FrameError, match="checksum"):
            frame_parts(whole[:64] + bytes(len(whole) - 64), 0)
    assert frame_parts(bytes(4) + whole[4:], 0) is None
    assert frame_parts(whole[:63], 0) is None and frame_parts(b"", 0) is None and frame_parts(whole, len(whole)) is None


def test_a_frame_of_another_version_or_kind_is_refused_in_words() -> None:
    header = bytearray(reference.frame_bytes(small()._replace(kind=9)))
    with pytest.raises(FrameError, match="frame at byte 0: its kind is unknown"):
        frame_parts(header, 0)
    header[4] = 2
    with pytest.raises(FrameError, match="format version"):
        frame_parts(header, 0)


def test_what_does_not_fit_is_not_begun() -> None:
    target = bytearray(255)
    assert put(target, 0, small()) == -1 and not any(target)
    assert put(bytearray(256), 0, small()) == 256
    assert put(bytearray(256), 64, small()) == -1 and put(bytearray(64), 128, small()) == -1


def test_a_call_that_makes_no_frame_is_refused_and_writes_nothing() -> None:
    target = bytearray(512)
    wrong = [
        (32, small(), "multiple of 64"),
        (-64, small(), "multiple of 64"),
        (0, small()._replace(kind=0), "FrameKind"),
        (0, small()._replace(facts=bytes(65)), "whole slots"),
        (0, small()._replace(outputs=bytes(1)), "whole slots"),
        (0, small()._replace(facts=bytes(192)), "expected a fact for every two slots"),
    ]
    for offset, frame, why in wrong:
        with pytest.raises(ValueError, match=why):
            put(target, offset, frame)
    with pytest.raises(BufferError):
        write_frame(bytes(512), 0, *small())
    with pytest.raises(TypeError):
        put(target, 0, small()._replace(body="text"))
    with pytest.raises(ValueError, match="multiple of 64"):
        frame_parts(target, 1)
    assert not any(target)


def test_the_numbers_of_the_format_are_these() -> None:
    whole = reference.frame_bytes(small())
    assert whole[:4] == MAGIC and struct.unpack_from("<I", whole, 0)[0] == 0x314A4254
    assert [(one.name, one.value) for one in FrameKind] == [("SEGMENT", 1), ("FACTS", 2), ("BODY", 3)]
