#include "CProcessorPeak.h"
#include "kernels.h"

#include <time.h>

// Independent chains: enough to fill two units of a latency of up to six cycles.
enum { CHAINS = 12, ROUNDS = 4096 };

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

// The best of short runs: what disturbs one makes it slower, never faster.
static double best_rate(double seconds, double operations, void (*run)(void)) {
    double best = 0;
    for (double start = now(); now() - start < seconds;) {
        double before = now();
        run();
        double rate = operations / (now() - before);
        if (rate > best) best = rate;
    }
    return best;
}

// The empty assembly keeps the chains in registers and from being worked out by the compiler.
#define LOOP(vector, zero, step)                                             \
    vector chains[CHAINS];                                                   \
    _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) chains[i] = zero; \
    for (int round = 0; round < ROUNDS; round++) {                           \
        _Pragma("clang loop unroll(full)") for (int i = 0; i < CHAINS; i++) { \
            chains[i] = step(chains[i]);                                     \
            __asm__ volatile("" : KEEP(chains[i]));                          \
        }                                                                    \
    }

#if defined(__x86_64__)
#include <immintrin.h>
#define KEEP "+v"

__attribute__((target("avx512f"))) static void run_avx512(void) {
    const __m512 factor = _mm512_set1_ps(0.5f);
#define STEP(x) _mm512_fmadd_ps(x, factor, factor)
    LOOP(__m512, factor, STEP)
#undef STEP
}

__attribute__((target("avx512f,avx512bf16"))) static void run_avx512_bf16(void) {
    const __m512bh factor = (__m512bh)_mm512_set1_epi16(0x3F00);
    const __m512 zero = _mm512_setzero_ps();
#define STEP(x) _mm512_dpbf16_ps(x, factor, factor)
    LOOP(__m512, zero, STEP)
#undef STEP
}
// Products of 2×2 tiles, with the loads of their factors from memory that exceeds the first cache.
enum { TILE_STEPS = 24, TILE_ROUNDS = 40 };

__attribute__((target("amx-tile,amx-bf16"))) static void run_tiles(void) {
    static char factors[TILE_STEPS][4096] __attribute__((aligned(64)));
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shapes = {.palette = 1};
    for (int i = 0; i < 8; i++) shapes.row_bytes[i] = 64, shapes.rows[i] = 16;
    _tile_loadconfig(&shapes);
    for (int round = 0; round < TILE_ROUNDS; round++) {
        for (int step = 0; step < TILE_STEPS; step++) {
            _tile_loadd(4, factors[step], 64);
            _tile_loadd(6, factors[step] + 2048, 64);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, factors[step] + 3072, 64);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, factors[step] + 1024, 64);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_release();
}
#undef KEEP
#define KEEP "+x"

__attribute__((target("avx2,fma"))) static void run_avx2(void) {
    const __m256 factor = _mm256_set1_ps(0.5f);
#define STEP(x) _mm256_fmadd_ps(x, factor, factor)
    LOOP(__m256, factor, STEP)
#undef STEP
}

double cprocessorpeak_float32(double seconds) {
    double chains = 2.0 * CHAINS * ROUNDS;
    if (kernels_find(kernels_avx512, kernels_float32)) return best_rate(seconds, 16 * chains, run_avx512);
    if (kernels_find(kernels_avx2, kernels_float32)) return best_rate(seconds, 8 * chains, run_avx2);
    return 0;
}

double cprocessorpeak_bfloat16(double seconds) {
    // Sixteen lanes of two multiply-adds each.
    if (kernels_find(kernels_avx512, kernels_bfloat16)) return best_rate(seconds, 4.0 * 16 * CHAINS * ROUNDS, run_avx512_bf16);
    return 0;
}

double cprocessorpeak_tiles(double seconds) {
    if (!kernels_find(kernels_amx, kernels_bfloat16)) return 0;
    // Sixteen rows of sixteen sums of 32 products, four times a step.
    return best_rate(seconds, 2.0 * 16 * 16 * 32 * 4 * TILE_STEPS * TILE_ROUNDS, run_tiles);
}
#else
typedef float vector4 __attribute__((ext_vector_type(4)));
#define KEEP "+w"

static void run_generic(void) {
    const vector4 factor = 0.5f;
#define STEP(x) __builtin_elementwise_fma(x, factor, factor)
    LOOP(vector4, factor, STEP)
#undef STEP
}

double cprocessorpeak_float32(double seconds) { return best_rate(seconds, 8.0 * CHAINS * ROUNDS, run_generic); }
double cprocessorpeak_bfloat16(double seconds) { return (void)seconds, 0; }
double cprocessorpeak_tiles(double seconds) { return (void)seconds, 0; }
#endif
