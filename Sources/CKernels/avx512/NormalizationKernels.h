// The kernels of batch normalisation for one TYPE of ELEMENTs, on a processor with FEATURES; included once for each.

#define JOIN_AS_WRITTEN(a, b) a##b
#define JOIN(a, b) JOIN_AS_WRITTEN(a, b)
#define KERNEL(name) static __attribute__((target(FEATURES))) void JOIN(name##_, TYPE)
#define LOAD(map, place) JOIN(load_, TYPE)((const ELEMENT *)(map) + (place))
#define STORE_TWO(map, place, values) JOIN(store_two_, TYPE)((ELEMENT *)(map) + (place), (values)[0], (values)[1])
// Two registers take 32 columns: a whole cache line of bfloat16.
#define FOR_BOTH UNROLL for (int i = 0; i < 2; i++)

KERNEL(affine)(const void *x, const float *scale, const float *shift, const void *residual, bool rectify,
               intptr_t rows, intptr_t columns, void *output) {
    const __m512 floor = _mm512_set1_ps(rectify ? 0 : -INFINITY);
    for (intptr_t row = 0, at = 0; row < rows; row++) {
        for (intptr_t column = 0; column < columns; column += 32, at += 32) {
            __m512 values[2];
            FOR_BOTH {
                const intptr_t c = column + 16 * i;
                values[i] = _mm512_fmadd_ps(LOAD(x, at + 16 * i), load_float32(scale + c), load_float32(shift + c));
                if (residual) values[i] = _mm512_add_ps(values[i], LOAD(residual, at + 16 * i));
                // In this order NaN comes through.
                values[i] = _mm512_max_ps(floor, values[i]);
            }
            STORE_TWO(output, at, values);
        }
    }
}

#define let_through JOIN(let_through_, TYPE)
#define add_block JOIN(add_block_, TYPE)
#define add_blocks JOIN(add_blocks_, TYPE)
#define write_gradient JOIN(write_gradient_, TYPE)

// What the gate lets through of the gradient at `place`, where the map is `x`.
INLINE(FEATURES) __m512 let_through(
    enum opening opening, const struct kernels_gate *gate, const void *gradient, __m512 x, intptr_t place,
    intptr_t column) {
    const __m512 whole = LOAD(gradient, place);
    if (opening == ALWAYS) return whole;
    const __m512 output = opening == BY_OUTPUT
        ? LOAD(gate->output, place)
        : _mm512_fmadd_ps(x, load_float32(gate->scale + column), load_float32(gate->shift + column));
    // Not "greater than": at NaN the gradient comes through.
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(output, _mm512_setzero_ps(), _CMP_NLE_UQ), whole);
}

// The sums of 32 columns over `rows` from `place` on: of x and x² without a gradient, else of g and g·x.
INLINE(FEATURES) void add_block(
    enum opening opening, const struct kernels_gate *gate, const void *x, void *gradient, intptr_t rows,
    intptr_t columns, intptr_t place, intptr_t column, double *sums) {
    __m512 first[2], second[2], pivot[2];
    FOR_BOTH {
        first[i] = second[i] = _mm512_setzero_ps();
        pivot[i] = LOAD(x, place + 16 * i);
    }
    for (intptr_t row = 0; row < rows; row++, place += columns) {
        __m512 weights[2];
        // The same rows of the next block: a walk down the columns is no pattern that the processor foresees.
        fetch((const ELEMENT *)x + place + BLOCK_ROWS * columns);
        if (gradient) fetch((const ELEMENT *)gradient + place + BLOCK_ROWS * columns);
        if (opening == BY_OUTPUT) fetch((const ELEMENT *)gate->output + place + BLOCK_ROWS * columns);
        FOR_BOTH {
            const __m512 value = LOAD(x, place + 16 * i), deviation = _mm512_sub_ps(value, pivot[i]);
            weights[i] =
                gradient ? let_through(opening, gate, gradient, value, place + 16 * i, column + 16 * i) : deviation;
            first[i] = _mm512_add_ps(first[i], weights[i]);
            second[i] = _mm512_fmadd_ps(weights[i], deviation, second[i]);
        }
        if (opening == BY_OUTPUT) STORE_TWO(gradient, place, weights);
    }
    FOR_BOTH {
        double *target = sums + column + 16 * i;
        add_sums(first[i], second[i], pivot[i], gradient ? 0 : rows, target, target + columns);
    }
}

INLINE(FEATURES) void add_blocks(
    enum opening opening, const struct kernels_gate *gate, const void *x, void *gradient, intptr_t rows,
    intptr_t columns, double *sums) {
    for (intptr_t row = 0; row < rows; row += BLOCK_ROWS) {
        const intptr_t count = rows - row < BLOCK_ROWS ? rows - row : BLOCK_ROWS;
        for (intptr_t column = 0; column < columns; column += 32) {
            add_block(opening, gate, x, gradient, count, columns, row * columns + column, column, sums);
        }
    }
}

KERNEL(moments)(const void *x, intptr_t rows, intptr_t columns, double *sums) {
    add_blocks(ALWAYS, NULL, x, NULL, rows, columns, sums);
}

KERNEL(gradient_moments)(const void *x, void *gradient, const struct kernels_gate *gate, intptr_t rows,
                         intptr_t columns, double *sums) {
    switch (opening_of(gate)) {
    case ALWAYS: add_blocks(ALWAYS, gate, x, gradient, rows, columns, sums); break;
    case BY_AFFINE: add_blocks(BY_AFFINE, gate, x, gradient, rows, columns, sums); break;
    case BY_OUTPUT: add_blocks(BY_OUTPUT, gate, x, gradient, rows, columns, sums); break;
    }
}

INLINE(FEATURES) void write_gradient(
    enum opening opening, const struct kernels_gate *gate, const void *x, const void *gradient, const float *a,
    const float *b, const float *c, intptr_t rows, intptr_t columns, void *output) {
    for (intptr_t row = 0, at = 0; row < rows; row++) {
        for (intptr_t column = 0; column < columns; column += 32, at += 32) {
            __m512 values[2];
            FOR_BOTH {
                const intptr_t k = column + 16 * i;
                const __m512 value = LOAD(x, at + 16 * i);
                const __m512 passed = let_through(opening, gate, gradient, value, at + 16 * i, k);
                const __m512 along = _mm512_fmadd_ps(value, load_float32(b + k), load_float32(c + k));
                values[i] = _mm512_fmadd_ps(passed, load_float32(a + k), along);
            }
            STORE_TWO(output, at, values);
        }
    }
}

KERNEL(gradient)(const void *x, const void *gradient, const struct kernels_gate *gate, const float *a,
                 const float *b, const float *c, intptr_t rows, intptr_t columns, void *output) {
    if (opening_of(gate) == BY_AFFINE) {
        write_gradient(BY_AFFINE, gate, x, gradient, a, b, c, rows, columns, output);
    } else {
        // One that is gated by an output was gated in place when its moments were taken.
        write_gradient(ALWAYS, gate, x, gradient, a, b, c, rows, columns, output);
    }
}

#undef JOIN_AS_WRITTEN
#undef JOIN
#undef KERNEL
#undef LOAD
#undef STORE_TWO
#undef FOR_BOTH
#undef let_through
#undef add_block
#undef add_blocks
#undef write_gradient
