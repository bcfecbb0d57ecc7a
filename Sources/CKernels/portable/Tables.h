// What the files of this folder offer, by element type.
#pragma once
#include "kernels.h"

extern const struct product_kernels portable_products[2];
extern const struct panel_kernels portable_panels[2];
extern const struct winograd_kernels portable_winograd[2];
