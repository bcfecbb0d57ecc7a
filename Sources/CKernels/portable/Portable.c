// Products, panels and Winograd's transforms in plain C, entry by entry as kernels.h says what they are: for processors
// that tests run on, and what tables of instruction sets are compared with.
#include "Elements.h"
#include "Tables.h"

// Winograd's matrices for F(2×2, 3×3), row by row.
static const float input_matrix[] = {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1};                  // Bᵀ
static const float output_matrix[] = {1, 1, 1, 0, 0, 1, -1, -1};                                          // Aᵀ
static const float gradient_matrix[] = {1, 0, 1, 1, 1, -1, 0, -1};                                        // A
static const float weight_matrix[] = {1, 0, 0, 0.5f, 0.5f, 0.5f, 0.5f, -0.5f, 0.5f, 0, 0, 1};             // G
static const float weight_gradient_matrix[] = {1, 0.5f, 0.5f, 0, 0, 0.5f, -0.5f, 0, 0, 0.5f, 0.5f, 1};    // Gᵀ

// result ← matrix · values · matrixᵀ, of a matrix of `rows` × `columns`.
static void transform(const float *matrix, int rows, int columns, const float *values, float *result) {
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < rows; c++) {
            float sum = 0;
            for (int i = 0; i < columns; i++)
                for (int j = 0; j < columns; j++)
                    sum += matrix[r * columns + i] * values[i * columns + j] * matrix[c * columns + j];
            result[r * rows + c] = sum;
        }
    }
}

static void transform_weights(const float *weights, intptr_t tap_stride, float places[16]) {
    float taps[9];
    for (int i = 0; i < 9; i++) taps[i] = weights[i * tap_stride];
    transform(weight_matrix, 4, 3, taps, places);
}

static void weight_gradient(
    const float *products, intptr_t stride, intptr_t channels, float *gradients, intptr_t tap_stride,
    bool accumulate) {
    for (intptr_t channel = 0; channel < channels; channel++) {
        float places[16], taps[9];
        for (int i = 0; i < 16; i++) places[i] = products[i * stride + channel];
        transform(weight_gradient_matrix, 3, 4, places, taps);
        for (int i = 0; i < 9; i++) {
            float *target = gradients + i * tap_stride + channel;
            *target = accumulate ? *target + taps[i] : taps[i];
        }
    }
}

#define TYPE float32
#define ELEMENT float
#define DEPTH 1
#include "Kernels.h"
#undef TYPE
#undef ELEMENT
#undef DEPTH

#define TYPE bfloat16
#define ELEMENT uint16_t
#define DEPTH 2
#include "Kernels.h"

#define PRODUCTS(type) {.multiply = multiply_##type, .multiply_rounded = multiply_rounded_##type}
#define PANELS(type) {.pack = pack_##type, .pack_weights = pack_weights_##type, .pack_transposed = pack_transposed_##type}
#define WINOGRAD(type)                                                                                                 \
    {                                                                                                                  \
        .input = input_##type, .input_to_panels = input_to_panels_##type,                                              \
        .gradient_to_panels = gradient_to_panels_##type, .output = output_##type,                                      \
        .pack_weights = pack_tap_weights_##type, .pack_transposed = pack_tap_transposed_##type,                        \
        .weight_gradient = weight_gradient,                                                                            \
    }

const struct product_kernels portable_products[] = {PRODUCTS(float32), PRODUCTS(bfloat16)};
const struct panel_kernels portable_panels[] = {PANELS(float32), PANELS(bfloat16)};
const struct winograd_kernels portable_winograd[] = {WINOGRAD(float32), WINOGRAD(bfloat16)};
