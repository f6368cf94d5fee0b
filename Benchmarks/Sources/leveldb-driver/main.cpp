#include "workload.h"

#if !__has_include(<leveldb/db.h>)
#error "LevelDB is not installed: apt-get install libleveldb-dev"
#endif
#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

using leveldb::Slice;

/// The store and what it is made of; the store goes first.
struct Store {
    std::unique_ptr<const leveldb::FilterPolicy> filter;
    std::unique_ptr<leveldb::Cache> cache;
    std::unique_ptr<leveldb::DB> database;
    leveldb::ReadOptions reads;
};

struct Session {
    leveldb::DB &database;
    const leveldb::ReadOptions &reads;
    std::string value;
};

Slice key_slice(const uint8_t *key) {
    return Slice(reinterpret_cast<const char *>(key), workload_key_size);
}

bool succeeded(const leveldb::Status &status) {
    if (!status.ok()) std::fprintf(stderr, "LevelDB: %s\n", status.ToString().c_str());
    return status.ok();
}

void *open_store(const workload_settings *settings) {
    if (settings->compresses) {
        std::fprintf(stderr, "LevelDB has no zlib\n");
        return nullptr;
    }
    auto store = std::make_unique<Store>();
    store->filter.reset(leveldb::NewBloomFilterPolicy(10));
    store->cache.reset(leveldb::NewLRUCache(settings->block_cache_bytes));
    leveldb::Options options;
    options.create_if_missing = true;
    options.write_buffer_size = settings->memtable_bytes / 2;
    options.compression = leveldb::kNoCompression;
    options.filter_policy = store->filter.get();
    options.block_cache = store->cache.get();
    store->reads.verify_checksums = settings->checks_blocks;  // Off by default.
    leveldb::DB *database = nullptr;
    if (!succeeded(leveldb::DB::Open(options, settings->directory, &database))) return nullptr;
    store->database.reset(database);
    return store.release();
}

void close_store(void *store) { delete static_cast<Store *>(store); }

void *begin_session(void *store) {
    const auto &[filter, cache, database, reads] = *static_cast<Store *>(store);
    return new Session{*database, reads, {}};
}

void end_session(void *session) { delete static_cast<Session *>(session); }

bool put(void *session, const uint8_t *key, const uint8_t *value, size_t value_size, bool synced) {
    leveldb::WriteOptions options;
    options.sync = synced;
    const Slice bytes(reinterpret_cast<const char *>(value), value_size);
    return succeeded(static_cast<Session *>(session)->database.Put(options, key_slice(key), bytes));
}

workload_lookup get(void *session, const uint8_t *key, workload_ends *ends) {
    auto &[database, reads, value] = *static_cast<Session *>(session);
    const auto status = database.Get(reads, key_slice(key), &value);
    if (status.IsNotFound()) return workload_absent;
    if (!succeeded(status)) return workload_failed;
    *ends = workload_ends_of(value.data(), value.size());
    return workload_found;
}

int64_t scan(void *session, const uint8_t *key, int64_t limit, workload_ends *sum) {
    const auto *reader = static_cast<Session *>(session);
    const std::unique_ptr<leveldb::Iterator> entry(reader->database.NewIterator(reader->reads));
    int64_t count = 0;
    for (entry->Seek(key_slice(key)); entry->Valid() && count < limit; entry->Next()) {
        const Slice value = entry->value();
        const workload_ends ends = workload_ends_of(value.data(), value.size());
        sum->first ^= ends.first;
        sum->last ^= ends.last;
        count++;
    }
    return succeeded(entry->status()) ? count : -1;
}

}  // namespace

int main(int argc, char **argv) {
    const std::string name = "LevelDB " + std::to_string(leveldb::kMajorVersion) + "." +
                             std::to_string(leveldb::kMinorVersion);
    const workload_engine engine = {
        name.c_str(), open_store, close_store, begin_session, end_session,
        put, get, scan, nullptr, nullptr};
    return workload_main(argc, argv, &engine);
}
