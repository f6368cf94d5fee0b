// The instruction path needs function attributes and intrinsics, which Swift does not offer: 7.5 GB/s
// at 300 B and 20 GB/s at 4 KiB against 1.6 GB/s for slicing-by-8 in Swift.
#include "CCRC32C.h"

#include <string.h>

static uint32_t table[8][256];

__attribute__((constructor)) static void make_table(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int k = 0; k < 8; k++) {
            crc = crc & 1 ? (crc >> 1) ^ 0x82F63B78u : crc >> 1;
        }
        table[0][n] = crc;
    }
    for (uint32_t n = 0; n < 256; n++) {
        for (int k = 1; k < 8; k++) {
            table[k][n] = (table[k - 1][n] >> 8) ^ table[0][table[k - 1][n] & 0xff];
        }
    }
}

static uint32_t portable(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count >= 8) {
        uint32_t low, high;
        memcpy(&low, bytes, 4);
        memcpy(&high, bytes + 4, 4);
        low ^= crc;
        crc = table[7][low & 0xff] ^ table[6][(low >> 8) & 0xff] ^ table[5][(low >> 16) & 0xff]
            ^ table[4][low >> 24] ^ table[3][high & 0xff] ^ table[2][(high >> 8) & 0xff]
            ^ table[1][(high >> 16) & 0xff] ^ table[0][high >> 24];
        bytes += 8;
        count -= 8;
    }
    while (count--) {
        crc = table[0][(crc ^ *bytes++) & 0xff] ^ (crc >> 8);
    }
    return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

// The instruction takes three cycles and a new one may begin in each, so three streams run side by
// side over lanes of one length and are joined: a checksum moves n bytes on when it is multiplied by
// x^(8n) modulo the polynomial.
enum { long_lane = 1024, short_lane = 128 };

static uint64_t long_shift[2], short_shift[2];

/// x^(8 * count - 33) in the reflected order: 33 less, since the carry-less product of two reflected
/// numbers stands one place off and the instruction that reduces it multiplies by x^32.
static uint64_t shift_by(size_t count) {
    uint32_t power = 0x80000000u;
    for (size_t n = 0; n < 8 * count - 33; n++) {
        power = power & 1 ? (power >> 1) ^ 0x82F63B78u : power >> 1;
    }
    return power;
}

__attribute__((constructor)) static void make_shifts(void) {
    for (int lanes = 1; lanes <= 2; lanes++) {
        long_shift[lanes - 1] = shift_by((size_t)lanes * long_lane);
        short_shift[lanes - 1] = shift_by((size_t)lanes * short_lane);
    }
}

static inline uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t one_stream(
    uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t wide = crc;
    while (count >= 8) {
        wide = _mm_crc32_u64(wide, word_at(bytes));
        bytes += 8;
        count -= 8;
    }
    crc = (uint32_t)wide;
    while (count--) {
        crc = _mm_crc32_u8(crc, *bytes++);
    }
    return crc;
}

/// The checksum over three lanes, which lie one behind another.
__attribute__((target("sse4.2,pclmul"))) static inline uint32_t three_lanes(
    uint32_t crc, const uint8_t *bytes, size_t lane, const uint64_t shift[2]) {
    uint64_t first = crc, second = 0, third = 0;
    for (size_t offset = 0; offset < lane; offset += 8) {
        first = _mm_crc32_u64(first, word_at(bytes + offset));
        second = _mm_crc32_u64(second, word_at(bytes + lane + offset));
        third = _mm_crc32_u64(third, word_at(bytes + 2 * lane + offset));
    }
    const __m128i joined = _mm_xor_si128(
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)first),
                             _mm_cvtsi64_si128((long long)shift[1]), 0),
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)second),
                             _mm_cvtsi64_si128((long long)shift[0]), 0));
    return (uint32_t)(_mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(joined)) ^ third);
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t three_streams(
    uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 3 * long_lane; bytes += 3 * long_lane, count -= 3 * long_lane) {
        crc = three_lanes(crc, bytes, long_lane, long_shift);
    }
    for (; count >= 3 * short_lane; bytes += 3 * short_lane, count -= 3 * short_lane) {
        crc = three_lanes(crc, bytes, short_lane, short_shift);
    }
    return one_stream(crc, bytes, count);
}
#endif

uint32_t starling_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2")) {
        return count >= 3 * short_lane && __builtin_cpu_supports("pclmul")
            ? ~three_streams(crc, bytes, count) : ~one_stream(crc, bytes, count);
    }
#endif
    return ~portable(crc, bytes, count);
}
