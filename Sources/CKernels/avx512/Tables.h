// What the files of this folder offer, by element type.
#pragma once
#include "kernels.h"

extern const struct product_kernels avx512_products[2];
extern const struct panel_kernels avx512_panels[2];
extern const struct winograd_kernels avx512_winograd[2];
extern const struct normalization_kernels avx512_normalization[2];
extern const struct pooling_kernels avx512_pooling[2];
