#define _GNU_SOURCE
#include "CStacks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { maximum_frames = 64 };

// Of the Swift runtime; turns `$s6pixpro…` into the name in the source.
extern char *swift_demangle(const char *, size_t, char *, size_t *, uint32_t) __attribute__((weak));

// What the one thread that is being asked has answered. Whoever sets `asked_thread` back to 0, that thread with its
// answer or the one that asked and gave up, has ended the question: an answer that comes late is dropped.
static void *frames[maximum_frames];
static atomic_int frame_count;
static atomic_int asked_thread;

// What installing the signal handler gave: without it the signal would end the process.
static int preparation_error = ENOSYS;

static int own_thread(void) { return (int)syscall(SYS_gettid); }

static int stack_signal(void) { return SIGRTMIN + 6; }

static void answer(int signal) {
    (void)signal;
    // The interrupted code may be about to look at its errno.
    int error = errno;
    int self = own_thread();
    if (atomic_load(&asked_thread) == self) {
        void *mine[maximum_frames];
        int count = backtrace(mine, maximum_frames);
        if (atomic_compare_exchange_strong(&asked_thread, &self, 0)) {
            memcpy(frames, mine, (size_t)count * sizeof *mine);
            atomic_store(&frame_count, count > 0 ? count : 1);
        }
    }
    errno = error;
}

void cstacks_prepare(void) {
    // The first call loads a library, which a signal handler must not.
    void *frame[1];
    backtrace(frame, 1);
    struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};
    preparation_error = sigaction(stack_signal(), &action, NULL) == 0 ? 0 : errno;
}

// The first failure to write; one thread writes.
static int failure;

static void say(int descriptor, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(int descriptor, const char *format, ...) {
    va_list values;
    va_start(values, format);
    if (vdprintf(descriptor, format, values) < 0 && failure == 0) failure = errno;
    va_end(values);
}

static void write_name(int thread, int descriptor) {
    char path[64], line[256], name[64] = "?", state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "r");
    if (file) {
        // "pid (name) state …"
        if (fgets(line, sizeof line, file)) sscanf(line, "%*d (%63[^)]) %c", name, &state);
        fclose(file);
    }
    say(descriptor, "thread %d (%s), state %c\n", thread, name, state);
}

static void write_frame(int index, void *address, int descriptor) {
    Dl_info info;
    if (!dladdr(address, &info)) {
        say(descriptor, "  %2d %p\n", index, address);
        return;
    }
    const char *object = strrchr(info.dli_fname, '/');
    object = object ? object + 1 : info.dli_fname;
    if (!info.dli_sname) {
        say(descriptor, "  %2d %s+0x%lx\n", index, object, (unsigned long)((char *)address - (char *)info.dli_fbase));
        return;
    }
    char *readable = swift_demangle ? swift_demangle(info.dli_sname, strlen(info.dli_sname), NULL, NULL, 0) : NULL;
    say(descriptor, "  %2d %s + %ld  (%s)\n", index, readable ? readable : info.dli_sname,
        (long)((char *)address - (char *)info.dli_saddr), object);
    free(readable);
}

static void write_thread(int thread, int descriptor, int milliseconds) {
    write_name(thread, descriptor);
    if (thread == own_thread()) {
        say(descriptor, "  (writes this report)\n");
        return;
    }
    struct timespec pause = {.tv_nsec = 1000000};
    atomic_store(&frame_count, 0);
    atomic_store(&asked_thread, thread);
    int is_alive = syscall(SYS_tgkill, getpid(), thread, stack_signal()) == 0;
    for (int waited = 0; is_alive && waited < milliseconds && atomic_load(&frame_count) == 0; waited++)
        nanosleep(&pause, NULL);
    int asked = thread;
    if (atomic_compare_exchange_strong(&asked_thread, &asked, 0)) {
        say(descriptor, is_alive ? "  does not answer: it waits inside the kernel\n" : "  has ended\n");
        return;
    }
    // It has answered, or is about to.
    int count;
    while ((count = atomic_load(&frame_count)) == 0) nanosleep(&pause, NULL);
    // The first two frames are the signal handler's.
    for (int index = 2; index < count; index++) write_frame(index - 2, frames[index], descriptor);
}

int cstacks_write(int descriptor, int milliseconds) {
    failure = 0;
    DIR *threads = preparation_error == 0 ? opendir("/proc/self/task") : NULL;
    if (!threads) {
        int error = preparation_error == 0 ? errno : preparation_error;
        say(descriptor, "the threads cannot be asked: %s\n", strerror(error));
        return failure;
    }
    struct dirent *entry;
    while ((entry = readdir(threads))) {
        int thread = atoi(entry->d_name);
        if (thread > 0) write_thread(thread, descriptor, milliseconds);
    }
    closedir(threads);
    return failure;
}
