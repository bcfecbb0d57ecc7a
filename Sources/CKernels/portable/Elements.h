// Elements of maps as float32 and back.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

static inline float load_float32(const float *source) { return *source; }
static inline void store_float32(float *target, float value) { *target = value; }

static inline float load_bfloat16(const uint16_t *source) {
    const uint32_t bits = (uint32_t)*source << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The nearest, ties to even; NaN stays NaN.
static inline void store_bfloat16(uint16_t *target, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    *target = isnan(value) ? (uint16_t)(bits >> 16 | 0x40) : (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}
