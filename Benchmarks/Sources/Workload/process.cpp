#include "process.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

namespace workload {

double now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

double processor_seconds() {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

uint64_t written_bytes() {
    std::ifstream file("/proc/self/io");
    std::string name;
    uint64_t value;
    while (file >> name >> value) {
        if (name == "wchar:") return value;
    }
    return 0;
}

uint64_t allocated_bytes(const std::string &directory) {
    namespace fs = std::filesystem;
    uint64_t sum = 0;
    std::error_code ignored;  // A file may go while the walk comes to it.
    fs::recursive_directory_iterator entry(directory, ignored), end;
    for (; !ignored && entry != end; entry.increment(ignored)) {
        struct stat status;
        if (lstat(entry->path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
            sum += static_cast<uint64_t>(status.st_blocks) * 512;
        }
    }
    return sum;
}

namespace {

/// Whether a thread of this process waits for the disk.
bool waits_for_disk() {
    namespace fs = std::filesystem;
    std::error_code ignored;  // A thread may end while the walk comes to it.
    for (const auto &task : fs::directory_iterator("/proc/self/task", ignored)) {
        std::ifstream file(task.path() / "stat");
        std::string line;
        std::getline(file, line);
        const size_t name_end = line.rfind(')');
        if (name_end != std::string::npos && line.compare(name_end + 1, 2, " D") == 0) return true;
    }
    return false;
}

}  // namespace

double settle() {
    constexpr double interval = 0.05, needed = 0.5, share = 0.05;
    double quiet_since = now();
    double looked = quiet_since, processor = processor_seconds();
    uint64_t written = written_bytes();
    while (looked - quiet_since < needed) {
        usleep(static_cast<useconds_t>(interval * 1e6));
        const double time = now(), used = processor_seconds();
        const uint64_t bytes = written_bytes();
        // The time between two looks counts as busy as a whole.
        const bool is_busy = bytes != written || used - processor > share * (time - looked);
        if (is_busy || waits_for_disk()) quiet_since = time;
        looked = time;
        processor = used;
        written = bytes;
    }
    return quiet_since;
}

}  // namespace workload
