"""The chain over the facts and commands of a run: two 64-bit lanes of folded multiplies."""

from libc.stdint cimport uint8_t, uint64_t

cdef extern from *:
    """
    static inline unsigned long long tb_fold(unsigned long long a, unsigned long long b) {
        unsigned __int128 p = (unsigned __int128)a * b;
        return (unsigned long long)p ^ (unsigned long long)(p >> 64);
    }
    """
    uint64_t fold "tb_fold"(uint64_t a, uint64_t b) noexcept nogil


cdef struct DigestC:
    uint64_t low
    uint64_t high
    uint64_t count              # 64-byte slots taken in


cdef inline int digest_open(DigestC* digest) noexcept nogil:
    digest.low = 0x243F6A8885A308D3ULL
    digest.high = 0x13198A2E03707344ULL
    digest.count = 0
    return 0


cdef inline int digest_slot(DigestC* digest, const void* slot) noexcept nogil:
    """Take in 64 bytes as eight little-endian words."""
    cdef const uint64_t* word = <const uint64_t*>slot
    cdef uint64_t low = digest.low, high = digest.high
    low = fold(low ^ word[0] ^ 0xA4093822299F31D0ULL, word[1] ^ 0x082EFA98EC4E6C89ULL) ^ low
    high = fold(high ^ word[2] ^ 0x452821E638D01377ULL, word[3] ^ 0xBE5466CF34E90C6CULL) ^ high
    low = fold(low ^ word[4] ^ 0xC0AC29B7C97C50DDULL, word[5] ^ 0x3F84D5B5B5470917ULL) ^ low
    high = fold(high ^ word[6] ^ 0x9216D5D98979FB1BULL, word[7] ^ 0xD1310BA698DFB5ACULL) ^ high
    digest.low = fold(low ^ 0x2FFD72DBD01ADFB7ULL, high ^ 0xB8E1AFED6A267E96ULL) + low
    digest.high = (high ^ ((low << 29) | (low >> 35))) + digest.count
    digest.count += 1
    return 0
