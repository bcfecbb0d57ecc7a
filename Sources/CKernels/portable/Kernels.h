// The portable kernels for one TYPE of ELEMENTs, of which a word holds DEPTH; included once for each.

#define JOIN_AS_WRITTEN(a, b) a##b
#define JOIN(a, b) JOIN_AS_WRITTEN(a, b)
#define NAMED(name) JOIN(name##_, TYPE)
#define KERNEL(name) static void NAMED(name)
#define LOAD(map, place) JOIN(load_, TYPE)((const ELEMENT *)(map) + (place))
#define STORE(map, place, value) JOIN(store_, TYPE)((ELEMENT *)(map) + (place), value)

// Where a number of a matrix lies in panels, in elements.
static intptr_t NAMED(panel_place)(intptr_t depth, intptr_t column, intptr_t panel_stride) {
    const intptr_t word =
        column / kernels_panel * panel_stride + depth / DEPTH * kernels_panel + column % kernels_panel;
    return word * DEPTH + depth % DEPTH;
}

// One number of a product.
static float NAMED(sum)(const struct kernels_product *shape, const void *a, const void *b, intptr_t row, intptr_t column) {
    // In double precision: what is left of an error is the rounding of the result.
    double sum = 0;
    for (intptr_t d = 0; d < shape->depth * DEPTH; d++) {
        const intptr_t word = row * shape->a_row_stride + d / DEPTH * shape->a_depth_stride;
        const intptr_t place = NAMED(panel_place)(d, column, shape->depth * kernels_panel);
        sum += (double)LOAD(a, word * DEPTH + d % DEPTH) * LOAD(b, place);
    }
    return (float)sum;
}

KERNEL(multiply)(const struct kernels_product *shape, const void *a, const void *b, void *c) {
    for (intptr_t row = 0; row < shape->rows; row++) {
        for (intptr_t column = 0; column < shape->columns; column++) {
            float *target = (float *)c + row * shape->c_row_stride + column;
            const float sum = NAMED(sum)(shape, a, b, row, column);
            *target = shape->accumulate ? *target + sum : sum;
        }
    }
}

KERNEL(multiply_rounded)(const struct kernels_product *shape, const void *a, const void *b, void *c) {
    for (intptr_t row = 0; row < shape->rows; row++) {
        for (intptr_t column = 0; column < shape->columns; column++) {
            const intptr_t place = row * shape->c_row_stride + column;
            const float sum = NAMED(sum)(shape, a, b, row, column);
            STORE(c, place, shape->accumulate ? LOAD(c, place) + sum : sum);
        }
    }
}

KERNEL(pack)(const void *matrix, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth + depth % 2; d++)
        for (intptr_t column = 0; column < columns; column++)
            STORE(words, NAMED(panel_place)(d, column, panel_stride), d < depth ? LOAD(matrix, d * columns + column) : 0);
}

KERNEL(pack_weights)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d++)
        for (intptr_t column = 0; column < columns; column++)
            STORE(words, NAMED(panel_place)(d, column, panel_stride), weights[d * columns + column]);
}

KERNEL(pack_transposed)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d++)
        for (intptr_t column = 0; column < columns; column++)
            STORE(words, NAMED(panel_place)(d, column, panel_stride), weights[column * depth + d]);
}

// The sixteen places of a transformed tile, as number `depth` of the panels.
KERNEL(store_places)(
    const float places[16], intptr_t depth, intptr_t column, float *words, intptr_t stride, intptr_t panel_stride) {
    for (int i = 0; i < 16; i++)
        STORE(words + i * stride, NAMED(panel_place)(depth, column, panel_stride), places[i]);
}

// The transform of a tile of `side`² pixels at one channel.
KERNEL(transform_tile)(const float *matrix, int side, const void *const *pixels, intptr_t channel, float places[16]) {
    float values[16];
    for (int i = 0; i < side * side; i++) values[i] = LOAD(pixels[i], channel);
    transform(matrix, 4, side, values, places);
}

KERNEL(input)(const void *const pixels[16], intptr_t channels, void *target, intptr_t stride) {
    for (intptr_t channel = 0; channel < channels; channel++) {
        float places[16];
        NAMED(transform_tile)(input_matrix, 4, pixels, channel, places);
        for (int i = 0; i < 16; i++) STORE(target, i * stride + channel, places[i]);
    }
}

// Two tiles, neighbours along the depth.
KERNEL(tiles_to_panels)(
    const float *matrix, int side, const void *const *pixels, intptr_t channels, float *words, intptr_t stride,
    intptr_t panel_stride) {
    for (int tile = 0; tile < 2; tile++, pixels += side * side) {
        for (intptr_t channel = 0; channel < channels; channel++) {
            float places[16];
            NAMED(transform_tile)(matrix, side, pixels, channel, places);
            NAMED(store_places)(places, tile, channel, words, stride, panel_stride);
        }
    }
}

KERNEL(input_to_panels)(
    const void *const pixels[32], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {
    NAMED(tiles_to_panels)(input_matrix, 4, pixels, channels, words, stride, panel_stride);
}

KERNEL(gradient_to_panels)(
    const void *const pixels[8], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride) {
    NAMED(tiles_to_panels)(gradient_matrix, 2, pixels, channels, words, stride, panel_stride);
}

KERNEL(output)(const float *products, intptr_t stride, intptr_t channels, void *const pixels[4], bool accumulate) {
    for (intptr_t channel = 0; channel < channels; channel++) {
        float places[16], results[4];
        for (int i = 0; i < 16; i++) places[i] = products[i * stride + channel];
        transform(output_matrix, 2, 4, places, results);
        for (int i = 0; i < 4; i++)
            if (pixels[i]) STORE(pixels[i], channel, accumulate ? LOAD(pixels[i], channel) + results[i] : results[i]);
    }
}

KERNEL(pack_tap_weights)(
    const float *weights, intptr_t tap_stride, intptr_t depth_stride, intptr_t columns, float *words, intptr_t stride,
    intptr_t panel_stride) {
    for (intptr_t d = 0; d < 2; d++) {
        for (intptr_t column = 0; column < columns; column++) {
            float places[16];
            transform_weights(weights + d * depth_stride + column, tap_stride, places);
            NAMED(store_places)(places, d, column, words, stride, panel_stride);
        }
    }
}

KERNEL(pack_tap_transposed)(
    const float *weights, intptr_t tap_stride, intptr_t column_stride, intptr_t depth, intptr_t columns, float *words,
    intptr_t stride, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d++) {
        for (intptr_t column = 0; column < columns; column++) {
            float places[16];
            transform_weights(weights + column * column_stride + d, tap_stride, places);
            NAMED(store_places)(places, d, column, words, stride, panel_stride);
        }
    }
}

#undef JOIN_AS_WRITTEN
#undef JOIN
#undef NAMED
#undef KERNEL
#undef LOAD
#undef STORE
