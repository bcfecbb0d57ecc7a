// Tables of kernels: one for each instruction set and element type, with null where a set has nothing.
//
// Maps are rows of pixels, channels last. Panels are made of words of four bytes: a word holds one float32, or two
// bfloat16 that are neighbours along the depth (the dimension that a product sums over); sums are float32.
#pragma once
#include <stdbool.h>
#include <stdint.h>

// The last two are plain C, for any machine: what is compared with the others, and computed by tests where the processor
// lacks those. One has products, panels and Winograd's transforms, the other AMX's tiles, bit for bit. Normalisation,
// pooling and activations have their twins in Swift, beside the calls of these. AVX2 (with FMA) has float32 alone.
enum kernels_set { kernels_avx2, kernels_avx512, kernels_amx, kernels_portable, kernels_tile_model };
enum kernels_element { kernels_float32, kernels_bfloat16 };

struct kernels {
    const struct product_kernels *products;
    const struct panel_kernels *panels;
    const struct winograd_kernels *winograd;
    const struct normalization_kernels *normalization;
    const struct pooling_kernels *pooling;
    const struct activation_kernels *activation;
    const struct tile_kernels *tiles;
};

// The table of `set` for maps of `element`, or null where this processor lacks the instructions, or the system does not
// let this process use them. The one place where that is found out.
const struct kernels *kernels_find(enum kernels_set set, enum kernels_element element);

// Columns of the right matrix of a product lie in panels of so many: panel, depth, column.
enum { kernels_panel = 32 };

struct kernels_product {
    intptr_t rows;
    intptr_t columns;         // a multiple of kernels_panel
    intptr_t depth;           // in words
    intptr_t a_row_stride;    // in words, as the others; one of these two is 1
    intptr_t a_depth_stride;
    intptr_t c_row_stride;    // in elements
    bool accumulate;          // whether the product is added to `c`

    // Memory that is wanted next, of so many bytes: it is brought into the cache meanwhile, as far as the work lasts.
    const void *ahead[2];
    intptr_t ahead_bytes[2];
};

// Products of small matrices that lie in cache, at the processor's full rate.
struct product_kernels {
    // c ← a·b; `a` is found by its strides, `b` in panels, `c` by rows of float32.
    void (*multiply)(const struct kernels_product *shape, const void *a, const void *b, void *c);

    // The same with rows of `c` of the element type.
    void (*multiply_rounded)(const struct kernels_product *shape, const void *a, const void *b, void *c);
};

struct panel_kernels {
    // Writes `matrix`, depth × columns (a multiple of kernels_panel), to panels `panel_stride` words apart; an odd depth
    // ends with zeros.
    void (*pack)(const void *matrix, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride);

    // The same of float32 weights, depth × columns (both multiples of kernels_panel), rounded to the element type.
    void (*pack_weights)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride);

    // The same of weights that lie transposed, columns × depth.
    void (*pack_transposed)(const float *weights, intptr_t depth, intptr_t columns, float *words, intptr_t panel_stride);
};

// Winograd's minimal filtering F(2×2, 3×3); channels are multiples of sixteen. `pixels` point to a tile's pixels, row by
// row; the sixteen places of a transformed tile lie `stride` elements (of products: float32) apart, in panels words.
struct winograd_kernels {
    // target[place] ← Bᵀ d B of 4×4 pixels.
    void (*input)(const void *const pixels[16], intptr_t channels, void *target, intptr_t stride);

    // The same of two neighbours along the depth, into panels `panel_stride` words apart.
    void (*input_to_panels)(
        const void *const pixels[32], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride);

    // A dY Aᵀ of two tiles of 2×2 pixels into the same panels.
    void (*gradient_to_panels)(
        const void *const pixels[8], intptr_t channels, float *words, intptr_t stride, intptr_t panel_stride);

    // pixels ← Aᵀ M A, or added to what is there; pixels that are null are left out.
    void (*output)(const float *products, intptr_t stride, intptr_t channels, void *const pixels[4], bool accumulate);

    // G g Gᵀ of two neighbours along the depth, `depth_stride` apart, whose nine taps are `tap_stride` apart, into panels.
    void (*pack_weights)(
        const float *weights, intptr_t tap_stride, intptr_t depth_stride, intptr_t columns, float *words,
        intptr_t stride, intptr_t panel_stride);

    // The same where the depth, a multiple of kernels_panel, lies together and columns are `column_stride` apart; all.
    void (*pack_transposed)(
        const float *weights, intptr_t tap_stride, intptr_t column_stride, intptr_t depth, intptr_t columns,
        float *words, intptr_t stride, intptr_t panel_stride);

    // The gradients of nine taps, `tap_stride` apart, from products: Gᵀ U G, or added to what is there.
    void (*weight_gradient)(
        const float *products, intptr_t stride, intptr_t channels, float *gradients, intptr_t tap_stride,
        bool accumulate);
};

// What a rectifier lets through of a gradient: all where everything is null, else what is above a zero of
// scale ⊙ x + shift, or of `output`.
struct kernels_gate {
    const float *scale, *shift;
    const void *output;
};

// Batch normalisation over rows × columns (a multiple of 32); what is given for each column is float32.
struct normalization_kernels {
    // output ← scale ⊙ x + shift (+ residual, unless null), rectified if asked; `output` may be x.
    void (*affine)(
        const void *x, const float *scale, const float *shift, const void *residual, bool rectify, intptr_t rows,
        intptr_t columns, void *output);

