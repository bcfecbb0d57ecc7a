// Panels of words for one TYPE of ELEMENTs.

// Two rows of a matrix make two rows of float32's words, or one of bfloat16's.
enum { NAMED(rows_of_two) = 2 * LANES / NAMED(depth) };

KERNEL(pack)(const void *matrix, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d += 2, words += NAMED(rows_of_two) * kernels_panel) {
        for (intptr_t column = 0; column < columns; column += LANES) {
            const ELEMENT *first = (const ELEMENT *)matrix + d * columns + column;
            NAMED(move_depth)(
                panel_of(words, column, panel_stride), first, d + 1 < depth ? first + columns : NULL);
        }
    }
}

KERNEL(pack_weights)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t d = 0; d < depth; d += 2, weights += 2 * columns, words += NAMED(rows_of_two) * kernels_panel) {
        for (intptr_t column = 0; column < columns; column += LANES) {
            NAMED(store_depth)(
                panel_of(words, column, panel_stride), load_float32(weights + column),
                load_float32(weights + columns + column));
        }
    }
}

KERNEL(pack_transposed)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride) {
    for (intptr_t column = 0; column < columns; column += LANES, weights += LANES * depth) {
        float *target = panel_of(words, column, panel_stride);
        for (intptr_t d = 0; d < depth; d += NAMED(depth), target += LANES * kernels_panel) {
            word_vector block[LANES];
            UNROLL for (int i = 0; i < LANES; i++) {
                const float *source = weights + i * depth + d;
                block[i] = NAMED(words)(load_float32(source), load_float32(source + NAMED(depth) - LANES));
            }
            store_columns(target, kernels_panel, block);
        }
    }
}
