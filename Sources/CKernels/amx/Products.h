// Products of bfloat16 matrices in tiles, for whatever stands behind the macros of Unit.h or Model.h.

// Sums of 2×2 tiles of 16 rows × 16 columns take four registers, their factors the others.
enum { ROWS = 32, DEPTH = 32, TILE_BYTES = 64, BLOCK_BYTES = DEPTH / 2 * TILE_BYTES };

// Weights that stay in the second cache, and in the first, beside rows; the least rows that make a good product.
enum { WEIGHT_BYTES = 1 << 20, NEAREST_BYTES = 32 << 10, ROW_BYTES = 16 << 10, LEAST_ROWS = 64 };

// Rows of each block of `count` of them.
static intptr_t block_height(intptr_t count) {
    const intptr_t blocks = (count + ROWS - 1) / ROWS;
    return (count + blocks - 1) / blocks;
}

// Shapes of sums of `rows` rows, at most 32: in two tiles of half of them.
static struct tile_shapes shapes_of(intptr_t rows) {
    struct tile_shapes shapes = {.palette = 1};
    const intptr_t heights[2] = {(rows + 1) / 2, rows > 1 ? rows / 2 : 1};
    for (int i = 0; i < 8; i++) {
        shapes.row_bytes[i] = TILE_BYTES;
        // 0 to 3 are sums, 4 and 5 the left factors, 6 and 7 the right ones.
        shapes.rows[i] = i < 4 ? heights[i / 2] : i < 6 ? heights[i - 4] : DEPTH / 2;
    }
    return shapes;
}

FUNCTION void tiles_zero(void) {
    TILE_ZERO(0);
    TILE_ZERO(1);
    TILE_ZERO(2);
    TILE_ZERO(3);
}

// Adds `steps` blocks of depth of the rows from `a` on and of two panels from `b` on.
FUNCTION inline __attribute__((always_inline)) void tiles_add(
    const char *a, intptr_t a_row, intptr_t a_half, const char *b, intptr_t panel_bytes, intptr_t steps) {
    for (intptr_t step = 0; step < steps; step++, a += TILE_BYTES, b += BLOCK_BYTES) {
        TILE_LOAD(4, a, a_row);
        TILE_LOAD(6, b, TILE_BYTES);
        TILE_MULTIPLY(0, 4, 6);
        TILE_LOAD(7, b + panel_bytes, TILE_BYTES);
        TILE_MULTIPLY(1, 4, 7);
        TILE_LOAD(5, a + a_half, a_row);
        TILE_MULTIPLY(2, 5, 6);
        TILE_MULTIPLY(3, 5, 7);
    }
}

// A block of at most 32 rows from `row` on, for 32 columns.
FUNCTION void multiply_block(
    const struct kernels_tile_product *p, intptr_t row, intptr_t rows, intptr_t column, float sums[ROWS][32]) {
    const intptr_t upper = (rows + 1) / 2, half = rows > 1 ? upper : 0;
    const char *a = (const char *)p->source + row * p->row_bytes;
    const char *b = (const char *)p->weights + column / kernels_tile_columns * p->panel_bytes;
    tiles_zero();
    for (intptr_t tap = 0; tap < p->taps; tap++) {
        tiles_add(a + p->tap_bytes[tap], p->row_bytes, half * p->row_bytes, b + p->tap_panels[tap], p->panel_bytes,
                  p->depth / DEPTH);
    }
    TILE_STORE(0, sums[0], sizeof *sums);
    TILE_STORE(1, sums[0] + 16, sizeof *sums);
    if (!half) return;
    TILE_STORE(2, sums[half], sizeof *sums);
    TILE_STORE(3, sums[half] + 16, sizeof *sums);
}

// Has the lines brought near that the sums of these rows will be written to.
FUNCTION inline void fetch_targets(const struct kernels_tile_product *p, intptr_t row, intptr_t rows, intptr_t column) {
    const uint16_t *target = (const uint16_t *)p->target + row * p->columns + column;
    for (intptr_t i = 0; i < rows; i++) __builtin_prefetch(target + i * p->columns, 1);
}

// Rounds the sums of rows from `row` on into their pixels.
FUNCTION void store_block(
    const struct kernels_tile_product *p, intptr_t row, intptr_t rows, intptr_t column, const float sums[ROWS][32]) {
    uint16_t *target = (uint16_t *)p->target + column;
    if (!p->pixels && !p->accumulate) {
        for (intptr_t i = 0; i < rows; i++) store_sums(target + (row + i) * p->columns, sums[i], false);
        return;
    }
    for (intptr_t i = 0; i < rows; i++) {
        const intptr_t pixel = p->pixels ? p->pixels[row + i] : row + i;
        if (pixel >= 0) store_sums(target + pixel * p->columns, sums[i], p->accumulate);
    }
}

// Whether all weights stay in the first cache: each block of rows meets them all, so that pixels are written whole.
static bool is_narrow(const struct kernels_tile_product *p) {
    return 2 * p->taps * p->depth * p->columns <= NEAREST_BYTES;
}

