#include "workload.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <thread>

#include "generator.h"
#include "process.h"

using namespace workload;

namespace {

/// Bytes of keys and values in the memtable when the memory of its index is looked at.
constexpr uint64_t memtable_fill = 12 << 20;

[[noreturn]] void fail(const std::string &reason) {
    std::fprintf(stderr, "%s\n", reason.c_str());
    std::exit(1);
}

void print(const char *name, double value) { std::printf("%s=%.6f\n", name, value); }

/// The arguments: a phase, then `--name number` pairs and the directory.
struct Arguments {
    std::string phase, directory;
    std::map<std::string, uint64_t> numbers = {
        {"keys", 100000},     {"value-size", 256},  {"threads", 1},    {"milliseconds", 5000},
        {"memory", 64 << 20}, {"cache", 64 << 20}, {"compresses", 0}, {"length", 100},
        {"checks-blocks", 1},
    };

    Arguments(int argc, char *const *argv) {
        if (argc < 4 || argc % 2 != 0) fail("usage: PHASE --directory PATH [--NAME NUMBER …]");
        phase = argv[1];
        for (int index = 2; index < argc; index += 2) {
            const std::string name = argv[index], value = argv[index + 1];
            if (name == "--directory") {
                directory = value;
            } else if (name.size() > 2 && numbers.count(name.substr(2))) {
                numbers[name.substr(2)] = std::strtoull(value.c_str(), nullptr, 10);
            } else {
                fail("unknown argument " + name);
            }
        }
    }

    uint64_t operator[](const char *name) const { return numbers.at(name); }
};

/// One open store and the measurements on it.
class Bench {
public:
    Bench(const workload_engine &engine, const Arguments &arguments)
        : engine(engine), arguments(arguments), values(arguments["value-size"]),
          keys(arguments["keys"]) {
        if (values.size < 16 || values.size > 1 << 16) fail("--value-size must be 16 to 65536");
        if (keys < 1 || keys >> 31 != 0) fail("--keys must be 1 to 2^31");
        const workload_settings settings = {
            arguments.directory.c_str(), arguments["memory"], arguments["cache"],
            arguments["compresses"] != 0, arguments["checks-blocks"] != 0};
        store = engine.open(&settings);
        if (!store) std::exit(1);
    }

    ~Bench() { engine.close(store); }

    /// Puts every key once, in random order.
    void fill() {
        write(keys, [](uint64_t turn) { return turn; }, 0);
    }

    /// Gives half as many randomly drawn keys as there are their second value.
    void overwrite() {
        Random random(11);
        write(keys / 2, [&](uint64_t) { return random.below(keys); }, 1);
        random = Random(11);
        const Session session(*this);
        for (int turn = 0; turn < 1000; turn++) {
            const uint64_t number = random.below(keys);
            if (!(get(session, number) == values.ends(number, 1))) fail("an overwrite was lost");
        }
    }

    /// Puts new keys from several threads, each put on the disk before the next.
    void write_synced() {
        measure([&](const Session &session, unsigned thread, uint64_t turn) {
            put(session, (uint64_t{thread} + 1) << 40 | turn, 0, true);
        });
    }

    /// Looks random keys up, once those that fit are in the cache.
    void read() {
        warm();
        measure_random([&](const Session &session, Random &random) {
            const uint64_t number = random.below(keys);
            check(number, get(session, number));
        });
    }

    /// Looks up keys that nobody put.
    void read_missing() {
        warm();
        measure_random([&](const Session &session, Random &random) {
            workload_ends ends;
            const Key key = key_of(keys + random.below(keys));
            if (engine.get(session.handle, key.data(), &ends) != workload_absent) {
                fail("a key that nobody put was found");
            }
        });
    }

    /// Seeks the place of a random key and visits the entries from there.
    void seek() {
        warm();
        const int64_t length = arguments["length"];
        std::atomic<uint64_t> visited{0};
        measure_random([&](const Session &session, Random &random) {
            workload_ends sum = {0, 0};
            const Key key = key_of(keys + random.below(keys));
            const int64_t count = engine.scan(session.handle, key.data(), length, &sum);
            if (count < 0) std::exit(1);
            visited += count;
        });
        print("entries", visited);
    }

    /// Visits all entries in order, twice; the first time brings the files into the page cache.
    void scan() {
        workload_ends expected = {0, 0};
        for (uint64_t number = 0; number < keys; number++) add(values.ends(number, 0), expected);
        const Session session(*this);
        const Key first = {};
        for (const bool is_measured : {false, true}) {
            workload_ends sum = {0, 0};
            const double start = now(), processor = processor_seconds();
            const int64_t count = engine.scan(session.handle, first.data(), INT64_MAX, &sum);
            const double seconds = now() - start;
            if (count < 0) std::exit(1);
            if (uint64_t(count) != keys || !(sum == expected)) {
                fail("the scan gave " + std::to_string(count) + " of " + std::to_string(keys) +
                     " entries, or other values");
            }
            if (is_measured) report(count, seconds, processor_seconds() - processor);
        }
    }

