// Stores to a mapped file, which the kernel refuses by a signal and not by a result: SIGBUS, when
// the disk is full or failing, or someone cut the file. There is one instruction that stores to
// mappings; when it is the one that the signal is about, the handler goes on behind it, and the
// caller is told how much is left. Neither signals nor a single instruction can be had in Swift.
#define _GNU_SOURCE
#include "CSystemCalls.h"

#if defined(__x86_64__)
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <ucontext.h>

// In headers only since Linux 5.14. Unlike touching the pages it fails with EFAULT.
enum { populate_write = 23 };

extern const char starling_mapping_store[], starling_mapping_stored[];

// rdi: target, rsi: source, rdx: count. The instruction counts rcx down and may be interrupted
// after any byte; for 300 bytes it takes as long as `memcpy`.
__asm__(
    ".text\n"
    ".p2align 4\n"
    ".globl starling_copy_to_mapping\n"
    ".type starling_copy_to_mapping, @function\n"
    "starling_copy_to_mapping:\n"
    ".cfi_startproc\n"
    "    movq %rdx, %rcx\n"
    ".globl starling_mapping_store\n"
    ".hidden starling_mapping_store\n"
    "starling_mapping_store:\n"
    "    rep movsb\n"
    ".globl starling_mapping_stored\n"
    ".hidden starling_mapping_stored\n"
    "starling_mapping_stored:\n"
    "    movq %rcx, %rax\n"
    "    retq\n"
    ".cfi_endproc\n"
    ".size starling_copy_to_mapping, . - starling_copy_to_mapping\n");

static struct sigaction previous;

static void on_bus_error(int number, siginfo_t *info, void *context) {
    greg_t *place = &((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (info->si_code > 0 && *place == (greg_t)starling_mapping_store) {
        *place = (greg_t)starling_mapping_stored;
    } else if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(number, info, context);
    } else if (previous.sa_handler == SIG_DFL || previous.sa_handler == SIG_IGN) {
        // A fault comes again on return, and ends the process as it would have; so does one sent.
        signal(number, SIG_DFL);
        if (info->si_code <= 0) raise(number);
    } else {
        previous.sa_handler(number);
    }
}

static void guard(void) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGBUS, NULL, &previous);
    sigaction(SIGBUS, &action, NULL);
}

/// Whether a refused store comes back to its caller: the handler is there, no other took its place,
/// and this thread does not block the signal, which would end the process.
static bool is_guarded(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sigaction current;
    sigset_t blocked;
    return pthread_once(&once, guard) == 0 && sigaction(SIGBUS, NULL, &current) == 0
        && (current.sa_flags & SA_SIGINFO) && current.sa_sigaction == on_bus_error
        && pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && !sigismember(&blocked, SIGBUS);
}

void *starling_map(int file, int64_t start, size_t count) {
    if (!is_guarded() || fallocate(file, 0, start, (off_t)count) != 0) return NULL;
    void *mapping = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, file, start);
    if (mapping == MAP_FAILED) return NULL;
    if (madvise(mapping, count, populate_write) == 0) return mapping;
    munmap(mapping, count);
    return NULL;
}

void starling_unmap(void *mapping, size_t count) { munmap(mapping, count); }

#else

// The handler knows the registers of one processor only; elsewhere files are written by calls.
void *starling_map(int file, int64_t start, size_t count) { return NULL; }

void starling_unmap(void *mapping, size_t count) {}

size_t starling_copy_to_mapping(void *target, const void *source, size_t count) { return count; }
#endif
