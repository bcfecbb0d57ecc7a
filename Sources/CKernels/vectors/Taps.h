// Winograd's transforms of weights and their gradients, which are float32 beside maps of any type.
#pragma once

INLINE(FLOAT32) void transform_weights(const float *weights, intptr_t tap_stride, float_vector u[4][4]) {
    float_vector t[3][4];
    UNROLL for (int r = 0; r < 3; r++) {
        const float *row = weights + 3 * r * tap_stride;
        t[r][0] = load_float32(row);
        t[r][3] = load_float32(row + 2 * tap_stride);
        const float_vector outer = 0.5f * (t[r][0] + t[r][3]);
        const float_vector inner = 0.5f * load_float32(row + tap_stride);
        t[r][1] = outer + inner;
        t[r][2] = outer - inner;
    }
    UNROLL for (int c = 0; c < 4; c++) {
        const float_vector outer = 0.5f * (t[0][c] + t[2][c]), inner = 0.5f * t[1][c];
        u[0][c] = t[0][c];
        u[1][c] = outer + inner;
        u[2][c] = outer - inner;
        u[3][c] = t[2][c];
    }
}

// Gᵀ of four values a column apart, or a row.
INLINE(FLOAT32) void gather_taps(
    float_vector a, float_vector b, float_vector c, float_vector d, float_vector taps[3]) {
    const float_vector sum = 0.5f * (b + c);
    taps[0] = a + sum;
    taps[1] = 0.5f * (b - c);
    taps[2] = sum + d;
}

static __attribute__((target(FLOAT32))) void weight_gradient(
    const float *products, intptr_t stride, intptr_t channels, float *gradients, intptr_t tap_stride,
    bool accumulate) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector rows[4][3];
        UNROLL for (int r = 0; r < 4; r++) {
            const float *row = products + 4 * r * stride + channel;
            gather_taps(
                load_float32(row), load_float32(row + stride), load_float32(row + 2 * stride),
                load_float32(row + 3 * stride), rows[r]);
        }
        UNROLL for (int c = 0; c < 3; c++) {
            float_vector taps[3];
            gather_taps(rows[0][c], rows[1][c], rows[2][c], rows[3][c], taps);
            UNROLL for (int r = 0; r < 3; r++) {
                float *target = gradients + (3 * r + c) * tap_stride + channel;
                store_float32(target, accumulate ? taps[r] + load_float32(target) : taps[r]);
            }
        }
    }
}
