// Sixteen numbers at a time, and the words of panels that they go to.
#pragma once
#include "Tables.h"
#include <immintrin.h>

#define UNROLL _Pragma("clang loop unroll(full)")
#define INLINE(features) static inline __attribute__((always_inline, target(features)))
#define FLOAT32 "avx512f"
#define BFLOAT16 "avx512f,avx512bw,avx512bf16"

INLINE(FLOAT32) __m512 load_float32(const float *source) { return _mm512_loadu_ps(source); }
INLINE(FLOAT32) void store_float32(float *target, __m512 values) { _mm512_storeu_ps(target, values); }

INLINE(FLOAT32) void store_two_float32(float *target, __m512 first, __m512 second) {
    _mm512_storeu_ps(target, first);
    _mm512_storeu_ps(target + 16, second);
}

// Eight of sixteen numbers as double.
INLINE(FLOAT32) __m512d half_of(__m512 values, int half) {
    const __m512d pairs = _mm512_castps_pd(values);
    return _mm512_cvtps_pd(
        _mm256_castpd_ps(half ? _mm512_extractf64x4_pd(pairs, 1) : _mm512_castpd512_pd256(pairs)));
}

// Two neighbours along the depth: two rows of a panel.
INLINE(FLOAT32) void store_depth_float32(float *words, __m512 first, __m512 second) {
    _mm512_storeu_ps(words, first);
    _mm512_storeu_ps(words + kernels_panel, second);
}

INLINE(BFLOAT16) __m512 load_bfloat16(const uint16_t *source) {
    const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)source));
    return _mm512_castsi512_ps(_mm512_slli_epi32(words, 16));
}

INLINE(BFLOAT16) void store_bfloat16(uint16_t *target, __m512 values) {
    _mm256_storeu_si256((__m256i *)target, (__m256i)_mm512_cvtneps_pbh(values));
}

INLINE(BFLOAT16) void store_two_bfloat16(uint16_t *target, __m512 first, __m512 second) {
    _mm512_storeu_si512(target, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}

// Two neighbours along the depth: the halves of a row's words.
INLINE(BFLOAT16) void store_depth_bfloat16(float *words, __m512 first, __m512 second) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(first));
    const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(second));
    _mm512_storeu_si512(words, _mm512_or_si512(low, _mm512_slli_epi32(high, 16)));
}

// How much depth sixteen words hold.
enum { depth_float32 = 16, depth_bfloat16 = 32 };

// Sixteen words of one column, down the depth; float32 needs no second part.
INLINE(FLOAT32) __m512i words_float32(__m512 first, __m512 second) { return _mm512_castps_si512(first); }
INLINE(BFLOAT16) __m512i words_bfloat16(__m512 first, __m512 second) {
    return (__m512i)_mm512_cvtne2ps_pbh(second, first);
}

// Sixteen words of each of sixteen columns into as many rows, `row_stride` words apart.
INLINE(FLOAT32) void store_columns(float *words, intptr_t row_stride, const __m512i columns[16]) {
    __m512i a[16], b[16];
    UNROLL for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(columns[i], columns[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(columns[i], columns[i + 1]);
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

// Where the words of column `column` begin.
static inline float *panel_of(float *words, intptr_t column, intptr_t panel_stride) {
    return words + column / kernels_panel * panel_stride + column % kernels_panel;
}
