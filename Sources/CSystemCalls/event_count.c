// Swift cannot call `syscall`, which takes any number of arguments, and there is no other way to a
// futex. Condition variables would do, but whom they wake meets again at their mutex, one by one.
#include "CSystemCalls.h"

#include <linux/futex.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct starling_event_count {
    _Atomic uint32_t number;
    _Atomic uint32_t waiters;
};

starling_event_count *starling_event_count_make(void) {
    return calloc(1, sizeof(starling_event_count));
}

uint32_t starling_event_count_read(starling_event_count *count) {
    return atomic_load(&count->number);
}

// No wake-up is lost: either this sees the waiter, or the waiter, who counts himself before the
// kernel compares the number, finds that it has changed. All accesses are sequentially consistent.
void starling_event_count_advance(starling_event_count *count) {
    atomic_fetch_add(&count->number, 1);
    if (atomic_load(&count->waiters) == 0) return;
    syscall(SYS_futex, &count->number, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

void starling_event_count_wait(starling_event_count *count, uint32_t seen, long nanoseconds) {
    struct timespec limit = {nanoseconds / 1000000000, nanoseconds % 1000000000};
    atomic_fetch_add(&count->waiters, 1);
    syscall(SYS_futex, &count->number, FUTEX_WAIT_PRIVATE, seen, nanoseconds > 0 ? &limit : NULL,
            NULL, 0);
    atomic_fetch_sub(&count->waiters, 1);
}
