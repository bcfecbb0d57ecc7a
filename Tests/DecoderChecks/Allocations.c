#include "Allocations.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What glibc calls malloc by, also where a program brings its own.
extern void *__libc_malloc(size_t size);

// Before every block.
typedef struct {
    size_t size;
    uint64_t state;
} head;

enum { in_use = 0x11FE11FE, freed = 0xDEADDEAD };

static int is_armed;
static long left, blocks;

void allocations_begin(long successes) {
    is_armed = 1;
    left = successes;
    blocks = 0;
}

int allocations_end(long *lost) {
    is_armed = 0;
    *lost = blocks;
    return left < 0;
}

static void *allocate(size_t alignment, size_t size) {
    if (is_armed && left-- == 0) return NULL;
    uint8_t *memory = size > PTRDIFF_MAX / 2 ? NULL : __libc_malloc(size + alignment + sizeof(head));
    if (!memory) return NULL;
    uintptr_t start = ((uintptr_t)memory + sizeof(head) + alignment - 1) / alignment * alignment;
    head *block = (head *)start - 1;
    *block = (head){size, in_use};
    // Nobody may count on zeroes.
    memset(block + 1, 0xA5, size);
    if (is_armed) blocks++;
    return block + 1;
}

void *malloc(size_t size) { return allocate(sizeof(head), size); }
void *memalign(size_t alignment, size_t size) { return allocate(alignment > sizeof(head) ? alignment : sizeof(head), size); }
void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    void *memory = memalign(alignment, size);
    if (!memory) return 12;  // ENOMEM
    *result = memory;
    return 0;
}

void *calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return NULL;
    void *memory = malloc(total);
    return memory ? memset(memory, 0, total) : NULL;
}

// The memory is not used again, so that a second free of it and every use show.
void free(void *memory) {
    if (!memory) return;
    head *block = (head *)memory - 1;
    if (block->state != in_use) {
        static const char text[] = "a block was freed that is not in use\n";
        if (write(STDERR_FILENO, text, sizeof text - 1) > 0) abort();
        abort();
    }
    block->state = freed;
    memset(memory, 0xDD, block->size);
    if (is_armed) blocks--;
}

void *realloc(void *old, size_t size) {
    void *memory = malloc(size);
    if (!old || !memory) return memory;
    size_t kept = ((head *)old - 1)->size;
    memcpy(memory, old, kept < size ? kept : size);
    free(old);
    return memory;
}
