// Winograd's transforms for one TYPE of ELEMENTs: each is that of the rows followed by that of the columns.

PART void NAMED(store_panels)(
    float_vector first[4][4], float_vector second[4][4], float *words, intptr_t channel, intptr_t stride,
    intptr_t panel_stride) {
    float *target = panel_of(words, channel, panel_stride);
    UNROLL for (int i = 0; i < 16; i++)
        NAMED(store_depth)(target + i * stride, first[i / 4][i % 4], second[i / 4][i % 4]);
}

PART void NAMED(transform_input)(const void *const *pixels, intptr_t channel, float_vector v[4][4]) {
    float_vector t[4][4];
    UNROLL for (int r = 0; r < 4; r++) {
        float_vector d[4];
        UNROLL for (int c = 0; c < 4; c++) d[c] = LOAD(pixels[4 * r + c], channel);
        t[r][0] = d[0] - d[2];
        t[r][1] = d[1] + d[2];
        t[r][2] = d[2] - d[1];
        t[r][3] = d[1] - d[3];
    }
    UNROLL for (int c = 0; c < 4; c++) {
        v[0][c] = t[0][c] - t[2][c];
        v[1][c] = t[1][c] + t[2][c];
        v[2][c] = t[2][c] - t[1][c];
        v[3][c] = t[1][c] - t[3][c];
    }
}

PART void NAMED(transform_gradient)(const void *const *pixels, intptr_t channel, float_vector v[4][4]) {
    float_vector t[2][4];
    UNROLL for (int r = 0; r < 2; r++) {
        const float_vector left = LOAD(pixels[2 * r], channel), right = LOAD(pixels[2 * r + 1], channel);
        t[r][0] = left;
        t[r][1] = left + right;
        t[r][2] = left - right;
        t[r][3] = 0 - right;
    }
    UNROLL for (int c = 0; c < 4; c++) {
        v[0][c] = t[0][c];
        v[1][c] = t[0][c] + t[1][c];
        v[2][c] = t[0][c] - t[1][c];
        v[3][c] = 0 - t[1][c];
    }
}

KERNEL(winograd_input)(const void *const pixels[16], intptr_t channels, void *target, intptr_t stride) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector v[4][4];
        NAMED(transform_input)(pixels, channel, v);
        UNROLL for (int i = 0; i < 16; i++) STORE(target, i * stride + channel, v[i / 4][i % 4]);
    }
}

KERNEL(winograd_input_to_panels)(
    const void *const pixels[32], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector first[4][4], second[4][4];
        NAMED(transform_input)(pixels, channel, first);
        NAMED(transform_input)(pixels + 16, channel, second);
        NAMED(store_panels)(first, second, words, channel, stride, panel_stride);
    }
}

KERNEL(winograd_gradient_to_panels)(
    const void *const pixels[8], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector first[4][4], second[4][4];
        NAMED(transform_gradient)(pixels, channel, first);
        NAMED(transform_gradient)(pixels + 4, channel, second);
        NAMED(store_panels)(first, second, words, channel, stride, panel_stride);
    }
}

KERNEL(winograd_output)(
    const float *products, intptr_t stride, intptr_t channels, void *const pixels[4], bool accumulate) {
    for (intptr_t channel = 0; channel < channels; channel += LANES) {
        float_vector t[4][2], y[4];
        UNROLL for (int r = 0; r < 4; r++) {
            float_vector m[4];
            UNROLL for (int c = 0; c < 4; c++) m[c] = load_float32(products + (4 * r + c) * stride + channel);
            t[r][0] = m[0] + m[1] + m[2];
            t[r][1] = m[1] - m[2] - m[3];
        }
        UNROLL for (int c = 0; c < 2; c++) {
            y[c] = t[0][c] + t[1][c] + t[2][c];
            y[2 + c] = t[1][c] - t[2][c] - t[3][c];
        }
        UNROLL for (int i = 0; i < 4; i++) {
            if (!pixels[i]) continue;
            STORE(pixels[i], channel, accumulate ? y[i] + LOAD(pixels[i], channel) : y[i]);
        }
    }
}

KERNEL(winograd_pack_weights)(
    const float *weights, intptr_t tap_stride, intptr_t depth_stride, intptr_t columns, float *words, intptr_t stride,
    intptr_t panel_stride) {
    for (intptr_t column = 0; column < columns; column += LANES) {
        float_vector first[4][4], second[4][4];
        transform_weights(weights + column, tap_stride, first);
        transform_weights(weights + depth_stride + column, tap_stride, second);
        NAMED(store_panels)(first, second, words, column, stride, panel_stride);
    }
}

KERNEL(winograd_pack_transposed)(
    const float *weights, intptr_t tap_stride, intptr_t column_stride, intptr_t depth, intptr_t columns, float *words,
    intptr_t stride, intptr_t panel_stride) {
    for (intptr_t column = 0; column < columns; column += LANES, weights += LANES * column_stride) {
        float *target = panel_of(words, column, panel_stride);
        for (intptr_t d = 0; d < depth; d += NAMED(depth), target += LANES * kernels_panel) {
            word_vector block[16][LANES];
            for (int i = 0; i < LANES; i++) {
                const float *source = weights + i * column_stride + d;
                float_vector first[4][4], second[4][4];
                transform_weights(source, tap_stride, first);
                transform_weights(source + NAMED(depth) - LANES, tap_stride, second);
                UNROLL for (int place = 0; place < 16; place++)
                    block[place][i] = NAMED(words)(first[place / 4][place % 4], second[place / 4][place % 4]);
            }
            for (int place = 0; place < 16; place++)
                store_columns(target + place * stride, kernels_panel, block[place]);
        }
    }
}
