#define _GNU_SOURCE
#include "CStacks.h"

#include <dirent.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
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

// The answer of the one thread that is being asked.
static void *frames[maximum_frames];
static atomic_int frame_count;
static atomic_int asked_thread;

static int own_thread(void) { return (int)syscall(SYS_gettid); }

static int stack_signal(void) { return SIGRTMIN + 6; }

static void answer(int signal) {
    (void)signal;
    if (atomic_load(&asked_thread) == own_thread() && atomic_load(&frame_count) == 0) {
        atomic_store(&frame_count, backtrace(frames, maximum_frames));
    }
}

void cstacks_prepare(void) {
    // The first call loads a library, which a signal handler must not.
    void *frame[1];
    backtrace(frame, 1);
    struct sigaction action = {.sa_handler = answer, .sa_flags = SA_RESTART};
    sigaction(stack_signal(), &action, NULL);
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
    dprintf(descriptor, "thread %d (%s), state %c\n", thread, name, state);
}

static void write_frame(int index, void *address, int descriptor) {
    Dl_info info;
    if (!dladdr(address, &info)) {
        dprintf(descriptor, "  %2d %p\n", index, address);
        return;
    }
    const char *object = strrchr(info.dli_fname, '/');
    object = object ? object + 1 : info.dli_fname;
    if (!info.dli_sname) {
        dprintf(descriptor, "  %2d %s+0x%lx\n", index, object, (unsigned long)((char *)address - (char *)info.dli_fbase));
        return;
    }
    char *readable = swift_demangle ? swift_demangle(info.dli_sname, strlen(info.dli_sname), NULL, NULL, 0) : NULL;
    dprintf(descriptor, "  %2d %s + %ld  (%s)\n", index, readable ? readable : info.dli_sname,
            (long)((char *)address - (char *)info.dli_saddr), object);
    free(readable);
}

static void write_thread(int thread, int descriptor, int milliseconds) {
    write_name(thread, descriptor);
    if (thread == own_thread()) {
        dprintf(descriptor, "  (writes this report)\n");
        return;
    }
    atomic_store(&frame_count, 0);
    atomic_store(&asked_thread, thread);
    if (syscall(SYS_tgkill, getpid(), thread, stack_signal()) != 0) return;
    struct timespec pause = {.tv_nsec = 1000000};
    for (int waited = 0; waited < milliseconds && atomic_load(&frame_count) == 0; waited++) nanosleep(&pause, NULL);
    int count = atomic_load(&frame_count);
    atomic_store(&asked_thread, 0);
    if (count == 0) dprintf(descriptor, "  does not answer: it waits inside the kernel\n");
    // The first two frames are the signal handler's.
    for (int index = 2; index < count; index++) write_frame(index - 2, frames[index], descriptor);
}

void cstacks_write(int descriptor, int milliseconds) {
    DIR *threads = opendir("/proc/self/task");
    if (!threads) return;
    struct dirent *entry;
    while ((entry = readdir(threads))) {
        int thread = atoi(entry->d_name);
        if (thread > 0) write_thread(thread, descriptor, milliseconds);
    }
    closedir(threads);
}
