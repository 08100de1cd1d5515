"""Fetching the sample: with the real pip, against folders of the test's own instead of an index."""

import hashlib
import sys
import zipfile
from pathlib import Path

import pytest

from tradebot.domain.errors import DownloadFailed
from tradebot.store.formats import open_import
from tradebot.store.sample import FILE_NAME, SHA256, fetch_sample


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that the user's own pip settings name as the only place to find packages."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path) -> str:
    """A small wheel of that name and version; returns its hash."""
    info = "ob_analytics-0.1.0.dist-info"
    with zipfile.ZipFile(folder / FILE_NAME, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: ob-analytics\nVersion: 0.1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    return hashlib.sha256((folder / FILE_NAME).read_bytes()).hexdigest()


def test_a_fetched_wheel_is_verified_kept_and_fetched_once(index: Path, tmp_path: Path) -> None:
    digest = write_wheel(index)
    said: list[str] = []
    kept = fetch_sample(tmp_path / "cache", said.append, sha256=digest)
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest
    assert len(said) == 1
    (index / FILE_NAME).unlink()
    assert fetch_sample(tmp_path / "cache", said.append, sha256=digest) == kept
    assert len(said) == 1
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [FILE_NAME]


def test_a_wheel_with_another_hash_is_refused_and_removed(index: Path, tmp_path: Path) -> None:
    digest = write_wheel(index)
    with pytest.raises(DownloadFailed, match=f"sha256 {SHA256}, found {digest}"):
        fetch_sample(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_damaged_kept_file_is_fetched_again(index: Path, tmp_path: Path) -> None:
    digest = write_wheel(index)
    kept = fetch_sample(tmp_path / "cache", sha256=digest)
    kept.write_bytes(b"damaged")
    assert fetch_sample(tmp_path / "cache", sha256=digest) == kept
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest


def test_an_index_without_the_wheel_is_one_line(index: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadFailed, match=r"ERROR: No matching distribution.*pip's settings") as failed:
        fetch_sample(tmp_path / "cache")
    assert "\n" not in str(failed.value)


def test_a_fetch_ends_in_time(index: Path, tmp_path: Path) -> None:
    write_wheel(index)
    with pytest.raises(DownloadFailed, match=r"within 0\.001 s"):
        fetch_sample(tmp_path / "cache", timeout_s=0.001)


@pytest.mark.sample
def test_the_real_wheel_is_read_but_neither_installed_nor_imported(sample_wheel: Path) -> None:
    opened = open_import(sample_wheel)
    assert sum(len(batch) for batch in opened.batches) == 314_341
    assert "ob_analytics" not in sys.modules
