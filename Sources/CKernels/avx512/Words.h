// Sixteen numbers at a time, and the words of panels that they go to.
#pragma once
#include <immintrin.h>
#include <stdint.h>

#define LANES 16
#define FLOAT32 "avx512f"
#define BFLOAT16 "avx512f,avx512bw,avx512bf16"
typedef __m512 float_vector;
typedef __m512d double_vector;
typedef int32_t word_vector __attribute__((vector_size(64)));

#include "../vectors/Vectors.h"

INLINE(FLOAT32) float_vector broadcast(float value) { return _mm512_set1_ps(value); }

// Eight of sixteen numbers as double.
INLINE(FLOAT32) double_vector half_of(float_vector values, int half) {
    const __m512d pairs = _mm512_castps_pd(values);
    return _mm512_cvtps_pd(
        _mm256_castpd_ps(half ? _mm512_extractf64x4_pd(pairs, 1) : _mm512_castpd512_pd256(pairs)));
}

// Sixteen bytes as integers and back.
INLINE(FLOAT32) word_vector load_bytes(const uint8_t *source) {
    return (word_vector)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)source));
}

INLINE(FLOAT32) void store_bytes(uint8_t *target, word_vector values) {
    _mm_storeu_si128((__m128i *)target, _mm512_cvtepi32_epi8((__m512i)values));
}

INLINE(BFLOAT16) float_vector load_bfloat16(const uint16_t *source) {
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)source));
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}

INLINE(BFLOAT16) void store_bfloat16(uint16_t *target, float_vector values) {
    _mm256_storeu_si256((__m256i *)target, (__m256i)_mm512_cvtneps_pbh(values));
}

INLINE(BFLOAT16) void store_two_bfloat16(uint16_t *target, float_vector first, float_vector second) {
    _mm512_storeu_si512(target, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

// Two neighbours along the depth: the halves of a row's words.
INLINE(BFLOAT16) void store_depth_bfloat16(float *words, float_vector first, float_vector second) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
    _mm512_storeu_si512(words, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// The same from two rows, the second of which may be null for zeros.
INLINE(BFLOAT16) void move_depth_bfloat16(float *words, const uint16_t *first, const uint16_t *second) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)first));
    const __m512i high =
        second ? _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)second)) : _mm512_setzero_si512();
    _mm512_storeu_si512(words, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// Words of one column, down the depth.
enum { depth_bfloat16 = 2 * LANES };
INLINE(BFLOAT16) word_vector words_bfloat16(float_vector first, float_vector second) {
    return (word_vector)_mm512_cvtne2ps_pbh(second, first);
}

// Sixteen words of each of sixteen columns into as many rows, `row_stride` words apart.
INLINE(FLOAT32) void store_columns(float *words, intptr_t row_stride, const word_vector columns[16]) {
    __m512i a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32((__m512i)columns[i], (__m512i)columns[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32((__m512i)columns[i], (__m512i)columns[i + 1]);
    }
    // b[4·i + r]: of columns 4·i … 4·i + 3, word r of each quarter.
    UNROLL for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    UNROLL for (int r = 0; r < 4; r++) {
        const __m512i even_left = _mm512_shuffle_i32x4(b[r], b[4 + r], 0x88);
        const __m512i even_right = _mm512_shuffle_i32x4(b[8 + r], b[12 + r], 0x88);
        const __m512i odd_left = _mm512_shuffle_i32x4(b[r], b[4 + r], 0xdd);
        const __m512i odd_right = _mm512_shuffle_i32x4(b[8 + r], b[12 + r], 0xdd);
        float *row = words + r * row_stride;
        _mm512_storeu_si512(row, _mm512_shuffle_i32x4(even_left, even_right, 0x88));
        _mm512_storeu_si512(row + 4 * row_stride, _mm512_shuffle_i32x4(odd_left, odd_right, 0x88));
        _mm512_storeu_si512(row + 8 * row_stride, _mm512_shuffle_i32x4(even_left, even_right, 0xdd));
        _mm512_storeu_si512(row + 12 * row_stride, _mm512_shuffle_i32x4(odd_left, odd_right, 0xdd));
    }
}
