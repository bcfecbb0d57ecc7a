// Batch normalisation for one TYPE of ELEMENTs, two vectors at a time: a whole cache line of bfloat16.

#define STORE_TWO(map, place, values) NAMED(store_two)((ELEMENT *)(map) + (place), (values)[0], (values)[1])
#define FOR_BOTH UNROLL for (int i = 0; i < 2; i++)

KERNEL(affine)(const void *x, const float *scale, const float *shift, const void *residual, bool rectify,
               intptr_t rows, intptr_t columns, void *output) {
    const float_vector floor = broadcast(rectify ? 0 : -INFINITY);
    for (intptr_t row = 0, at = 0; row < rows; row++) {
        for (intptr_t column = 0; column < columns; column += 2 * LANES, at += 2 * LANES) {
            float_vector values[2];
            FOR_BOTH {
                const intptr_t c = column + LANES * i;
                values[i] = multiply_add(LOAD(x, at + LANES * i), load_float32(scale + c), load_float32(shift + c));
                if (residual) values[i] += LOAD(residual, at + LANES * i);
                // In this order NaN comes through.
                values[i] = choose(floor > values[i], floor, values[i]);
            }
            STORE_TWO(output, at, values);
        }
    }
}

// What the gate lets through of the gradient at `place`, where the map is `x`.
PART float_vector NAMED(let_through)(
    enum opening opening, const struct kernels_gate *gate, const void *gradient, float_vector x, intptr_t place,
    intptr_t column) {
    const float_vector whole = LOAD(gradient, place);
    if (opening == ALWAYS) return whole;
    const float_vector output = opening == BY_OUTPUT
        ? LOAD(gate->output, place)
        : multiply_add(x, load_float32(gate->scale + column), load_float32(gate->shift + column));
    // Not "greater than": at NaN the gradient comes through.
    return choose(output <= 0, broadcast(0), whole);
}

// The sums of two vectors of columns over `rows` from `place` on: of x and x² without a gradient, else of g and g·x.
PART void NAMED(add_block)(
    enum opening opening, const struct kernels_gate *gate, const void *x, void *gradient, intptr_t rows,
    intptr_t columns, intptr_t place, intptr_t column, double *sums) {
    float_vector first[2], second[2], pivot[2];
    FOR_BOTH {
        first[i] = second[i] = broadcast(0);
        pivot[i] = LOAD(x, place + LANES * i);
    }
    for (intptr_t row = 0; row < rows; row++, place += columns) {
        float_vector weights[2];
        // The same rows of the next block: a walk down the columns is no pattern that the processor foresees.
        fetch((const ELEMENT *)x + place + BLOCK_ROWS * columns);
        if (gradient) fetch((const ELEMENT *)gradient + place + BLOCK_ROWS * columns);
        if (opening == BY_OUTPUT) fetch((const ELEMENT *)gate->output + place + BLOCK_ROWS * columns);
        FOR_BOTH {
            const float_vector value = LOAD(x, place + LANES * i), deviation = value - pivot[i];
            weights[i] = gradient
                ? NAMED(let_through)(opening, gate, gradient, value, place + LANES * i, column + LANES * i)
                : deviation;
            first[i] += weights[i];
            second[i] = multiply_add(weights[i], deviation, second[i]);
        }
        if (opening == BY_OUTPUT) STORE_TWO(gradient, place, weights);
    }
    FOR_BOTH {
        double *target = sums + column + LANES * i;
        add_sums(first[i], second[i], pivot[i], gradient ? 0 : rows, target, target + columns);
    }
}

PART void NAMED(add_blocks)(
    enum opening opening, const struct kernels_gate *gate, const void *x, void *gradient, intptr_t rows,
    intptr_t columns, double *sums) {
    for (intptr_t row = 0; row < rows; row += BLOCK_ROWS) {
        const intptr_t count = rows - row < BLOCK_ROWS ? rows - row : BLOCK_ROWS;
        for (intptr_t column = 0; column < columns; column += 2 * LANES) {
            NAMED(add_block)(opening, gate, x, gradient, count, columns, row * columns + column, column, sums);
        }
    }
}

KERNEL(moments)(const void *x, intptr_t rows, intptr_t columns, double *sums) {
    NAMED(add_blocks)(ALWAYS, NULL, x, NULL, rows, columns, sums);
}

KERNEL(gradient_moments)(const void *x, void *gradient, const struct kernels_gate *gate, intptr_t rows,
                         intptr_t columns, double *sums) {
    switch (opening_of(gate)) {
    case ALWAYS: NAMED(add_blocks)(ALWAYS, gate, x, gradient, rows, columns, sums); break;
    case BY_AFFINE: NAMED(add_blocks)(BY_AFFINE, gate, x, gradient, rows, columns, sums); break;
    case BY_OUTPUT: NAMED(add_blocks)(BY_OUTPUT, gate, x, gradient, rows, columns, sums); break;
    }
}

PART void NAMED(write_gradient)(
    enum opening opening, const struct kernels_gate *gate, const void *x, const void *gradient, const float *a,
    const float *b, const float *c, intptr_t rows, intptr_t columns, void *output) {
    for (intptr_t row = 0, at = 0; row < rows; row++) {
        for (intptr_t column = 0; column < columns; column += 2 * LANES, at += 2 * LANES) {
            float_vector values[2];
            FOR_BOTH {
                const intptr_t k = column + LANES * i;
                const float_vector value = LOAD(x, at + LANES * i);
                const float_vector passed = NAMED(let_through)(opening, gate, gradient, value, at + LANES * i, k);
                const float_vector along = multiply_add(value, load_float32(b + k), load_float32(c + k));
                values[i] = multiply_add(passed, load_float32(a + k), along);
            }
            STORE_TWO(output, at, values);
        }
    }
}

KERNEL(normalization_gradient)(const void *x, const void *gradient, const struct kernels_gate *gate, const float *a,
                 const float *b, const float *c, intptr_t rows, intptr_t columns, void *output) {
    if (opening_of(gate) == BY_AFFINE) {
        NAMED(write_gradient)(BY_AFFINE, gate, x, gradient, a, b, c, rows, columns, output);
    } else {
        // One that is gated by an output was gated in place when its moments were taken.
        NAMED(write_gradient)(ALWAYS, gate, x, gradient, a, b, c, rows, columns, output);
    }
}

#undef STORE_TWO
#undef FOR_BOTH
