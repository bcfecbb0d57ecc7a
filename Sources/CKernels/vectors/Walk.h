// A walk through memory that is wanted next, while a product is computed.
#pragma once

// Where it stands.
struct walk {
    const char *next, *end;
};

// A walk through nothing stays where it is, at an address that exists: looking up another one would cost time.
static struct walk walk_of(const struct kernels_product *shape, int region, const void *known) {
    const char *start = shape->ahead_bytes[region] > 0 ? shape->ahead[region] : known;
    return (struct walk){start, start + shape->ahead_bytes[region]};
}
