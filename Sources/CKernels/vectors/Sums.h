// What batch normalisation sums, beside maps of any type.
#pragma once

// Rows whose float32 sums are added to the double-precision ones.
enum { BLOCK_ROWS = 32 };

// When a gate lets a gradient through.
enum opening { ALWAYS, BY_AFFINE, BY_OUTPUT };

static enum opening opening_of(const struct kernels_gate *gate) {
    return gate->output ? BY_OUTPUT : gate->scale ? BY_AFFINE : ALWAYS;
}

// To the second level: the first has no room for what is wanted a block later.
static inline void fetch(const void *place) { _mm_prefetch((const char *)place, _MM_HINT_T1); }

INLINE(FLOAT32) void add_doubles(double *target, double_vector values) {
    double_vector sums;
    memcpy(&sums, target, sizeof sums);
    sums += values;
    memcpy(target, &sums, sizeof sums);
}

// Adds the sums over a block in which x is counted from `pivot`: of w and w·x, or of x and x² where w is x. Then w is
// counted from it too, in so many `rows`, which are 0 else.
INLINE(FLOAT32) void add_sums(
    float_vector first, float_vector second, float_vector pivot, intptr_t rows, double *firsts, double *seconds) {
    UNROLL for (int half = 0; half < 2; half++) {
        const double_vector sum = half_of(first, half), products = half_of(second, half), p = half_of(pivot, half);
        const double_vector shift = p * (double)rows, twice = rows ? sum + sum + shift : sum, rest = p * twice;
        add_doubles(firsts + LANES / 2 * half, sum + shift);
        add_doubles(seconds + LANES / 2 * half, products + rest);
    }
}
