"""Lines of files, however packed, and what is no whole file."""

from pathlib import Path

import pytest

from tests.store.raw_lines import cut, write
from tradebot.domain.errors import BadContainer
from tradebot.store import recording
from tradebot.store.recording import content_sha256, files_of, first_line, read_lines


def test_lines_are_numbered_as_an_editor_numbers_them_and_empty_ones_left_out(tmp_path: Path) -> None:
    for suffix in ("", ".gz", ".xz"):
        path = write(tmp_path / f"a.log{suffix}", "one", "", "three\r", "  ")
        assert list(read_lines(path)) == [(1, b"one"), (3, b"three")]
        assert first_line(path) == b"one"


def test_content_is_named_by_its_bytes_and_not_by_its_packing(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{name}.log{suffix}", "one", "two") for name in "ab" for suffix in ("", ".gz", ".xz")]
    assert len({content_sha256([path]) for path in paths}) == 1
    assert len({content_sha256([path], named=True) for path in paths}) == 2
    assert content_sha256([write(tmp_path / "c", "one")] * 2) != content_sha256([write(tmp_path / "d", "one", "one")])


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_file_that_ends_early_is_a_bad_container_though_its_head_can_be_read(tmp_path: Path, suffix: str) -> None:
    lines = [f"{number} {number**7}" for number in range(20_000)]
    path = cut(write(tmp_path / f"a.log{suffix}", *lines))
    assert first_line(path) == b"0 0"
    with pytest.raises(BadContainer, match=rf"expected a whole a\.log{suffix} in .*fetch the file again"):
        list(read_lines(path))
    with pytest.raises(BadContainer):
        content_sha256([path])


def test_what_is_not_packed_as_its_name_says_is_a_bad_container(tmp_path: Path) -> None:
    for suffix in (".gz", ".xz"):
        path = tmp_path / f"a.log{suffix}"
        path.write_text("plain")
        with pytest.raises(BadContainer, match="fetch the file again"):
            first_line(path)


def test_a_line_without_end_is_a_bad_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "LINE_MAX", 100)
    path = write(tmp_path / "a.log", "short", "x" * 200)
    with pytest.raises(BadContainer, match=r"at most 100 bytes, found a longer one at .*a\.log:2"):
        list(read_lines(path))


def test_a_folder_is_its_files_by_name_and_nothing_is_nothing(tmp_path: Path) -> None:
    for name in ("b", "a", ".hidden", "deep/c"):
        write(tmp_path / name, "x")
    assert [file.name for file in files_of(tmp_path)] == ["a", "b"]
    with pytest.raises(BadContainer, match="found no file or folder"):
        files_of(tmp_path / "absent")
