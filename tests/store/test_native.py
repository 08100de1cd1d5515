"""Blocks in the Native format: what we write the engine reads, what it writes we read, and half a block is no block."""

import numpy as np
import pytest

from tradebot.store.client import Store
from tradebot.store.native import NUMBERS, decode_blocks, decode_rows, encode_block

COLUMNS = {f"column_{type_}": np.arange(300).astype(number) for type_, number in NUMBERS.items()}
TYPES = {f"column_{type_}": type_ for type_ in NUMBERS}


def test_numbers_come_back_as_they_were() -> None:
    data = b"".join(encode_block(COLUMNS, TYPES))
    blocks = list(decode_blocks(data + data))
    assert len(blocks) == 2
    for block in blocks:
        for column, given in zip(block, COLUMNS.values(), strict=True):
            assert column.dtype == given.dtype and column.tolist() == given.tolist()


def test_a_block_cut_anywhere_is_refused() -> None:
    data = b"".join(encode_block({"a": np.arange(3, dtype="u2"), "b": np.arange(3, dtype="i8")}, {"a": "UInt16", "b": "Int64"}))
    for size in range(1, len(data)):
        with pytest.raises(ValueError):
            list(decode_blocks(data[:size]))
    assert list(decode_blocks(b"")) == []


def test_a_column_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="String"):
        list(decode_blocks(b"".join(encode_block({"a": ["x"]}, {"a": "String"}))))


def test_small_results_of_any_type_are_read(store: Store) -> None:
    assert store.query("SELECT 1, 'it''s', toDate('2024-01-02'), [1, 2], NULL, 0.5")[0][1] == "it's"
    assert store.query("SELECT 1 WHERE 0") == []
    assert store.query("SELECT {word:String}", {"word": "a'b\\c"}) == [("a'b\\c",)]
    assert decode_rows(b"") == []


def test_texts_of_all_lengths_are_written(store: Store) -> None:
    texts = ["", "a", "é" * 200, "x" * 70_000]
    store._backend.insert("runs", {"run_id": ["r"] * 4, "manifest": texts}, {"run_id": "String", "manifest": "String"})
    assert sorted(row[0] for row in store.query("SELECT manifest FROM runs")) == sorted(texts)
