// Eight numbers at a time, and the words of panels that they go to.
#pragma once
#include <immintrin.h>
#include <stdint.h>

#define LANES 8
#define FLOAT32 "avx2,fma"
typedef __m256 float_vector;
typedef __m256d double_vector;
typedef int32_t word_vector __attribute__((vector_size(32)));

#include "../vectors/Vectors.h"

INLINE(FLOAT32) float_vector broadcast(float value) { return _mm256_set1_ps(value); }

// Four of eight numbers as double.
INLINE(FLOAT32) double_vector half_of(float_vector values, int half) {
    return _mm256_cvtps_pd(half ? _mm256_extractf128_ps(values, 1) : _mm256_castps256_ps128(values));
}

// Eight bytes as integers and back.
INLINE(FLOAT32) word_vector load_bytes(const uint8_t *source) {
    return (word_vector)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)source));
}

INLINE(FLOAT32) void store_bytes(uint8_t *target, word_vector values) {
    const __m256i halves = _mm256_packus_epi32((__m256i)values, (__m256i)values);
    const __m128i joined = _mm256_castsi256_si128(_mm256_permute4x64_epi64(halves, 0x08));
    _mm_storel_epi64((__m128i *)target, _mm_packus_epi16(joined, joined));
}

// Eight words of each of eight columns into as many rows, `row_stride` words apart.
INLINE(FLOAT32) void store_columns(float *words, intptr_t row_stride, const word_vector columns[8]) {
    __m256i a[8], b[8];
    UNROLL for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_epi32((__m256i)columns[i], (__m256i)columns[i + 1]);
        a[i + 1] = _mm256_unpackhi_epi32((__m256i)columns[i], (__m256i)columns[i + 1]);
    }
    // b[4·i + r]: of columns 4·i … 4·i + 3, word r of each half.
    UNROLL for (int i = 0; i < 8; i += 4) {
        b[i] = _mm256_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm256_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm256_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm256_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    UNROLL for (int r = 0; r < 4; r++) {
        float *row = words + r * row_stride;
        _mm256_storeu_si256((__m256i *)row, _mm256_permute2x128_si256(b[r], b[4 + r], 0x20));
        _mm256_storeu_si256((__m256i *)(row + 4 * row_stride), _mm256_permute2x128_si256(b[r], b[4 + r], 0x31));
    }
}
