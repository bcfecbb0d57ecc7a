// Products of matrices in cache, for one TYPE of ELEMENTs: MULTIPLY_ADD(sum, a, b) multiplies its words.
//
// A block has two vectors of columns and at most MOST_ROWS rows: as many sums as leave registers for two vectors of `b` and
// one of `a`. FOR_EACH_LOWER_HEIGHT lists the numbers below. Where rows are few, what a loop itself costs counts, most of all
// beside another thread on the same core: DEPTH_AT_ONCE words of the depth share it.

PART void NAMED(store_sums)(bool rounded, void *c, intptr_t place, float_vector sum, bool accumulate) {
    if (rounded) {
        STORE(c, place, accumulate ? sum + LOAD(c, place) : sum);
    } else {
        float *target = (float *)c + place;
        store_float32(target, accumulate ? sum + load_float32(target) : sum);
    }
}

// Adds the products of one word of the depth, for the rows from every third one.
PART void NAMED(add_products)(
    const int rows, const float *const *thirds, intptr_t row_stride, intptr_t d, const float *b,
    float_vector sums[MOST_ROWS][2]) {
    const float_vector left = load_float32(b), right = load_float32(b + LANES);
    UNROLL for (int i = 0; i < rows; i++) {
        const float_vector value = broadcast(thirds[i / 3][i % 3 * row_stride + d]);
        sums[i][0] = MULTIPLY_ADD(sums[i][0], value, left);
        sums[i][1] = MULTIPLY_ADD(sums[i][1], value, right);
    }
}

// One block of `rows` rows. Rows are addressed from every third one: more pointers than that do not fit the general
// registers.
PART void NAMED(block)(
    const bool rounded, const int rows, const struct kernels_product *shape, const bool depth_together, const float *a,
    const float *b, void *c, intptr_t place, struct walk *walk) {
    const char *next = walk->next, *const end = walk->end;
    const intptr_t row_stride = depth_together ? shape->a_row_stride : 1;
    const intptr_t depth_stride = depth_together ? 1 : shape->a_depth_stride;
    float_vector sums[MOST_ROWS][2];
    const float *thirds[(MOST_ROWS + 2) / 3];
    UNROLL for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = broadcast(0);
    UNROLL for (int i = 0; i < rows; i += 3) thirds[i / 3] = a + i * row_stride;
    intptr_t d = shape->depth;
    for (; d >= DEPTH_AT_ONCE; d -= DEPTH_AT_ONCE, b += DEPTH_AT_ONCE * kernels_panel) {
        UNROLL for (int k = 0; k < DEPTH_AT_ONCE; k++)
            NAMED(add_products)(rows, thirds, row_stride, k * depth_stride, b + k * kernels_panel, sums);
        UNROLL for (int i = 0; i < rows; i += 3) thirds[i / 3] += DEPTH_AT_ONCE * depth_stride;
        _mm_prefetch(next, _MM_HINT_T1);
        next += next < end ? 64 : 0;
    }
    for (; d > 0; d--, b += kernels_panel) {
        NAMED(add_products)(rows, thirds, row_stride, 0, b, sums);
        UNROLL for (int i = 0; i < rows; i += 3) thirds[i / 3] += depth_stride;
    }
    walk->next = next;
    UNROLL for (int i = 0; i < rows; i++, place += shape->c_row_stride) {
        NAMED(store_sums)(rounded, c, place, sums[i][0], shape->accumulate);
        NAMED(store_sums)(rounded, c, place + LANES, sums[i][1], shape->accumulate);
    }
}

#define HEIGHT(count) \
    case count: NAMED(block)(rounded, count, shape, depth_together, a, b, c, place, walk); break;

PART void NAMED(either_block)(
    const bool rounded, intptr_t rows, const struct kernels_product *shape, const bool depth_together, const float *a,
    const float *b, void *c, intptr_t place, struct walk *walk) {
    switch (rows) {
        FOR_EACH_LOWER_HEIGHT(HEIGHT)
    default: NAMED(block)(rounded, MOST_ROWS, shape, depth_together, a, b, c, place, walk);
    }
}

#undef HEIGHT

// Not within the loops over blocks, which would take registers from theirs.
__attribute__((noinline)) KERNEL(rows)(
    intptr_t rows, const struct kernels_product *shape, const float *a, const float *b, void *c, intptr_t place,
    struct walk *walk) {
    if (shape->a_depth_stride == 1) {
        NAMED(either_block)(false, rows, shape, true, a, b, c, place, walk);
    } else {
        NAMED(either_block)(false, rows, shape, false, a, b, c, place, walk);
    }
}

__attribute__((noinline)) KERNEL(rows_rounded)(
    intptr_t rows, const struct kernels_product *shape, const float *a, const float *b, void *c, intptr_t place,
    struct walk *walk) {
    if (shape->a_depth_stride == 1) {
        NAMED(either_block)(true, rows, shape, true, a, b, c, place, walk);
    } else {
        NAMED(either_block)(true, rows, shape, false, a, b, c, place, walk);
    }
}

PART void NAMED(product)(
    const bool rounded, const struct kernels_product *shape, const void *a, const void *b, void *c) {
    // Blocks of nearly equal height: a last one of a few rows would wait for its own sums.
    const intptr_t blocks = (shape->rows + MOST_ROWS - 1) / MOST_ROWS;
    int region = 0;
    struct walk walk = walk_of(shape, 0, b);
    for (intptr_t column = 0; column < shape->columns; column += 2 * LANES) {
        const intptr_t first = column % kernels_panel;
        const float *panel = (const float *)b + (column - first) * shape->depth + first;
        for (intptr_t i = 0, row = 0; i < blocks; i++) {
            const intptr_t end = shape->rows * (i + 1) / blocks, place = row * shape->c_row_stride + column;
            const float *first_row = (const float *)a + row * shape->a_row_stride;
            if (rounded) {
                NAMED(rows_rounded)(end - row, shape, first_row, panel, c, place, &walk);
            } else {
                NAMED(rows)(end - row, shape, first_row, panel, c, place, &walk);
            }
            row = end;
            if (region == 0 && walk.next >= walk.end) {
                region = 1;
                walk = walk_of(shape, 1, b);
            }
        }
    }
}

KERNEL(multiply)(const struct kernels_product *shape, const void *a, const void *b, void *c) {
    NAMED(product)(false, shape, a, b, c);
}

KERNEL(multiply_rounded)(const struct kernels_product *shape, const void *a, const void *b, void *c) {
    if (sizeof(ELEMENT) == sizeof(float)) return NAMED(multiply)(shape, a, b, c);
    NAMED(product)(true, shape, a, b, c);
}