    // sums ← sums + [Σx (columns), Σx² (columns)].
    void (*moments)(const void *x, intptr_t rows, intptr_t columns, double *sums);

    // sums ← sums + [Σg (columns), Σg·x (columns)], g being what is let through; an `output` gates the gradient in place.
    void (*gradient_moments)(
        const void *x, void *gradient, const struct kernels_gate *gate, intptr_t rows, intptr_t columns, double *sums);

    // output ← a ⊙ g + b ⊙ x + c; a gradient that an `output` gates was gated in place before. `output` may be `gradient`.
    void (*gradient)(
        const void *x, const void *gradient, const struct kernels_gate *gate, const float *a, const float *b,
        const float *c, intptr_t rows, intptr_t columns, void *output);
};

// Maximum pooling of `channels` (a multiple of 32).
struct pooling_kernels {
    // Of one window: output ← the greatest of `count` pixels, whose numbers in the window are `taps`; winners ← the number
    // of the first that is the greatest.
    void (*pool)(
        const void *const pixels[], const uint8_t *taps, intptr_t count, intptr_t channels, void *output,
        uint8_t *winners);

    // Its gradient at one pixel: output ← the sum of the gradients of those of `count` windows that it won as their tap.
    void (*gradient)(
        const intptr_t windows[], const uint8_t *taps, intptr_t count, intptr_t channels, const void *gradient,
        const uint8_t *winners, void *output);
};

// What a unit makes of its sum x: max(x, 0); x above 0 and eˣ − 1 elsewhere; x above 0 and slope · x elsewhere.
enum kernels_activation { kernels_rectifier, kernels_exponential_linear, kernels_leaky_rectifier };

// Of maps whose columns are a multiple of 32; `slope` is the leaky rectifier's.
struct activation_kernels {
    // map ← activation(map + bias), of rows × columns.
    void (*activate)(
        enum kernels_activation activation, float slope, const float *bias, intptr_t rows, intptr_t columns, void *map);

    // gradient ← gradient ⊙ activation′ at `count` numbers for which the activation gave `output`; at 0 that of what is below.
    void (*scale_by_slope)(
        enum kernels_activation activation, float slope, const void *output, intptr_t count, void *gradient);
};

// Tiles read sixteen columns of the right matrix at a time: panels of so many, whose rows are words of two neighbours along
// the depth. A tile of them is one run of a kilobyte, which the processor foresees.
enum { kernels_tile_columns = 16 };

// A product of rows of bfloat16 × weights in panels, summed over taps: each tap reads the rows elsewhere.
struct kernels_tile_product {
    const void *source;
    intptr_t row_bytes;              // from a row to the next
    intptr_t runs;                   // runs of rows begin so many rows apart
    intptr_t run_stride;
    intptr_t rows;                   // of each run
    intptr_t taps;
    const intptr_t *tap_bytes;       // where each tap's first row is, from `source` on
    const intptr_t *tap_panels;      // where each tap's panels are, in bytes from `weights` on
    intptr_t depth;                  // of each tap, in elements: a multiple of 32
    const void *weights;
    intptr_t panel_bytes;            // from a panel to the next
    intptr_t columns;                // a multiple of kernels_panel
    void *target;                    // pixels of so many columns
    const int32_t *pixels;           // the pixel of each row, by its place in the source, negative for none; null: its place
    bool accumulate;                 // whether the product is added to the pixels
};

// Gradients of weights: target[output][tap][column] ← Σ over pixels of gradients[output][pixel − shift] · panels[pixel].
struct kernels_tile_gradient {
    const uint16_t *gradients;       // outputs × pixels; shifts may reach before and behind the pixels
    intptr_t gradient_stride;        // from an output to the next, in elements
    intptr_t outputs;                // a multiple of 32, as pixels and columns
    intptr_t pixels;
    intptr_t taps;
    const intptr_t *tap_pixels;      // each tap's shift
    const intptr_t *tap_panels;      // where each tap's panels are, in bytes from `panels` on
    const intptr_t *tap_columns;     // where each tap's columns begin in a row of the target
    const void *panels;
    intptr_t panel_bytes;
    intptr_t columns;
    float *target;
    intptr_t target_stride;
    bool accumulate;
};

// Rows of bfloat16, read by an index.
struct kernels_rows {
    const void *map;
    intptr_t row_bytes;
    const int32_t *pixels;           // the place of each row, negative for zeros; null: as they lie
    intptr_t count;
    intptr_t columns;                // a multiple of kernels_panel
};

// Products of bfloat16 matrices in tiles of 16 rows of 64 bytes.
struct tile_kernels {
    void (*multiply)(const struct kernels_tile_product *product);
    void (*gradient)(const struct kernels_tile_gradient *gradient);

    // Float32 weights, depth × columns (both multiples of 32), rounded into panels one behind the other.
    void (*pack_weights)(const float *weights, intptr_t depth, intptr_t columns, void *panels);

    // The same of weights that lie transposed, columns × depth.
    void (*pack_transposed)(const float *weights, intptr_t depth, intptr_t columns, void *panels);

    // Pairs of rows into panels `panel_bytes` apart, with zeros behind the last row up to a multiple of 32.
    void (*pack)(const struct kernels_rows *rows, void *panels, intptr_t panel_bytes);

    // Columns × rows, columns `stride` elements apart, with the same zeros.
    void (*transpose)(const struct kernels_rows *rows, uint16_t *target, intptr_t stride);
};
