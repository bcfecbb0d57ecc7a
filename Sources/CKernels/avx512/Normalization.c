#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"
#include <math.h>

// Rows whose float32 sums are added to the double-precision ones.
enum { BLOCK_ROWS = 32 };

// When a gate lets a gradient through.
enum opening { ALWAYS, BY_AFFINE, BY_OUTPUT };

static enum opening opening_of(const struct kernels_gate *gate) {
    return gate->output ? BY_OUTPUT : gate->scale ? BY_AFFINE : ALWAYS;
}

// To the second level: the first has no room for what is wanted a block later.
static inline void fetch(const void *place) { _mm_prefetch((const char *)place, _MM_HINT_T1); }

INLINE(FLOAT32) void add_doubles(double *target, __m512d values) {
    _mm512_storeu_pd(target, _mm512_add_pd(_mm512_loadu_pd(target), values));
}

// Adds the sums over a block in which x is counted from `pivot`: of w and w·x, or of x and x² where w is x. Then w is
// counted from it too, in so many `rows`, which are 0 else.
INLINE(FLOAT32) void add_sums(
    __m512 first, __m512 second, __m512 pivot, intptr_t rows, double *firsts, double *seconds) {
    UNROLL for (int half = 0; half < 2; half++) {
        const __m512d sum = half_of(first, half), products = half_of(second, half), p = half_of(pivot, half);
        const __m512d shift = _mm512_mul_pd(p, _mm512_set1_pd((double)rows));
        const __m512d twice = rows ? _mm512_add_pd(_mm512_add_pd(sum, sum), shift) : sum;
        add_doubles(firsts + 8 * half, _mm512_add_pd(sum, shift));
        add_doubles(seconds + 8 * half, _mm512_add_pd(products, _mm512_mul_pd(p, twice)));
    }
}

#define TYPE float32
#define ELEMENT float
#define FEATURES FLOAT32
#include "NormalizationKernels.h"
#undef TYPE
#undef ELEMENT
#undef FEATURES

#define TYPE bfloat16
#define ELEMENT uint16_t
#define FEATURES BFLOAT16
#include "NormalizationKernels.h"

#define TABLE(type)                                                                                                    \
    {                                                                                                                  \
        .affine = affine_##type, .moments = moments_##type, .gradient_moments = gradient_moments_##type,               \
        .gradient = gradient_##type,                                                                                   \
    }

const struct normalization_kernels avx512_normalization[] = {TABLE(float32), TABLE(bfloat16)};
#endif
