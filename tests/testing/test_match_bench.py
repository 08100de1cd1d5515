"""`bench match`: a stream is read as it is meant, and held against what its generator says it came to."""

import random
from pathlib import Path

import msgspec
import numpy as np
import pytest

from tests.reference.exchange import ReferenceExchange
from tradebot.domain.errors import BadContainer, LocalError
from tradebot.testing.match_bench import load, match

STREAM = np.dtype([("ts", "i8"), ("oid", "i8"), ("px", "i4"), ("qty", "i4"), ("kind", "i1"), ("side", "i1")], align=True)


def write_stream(folder: Path, count: int = 1_500) -> Path:
    """Orders around one price, cancels of some and market orders, as the generator writes them, and what they come to."""
    chance, rows = random.Random(8), np.zeros(count, STREAM)
    for at in range(count):
        kind = chance.choices((0, 1, 2), (70, 25, 5))[0] if at > 50 else 0
        side = chance.choice((1, -1))
        order_id = 0 if kind == 2 else at + 1 if kind == 0 else chance.randrange(1, at + 1)
        price = 0 if kind == 2 else 600_000 - side * chance.randrange(-1, 12)
        rows[at] = (at, order_id, price, chance.randrange(1, 90), kind, side)
    np.save(folder / "ops.npy", rows)
    twin = ReferenceExchange()
    twin.apply(load(folder / "ops.npy"))
    (bid, bid_lots), (ask, ask_lots) = twin.best(0), twin.best(1)
    best = {"bid": bid, "ask": ask, "bq": bid_lots, "aq": ask_lots}
    told = {"nops": count, "n_fills": twin.fills, "volume": twin.volume, "live": twin.live, **best}
    (folder / "meta.json").write_bytes(msgspec.json.encode(told | {"gen_s": 1.5}))
    return folder / "ops.npy"


def test_a_stream_comes_to_what_the_naive_exchange_says(tmp_path: Path) -> None:
    path = write_stream(tmp_path)
    twin = ReferenceExchange()
    twin.apply(load(path))
    first, again = match(path), match(path)
    assert first.checked and first.fills > 100
    assert (first.operations, first.fills, first.digest) == (1_500, twin.fills, twin.digest_text)
    assert (again.fills, again.digest) == (first.fills, first.digest)


def test_without_the_generators_word_nothing_is_checked_and_that_is_said(tmp_path: Path) -> None:
    path = write_stream(tmp_path, 200)
    (tmp_path / "meta.json").unlink()
    assert not match(path).checked


def test_a_stream_that_comes_to_something_else_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = write_stream(tmp_path)
    told = msgspec.json.decode((tmp_path / "meta.json").read_bytes())
    (tmp_path / "meta.json").write_bytes(msgspec.json.encode(told | {"live": told["live"] + 1}))
    with pytest.raises(LocalError, match=rf"meta\.json says: live {told['live'] + 1}, found {told['live']}"):
        match(path)


def test_a_file_that_holds_no_stream_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "other.npy", np.zeros(3))
    rows = np.zeros(3, STREAM)
    np.save(tmp_path / "sides.npy", rows)
    np.save(tmp_path / "empty.npy", rows[:0])
    for name in ("text", "other", "sides", "empty", "absent"):
        with pytest.raises(BadContainer, match=rf"expected a stream of orders .*{name}\.npy"):
            match(tmp_path / f"{name}.npy")
    rows["side"] = 1
    np.save(tmp_path / "ops.npy", rows)
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(BadContainer, match=r"generator's account in .*meta\.json"):
        match(tmp_path / "ops.npy")
