#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"

INLINE(FLOAT32) void transform_weights(const float *weights, intptr_t tap_stride, __m512 u[4][4]) {
    const __m512 half = _mm512_set1_ps(0.5f);
    __m512 t[3][4];
    UNROLL for (int r = 0; r < 3; r++) {
        const float *row = weights + 3 * r * tap_stride;
        t[r][0] = _mm512_loadu_ps(row);
        t[r][3] = _mm512_loadu_ps(row + 2 * tap_stride);
        const __m512 outer = _mm512_mul_ps(half, _mm512_add_ps(t[r][0], t[r][3]));
        const __m512 inner = _mm512_mul_ps(half, _mm512_loadu_ps(row + tap_stride));
        t[r][1] = _mm512_add_ps(outer, inner);
        t[r][2] = _mm512_sub_ps(outer, inner);
    }
    UNROLL for (int c = 0; c < 4; c++) {
        const __m512 outer = _mm512_mul_ps(half, _mm512_add_ps(t[0][c], t[2][c])), inner = _mm512_mul_ps(half, t[1][c]);
        u[0][c] = t[0][c];
        u[1][c] = _mm512_add_ps(outer, inner);
        u[2][c] = _mm512_sub_ps(outer, inner);
        u[3][c] = t[2][c];
    }
}

// Gᵀ of four values a column apart, or a row.
INLINE(FLOAT32) void gather_taps(__m512 a, __m512 b, __m512 c, __m512 d, __m512 taps[3]) {
    const __m512 half = _mm512_set1_ps(0.5f), sum = _mm512_mul_ps(half, _mm512_add_ps(b, c));
    taps[0] = _mm512_add_ps(a, sum);
    taps[1] = _mm512_mul_ps(half, _mm512_sub_ps(b, c));
    taps[2] = _mm512_add_ps(sum, d);
}

static __attribute__((target(FLOAT32))) void weight_gradient(
    const float *products, intptr_t stride, intptr_t channels, float *gradients, bool accumulate) {
    for (intptr_t channel = 0; channel < channels; channel += 16) {
        __m512 rows[4][3];
        UNROLL for (int r = 0; r < 4; r++) {
            const float *row = products + 4 * r * stride + channel;
            gather_taps(
                _mm512_loadu_ps(row), _mm512_loadu_ps(row + stride), _mm512_loadu_ps(row + 2 * stride),
                _mm512_loadu_ps(row + 3 * stride), rows[r]);
        }
        UNROLL for (int c = 0; c < 3; c++) {
            __m512 taps[3];
            gather_taps(rows[0][c], rows[1][c], rows[2][c], rows[3][c], taps);
            UNROLL for (int r = 0; r < 3; r++) {
                float *target = gradients + (3 * r + c) * channels + channel;
                _mm512_storeu_ps(target, accumulate ? _mm512_add_ps(taps[r], _mm512_loadu_ps(target)) : taps[r]);
            }
        }
    }
}

