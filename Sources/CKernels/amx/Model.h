// The tiles in plain C, bit for bit: Intel, Architecture Instruction Set Extensions, TDPBF16PS.
#pragma once
#include "Shapes.h"
#include <math.h>
#include <string.h>

#define FUNCTION static
#define TILE_ZERO(tile) memset(&tiles[tile], 0, sizeof tiles[tile])
#define TILE_LOAD(tile, from, stride) tile_load(tile, (const char *)(from), stride)
#define TILE_STORE(tile, to, stride) tile_store(tile, (char *)(to), stride)
#define TILE_MULTIPLY(sum, a, b) tile_multiply(sum, a, b)

static _Thread_local union {
    char bytes[16][64];
    float sums[16][16];
    uint16_t pairs[16][16][2];
} tiles[8];
static _Thread_local struct tile_shapes current;

static void tiles_shape(const struct tile_shapes *shapes) {
    current = *shapes;
    memset(tiles, 0, sizeof tiles);
}

static void tiles_release(void) { tiles_shape(&(struct tile_shapes){0}); }

static void tile_load(int tile, const char *from, intptr_t stride) {
    TILE_ZERO(tile);
    for (int row = 0; row < current.rows[tile]; row++)
        memcpy(tiles[tile].bytes[row], from + row * stride, current.row_bytes[tile]);
}

static void tile_store(int tile, char *to, intptr_t stride) {
    for (int row = 0; row < current.rows[tile]; row++)
        memcpy(to + row * stride, tiles[tile].bytes[row], current.row_bytes[tile]);
}

// The unit takes numbers below the normal ones for zeros, and writes none.
static float normal(float value) { return fabsf(value) < 0x1p-126f ? copysignf(0, value) : value; }

static float widened(uint16_t value) {
    const uint32_t bits = (uint32_t)value << 16;
    float result;
    memcpy(&result, &bits, sizeof result);
    return result;
}

// Even and odd neighbours are summed apart down the depth, then together, then added.
static void tile_multiply(int sum, int a, int b) {
    for (int row = 0; row < current.rows[sum]; row++) {
        for (int column = 0; column < current.row_bytes[sum] / 4; column++) {
            float parts[2] = {0, 0};
            for (int pair = 0; pair < current.row_bytes[a] / 4; pair++) {
                for (int i = 0; i < 2; i++) {
                    const float left = normal(widened(tiles[a].pairs[row][pair][i]));
                    parts[i] = normal(fmaf(left, normal(widened(tiles[b].pairs[pair][column][i])), parts[i]));
                }
            }
            float *target = &tiles[sum].sums[row][column];
            *target = normal(normal(*target) + normal(parts[0] + parts[1]));
        }
    }
}

// The nearest bfloat16, ties to even, as AVX-512 rounds.
static uint16_t rounded(float value) {
    uint32_t bits;
    value = normal(value);
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value)) return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

// target ← 32 sums rounded, or added to what is there.
static void store_sums(uint16_t *target, const float *sums, bool accumulate) {
    for (int i = 0; i < 32; i++) target[i] = rounded(accumulate ? sums[i] + widened(target[i]) : sums[i]);
}
