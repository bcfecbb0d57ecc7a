// The tiles of the processor: eight registers of 16 rows of 64 bytes.
#pragma once
#include "Shapes.h"
#include <immintrin.h>

#define FUNCTION static __attribute__((target("amx-tile,amx-bf16,avx512f,avx512bw,avx512bf16")))
#define TILE_ZERO(tile) _tile_zero(tile)
#define TILE_LOAD(tile, from, stride) _tile_loadd(tile, from, stride)
#define TILE_STORE(tile, to, stride) _tile_stored(tile, to, stride)
#define TILE_MULTIPLY(sum, a, b) _tile_dpbf16ps(sum, a, b)

FUNCTION void tiles_shape(const struct tile_shapes *shapes) { _tile_loadconfig(shapes); }

// Gives the registers back: a thread that holds none is switched faster.
FUNCTION void tiles_release(void) { _tile_release(); }

// target ← 32 sums rounded, or added to what is there.
FUNCTION void store_sums(uint16_t *target, const float *sums, bool accumulate) {
    __m512 first = _mm512_loadu_ps(sums), second = _mm512_loadu_ps(sums + 16);
    if (accumulate) {
        const __m512i pair = _mm512_loadu_si512(target);
        const __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(pair));
        const __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(pair, 1));
        first = _mm512_add_ps(first, _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
        second = _mm512_add_ps(second, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
    }
    _mm512_storeu_si512(target, (__m512i)_mm512_cvtne2ps_pbh(second, first));
}
