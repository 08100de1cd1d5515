"""Damage that knows what it damages: lines, fields and numbers of text, words of binaries, and both inside their packing.

Everything is drawn from the one `random.Random` that an execution is given.
"""

import gzip
import hashlib
import io
import lzma
import math
import random
import re
import zipfile
from collections.abc import Callable
from typing import Final

import pyarrow as pa
from pyarrow import feather
from pyarrow import parquet as arrow_parquet

LIMITS: Final = [0, 1, -1, *(sign * (1 << bits) + step for bits in (7, 8, 15, 31, 32, 53, 62, 63, 64) for sign in (1, -1)
                             for step in (-1, 0, 1))]  # fmt: skip
WORDS: Final = [
    "", "nan", "inf", "-inf", "1e400", "1e-400", "-0", "0x10", "1_000", " 1", "1 ", "+1", ".", "1.", ".5", "1e5", "٣", "é", "\0",
    '"', "'", "null", "true", "[]", "{}", "9" * 400, "0." + "0" * 400 + "1", "1,2", "\r", "\\u0000", "1e19", "0.1e-30",
]  # fmt: skip
NUMBER: Final = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
SPLITS: Final = (b",", b":", b" ", b'"', b";")

Damage = Callable[[random.Random, bytes], bytes]


def mutate(chance: random.Random, name: str, data: bytes) -> bytes:
    """The file damaged once to four times; mostly inside its packing, at times the packing itself."""
    if chance.random() < 0.8:
        try:
            return repacked(chance, name, data)
        except Exception:  # what was damaged before may no longer open, in as many ways as there are libraries; then it is bytes
            return damaged(chance, data, BINARY)
    return damaged(chance, data, BINARY)


def repacked(chance: random.Random, name: str, data: bytes) -> bytes:
    if name.endswith(".gz"):
        return gzip.compress(damaged(chance, gzip.decompress(data), of(name)), 1, mtime=0)
    if name.endswith(".xz"):
        return lzma.compress(damaged(chance, lzma.decompress(data), of(name)), preset=0)
    if name.endswith((".parquet", ".feather")) and chance.random() < 0.7:
        return retabled(chance, name, data)
    if name.endswith((".zip", ".whl", ".npz")):
        return rezipped(chance, data)
    return damaged(chance, data, of(name))


def retabled(chance: random.Random, name: str, data: bytes) -> bytes:
    """A table of Arrow written anew with a column of other values, of another type, of another name, or none."""
    table = arrow_parquet.read_table(io.BytesIO(data)) if name.endswith(".parquet") else feather.read_table(io.BytesIO(data))
    table.validate(full=True)  # one that an earlier change damaged would be read beyond its end here, before the importer sees it
    at = chance.randrange(table.num_columns)
    column, title = table.column(at), table.column_names[at]
    values = column.to_pylist()
    for _ in range(chance.randrange(1, 4)):
        values[chance.randrange(len(values))] = chance.choice((None, *values[:3]))
    draw = chance.random()
    if draw < 0.3:
        column = pa.array(values, column.type)
    elif draw < 0.5:
        column = pa.array([chance.choice(LIMITS[:-6]) % (1 << 62) for _ in values], pa.int64())
    elif draw < 0.65:
        column = pa.array([chance.choice((math.nan, math.inf, -1.0, 1e300, 0.1, 100.01, 1e-300)) for _ in values])
    elif draw < 0.8:
        column = pa.array([chance.choice(WORDS) for _ in values])
    elif draw < 0.9:
        title = chance.choice(("price", "time", "date", "side", "x", title.upper()))
    table = table.remove_column(at) if draw > 0.95 else table.set_column(at, title, column)
    target = io.BytesIO()
    if name.endswith(".parquet"):
        arrow_parquet.write_table(table, target)
    else:
        feather.write_feather(table, target)
    return target.getvalue()


