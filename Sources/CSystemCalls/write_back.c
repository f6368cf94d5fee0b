// Linux only, and not among what Swift's module of the C library declares.
#define _GNU_SOURCE
#include "CSystemCalls.h"
#include <fcntl.h>

void starling_write_back(int file, int64_t start, int64_t count) {
    sync_file_range(file, start, count, SYNC_FILE_RANGE_WRITE);
}
