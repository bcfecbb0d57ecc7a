// The kernels for maps of one TYPE of ELEMENTs, on a processor with FEATURES, and their table; included once for each.
//
// LANES, the vectors and what moves a TYPE are the set's Words.h; MOST_ROWS, FOR_EACH_LOWER_HEIGHT and MULTIPLY_ADD are
// explained in Products.h.

#define JOIN_AS_WRITTEN(a, b) a##b
#define JOIN(a, b) JOIN_AS_WRITTEN(a, b)
#define NAMED(name) JOIN(name##_, TYPE)
#define KERNEL(name) static __attribute__((target(FEATURES))) void NAMED(name)
#define PART INLINE(FEATURES)
#define LOAD(map, place) NAMED(load)((const ELEMENT *)(map) + (place))
#define STORE(map, place, values) NAMED(store)((ELEMENT *)(map) + (place), values)

#include "Sums.h"
#include "Taps.h"
#include "Walk.h"

#include "Activation.h"
#include "Normalization.h"
#include "Panels.h"
#include "Pooling.h"
#include "Products.h"
#include "Winograd.h"

static const struct product_kernels NAMED(products) = {
    .multiply = NAMED(multiply), .multiply_rounded = NAMED(multiply_rounded)};

static const struct panel_kernels NAMED(panels) = {
    .pack = NAMED(pack), .pack_weights = NAMED(pack_weights), .pack_transposed = NAMED(pack_transposed)};

static const struct winograd_kernels NAMED(winograd) = {
    .input = NAMED(winograd_input),
    .input_to_panels = NAMED(winograd_input_to_panels),
    .gradient_to_panels = NAMED(winograd_gradient_to_panels),
    .output = NAMED(winograd_output),
    .pack_weights = NAMED(winograd_pack_weights),
    .pack_transposed = NAMED(winograd_pack_transposed),
    .weight_gradient = weight_gradient};

static const struct normalization_kernels NAMED(normalization) = {
    .affine = NAMED(affine),
    .moments = NAMED(moments),
    .gradient_moments = NAMED(gradient_moments),
    .gradient = NAMED(normalization_gradient)};

static const struct pooling_kernels NAMED(pooling) = {.pool = NAMED(pool), .gradient = NAMED(pool_gradient)};

static const struct activation_kernels NAMED(activation) = {
    .activate = NAMED(activate), .scale_by_slope = NAMED(scale_by_slope)};

static const struct kernels NAMED(table) = {
    .products = &NAMED(products),
    .panels = &NAMED(panels),
    .winograd = &NAMED(winograd),
    .normalization = &NAMED(normalization),
    .pooling = &NAMED(pooling),
    .activation = &NAMED(activation)};

#undef JOIN_AS_WRITTEN
#undef JOIN
#undef NAMED
#undef KERNEL
#undef PART
#undef LOAD
#undef STORE
