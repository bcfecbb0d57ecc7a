// What all widths of vectors have in common. A set's Words.h, which includes this, says before what a float_vector is:
// LANES numbers at a time, on a processor with the features FLOAT32.
#pragma once
#include "kernels.h"
#include <math.h>
#include <stddef.h>
#include <string.h>

#define UNROLL _Pragma("clang loop unroll(full)")
#define INLINE(features) static inline __attribute__((always_inline, target(features)))

INLINE(FLOAT32) float_vector load_float32(const float *source) {
    float_vector values;
    memcpy(&values, source, sizeof values);
    return values;
}

INLINE(FLOAT32) void store_float32(float *target, float_vector values) { memcpy(target, &values, sizeof values); }

INLINE(FLOAT32) void store_two_float32(float *target, float_vector first, float_vector second) {
    store_float32(target, first);
    store_float32(target + LANES, second);
}

// Two neighbours along the depth: two rows of a panel.
INLINE(FLOAT32) void store_depth_float32(float *words, float_vector first, float_vector second) {
    store_float32(words, first);
    store_float32(words + kernels_panel, second);
}

// The same from two rows, the second of which may be null for zeros.
INLINE(FLOAT32) void move_depth_float32(float *words, const float *first, const float *second) {
    store_depth_float32(words, load_float32(first), second ? load_float32(second) : (float_vector){});
}

// a·b + c, rounded once.
INLINE(FLOAT32) float_vector multiply_add(float_vector a, float_vector b, float_vector c) {
    return __builtin_elementwise_fma(a, b, c);
}

// `a` where `condition` holds, which a comparison made, and `b` elsewhere.
INLINE(FLOAT32) float_vector choose(word_vector condition, float_vector a, float_vector b) {
    return (float_vector)(((word_vector)a & condition) | ((word_vector)b & ~condition));
}

// eˣ for x ≤ 0 to about 2 ulp, e⁻⁸⁷ below −87: x = n·ln 2 + r, and a polynomial in r (Cephes).
INLINE(FLOAT32) float_vector exponential(float_vector x) {
    const float_vector zero = {}, bounded = choose(x < -87, zero - 87, x);
    // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
    const float_vector shifted = bounded * 1.44269504f + 12582912.0f, n = shifted - 12582912.0f;
    const float_vector r = bounded - n * 0.693359375f + n * 2.1219444e-4f;
    float_vector p = r * 1.98756915e-4f + 1.39819995e-3f;
    p = p * r + 8.33345191e-3f;
    p = p * r + 4.16657959e-2f;
    p = p * r + 1.66666655e-1f;
    p = p * r + 5.00000012e-1f;
    p = p * r * r + r + 1.0f;
    return (float_vector)((word_vector)p + ((word_vector)shifted << 23));
}

// Words of one column, down the depth: float32 needs no second part.
enum { depth_float32 = LANES };
INLINE(FLOAT32) word_vector words_float32(float_vector first, float_vector second) { return (word_vector)first; }

// Where the words of column `column` begin.
static inline float *panel_of(float *words, intptr_t column, intptr_t panel_stride) {
    return words + column / kernels_panel * panel_stride + column % kernels_panel;
}
