// Products of small matrices that lie in cache, at the processor's full rate.
//
// Matrices are laid out in words of four bytes. A word holds one float32, or two bfloat16 that are neighbours along the
// depth (the dimension that is summed over); sums are float32.
#pragma once
#include <stdint.h>

// Columns of `b` lie in panels of so many: panel, depth, column.
enum { cavx512_panel = 32 };

struct cavx512_product {
    int64_t rows;
    int64_t columns;         // a multiple of cavx512_panel
    int64_t depth;           // in words
    int64_t a_row_stride;    // in words, as the others
    int64_t a_depth_stride;
    int64_t c_row_stride;    // in elements
    int32_t accumulate;      // whether the product is added to `c`

    // Memory that is wanted next, of so many bytes: it is brought into the cache meanwhile, as far as the work lasts.
    const void *ahead[2];
    int64_t ahead_bytes[2];
};

// Whether the processor has the instructions (AVX-512, for bfloat16 with its extension).
int cavx512_computes_float32(void);
int cavx512_computes_bfloat16(void);

// c ← a·b; `a` is found by its strides, `b` in panels, `c` by rows: of float32, or of bfloat16 where rounded.
void cavx512_multiply_float32(const struct cavx512_product *shape, const void *a, const void *b, void *c);
void cavx512_multiply_bfloat16(const struct cavx512_product *shape, const void *a, const void *b, void *c);
void cavx512_multiply_bfloat16_rounded(const struct cavx512_product *shape, const void *a, const void *b, void *c);

// Writes `matrix`, depth × columns (a multiple of cavx512_panel), to panels `panel_stride` words apart; an odd depth ends
// with zeros.
void cavx512_pack_float32(const void *matrix, int64_t depth, int64_t columns, float *words, int64_t panel_stride);
void cavx512_pack_bfloat16(const void *matrix, int64_t depth, int64_t columns, float *words, int64_t panel_stride);

// The same of float32 weights, depth × columns (both multiples of cavx512_panel), rounded to the type; and of weights
// that lie transposed, columns × depth.
void cavx512_pack_weights_float32(
    const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride);
void cavx512_pack_weights_bfloat16(
    const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride);
void cavx512_pack_transposed_weights_float32(
    const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride);
void cavx512_pack_transposed_weights_bfloat16(
    const float *weights, int64_t depth, int64_t columns, float *words, int64_t panel_stride);

// Winograd's minimal filtering F(2×2, 3×3); channels are multiples of sixteen. `pixels` point to a tile's pixels, row by
// row; the sixteen places of a transformed tile lie `stride` elements (of products: float32) apart, in panels words.

// target[place] ← Bᵀ d B of 4×4 pixels.
void cavx512_patch_float32(const void *const pixels[16], int64_t channels, void *target, int64_t stride);
void cavx512_patch_bfloat16(const void *const pixels[16], int64_t channels, void *target, int64_t stride);

// The same of two neighbours along the depth, into panels `panel_stride` words apart.
void cavx512_patches_float32(
    const void *const pixels[32], int64_t channels, float *words, int64_t stride, int64_t panel_stride);
void cavx512_patches_bfloat16(
    const void *const pixels[32], int64_t channels, float *words, int64_t stride, int64_t panel_stride);

// A dY Aᵀ of two tiles of 2×2 pixels into the same panels.
void cavx512_gradients_float32(
    const void *const pixels[8], int64_t channels, float *words, int64_t stride, int64_t panel_stride);
void cavx512_gradients_bfloat16(
    const void *const pixels[8], int64_t channels, float *words, int64_t stride, int64_t panel_stride);

// pixels ← Aᵀ M A, or added to what is there; pixels that are null are left out.
void cavx512_tile_float32(
    const float *products, int64_t stride, int64_t channels, void *const pixels[4], int32_t accumulate);
void cavx512_tile_bfloat16(
    const float *products, int64_t stride, int64_t channels, void *const pixels[4], int32_t accumulate);

