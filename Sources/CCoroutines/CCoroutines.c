#define _GNU_SOURCE
#include "CCoroutines.h"
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define WATCHED_BY_SANITIZER 1
#endif
#endif

struct ccoroutine {
    ucontext_t inside, outside;
    void *stack;
    size_t bytes;
    void (*body)(void *);
    void *argument;
    int has_ended;
#ifdef WATCHED_BY_SANITIZER
    void *fiber, *resumer;
#endif
};

// makecontext passes on numbers of 32 bits alone.
static void begin(unsigned high, unsigned low) {
    ccoroutine *coroutine = (ccoroutine *)((uintptr_t)high << 32 | low);
    coroutine->body(coroutine->argument);
    coroutine->has_ended = 1;
    ccoroutine_yield(coroutine);
}

ccoroutine *ccoroutine_make(size_t stack_bytes, void (*body)(void *), void *argument) {
    ccoroutine *made = calloc(1, sizeof(ccoroutine));
    if (!made) return NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    // A page below that nothing may touch: a stack that overflows ends the program.
    made->bytes = (stack_bytes + page - 1) / page * page + page;
    made->stack = mmap(
        NULL, made->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (made->stack == MAP_FAILED || mprotect(made->stack, page, PROT_NONE) != 0 || getcontext(&made->inside) != 0) {
        int code = errno;
        if (made->stack != MAP_FAILED) munmap(made->stack, made->bytes);
        free(made);
        errno = code;
        return NULL;
    }
    // A stack uses a few pages: where the system likes huge ones, its first would be one.
    madvise(made->stack, made->bytes, MADV_NOHUGEPAGE);
    made->body = body;
    made->argument = argument;
    made->inside.uc_stack.ss_sp = made->stack;
    made->inside.uc_stack.ss_size = made->bytes;
    made->inside.uc_link = NULL;
    uintptr_t address = (uintptr_t)made;
    makecontext(&made->inside, (void (*)(void))begin, 2, (unsigned)(address >> 32), (unsigned)address);
#ifdef WATCHED_BY_SANITIZER
    made->fiber = __tsan_create_fiber(0);
#endif
    return made;
}

int ccoroutine_resume(ccoroutine *coroutine) {
    if (coroutine->has_ended) return 0;
#ifdef WATCHED_BY_SANITIZER
    coroutine->resumer = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(coroutine->fiber, 0);
#endif
    swapcontext(&coroutine->outside, &coroutine->inside);
    return !coroutine->has_ended;
}

void ccoroutine_yield(ccoroutine *coroutine) {
#ifdef WATCHED_BY_SANITIZER
    __tsan_switch_to_fiber(coroutine->resumer, 0);
#endif
    swapcontext(&coroutine->inside, &coroutine->outside);
}

void ccoroutine_free(ccoroutine *coroutine) {
#ifdef WATCHED_BY_SANITIZER
    __tsan_destroy_fiber(coroutine->fiber);
#endif
    munmap(coroutine->stack, coroutine->bytes);
    free(coroutine);
}