// Rows of a product at once: few where all weights stay in the second cache beside them, so that pixels are written whole;
// else all, so that each panel is read once.
static intptr_t rows_at_once(const struct kernels_tile_product *p) {
    if (is_narrow(p) || p->taps > 1 || 2 * p->depth * p->columns > WEIGHT_BYTES) return p->rows;
    const intptr_t rows = ROW_BYTES / (2 * p->depth) / ROWS * ROWS;
    return rows < LEAST_ROWS ? LEAST_ROWS : rows;
}

// Sums of a block of rows that wait to be rounded.
struct pending {
    intptr_t row, count, column;
    const float (*sums)[32];
};

// `count` rows of each run from `first` on in some columns, in blocks of one height: the last one begins early, and what
// the one before has of it is not stored again.
FUNCTION void multiply_columns(
    const struct kernels_tile_product *p, intptr_t first, intptr_t count, intptr_t column, intptr_t end) {
    const intptr_t height = block_height(count);
    // A block's sums are rounded while the unit has the next block's to compute.
    float sums[2][ROWS][32];
    struct pending last = {0};
    int turn = 0;
    for (intptr_t run = 0; run < p->runs; run++) {
        for (intptr_t done = 0; done < count; done += height) {
            const intptr_t start = done + height > count ? count - height : done;
            const intptr_t row = run * p->run_stride + first + start;
            for (intptr_t c = column; c < end; c += 32, turn ^= 1) {
                if (!p->pixels) fetch_targets(p, row, height, c);
                multiply_block(p, row, height, c, sums[turn]);
                store_block(p, last.row, last.count, last.column, last.sums);
                last = (struct pending){row + done - start, height + start - done, c, sums[turn] + done - start};
            }
        }
    }
    store_block(p, last.row, last.count, last.column, last.sums);
}

// `count` rows of each run from `first` on.
FUNCTION void multiply_rows(const struct kernels_tile_product *p, intptr_t first, intptr_t count) {
    const struct tile_shapes shapes = shapes_of(block_height(count));
    const intptr_t most = is_narrow(p) ? p->columns : 32;
    tiles_shape(&shapes);
    for (intptr_t column = 0; column < p->columns; column += most) {
        multiply_columns(p, first, count, column, column + most);
    }
}

FUNCTION void multiply(const struct kernels_tile_product *p) {
    const intptr_t most = rows_at_once(p);
    for (intptr_t row = 0; row < p->rows; row += most) {
        multiply_rows(p, row, p->rows - row < most ? p->rows - row : most);
    }
    tiles_release();
}

// The sums of 32 × 32 weights' gradients over pixels [first, end).
FUNCTION void gradient_block(
    const struct kernels_tile_gradient *p, intptr_t output, intptr_t column, intptr_t tap, intptr_t first, intptr_t end) {
    float *target = p->target + output * p->target_stride + p->tap_columns[tap] + column;
    const intptr_t stride = p->target_stride * sizeof(float), below = 16 * p->target_stride;
    if (p->accumulate || first > 0) {
        TILE_LOAD(0, target, stride);
        TILE_LOAD(1, target + 16, stride);
        TILE_LOAD(2, target + below, stride);
        TILE_LOAD(3, target + below + 16, stride);
    } else {
        tiles_zero();
    }
    const intptr_t row = p->gradient_stride * sizeof(uint16_t);
    const char *a = (const char *)(p->gradients + output * p->gradient_stride + first - p->tap_pixels[tap]);
    const char *b = (const char *)p->panels + p->tap_panels[tap] + column / kernels_tile_columns * p->panel_bytes;
    tiles_add(a, row, 16 * row, b + first / 2 * TILE_BYTES, p->panel_bytes, (end - first) / DEPTH);
    TILE_STORE(0, target, stride);
    TILE_STORE(1, target + 16, stride);
    TILE_STORE(2, target + below, stride);
    TILE_STORE(3, target + below + 16, stride);
}

FUNCTION void gradient(const struct kernels_tile_gradient *p) {
    // Few enough that the factors of a block stay near while its taps are summed.
    const intptr_t most = 1024;
    // The larger map is walked once, the smaller one, which stays near, for each of its blocks.
    const bool is_wide = p->columns > p->outputs;
    const intptr_t larger = is_wide ? p->columns : p->outputs, smaller = is_wide ? p->outputs : p->columns;
    const struct tile_shapes shapes = shapes_of(ROWS);
    tiles_shape(&shapes);
    for (intptr_t first = 0; first < p->pixels; first += most) {
        const intptr_t end = p->pixels - first < most ? p->pixels : first + most;
        for (intptr_t outer = 0; outer < larger; outer += 32) {
            for (intptr_t inner = 0; inner < smaller; inner += 32) {
                const intptr_t output = is_wide ? inner : outer, column = is_wide ? outer : inner;
                for (intptr_t tap = 0; tap < p->taps; tap++) gradient_block(p, output, column, tap, first, end);
            }
        }
    }
    tiles_release();
}
