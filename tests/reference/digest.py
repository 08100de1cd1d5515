"""The digest in plain Python: the specification's twin of _core/digest."""

import struct

MASK = (1 << 64) - 1
LOW, HIGH = 0x243F6A8885A308D3, 0x13198A2E03707344
STEPS = (
    (0xA4093822299F31D0, 0x082EFA98EC4E6C89),
    (0x452821E638D01377, 0xBE5466CF34E90C6C),
    (0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917),
    (0x9216D5D98979FB1B, 0xD1310BA698DFB5AC),
)
LAST = (0x2FFD72DBD01ADFB7, 0xB8E1AFED6A267E96)


def fold(left: int, right: int) -> int:
    product = left * right
    return (product & MASK) ^ (product >> 64)


class Digest:
    def __init__(self) -> None:
        self.low, self.high, self.count = LOW, HIGH, 0

    def slot(self, body: bytes) -> None:
        """Take in 64 bytes."""
        words = struct.unpack("<8Q", body)
        low, high = self.low, self.high
        low ^= fold(low ^ words[0] ^ STEPS[0][0], words[1] ^ STEPS[0][1])
        high ^= fold(high ^ words[2] ^ STEPS[1][0], words[3] ^ STEPS[1][1])
        low ^= fold(low ^ words[4] ^ STEPS[2][0], words[5] ^ STEPS[2][1])
        high ^= fold(high ^ words[6] ^ STEPS[3][0], words[7] ^ STEPS[3][1])
        self.low = (fold(low ^ LAST[0], high ^ LAST[1]) + low) & MASK
        self.high = ((high ^ ((low << 29 | low >> 35) & MASK)) + self.count) & MASK
        self.count += 1

    def text(self) -> str:
        return f"{self.high:016x}{self.low:016x}"


def digest_bytes(data: bytes) -> str:
    digest = Digest()
    for at in range(0, len(data), 64):
        digest.slot(data[at : at + 64].ljust(64, b"\0"))
    digest.slot(struct.pack("<8Q", len(data), *[0] * 7))
    return digest.text()
