"""A natural logarithm of our own: + - * / only, so that every machine gives the same bits, which libm does not promise.

x = m * 2**k with m in [sqrt(1/2), sqrt(2)); ln x = k ln 2 + 2 artanh(t) with t = (m - 1) / (m + 1), |t| < 0.172, and
artanh(t) = t + t**3 / 3 + t**5 / 5 + ... (Abramowitz and Stegun, 4.1.27). Twelve terms leave less than 1e-20 of the value.
"""

cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    static inline double tb_log(double x) {
        uint64_t bits;
        double m, t, square, sum;
        int k, n;
        if (!(x > 0.0)) return x == 0.0 ? -1.0 / 0.0 : 0.0 / 0.0;
        memcpy(&bits, &x, 8);
        k = (int)(bits >> 52) - 1023;
        if (k == 1024) return x;
        if (k == -1023) return tb_log(x * 18014398509481984.0) - 54 * 0.69314718055994530942;
        bits = (bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull;
        memcpy(&m, &bits, 8);
        if (m > 1.41421356237309504880) { m *= 0.5; k += 1; }
        t = (m - 1.0) / (m + 1.0);
        square = t * t;
        sum = 0.0;
        for (n = 23; n > 0; n -= 2) sum = sum * square + 1.0 / n;
        return k * 0.69314718055994530942 + 2.0 * t * sum;
    }
    """
    double natural_log "tb_log"(double x) noexcept nogil
