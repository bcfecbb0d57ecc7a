#define _GNU_SOURCE
#include "kernels.h"

#include "amx/Tables.h"
#include "portable/Tables.h"
#include <stddef.h>

#define PORTABLE(element)                                                                                              \
    {                                                                                                                  \
        .products = &portable_products[element], .panels = &portable_panels[element],                                  \
        .winograd = &portable_winograd[element],                                                                       \
    }

static const struct kernels portable_tables[] = {PORTABLE(kernels_float32), PORTABLE(kernels_bfloat16)};
static const struct kernels model_table = {.tiles = &model_tiles};

#if defined(__x86_64__)
#include "avx2/Tables.h"
#include "avx512/Tables.h"
#include <sys/syscall.h>
#include <unistd.h>

// The system saves the tiles' registers only for processes that asked: arch_prctl(ARCH_REQ_XCOMP_PERM, tile data).
static bool may_use_tiles(void) {
    const int request = 0x1023, tile_data = 18;
    return syscall(SYS_arch_prctl, request, tile_data) == 0;
}

static bool has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static bool has_avx512(enum kernels_element element) {
    if (!__builtin_cpu_supports("avx512f")) return false;
    return element == kernels_float32 || (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512bf16"));
}

static bool has_amx(enum kernels_element element) {
    return element == kernels_bfloat16 && has_avx512(element) && __builtin_cpu_supports("amx-tile")
        && __builtin_cpu_supports("amx-bf16") && may_use_tiles();
}

static const struct kernels amx_table = {.tiles = &amx_tiles};

static const struct kernels *find_in_processor(enum kernels_set set, enum kernels_element element) {
    if (set == kernels_avx2) return has_avx2() ? avx2_tables[element] : NULL;
    if (set == kernels_avx512) return has_avx512(element) ? avx512_tables[element] : NULL;
    return has_amx(element) ? &amx_table : NULL;
}
#else
static const struct kernels *find_in_processor(enum kernels_set set, enum kernels_element element) { return NULL; }
#endif

const struct kernels *kernels_find(enum kernels_set set, enum kernels_element element) {
    if (set == kernels_portable) return &portable_tables[element];
    if (set == kernels_tile_model) return element == kernels_bfloat16 ? &model_table : NULL;
    return find_in_processor(set, element);
}
