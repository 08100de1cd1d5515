"""CRC32C, the checksum of frames: polynomial 0x1EDC6F41, reflected, as iSCSI (RFC 3720) has it.

Where the processor has an instruction for it, three lanes of 256 bytes run beside each other, because the instruction takes
three cycles and one may start in each; a table of what 256 zero bytes do to a register joins them. Elsewhere eight bytes go
through eight tables at a time. Both work on the bare register: `crc32c_open` and `crc32c_close` do the inversions at the ends.
"""

from libc.stdint cimport uint32_t

cdef extern from *:
    """
    #include <stdint.h>
    #include <stddef.h>
    #include <string.h>

    #define TB_CRC_LANE 256

    static uint32_t tb_crc_table[8][256];
    static uint32_t tb_crc_shift[4][256];

    static void tb_crc_make_tables(void) {
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t state = byte;
            for (int bit = 0; bit < 8; bit++) state = (state >> 1) ^ (state & 1 ? 0x82F63B78u : 0);
            tb_crc_table[0][byte] = state;
        }
        for (int depth = 1; depth < 8; depth++)
            for (uint32_t byte = 0; byte < 256; byte++) {
                uint32_t before = tb_crc_table[depth - 1][byte];
                tb_crc_table[depth][byte] = (before >> 8) ^ tb_crc_table[0][before & 255];
            }
        memset(tb_crc_shift, 0, sizeof tb_crc_shift);
        for (int bit = 0; bit < 32; bit++) { /* the step is linear: 32 single bits tell all */
            uint32_t state = 1u << bit;
            for (int zero = 0; zero < TB_CRC_LANE; zero++) state = (state >> 8) ^ tb_crc_table[0][state & 255];
            for (uint32_t byte = 0; byte < 256; byte++)
                if (byte >> (bit & 7) & 1) tb_crc_shift[bit >> 3][byte] ^= state;
        }
    }

    static uint32_t tb_crc_by_table(uint32_t state, const void *data, size_t size) {
        const unsigned char *at = (const unsigned char *)data;
        for (; size >= 8; size -= 8, at += 8) {
            uint64_t word;
            memcpy(&word, at, 8);
            word ^= state;
            state = 0;
            for (int byte = 0; byte < 8; byte++) state ^= tb_crc_table[7 - byte][(word >> (8 * byte)) & 255];
        }
        for (; size; size--, at++) state = (state >> 8) ^ tb_crc_table[0][(state ^ *at) & 255];
        return state;
    }

    #if defined(__x86_64__) && defined(__GNUC__)
    #include <nmmintrin.h>

    static inline uint32_t tb_crc_over_zeros(uint32_t state) {
        return tb_crc_shift[0][state & 255] ^ tb_crc_shift[1][state >> 8 & 255]
             ^ tb_crc_shift[2][state >> 16 & 255] ^ tb_crc_shift[3][state >> 24];
    }

    static inline uint64_t tb_crc_word(const unsigned char *at) {
        uint64_t word;
        memcpy(&word, at, 8);
        return word;
    }

    __attribute__((target("sse4.2")))
    static uint32_t tb_crc_by_instruction(uint32_t start, const void *data, size_t size) {
        const unsigned char *at = (const unsigned char *)data;
        uint64_t state = start;
        for (; size >= 3 * TB_CRC_LANE; size -= 3 * TB_CRC_LANE, at += 3 * TB_CRC_LANE) {
            uint64_t second = 0, third = 0;
            for (int byte = 0; byte < TB_CRC_LANE; byte += 8) {
                state = _mm_crc32_u64(state, tb_crc_word(at + byte));
                second = _mm_crc32_u64(second, tb_crc_word(at + TB_CRC_LANE + byte));
                third = _mm_crc32_u64(third, tb_crc_word(at + 2 * TB_CRC_LANE + byte));
            }
            state = tb_crc_over_zeros((uint32_t)state) ^ second;
            state = tb_crc_over_zeros((uint32_t)state) ^ third;
        }
        for (; size >= 8; size -= 8, at += 8) state = _mm_crc32_u64(state, tb_crc_word(at));
        for (; size; size--, at++) state = _mm_crc32_u8((uint32_t)state, *at);
        return (uint32_t)state;
    }

    static int tb_crc_has_instruction(void) { __builtin_cpu_init(); return __builtin_cpu_supports("sse4.2") != 0; }
    #else
    #define tb_crc_by_instruction tb_crc_by_table
    static int tb_crc_has_instruction(void) { return 0; }
    #endif
    """
    void crc32c_make_tables "tb_crc_make_tables"() noexcept nogil           # once, before any other
    bint crc32c_has_instruction "tb_crc_has_instruction"() noexcept nogil
    uint32_t crc32c_by_table "tb_crc_by_table"(uint32_t state, const void* data, size_t size) noexcept nogil
    uint32_t crc32c_by_instruction "tb_crc_by_instruction"(uint32_t state, const void* data, size_t size) noexcept nogil


cdef inline uint32_t crc32c_open(uint32_t start) noexcept nogil:
    """The register that goes on from a checksum; from 0 at the beginning."""
    return ~start


cdef inline uint32_t crc32c_close(uint32_t state) noexcept nogil:
    return ~state
