// Not among what Swift's module of the C library declares.
#define _GNU_SOURCE
#include "CSystemCalls.h"
#include <sys/uio.h>

static int is_in_memory(int file, int64_t offset) {
    char byte;
    struct iovec room = {&byte, 1};
    return preadv2(file, &room, 1, offset, RWF_NOWAIT) == 1;
}

int starling_is_in_memory(int file, int64_t start, int64_t count) {
    return count > 0 && is_in_memory(file, start) && is_in_memory(file, start + count - 1);
}