// Each transform is that of the rows followed by that of the columns.
#define DEFINE_TRANSFORMS(type, features, element)                                                                     \
    INLINE(features) void store_panels_##type(                                                                         \
        __m512 first[4][4], __m512 second[4][4], float *words, intptr_t channel, intptr_t stride,                      \
        intptr_t panel_stride) {                                                                                       \
        float *target = panel_of(words, channel, panel_stride);                                                        \
        UNROLL for (int i = 0; i < 16; i++)                                                                            \
            store_depth_##type(target + i * stride, first[i / 4][i % 4], second[i / 4][i % 4]);                        \
    }                                                                                                                  \
                                                                                                                       \
    INLINE(features) void transform_input_##type(const void *const *pixels, intptr_t channel, __m512 v[4][4]) {        \
        __m512 t[4][4];                                                                                                \
        UNROLL for (int r = 0; r < 4; r++) {                                                                           \
            __m512 d[4];                                                                                               \
            UNROLL for (int c = 0; c < 4; c++) d[c] = load_##type((const element *)pixels[4 * r + c] + channel);       \
            t[r][0] = _mm512_sub_ps(d[0], d[2]);                                                                       \
            t[r][1] = _mm512_add_ps(d[1], d[2]);                                                                       \
            t[r][2] = _mm512_sub_ps(d[2], d[1]);                                                                       \
            t[r][3] = _mm512_sub_ps(d[1], d[3]);                                                                       \
        }                                                                                                              \
        UNROLL for (int c = 0; c < 4; c++) {                                                                           \
            v[0][c] = _mm512_sub_ps(t[0][c], t[2][c]);                                                                 \
            v[1][c] = _mm512_add_ps(t[1][c], t[2][c]);                                                                 \
            v[2][c] = _mm512_sub_ps(t[2][c], t[1][c]);                                                                 \
            v[3][c] = _mm512_sub_ps(t[1][c], t[3][c]);                                                                 \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    INLINE(features) void transform_gradient_##type(const void *const *pixels, intptr_t channel, __m512 v[4][4]) {     \
        const __m512 zero = _mm512_setzero_ps();                                                                       \
        __m512 t[2][4];                                                                                                \
        UNROLL for (int r = 0; r < 2; r++) {                                                                           \
            t[r][0] = load_##type((const element *)pixels[2 * r] + channel);                                           \
            const __m512 right = load_##type((const element *)pixels[2 * r + 1] + channel);                            \
            t[r][1] = _mm512_add_ps(t[r][0], right);                                                                   \
            t[r][2] = _mm512_sub_ps(t[r][0], right);                                                                   \
            t[r][3] = _mm512_sub_ps(zero, right);                                                                      \
        }                                                                                                              \
        UNROLL for (int c = 0; c < 4; c++) {                                                                           \
            v[0][c] = t[0][c];                                                                                         \
            v[1][c] = _mm512_add_ps(t[0][c], t[1][c]);                                                                 \
            v[2][c] = _mm512_sub_ps(t[0][c], t[1][c]);                                                                 \
            v[3][c] = _mm512_sub_ps(zero, t[1][c]);                                                                    \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void input_##type(                                                        \
        const void *const pixels[16], intptr_t channels, void *target, intptr_t stride) {                              \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 v[4][4];                                                                                            \
            transform_input_##type(pixels, channel, v);                                                                \
            UNROLL for (int i = 0; i < 16; i++)                                                                        \
                store_##type((element *)target + i * stride + channel, v[i / 4][i % 4]);                               \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void input_to_panels_##type(                                              \
        const void *const pixels[32], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {       \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 first[4][4], second[4][4];                                                                          \
            transform_input_##type(pixels, channel, first);                                                            \
            transform_input_##type(pixels + 16, channel, second);                                                      \
            store_panels_##type(first, second, words, channel, stride, panel_stride);                                  \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void gradient_to_panels_##type(                                           \
        const void *const pixels[8], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {        \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 first[4][4], second[4][4];                                                                          \
            transform_gradient_##type(pixels, channel, first);                                                         \
            transform_gradient_##type(pixels + 4, channel, second);                                                    \
            store_panels_##type(first, second, words, channel, stride, panel_stride);                                  \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void output_##type(                                                       \
        const float *products, intptr_t stride, intptr_t channels, void *const pixels[4], bool accumulate) {           \
        for (intptr_t channel = 0; channel < channels; channel += 16) {                                                \
            __m512 t[4][2], y[4];                                                                                      \
            UNROLL for (int r = 0; r < 4; r++) {                                                                       \
                __m512 m[4];                                                                                           \
                UNROLL for (int c = 0; c < 4; c++) m[c] = _mm512_loadu_ps(products + (4 * r + c) * stride + channel);  \
                t[r][0] = _mm512_add_ps(_mm512_add_ps(m[0], m[1]), m[2]);                                              \
                t[r][1] = _mm512_sub_ps(_mm512_sub_ps(m[1], m[2]), m[3]);                                              \
            }                                                                                                          \
            UNROLL for (int c = 0; c < 2; c++) {                                                                       \
                y[c] = _mm512_add_ps(_mm512_add_ps(t[0][c], t[1][c]), t[2][c]);                                        \
                y[2 + c] = _mm512_sub_ps(_mm512_sub_ps(t[1][c], t[2][c]), t[3][c]);                                    \
            }                                                                                                          \
            UNROLL for (int i = 0; i < 4; i++) {                                                                       \
                if (!pixels[i]) continue;                                                                              \
                element *target = (element *)pixels[i] + channel;                                                      \
                store_##type(target, accumulate ? _mm512_add_ps(y[i], load_##type(target)) : y[i]);                    \
            }                                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void pack_weights_##type(                                                 \
        const float *weights, intptr_t tap_stride, intptr_t depth_stride, intptr_t columns, float *words,              \
        intptr_t stride, intptr_t panel_stride) {                                                                      \
        for (intptr_t column = 0; column < columns; column += 16) {                                                    \
            __m512 first[4][4], second[4][4];                                                                          \
            transform_weights(weights + column, tap_stride, first);                                                    \
            transform_weights(weights + depth_stride + column, tap_stride, second);                                    \
            store_panels_##type(first, second, words, column, stride, panel_stride);                                   \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static __attribute__((target(features))) void pack_transposed_##type(                                              \
        const float *weights, intptr_t tap_stride, intptr_t column_stride, intptr_t depth, intptr_t columns,           \
        float *words, intptr_t stride, intptr_t panel_stride) {                                                        \
        for (intptr_t column = 0; column < columns; column += 16, weights += 16 * column_stride) {                     \
            float *target = panel_of(words, column, panel_stride);                                                     \
            for (intptr_t d = 0; d < depth; d += depth_##type, target += 16 * kernels_panel) {                         \
                __m512i block[16][16];                                                                                 \
                for (int i = 0; i < 16; i++) {                                                                         \
                    const float *source = weights + i * column_stride + d;                                             \
                    __m512 first[4][4], second[4][4];                                                                  \
                    transform_weights(source, tap_stride, first);                                                      \
                    transform_weights(source + depth_##type - 16, tap_stride, second);                                 \
                    UNROLL for (int place = 0; place < 16; place++)                                                    \
                        block[place][i] = words_##type(first[place / 4][place % 4], second[place / 4][place % 4]);     \
                }                                                                                                      \
                for (int place = 0; place < 16; place++)                                                               \
                    store_columns(target + place * stride, kernels_panel, block[place]);                               \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_TRANSFORMS(float32, FLOAT32, float)
DEFINE_TRANSFORMS(bfloat16, BFLOAT16, uint16_t)

#define TABLE(type)                                                                                                    \
    {                                                                                                                  \
        .input = input_##type, .input_to_panels = input_to_panels_##type,                                              \
        .gradient_to_panels = gradient_to_panels_##type, .output = output_##type,                                      \
        .pack_weights = pack_weights_##type, .pack_transposed = pack_transposed_##type,                                \
        .weight_gradient = weight_gradient,                                                                            \
    }

const struct winograd_kernels avx512_winograd[] = {TABLE(float32), TABLE(bfloat16)};
#endif
