"""What others raise is told in one printable line, whatever it is."""

import msgspec
import pytest

from tradebot.domain.words import TRACE_MAX, error_text, one_line, trace_text


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Deadly(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("plain"), "ValueError: plain"),
        (ValueError("one\ntwo\r\n  three"), "ValueError: one two three"),
        (ValueError("\x1b]0;title\x07 \x00"), "ValueError: ]0;title"),
        (OSError("no file \udcff here"), "OSError: no file here"),
        (ValueError(), "ValueError:"),
        (Deadly(), "Deadly: it cannot say what is wrong, for that raises KeyboardInterrupt"),
        (Mute(), "Mute: it cannot say what is wrong, for that raises RuntimeError"),
    ],
)
def test_whatever_is_raised_is_one_line_that_can_be_sent(error: Exception, said: str) -> None:
    assert error_text(error) == said
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(error_text(error))) == said


def test_what_is_long_is_cut_where_it_is_seen() -> None:
    assert one_line("y" * 3_000_000, 10) == "yyyyyyyyy…"
    assert one_line("y" * 10, 10) == "y" * 10
    assert len(error_text(ValueError("\n" * 5_000 + "late"))) <= 400


def test_all_white_space_is_folded() -> None:
    assert one_line("  a\n\tb  c ") == "a b c"


@pytest.mark.parametrize("error", [ValueError("x\x1b[2J\u202e\udcff" + "y" * 3_000_000), Mute(), Deadly()])
def test_where_it_was_raised_is_text_that_a_terminal_may_be_shown(error: Exception) -> None:
    try:
        raise error
    except type(error) as caught:
        text = trace_text(caught)
    assert all(sign.isprintable() or sign == "\n" for sign in text) and len(text) <= TRACE_MAX
    text.encode()
