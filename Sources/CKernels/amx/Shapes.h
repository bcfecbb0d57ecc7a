// What the unit reads as the shapes of its eight tiles.
#pragma once
#include <stdint.h>

struct tile_shapes {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
};
