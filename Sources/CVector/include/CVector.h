// Work on eight numbers at once in registers that Swift's own vector types do one by one.
#pragma once
#include <stdint.h>
#include <string.h>

typedef float cvector_floats __attribute__((ext_vector_type(8)));
typedef int32_t cvector_ints __attribute__((ext_vector_type(8)));
typedef uint32_t cvector_words __attribute__((ext_vector_type(8)));
typedef uint16_t cvector_halves __attribute__((ext_vector_type(8)));
typedef uint8_t cvector_bytes __attribute__((ext_vector_type(8)));

#define CVECTOR_INLINE static inline __attribute__((always_inline))

// Eight bfloat16 as float32.
CVECTOR_INLINE cvector_floats cvector_load_bfloat16(const void *source) {
    cvector_halves halves;
    memcpy(&halves, source, sizeof halves);
    return (cvector_floats)(__builtin_convertvector(halves, cvector_words) << 16);
}

// Eight float32 with the upper halves rounded to the nearest bfloat16, ties to even; NaN stays NaN.
CVECTOR_INLINE cvector_words cvector_round_bfloat16(cvector_floats values) {
    cvector_words bits = (cvector_words)values;
    cvector_words rounded = bits + 0x7FFF + ((bits >> 16) & 1);
    cvector_words is_nan = (cvector_words)(values != values);
    return (rounded & ~is_nan) | (is_nan & 0x7FC00000);
}

// Eight float32 as bfloat16.
CVECTOR_INLINE void cvector_store_bfloat16(cvector_floats values, void *target) {
    cvector_halves halves = __builtin_convertvector(cvector_round_bfloat16(values) >> 16, cvector_halves);
    memcpy(target, &halves, sizeof halves);
}

// Writes 8×8 numbers of `source` to `target` with rows and columns exchanged; strides are those of rows.
CVECTOR_INLINE void cvector_transpose(const float *source, int64_t source_stride, float *target, int64_t target_stride) {
    cvector_floats rows[8], pairs[8], fours[8];
    for (int i = 0; i < 8; i++) memcpy(&rows[i], source + i * source_stride, sizeof rows[i]);
    for (int i = 0; i < 8; i += 2) {
        pairs[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        pairs[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int i = 0; i < 8; i += 4) {
        for (int j = 0; j < 2; j++) {
            fours[i + j] = __builtin_shufflevector(pairs[i + j], pairs[i + j + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            fours[i + j + 2] = __builtin_shufflevector(pairs[i + j], pairs[i + j + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    }
    for (int i = 0; i < 4; i++) {
        rows[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    for (int i = 0; i < 8; i++) memcpy(target + i * target_stride, &rows[i], sizeof rows[i]);
}

// Eight bytes as integers.
CVECTOR_INLINE cvector_ints cvector_load_bytes(const void *source) {
    cvector_bytes bytes;
    memcpy(&bytes, source, sizeof bytes);
    return __builtin_convertvector(bytes, cvector_ints);
}

// `values` where `numbers` are `number`, 0 elsewhere.
CVECTOR_INLINE cvector_floats cvector_where_equal(cvector_ints numbers, int32_t number, cvector_floats values) {
    return (cvector_floats)((cvector_ints)values & (numbers == number));
}

// The lowest bytes of eight integers.
CVECTOR_INLINE void cvector_store_bytes(cvector_ints values, void *target) {
    cvector_bytes bytes = __builtin_convertvector(values, cvector_bytes);
    memcpy(target, &bytes, sizeof bytes);
}
