#include "CProcessorPeak.h"

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
    if (__builtin_cpu_supports("avx512f")) return best_rate(seconds, 16 * chains, run_avx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return best_rate(seconds, 8 * chains, run_avx2);
    return 0;
}

double cprocessorpeak_bfloat16(double seconds) {
    // Sixteen lanes of two multiply-adds each.
    if (__builtin_cpu_supports("avx512bf16")) return best_rate(seconds, 4.0 * 16 * CHAINS * ROUNDS, run_avx512_bf16);
    return 0;
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
#endif
