#include "kernels.h"

#if defined(__x86_64__)
#include "../avx512/Words.h"
#include "Tables.h"
#include "Unit.h"

#include "Products.h"

// The sixteen columns of a row from `column` on.
FUNCTION inline __attribute__((always_inline)) __m256i load_row(
    const struct kernels_rows *rows, intptr_t row, intptr_t column) {
    const intptr_t place = row >= rows->count ? -1 : rows->pixels ? rows->pixels[row] : row;
    if (place < 0) return _mm256_setzero_si256();
    return _mm256_loadu_si256((const __m256i *)((const char *)rows->map + place * rows->row_bytes + 2 * column));
}

// Words of two rows.
FUNCTION inline __attribute__((always_inline)) __m512i load_pair(
    const struct kernels_rows *rows, intptr_t row, intptr_t column) {
    const __m512i first = _mm512_cvtepu16_epi32(load_row(rows, row, column));
    const __m512i second = _mm512_cvtepu16_epi32(load_row(rows, row + 1, column));
    return _mm512_or_si512(first, _mm512_slli_epi32(second, 16));
}

FUNCTION void pack(const struct kernels_rows *rows, void *panels, intptr_t panel_bytes) {
    for (intptr_t row = 0; row < rows->count || row % DEPTH; row += 2) {
        char *target = (char *)panels + row / 2 * TILE_BYTES;
        for (intptr_t column = 0; column < rows->columns; column += kernels_tile_columns, target += panel_bytes) {
            _mm512_storeu_si512(target, load_pair(rows, row, column));
        }
    }
}

// Words of two rows of sixteen float32.
FUNCTION inline __attribute__((always_inline)) __m512i round_pair(const float *first, const float *second) {
    const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(second), _mm512_loadu_ps(first));
    const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
    return _mm512_or_si512(low, _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1)), 16));
}

FUNCTION void pack_weights(const float *weights, intptr_t depth, intptr_t columns, void *panels) {
    for (intptr_t row = 0; row < depth; row += 2, weights += 2 * columns) {
        char *target = (char *)panels + row / 2 * TILE_BYTES;
        for (intptr_t column = 0; column < columns; column += 16, target += depth / 2 * TILE_BYTES) {
            _mm512_storeu_si512(target, round_pair(weights + column, weights + columns + column));
        }
    }
}

FUNCTION void pack_transposed(const float *weights, intptr_t depth, intptr_t columns, void *panels) {
    float *target = panels;
    for (intptr_t column = 0; column < columns; column += 16, weights += 16 * depth) {
        for (intptr_t row = 0; row < depth; row += DEPTH, target += BLOCK_BYTES / sizeof *target) {
            word_vector pairs[16];
            UNROLL for (int i = 0; i < 16; i++) {
                const float *source = weights + i * depth + row;
                pairs[i] = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(source + 16), _mm512_loadu_ps(source));
            }
            store_columns(target, TILE_BYTES / sizeof *target, pairs);
        }
    }
}

// The first column of a row, or of zeros.
FUNCTION inline __attribute__((always_inline)) const char *start_of(const struct kernels_rows *rows, intptr_t row) {
    const intptr_t place = row >= rows->count ? -1 : rows->pixels ? rows->pixels[row] : row;
    return place < 0 ? NULL : (const char *)rows->map + place * rows->row_bytes;
}

FUNCTION void transpose(const struct kernels_rows *rows, uint16_t *target, intptr_t stride) {
    // Some rows at a time, so that a few columns are written at once and a row's line is found again.
    const intptr_t most = 4 * DEPTH;
    for (intptr_t first = 0; first < rows->count; first += most) {
        // The next rows come meanwhile, in the order in which they lie: a walk down the columns is not foreseen.
        const char *next = start_of(rows, first + most);
        for (intptr_t column = 0; column < rows->columns; column += 16) {
            for (intptr_t row = first; row < first + most && row < rows->count; row += DEPTH) {
                word_vector pairs[16];
                UNROLL for (int i = 0; i < 16; i++) pairs[i] = load_pair(rows, row + 2 * i, column);
                store_columns((float *)(target + column * stride + row), stride / 2, pairs);
                if (!next) continue;
                UNROLL for (int i = 0; i < 16; i++) _mm_prefetch(next + TILE_BYTES * i, _MM_HINT_T1);
                next += 16 * TILE_BYTES;
            }
        }
    }
}

const struct tile_kernels amx_tiles = {multiply, gradient, pack_weights, pack_transposed, pack, transpose};
#endif
