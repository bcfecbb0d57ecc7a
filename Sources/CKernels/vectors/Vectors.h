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

// Words of one column, down the depth: float32 needs no second part.
enum { depth_float32 = LANES };
INLINE(FLOAT32) word_vector words_float32(float_vector first, float_vector second) { return (word_vector)first; }

// Where the words of column `column` begin.
static inline float *panel_of(float *words, intptr_t column, intptr_t panel_stride) {
    return words + column / kernels_panel * panel_stride + column % kernels_panel;
}
