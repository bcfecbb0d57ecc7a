#include "CAllocationCount.h"

#include <errno.h>
#include <execinfo.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

// What glibc calls malloc and so on by, also where a program brings its own.
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static atomic_uint_fast64_t allocations;
static atomic_int reports;
static _Thread_local int is_reporting;

uint64_t callocationcount(void) { return atomic_load(&allocations); }
void callocationcount_report(int count) { atomic_store(&reports, count); }

static void report(size_t size) {
    // backtrace may allocate itself.
    if (is_reporting || atomic_load(&reports) <= 0 || atomic_fetch_sub(&reports, 1) <= 0) return;
    is_reporting = 1;
    void *callers[24];
    char line[64];
    int depth = backtrace(callers, 24);
    int length = snprintf(line, sizeof line, "allocation of %zu bytes\n", size);
    // The first two are this file's own.
    if (write(STDERR_FILENO, line, (size_t)length) == length)
        backtrace_symbols_fd(callers + 2, depth - 2, STDERR_FILENO);
    is_reporting = 0;
}

static void count(size_t size) {
    if (size < callocationcount_threshold) return;
    atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    report(size);
}

void *malloc(size_t size) {
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    size_t total;
    count(__builtin_mul_overflow(number, size, &total) ? 0 : total);
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
    count(size);
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *memory = memalign(alignment, size);
    if (!memory) return ENOMEM;
    *result = memory;
    return 0;
}
