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

// The smaller and the larger of each pair; `b` where one is no number.
CVECTOR_INLINE cvector_floats cvector_minimum(cvector_floats a, cvector_floats b) {
    const cvector_ints first = a < b;
    return (cvector_floats)(((cvector_ints)a & first) | ((cvector_ints)b & ~first));
}

CVECTOR_INLINE cvector_floats cvector_maximum(cvector_floats a, cvector_floats b) {
    const cvector_ints first = a > b;
    return (cvector_floats)(((cvector_ints)a & first) | ((cvector_ints)b & ~first));
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

#ifdef __SSE4_2__
// The state of a CRC-32C after eight bytes more: one instruction, which Swift has no name for.
CVECTOR_INLINE uint32_t cvector_crc32c(uint32_t state, uint64_t bytes) {
    return (uint32_t)__builtin_ia32_crc32di(state, bytes);
}
#endif

// eˣ for x ≤ 0 to about 2 ulp, e⁻⁸⁷ below −87: x = n·ln 2 + r, and a polynomial in r (Cephes).
CVECTOR_INLINE cvector_floats cvector_exponential(cvector_floats x) {
    cvector_ints is_far = x < -87.0f;
    cvector_floats bounded = (cvector_floats)(((cvector_ints)x & ~is_far) | ((cvector_ints)(cvector_floats)(-87.0f) & is_far));
    // Adding 1.5 · 2²³ rounds to a whole number and leaves it in the low bits.
    cvector_floats shifted = bounded * 1.44269504f + 12582912.0f;
    cvector_floats n = shifted - 12582912.0f;
    cvector_floats r = bounded - n * 0.693359375f + n * 2.1219444e-4f;
    cvector_floats p = r * 1.98756915e-4f + 1.39819995e-3f;
    p = p * r + 8.33345191e-3f;
    p = p * r + 4.16657959e-2f;
    p = p * r + 1.66666655e-1f;
    p = p * r + 5.00000012e-1f;
    p = p * r * r + r + 1.0f;
    return (cvector_floats)((cvector_words)p + ((cvector_words)shifted << 23));
}
