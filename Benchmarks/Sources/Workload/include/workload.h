#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Bytes of every key.
enum { workload_key_size = 16 };

/// Where a store lies and what it may use.
typedef struct {
    const char *directory;
    /// Bytes of all memtables together.
    size_t memtable_bytes;
    size_t block_cache_bytes;
    /// Whether blocks go through zlib at level 1.
    bool compresses;
    /// Whether a block that is read from a file must be compared with its checksum; else it is
    /// what the engine does by default.
    bool checks_blocks;
} workload_settings;

/// What is looked at of a value: its first and its last eight bytes, as the machine loads them.
typedef struct {
    uint64_t first;
    uint64_t last;
} workload_ends;

/// What `get` found.
typedef enum { workload_failed = -1, workload_absent = 0, workload_found = 1 } workload_lookup;

/// A store as the workload uses it. A function that fails writes the reason to standard error.
typedef struct {
    /// Name and version, for the report.
    const char *name;
    /// Opens the store of a directory, making it if there is none; null if that fails.
    void *(*open)(const workload_settings *settings);
    void (*close)(void *store);
    /// What one thread needs; used by that thread only.
    void *(*begin_session)(void *store);
    void (*end_session)(void *session);
    /// Writes one record; with `synced` it is on the disk on return. Waits where the store is
    /// overloaded.
    bool (*put)(
        void *session, const uint8_t *key, const uint8_t *value, size_t value_size, bool synced);
    workload_lookup (*get)(void *session, const uint8_t *key, workload_ends *ends);
    /// Visits up to `limit` entries in ascending order from the first at or behind `key`, and
    /// joins the ends of their values into `sum` by exclusive or; returns their number, or -1.
    int64_t (*scan)(void *session, const uint8_t *key, int64_t limit, workload_ends *sum);
    /// Bytes that memtables hold beside keys and values, and their entries; null if not told.
    int64_t (*index_bytes)(void *store, int64_t *entries);
    /// Bytes that were written since the store was opened and that the system does not count, as it
    /// does those of `write` and its like; null if there are none.
    int64_t (*stored_bytes)(void *store);
} workload_engine;

/// Does the measurement that the arguments ask for, and prints its figures as `name=value` lines.
int workload_main(int argc, char *const *argv, const workload_engine *engine);

/// The ends of a value of at least eight bytes.
static inline workload_ends workload_ends_of(const void *value, size_t size) {
    workload_ends ends;
    __builtin_memcpy(&ends.first, value, 8);
    __builtin_memcpy(&ends.last, (const char *)value + size - 8, 8);
    return ends;
}

#ifdef __cplusplus
}
#endif
#endif