def rezipped(chance: random.Random, data: bytes) -> bytes:
    """One member damaged; at times a member is left away, or is there twice."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    if not members:
        return data
    at = chance.randrange(len(members))
    name, body = members[at]
    members[at] = (name, damaged(chance, body, of(name)))
    if chance.random() < 0.05:
        members.pop(at)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body)
    return target.getvalue()


def checksum(name: str, data: bytes) -> bytes:
    """The file beside an archive that vouches for it."""
    return f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode()


def of(name: str) -> list[Damage]:
    return BINARY if name.removesuffix(".gz").endswith((".npy", ".parquet", ".feather")) else TEXT


def damaged(chance: random.Random, data: bytes, ways: list[Damage]) -> bytes:
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        data = chance.choice(ways)(chance, data)
    return data


def place(chance: random.Random, data: bytes) -> int:
    return chance.randrange(len(data) + 1)


def flip(chance: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def cut(chance: random.Random, data: bytes) -> bytes:
    at = place(chance, data)
    return data[:at] if chance.random() < 0.5 else data[at:]


def drop(chance: random.Random, data: bytes) -> bytes:
    at = place(chance, data)
    return data[:at] + data[at + chance.randrange(1, 40) :]


def insert(chance: random.Random, data: bytes) -> bytes:
    at = place(chance, data)
    return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]


def splice(chance: random.Random, data: bytes) -> bytes:
    """A piece of it once more, somewhere else."""
    begin, at = place(chance, data), place(chance, data)
    return data[:at] + data[begin : begin + chance.randrange(1, 200)] + data[at:]


def word(chance: random.Random, data: bytes) -> bytes:
    """A whole number at a bound of its size over what was there."""
    size = chance.choice((1, 2, 4, 8))
    at = place(chance, data)
    if chance.random() < 0.7:
        at -= at % size
    value = chance.choice(LIMITS) % (1 << 8 * size)
    return data[:at] + value.to_bytes(size, chance.choice(("little", "little", "big"))) + data[at + size :]


def number(chance: random.Random, data: bytes) -> bytes:
    """Another number, or no number, in the place of one."""
    found = list(NUMBER.finditer(data))
    if not found:
        return insert(chance, data)
    one = chance.choice(found)
    return data[: one.start()] + instead(chance, one[0]) + data[one.end() :]


def instead(chance: random.Random, old: bytes) -> bytes:
    draw = chance.random()
    if draw < 0.35:
        return str(chance.choice(LIMITS)).encode()
    if draw < 0.6:
        return chance.choice(WORDS).encode()
    if draw < 0.7:
        return b"-" + old
    if draw < 0.8:
        return old + str(chance.randrange(10**6)).encode()
    try:
        return str(int(old) + chance.choice((-1, 1, 1000, -1000, 10**9))).encode()
    except ValueError:
        return old + b"1"


def swap_fields(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at, by = chance.randrange(len(lines)), chance.choice(SPLITS)
    fields = lines[at].split(by)
    first, second = chance.randrange(len(fields)), chance.randrange(len(fields))
    fields[first], fields[second] = fields[second], fields[first]
    lines[at] = by.join(fields)
    return b"\n".join(lines)


def lose_field(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    at, by = chance.randrange(len(lines)), chance.choice(SPLITS)
    fields = lines[at].split(by)
    fields.pop(chance.randrange(len(fields)))
    lines[at] = by.join(fields)
    return b"\n".join(lines)


def double_line(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    return b"\n".join(lines)


def lose_line(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    lines.pop(chance.randrange(len(lines)))
    return b"\n".join(lines)


def swap_lines(chance: random.Random, data: bytes) -> bytes:
    lines = data.split(b"\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\n".join(lines)


def other_ends(chance: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", chance.choice((b"\r\n", b"\r", b"\n\n", b"")))


BINARY: Final[list[Damage]] = [flip, flip, cut, drop, insert, splice, word, word, word]
TEXT: Final[list[Damage]] = [
    *[number] * 6, *[swap_fields] * 2, lose_field, double_line, lose_line, swap_lines, flip, cut, drop, insert, splice,
    other_ends,
]  # fmt: skip