    /// The memory of a memtable's index.
    void fill_memtable() {
        if (!engine.index_bytes) fail("this engine does not tell the memory of its index");
        const Session session(*this);
        const uint64_t count = memtable_fill / (workload_key_size + values.size);
        for (uint64_t number = 0; number < count; number++) put(session, number, 0, false);
        int64_t entries = 0;
        print("index_bytes", engine.index_bytes(store, &entries));
        print("operations", entries);
    }

private:
    const workload_engine &engine;
    const Arguments &arguments;
    const Values values;
    const uint64_t keys;
    void *store;

    struct Session {
        const workload_engine &engine;
        void *const handle;
        explicit Session(const Bench &bench)
            : engine(bench.engine), handle(engine.begin_session(bench.store)) {
            if (!handle) std::exit(1);
        }
        ~Session() { engine.end_session(handle); }
        Session(const Session &) = delete;
    };

    void put(const Session &session, uint64_t number, int version, bool synced) const {
        const Key key = key_of(number);
        const uint8_t *value = values.of(number, version);
        if (!engine.put(session.handle, key.data(), value, values.size, synced)) std::exit(1);
    }

    workload_ends get(const Session &session, uint64_t number) const {
        workload_ends ends;
        const Key key = key_of(number);
        const workload_lookup found = engine.get(session.handle, key.data(), &ends);
        if (found == workload_failed) std::exit(1);
        if (found == workload_absent) fail("key " + std::to_string(number) + " is missing");
        return ends;
    }

    void check(uint64_t number, workload_ends ends) const {
        if (ends == values.ends(number, 0) || ends == values.ends(number, 1)) return;
        fail("key " + std::to_string(number) + " has another value");
    }

    static void add(workload_ends ends, workload_ends &sum) {
        sum.first ^= ends.first;
        sum.last ^= ends.last;
    }

    /// What the process has written, by calls and in ways that only the engine can tell.
    uint64_t all_written_bytes() const {
        return written_bytes() + (engine.stored_bytes ? engine.stored_bytes(store) : 0);
    }

    /// Puts records one by one, waits for the background work, and tells what that cost.
    template <class Number>
    void write(uint64_t count, Number number, int version) {
        const uint64_t written = all_written_bytes();
        const double start = now(), processor = processor_seconds();
        {
            const Session session(*this);
            for (uint64_t turn = 0; turn < count; turn++) {
                put(session, number(turn), version, false);
            }
        }
        const double end = now(), used = processor_seconds() - processor;
        const double settled = settle();
        report(count, end - start, used);
        print("settle_seconds", settled - end);
        print("processor_ns", (processor_seconds() - processor) * 1e9);
        print("written_bytes", all_written_bytes() - written);
        print("user_bytes", count * (workload_key_size + values.size));
        print("directory_bytes", allocated_bytes(arguments.directory));
        print("stored_user_bytes", keys * (workload_key_size + values.size));
    }

    /// Brings what fits into the block cache and the rest into the page cache.
    ///
    /// Blocks hold more than a dozen entries, so a quarter of the keys touches nearly all of them.
    void warm() const {
        const Session session(*this);
        for (uint64_t number = 0; number < keys; number += 4) check(number, get(session, number));
    }

    /// Repeats an operation on all threads until the time is over.
    template <class Operation>
    void measure(Operation operation) const {
        const unsigned count = arguments["threads"];
        const double seconds = arguments["milliseconds"] * 1e-3;
        std::atomic<uint64_t> operations{0};
        std::vector<std::thread> threads;
        const double start = now(), processor = processor_seconds();
        for (unsigned thread = 0; thread < count; thread++) {
            threads.emplace_back([&, thread] {
                const Session session(*this);
                uint64_t turn = 0;
                do {
                    operation(session, thread, turn++);
                } while (turn % 16 != 0 || now() - start < seconds);
                operations += turn;
            });
        }
        for (auto &thread : threads) thread.join();
        report(operations, now() - start, processor_seconds() - processor);
    }

    template <class Operation>
    void measure_random(Operation operation) const {
        std::vector<Random> randoms;
        for (unsigned thread = 0; thread < arguments["threads"]; thread++) {
            randoms.emplace_back(100 + thread);
        }
        measure([&](const Session &session, unsigned thread, uint64_t) {
            operation(session, randoms[thread]);
        });
    }

    void report(uint64_t operations, double seconds, double processor) const {
        print("operations", operations);
        print("seconds", seconds);
        print("processor_seconds", processor);
    }
};

const std::map<std::string, void (Bench::*)()> phases = {
    {"fill", &Bench::fill},
    {"overwrite", &Bench::overwrite},
    {"write-synced", &Bench::write_synced},
    {"read", &Bench::read},
    {"read-missing", &Bench::read_missing},
    {"seek", &Bench::seek},
    {"scan", &Bench::scan},
    {"fill-memtable", &Bench::fill_memtable},
};

}  // namespace

int workload_main(int argc, char *const *argv, const workload_engine *engine) {
    if (argc == 2 && std::string(argv[1]) == "version") {
        std::printf("%s\n", engine->name);
        return 0;
    }
    const Arguments arguments(argc, argv);
    const auto phase = phases.find(arguments.phase);
    if (phase == phases.end()) fail("unknown phase " + arguments.phase);
    Bench bench(*engine, arguments);
    (bench.*phase->second)();
    std::fflush(stdout);
    return 0;
}
