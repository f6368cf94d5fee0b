#ifndef STARLING_CSYSTEMCALLS_H
#define STARLING_CSYSTEMCALLS_H

#include <stddef.h>
#include <stdint.h>

/// A number that only goes forward, and the threads that wait for it to do so.
typedef struct starling_event_count starling_event_count;

/// One at 0 without waiters, or NULL without memory for it; freed with `free`.
starling_event_count *starling_event_count_make(void);

/// The number; what happened before the `advance` that made it is visible to the caller.
uint32_t starling_event_count_read(starling_event_count *count);

/// Adds one and wakes all who wait; a load and an addition if nobody does.
void starling_event_count_advance(starling_event_count *count);

/// Returns once the number is not `seen`, at the latest after so many nanoseconds; 0 for no limit.
///
/// It may return early, so the caller looks again.
void starling_event_count_wait(starling_event_count *count, uint32_t seen, long nanoseconds);

/// A lock that whoever comes first has when it is free.
typedef struct starling_lock starling_lock;

/// One that is free, or NULL without memory for it.
starling_lock *starling_lock_make(void);

/// Takes a lock away that nobody holds.
void starling_lock_free(starling_lock *lock);

/// Waits for a lock; not to be called by who holds it.
void starling_lock_acquire(starling_lock *lock);

/// Gives a lock back; to be called by who holds it.
void starling_lock_release(starling_lock *lock);

/// Lets the disk begin to write what a range of a file holds in memory, and waits for none of it.
///
/// Says nothing of what became of it; a sync does.
void starling_write_back(int file, int64_t start, int64_t count);

/// Whether the first and the last byte of a range of a file can be read without the disk; 0 where
/// the system cannot tell.
int starling_is_in_memory(int file, int64_t start, int64_t count);

/// Maps `count` bytes of a file from `start` on, both multiples of a page, for writing.
///
/// The space is set aside on the disk and all pages are there, or it fails: NULL, and the file may
/// have grown. It fails too where stores to a mapping cannot be guarded.
void *starling_map(int file, int64_t start, size_t count);

/// Takes a mapping away.
void starling_unmap(void *mapping, size_t count);

/// Copies to a mapping of `starling_map`.
///
/// Returns how many bytes at the end were not copied, since the disk would not take the page.
size_t starling_copy_to_mapping(void *target, const void *source, size_t count);

#endif
