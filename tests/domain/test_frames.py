"""Frames by name: what is put is what is read, and the digest keeps its digits."""

import pytest

from tradebot.domain.frames import NO_DIGEST, Frame, FrameError, FrameKind, digest_halves, put_frame, read_frame

FRAME = Frame(FrameKind.FACTS, 2, 40, 3, 1_700, "0123456789abcdef" * 2, bytes(range(64)) * 4, bytes(64), b"what it was")


def test_a_frame_that_is_put_is_read() -> None:
    target = bytearray(1_024)
    end = put_frame(target, 64, FRAME)
    assert end == 64 + FRAME.size == 64 + 64 * 7
    assert read_frame(target, 64) == FRAME and read_frame(target, end) is None and read_frame(target, 0) is None
    assert isinstance(read_frame(target, 64).kind, FrameKind)
    assert FRAME.end_sequence == 43


def test_a_damaged_frame_says_where() -> None:
    target = bytearray(1_024)
    put_frame(target, 64, FRAME)
    target[200] ^= 1
    with pytest.raises(FrameError, match="byte 64: its checksum differs"):
        read_frame(target, 64)


def test_a_digest_is_its_halves() -> None:
    assert digest_halves("00000000000000ff" + "000000000000000a") == (10, 255)
    assert digest_halves(NO_DIGEST) == (0, 0)
