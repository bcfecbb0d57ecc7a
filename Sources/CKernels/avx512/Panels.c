#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"

static __attribute__((target(FLOAT32))) void pack_float32(
    const void *matrix, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth + depth % 2; d++, words += kernels_panel) {
        const float *row = (const float *)matrix + d * columns;
        for (intptr_t column = 0; column < columns; column += 16) {
            _mm512_storeu_ps(
                panel_of(words, column, panel_stride), d < depth ? _mm512_loadu_ps(row + column) : _mm512_setzero_ps());
        }
    }
}

static __attribute__((target(BFLOAT16))) void pack_bfloat16(
    const void *matrix, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d += 2, words += kernels_panel) {
        const uint16_t *row = (const uint16_t *)matrix + d * columns;
        for (intptr_t column = 0; column < columns; column += 16) {
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
    static __attribute__((target(features))) void pack_weights_##type(                                                 \
        const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {                 \
        /* Two rows of weights make one row of bfloat16's words, two of float32's. */                                  \
        for (intptr_t d = 0; d < depth; d += 2, weights += 2 * columns, words += 32 / depth_##type * kernels_panel) {  \
            for (intptr_t column = 0; column < columns; column += 16) {                                                \
                store_depth_##type(                                                                                    \
                    panel_of(words, column, panel_stride), _mm512_loadu_ps(weights + column),                          \
                    _mm512_loadu_ps(weights + columns + column));                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void pack_transposed_##type(                                              \
        const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {                 \
        for (intptr_t column = 0; column < columns; column += 16, weights += 16 * depth) {                             \
            float *target = panel_of(words, column, panel_stride);                                                     \
            for (intptr_t d = 0; d < depth; d += depth_##type, target += 16 * kernels_panel) {                         \
                __m512i block[16];                                                                                     \
                UNROLL for (int i = 0; i < 16; i++) {                                                                  \
                    const float *source = weights + i * depth + d;                                                     \
                    block[i] = words_##type(_mm512_loadu_ps(source), _mm512_loadu_ps(source + depth_##type - 16));     \
                }                                                                                                      \
                store_columns(target, kernels_panel, block);                                                           \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_WEIGHTS(float32, FLOAT32)
DEFINE_WEIGHTS(bfloat16, BFLOAT16)

#define TABLE(type)                                                                                                    \
    {.pack = pack_##type, .pack_weights = pack_weights_##type, .pack_transposed = pack_transposed_##type}

const struct panel_kernels avx512_panels[] = {TABLE(float32), TABLE(bfloat16)};
#endif
