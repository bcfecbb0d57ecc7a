// What units make of their sums, for one TYPE of ELEMENTs.

PART float_vector NAMED(activated)(enum kernels_activation activation, float_vector x, float_vector slope) {
    // In this order NaN comes through, by the second part.
    const float_vector zero = broadcast(0), negative = choose(x < 0, x, zero), positive = choose(x < 0, zero, x);
    switch (activation) {
    case kernels_rectifier: return positive;
    case kernels_exponential_linear: return positive + (exponential(negative) - 1);
    case kernels_leaky_rectifier: return multiply_add(negative, slope, positive);
    }
    return x;
}

// The slope where the activation gave y.
PART float_vector NAMED(slope_at)(enum kernels_activation activation, float_vector y, float_vector slope) {
    const float_vector below = activation == kernels_exponential_linear ? y + 1
        : activation == kernels_leaky_rectifier ? slope : broadcast(0);
    return choose(y > 0, broadcast(1), below);
}

PART void NAMED(activate_rows)(
    enum kernels_activation activation, float_vector slope, const float *bias, intptr_t rows, intptr_t columns,
    void *map) {
    for (intptr_t row = 0, at = 0; row < rows; row++) {
        for (intptr_t column = 0; column < columns; column += LANES, at += LANES) {
            const float_vector sum = LOAD(map, at) + load_float32(bias + column);
            STORE(map, at, NAMED(activated)(activation, sum, slope));
        }
    }
}

PART void NAMED(scale_all)(
    enum kernels_activation activation, float_vector slope, const void *output, intptr_t count, void *gradient) {
    for (intptr_t at = 0; at < count; at += LANES)
        STORE(gradient, at, LOAD(gradient, at) * NAMED(slope_at)(activation, LOAD(output, at), slope));
}

// `BODY`, compiled for each activation.
#define FOR_THE_ACTIVATION(activation, BODY)                                                                           \
    switch (activation) {                                                                                              \
    case kernels_rectifier: BODY(kernels_rectifier); break;                                                            \
    case kernels_exponential_linear: BODY(kernels_exponential_linear); break;                                          \
    case kernels_leaky_rectifier: BODY(kernels_leaky_rectifier); break;                                                \
    }

KERNEL(activate)(
    enum kernels_activation activation, float slope, const float *bias, intptr_t rows, intptr_t columns, void *map) {
#define ACTIVATE(known) NAMED(activate_rows)(known, broadcast(slope), bias, rows, columns, map)
    FOR_THE_ACTIVATION(activation, ACTIVATE)
#undef ACTIVATE
}

KERNEL(scale_by_slope)(
    enum kernels_activation activation, float slope, const void *output, intptr_t count, void *gradient) {
#define SCALE(known) NAMED(scale_all)(known, broadcast(slope), output, count, gradient)
    FOR_THE_ACTIVATION(activation, SCALE)
#undef SCALE
}

#undef FOR_THE_ACTIVATION
