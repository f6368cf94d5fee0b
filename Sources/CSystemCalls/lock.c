// Swift has no place for a `pthread_mutex_t` that does not move, and the kinds of it are macros.
#define _GNU_SOURCE
#include "CSystemCalls.h"

#include <pthread.h>
#include <stdlib.h>

struct starling_lock {
    pthread_mutex_t mutex;
};

starling_lock *starling_lock_make(void) {
    starling_lock *lock = malloc(sizeof *lock);
    pthread_mutexattr_t attributes;
    if (lock == NULL || pthread_mutexattr_init(&attributes) != 0) {
        free(lock);
        return NULL;
    }
    // Looks a few times whether the lock comes free before it calls the system.
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    const int result = pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    if (result == 0) return lock;
    free(lock);
    return NULL;
}

void starling_lock_free(starling_lock *lock) {
    pthread_mutex_destroy(&lock->mutex);
    free(lock);
}

void starling_lock_acquire(starling_lock *lock) { pthread_mutex_lock(&lock->mutex); }

void starling_lock_release(starling_lock *lock) { pthread_mutex_unlock(&lock->mutex); }
