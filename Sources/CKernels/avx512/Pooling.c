#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"
#include <math.h>

#define DEFINE_POOLING(type, features, element)                                                                        \
    static __attribute__((target(features))) void pool_##type(                                                         \
        const void *const pixels[], const uint8_t *taps, intptr_t count, intptr_t channels, void *output,              \
        uint8_t *winners) {                                                                                            \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 best = _mm512_set1_ps(-INFINITY);                                                                   \
            __m512i winner = _mm512_setzero_si512();                                                                   \
            for (intptr_t i = 0; i < count; i++) {                                                                     \
                const __m512 value = load_##type((const element *)pixels[i] + channel);                                \
                const __mmask16 better = _mm512_cmp_ps_mask(value, best, _CMP_GT_OQ);                                  \
                best = _mm512_mask_mov_ps(best, better, value);                                                        \
                winner = _mm512_mask_set1_epi32(winner, better, taps[i]);                                              \
            }                                                                                                          \
            store_##type((element *)output + channel, best);                                                           \
            _mm_storeu_si128((__m128i *)(winners + channel), _mm512_cvtepi32_epi8(winner));                            \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void gradient_##type(                                                     \
        const intptr_t windows[], const uint8_t *taps, intptr_t count, intptr_t channels, const void *gradient,        \
        const uint8_t *winners, void *output) {                                                                        \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 sum = _mm512_setzero_ps();                                                                          \
            for (intptr_t i = 0; i < count; i++) {                                                                     \
                const intptr_t place = windows[i] * channels + channel;                                                \
                const __m512i winner = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(winners + place)));      \
                const __mmask16 won = _mm512_cmpeq_epi32_mask(winner, _mm512_set1_epi32(taps[i]));                     \
                sum = _mm512_mask_add_ps(sum, won, sum, load_##type((const element *)gradient + place));               \
            }                                                                                                          \
            store_##type((element *)output + channel, sum);                                                            \
        }                                                                                                              \
    }

DEFINE_POOLING(float32, FLOAT32, float)
DEFINE_POOLING(bfloat16, BFLOAT16, uint16_t)

const struct pooling_kernels avx512_pooling[] = {
    {.pool = pool_float32, .gradient = gradient_float32},
    {.pool = pool_bfloat16, .gradient = gradient_bfloat16},
};
#endif
