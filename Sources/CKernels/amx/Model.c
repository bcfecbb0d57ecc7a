// The kernels of Products.h on the model of the tiles: what the unit computes, on any machine, for tests.
#include "kernels.h"
#include "Tables.h"

#include "Model.h"

#include "Products.h"

static uint16_t element(const struct kernels_rows *rows, intptr_t row, intptr_t column) {
    const intptr_t place = row >= rows->count ? -1 : rows->pixels ? rows->pixels[row] : row;
    if (place < 0) return 0;
    return ((const uint16_t *)((const char *)rows->map + place * rows->row_bytes))[column];
}

static uint16_t *place_of(void *panels, intptr_t panel_bytes, intptr_t depth, intptr_t column) {
    char *row = (char *)panels + column / kernels_tile_columns * panel_bytes + depth / 2 * TILE_BYTES;
    return (uint16_t *)row + column % kernels_tile_columns * 2 + depth % 2;
}

static void pack(const struct kernels_rows *rows, void *panels, intptr_t panel_bytes) {
    for (intptr_t row = 0; row < rows->count || row % DEPTH; row++)
        for (intptr_t column = 0; column < rows->columns; column++)
            *place_of(panels, panel_bytes, row, column) = element(rows, row, column);
}

static void transpose(const struct kernels_rows *rows, uint16_t *target, intptr_t stride) {
    for (intptr_t row = 0; row < rows->count || row % DEPTH; row++)
        for (intptr_t column = 0; column < rows->columns; column++)
            target[column * stride + row] = element(rows, row, column);
}

static void pack_weights(const float *weights, intptr_t depth, intptr_t columns, void *panels) {
    for (intptr_t d = 0; d < depth; d++)
        for (intptr_t column = 0; column < columns; column++)
            *place_of(panels, depth / 2 * TILE_BYTES, d, column) = rounded(weights[d * columns + column]);
}

static void pack_transposed(const float *weights, intptr_t depth, intptr_t columns, void *panels) {
    for (intptr_t d = 0; d < depth; d++)
        for (intptr_t column = 0; column < columns; column++)
            *place_of(panels, depth / 2 * TILE_BYTES, d, column) = rounded(weights[column * depth + d]);
}

const struct tile_kernels model_tiles = {multiply, gradient, pack_weights, pack_transposed, pack, transpose};
