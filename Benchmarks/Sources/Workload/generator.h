#pragma once

#include <array>
#include <cstring>
#include <vector>

#include "workload.h"

namespace workload {

/// The mixing step of splitmix64 (Steele, Lea, Flood, OOPSLA 2014): one-to-one over 64 bits.
inline uint64_t mix(uint64_t word) {
    word += 0x9e3779b97f4a7c15;
    word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9;
    word = (word ^ word >> 27) * 0x94d049bb133111eb;
    return word ^ word >> 31;
}

/// splitmix64, seeded.
class Random {
public:
    explicit Random(uint64_t seed) : state(mix(seed)) {}

    uint64_t next() {
        state += 0x9e3779b97f4a7c15;
        return mix(state);
    }

    /// A number below `bound`, which must be below 2^32.
    uint64_t below(uint64_t bound) { return (next() >> 32) * bound >> 32; }

private:
    uint64_t state;
};

using Key = std::array<uint8_t, workload_key_size>;

/// The key of a number. Numbers in ascending order give keys in random order, none twice.
inline Key key_of(uint64_t number) {
    const uint64_t words[2] = {mix(number), mix(~number)};
    Key key;
    std::memcpy(key.data(), words, sizeof words);
    return key;
}

/// Values: slices of one mebibyte, of which every other 32 bytes repeat the 32 before them.
class Values {
public:
    explicit Values(size_t size) : size(size), pool(pool_size) {
        Random random(4711);
        for (size_t unit = 0; unit < pool_size; unit += 64) {
            for (size_t offset = 0; offset < 32; offset += 8) {
                const uint64_t word = random.next();
                std::memcpy(&pool[unit + offset], &word, 8);
                std::memcpy(&pool[unit + offset + 32], &word, 8);
            }
        }
    }

    /// The value that a key's number has in its first version, 0, or after overwriting, 1.
    const uint8_t *of(uint64_t number, int version) const {
        const uint64_t draw = mix(2 * number + version + 0x5bd1e995) >> 32;
        return &pool[draw * (pool_size - size) >> 32];
    }

    workload_ends ends(uint64_t number, int version) const {
        return workload_ends_of(of(number, version), size);
    }

    const size_t size;

private:
    static constexpr size_t pool_size = 1 << 20;
    std::vector<uint8_t> pool;
};

inline bool operator==(workload_ends left, workload_ends right) {
    return left.first == right.first && left.last == right.last;
}

}  // namespace workload
