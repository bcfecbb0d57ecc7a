#include "CAVX512.h"

#if defined(__x86_64__)
#include "Words.h"

__attribute__((target(FLOAT32))) void cavx512_pack_float32(
    const void *matrix, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {
    for (int64_t d = 0; d < depth + depth % 2; d++, words += cavx512_panel) {
        const float *row = (const float *)matrix + d * columns;
        for (int64_t column = 0; column < columns; column += 16) {
            _mm512_storeu_ps(
                panel_of(words, column, panel_stride), d < depth ? _mm512_loadu_ps(row + column) : _mm512_setzero_ps());
        }
    }
}

__attribute__((target(BFLOAT16))) void cavx512_pack_bfloat16(
    const void *matrix, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {
    for (int64_t d = 0; d < depth; d += 2, words += cavx512_panel) {
        const uint16_t *row = (const uint16_t *)matrix + d * columns;
        for (int64_t column = 0; column < columns; column += 16) {
            const __m512i first = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(row + column)));
            const __m512i second = d + 1 < depth
                ? _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(row + columns + column)))
                : _mm512_setzero_si512();
            _mm512_storeu_si512(
                panel_of(words, column, panel_stride), _mm512_or_si512(first, _mm512_slli_epi32(second, 16)));
        }
    }
}

#define DEFINE_WEIGHTS(type, features)                                                                                 \
    __attribute__((target(features))) void cavx512_pack_weights_##type(                                                \
        const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {                    \
        /* Two rows of weights make one row of bfloat16's words, two of float32's. */                                  \
        for (int64_t d = 0; d < depth; d += 2, weights += 2 * columns, words += 32 / depth_##type * cavx512_panel) {   \
            for (int64_t column = 0; column < columns; column += 16) {                                                 \
                store_depth_##type(                                                                                    \
                    panel_of(words, column, panel_stride), _mm512_loadu_ps(weights + column),                          \
                    _mm512_loadu_ps(weights + columns + column));                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((target(features))) void cavx512_pack_transposed_weights_##type(                                     \
        const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {                    \
        for (int64_t column = 0; column < columns; column += 16, weights += 16 * depth) {                              \
            float *target = panel_of(words, column, panel_stride);                                                     \
            for (int64_t d = 0; d < depth; d += depth_##type, target += 16 * cavx512_panel) {                          \
                __m512i block[16];                                                                                     \
                UNROLL for (int i = 0; i < 16; i++) {                                                                  \
                    const float *source = weights + i * depth + d;                                                     \
                    block[i] = words_##type(_mm512_loadu_ps(source), _mm512_loadu_ps(source + depth_##type - 16));     \
                }                                                                                                      \
                store_columns(target, block);                                                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_WEIGHTS(float32, FLOAT32)
DEFINE_WEIGHTS(bfloat16, BFLOAT16)
#else
#include <stdlib.h>

// Never reached: who calls them asks first what the processor computes.
#define DEFINE_PACKS(type)                                                                                             \
    void cavx512_pack_##type(                                                                                          \
        const void *matrix, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {                      \
        abort();                                                                                                       \
    }                                                                                                                  \
    void cavx512_pack_weights_##type(                                                                                  \
        const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {                    \
        abort();                                                                                                       \
    }                                                                                                                  \
    void cavx512_pack_transposed_weights_##type(                                                                       \
        const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride) {                    \
        abort();                                                                                                       \
    }

DEFINE_PACKS(float32)
DEFINE_PACKS(bfloat16)
#endif
