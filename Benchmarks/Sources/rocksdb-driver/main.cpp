#include "workload.h"

#if !__has_include(<rocksdb/db.h>)
#error "RocksDB is not installed: apt-get install librocksdb-dev"
#endif
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/version.h>

#include <cstdio>
#include <memory>
#include <string>

namespace {

using rocksdb::Slice;

struct Session {
    rocksdb::DB &store;
    rocksdb::PinnableSlice value;
};

Slice key_slice(const uint8_t *key) {
    return Slice(reinterpret_cast<const char *>(key), workload_key_size);
}

bool succeeded(const rocksdb::Status &status) {
    if (!status.ok()) std::fprintf(stderr, "RocksDB: %s\n", status.ToString().c_str());
    return status.ok();
}

void *open_store(const workload_settings *settings) {
    rocksdb::BlockBasedTableOptions table;
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.block_cache = rocksdb::NewLRUCache(settings->block_cache_bytes);
    rocksdb::Options options;
    options.create_if_missing = true;
    options.compaction_style = rocksdb::kCompactionStyleUniversal;
    options.write_buffer_size = settings->memtable_bytes / 2;
    options.max_write_buffer_number = 2;
    options.stats_dump_period_sec = 0;
    options.compression =
        settings->compresses ? rocksdb::kZlibCompression : rocksdb::kNoCompression;
    options.compression_opts.level = 1;
    options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    rocksdb::DB *store = nullptr;
    return succeeded(rocksdb::DB::Open(options, settings->directory, &store)) ? store : nullptr;
}

void close_store(void *store) { delete static_cast<rocksdb::DB *>(store); }

void *begin_session(void *store) { return new Session{*static_cast<rocksdb::DB *>(store), {}}; }

void end_session(void *session) { delete static_cast<Session *>(session); }

bool put(void *session, const uint8_t *key, const uint8_t *value, size_t value_size, bool synced) {
    rocksdb::WriteOptions options;
    options.sync = synced;
    const Slice bytes(reinterpret_cast<const char *>(value), value_size);
    return succeeded(static_cast<Session *>(session)->store.Put(options, key_slice(key), bytes));
}

workload_lookup get(void *session, const uint8_t *key, workload_ends *ends) {
    auto &[store, value] = *static_cast<Session *>(session);
    value.Reset();
    const auto status = store.Get(
        rocksdb::ReadOptions(), store.DefaultColumnFamily(), key_slice(key), &value);
    if (status.IsNotFound()) return workload_absent;
    if (!succeeded(status)) return workload_failed;
    *ends = workload_ends_of(value.data(), value.size());
    return workload_found;
}

int64_t scan(void *session, const uint8_t *key, int64_t limit, workload_ends *sum) {
    auto &store = static_cast<Session *>(session)->store;
    const std::unique_ptr<rocksdb::Iterator> entry(store.NewIterator(rocksdb::ReadOptions()));
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
    const std::string name = "RocksDB " + rocksdb::GetRocksVersionAsString();
    const workload_engine engine = {
        name.c_str(), open_store, close_store, begin_session, end_session,
        put, get, scan, nullptr, nullptr};
    return workload_main(argc, argv, &engine);
}