// G g Gᵀ of two neighbours along the depth, `depth_stride` apart, whose nine taps are `tap_stride` apart, into panels.
void cavx512_weights_float32(
    const float *weights, int64_t tap_stride, int64_t depth_stride, int64_t columns, float *words, int64_t stride,
    int64_t panel_stride);
void cavx512_weights_bfloat16(
    const float *weights, int64_t tap_stride, int64_t depth_stride, int64_t columns, float *words, int64_t stride,
    int64_t panel_stride);

// The same where the depth, a multiple of cavx512_panel, lies together and columns are `column_stride` apart; all of it.
void cavx512_transposed_weights_float32(
    const float *weights, int64_t tap_stride, int64_t column_stride, int64_t depth, int64_t columns, float *words,
    int64_t stride, int64_t panel_stride);
void cavx512_transposed_weights_bfloat16(
    const float *weights, int64_t tap_stride, int64_t column_stride, int64_t depth, int64_t columns, float *words,
    int64_t stride, int64_t panel_stride);

// The gradients of nine taps, `channels` apart, from products: Gᵀ U G, or added to what is there.
void cavx512_weight_gradients(
    const float *products, int64_t stride, int64_t channels, float *gradients, int32_t accumulate);

// Batch normalisation over rows × columns (a multiple of 32); what is given for each column is float32.

// output ← scale ⊙ x + shift (+ residual, unless null), rectified if asked; `output` may be x.
void cavx512_affine_float32(
    const void *x, const float *scale, const float *shift, const void *residual, int32_t rectify, int64_t rows,
    int64_t columns, void *output);
void cavx512_affine_bfloat16(
    const void *x, const float *scale, const float *shift, const void *residual, int32_t rectify, int64_t rows,
    int64_t columns, void *output);

// sums ← sums + [Σx (columns), Σx² (columns)].
void cavx512_moments_float32(const void *x, int64_t rows, int64_t columns, double *sums);
void cavx512_moments_bfloat16(const void *x, int64_t rows, int64_t columns, double *sums);

// What a rectifier lets through of a gradient: all where everything is null, else what is above a zero of
// scale ⊙ x + shift, or of `output`.
struct cavx512_gate {
    const float *scale, *shift;
    const void *output;
};

// sums ← sums + [Σg (columns), Σg·x (columns)], g being what is let through; an `output` gates the gradient in place.
void cavx512_gradient_moments_float32(
    const void *x, void *gradient, const struct cavx512_gate *gate, int64_t rows, int64_t columns, double *sums);
void cavx512_gradient_moments_bfloat16(
    const void *x, void *gradient, const struct cavx512_gate *gate, int64_t rows, int64_t columns, double *sums);

// output ← a ⊙ g + b ⊙ x + c; a gradient that an `output` gates was gated in place before. `output` may be `gradient`.
void cavx512_normalization_gradient_float32(
    const void *x, const void *gradient, const struct cavx512_gate *gate, const float *a, const float *b,
    const float *c, int64_t rows, int64_t columns, void *output);
void cavx512_normalization_gradient_bfloat16(
    const void *x, const void *gradient, const struct cavx512_gate *gate, const float *a, const float *b,
    const float *c, int64_t rows, int64_t columns, void *output);

// Maximum pooling of one window, of `channels` (a multiple of 32): output ← the greatest of `count` pixels, whose numbers
// in the window are `taps`; winners ← the number of the first that is the greatest.
void cavx512_pool_float32(
    const void *const pixels[], const uint8_t *taps, int64_t count, int64_t channels, void *output, uint8_t *winners);
void cavx512_pool_bfloat16(
    const void *const pixels[], const uint8_t *taps, int64_t count, int64_t channels, void *output, uint8_t *winners);

// Its gradient at one pixel: output ← the sum of the gradients of those of `count` windows that it won as their tap.
void cavx512_pool_gradient_float32(
    const int64_t windows[], const uint8_t *taps, int64_t count, int64_t channels, const void *gradient,
    const uint8_t *winners, void *output);
void cavx512_pool_gradient_bfloat16(
    const int64_t windows[], const uint8_t *taps, int64_t count, int64_t channels, const void *gradient,
    const uint8_t *winners, void *output);
