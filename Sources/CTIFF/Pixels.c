#include "Reader.h"

#include <stdlib.h>
#include <string.h>

static unsigned sample(const ctiff_reader *reader, const uint8_t *row, size_t place) {
    if (reader->bits == 8) return row[place];
    if (reader->bits == 16) {
        uint16_t value;
        memcpy(&value, row + 2 * place, 2);
        return value;
    }
    size_t bit = place * reader->bits;
    return (unsigned)(row[bit / 8] >> (8 - reader->bits - bit % 8)) & ((1u << reader->bits) - 1);
}

// A sample's whole range becomes that of a byte, to the nearest.
static uint8_t level(const ctiff_reader *reader, unsigned value) {
    unsigned most = (1u << reader->bits) - 1;
    if (reader->photometric == PHOTOMETRIC_MINISWHITE) value = most - value;
    return (uint8_t)(reader->bits == 8 ? value : reader->bits == 16 ? (value * 255 + 32895) >> 16 : value * (255 / most));
}

// `count` pixels from `first` on of a decoded row. Of separate planes the row is `plane`'s.
static void convert(const ctiff_reader *reader, const uint8_t *row, size_t first, size_t count, uint16_t plane,
                    uint8_t *pixels) {
    int is_separate = reader->planar == PLANARCONFIG_SEPARATE;
    size_t stride = is_separate ? 1 : reader->samples;
    int is_color = reader->photometric == PHOTOMETRIC_RGB || reader->photometric == PHOTOMETRIC_YCBCR;
    for (size_t i = 0; i < count; i++, pixels += 3) {
        size_t place = (first + i) * stride;
        if (is_color && is_separate) {
            pixels[plane] = level(reader, sample(reader, row, place));
        } else if (is_color) {
            for (size_t c = 0; c < 3; c++) pixels[c] = level(reader, sample(reader, row, place + c));
        } else if (reader->photometric == PHOTOMETRIC_PALETTE) {
            unsigned index = sample(reader, row, place);
            pixels[0] = (uint8_t)(reader->reds[index] >> reader->shift);
            pixels[1] = (uint8_t)(reader->greens[index] >> reader->shift);
            pixels[2] = (uint8_t)(reader->blues[index] >> reader->shift);
        } else {
            memset(pixels, level(reader, sample(reader, row, place)), 3);
        }
    }
}

// Whether so many pixels fit into a decoded row of `size` bytes.
static int holds(const ctiff_reader *reader, uint64_t size, uint64_t pixels) {
    uint64_t samples = reader->planar == PLANARCONFIG_SEPARATE ? 1 : reader->samples;
    return size >= (pixels * samples * reader->bits + 7) / 8;
}

static int read_tiles(ctiff_reader *reader, ctiff_rectangle part, uint16_t plane, uint8_t *pixels) {
    uint32_t width = 0, height = 0, right = (uint32_t)(part.x + part.width), bottom = (uint32_t)(part.y + part.height);
    TIFFGetField(reader->tiff, TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(reader->tiff, TIFFTAG_TILELENGTH, &height);
    uint64_t row_size = TIFFTileRowSize64(reader->tiff), size = TIFFTileSize64(reader->tiff);
    if (!holds(reader, row_size, width) || size < row_size * height || size > (uint64_t)1 << 30)
        return ctiff_fail(reader, "its tiles have an unknown layout");
    uint8_t *tile = malloc((size_t)size);
    if (!tile) return ctiff_fail(reader, "no memory for a tile");
    int status = 0;
    for (uint32_t top = (uint32_t)part.y / height * height; top < bottom && !status; top += height) {
        for (uint32_t left = (uint32_t)part.x / width * width; left < right && !status; left += width) {
            if (TIFFReadTile(reader->tiff, tile, left, top, 0, plane) < 0) {
                status = ctiff_fail(reader, "a tile cannot be decoded");
                break;
            }
            uint32_t x0 = left > (uint32_t)part.x ? left : (uint32_t)part.x, x1 = left + width < right ? left + width : right;
            uint32_t y0 = top > (uint32_t)part.y ? top : (uint32_t)part.y, y1 = top + height < bottom ? top + height : bottom;
            for (uint32_t y = y0; y < y1; y++) {
                uint64_t pixel = (uint64_t)(y - (uint32_t)part.y) * (uint32_t)part.width + (x0 - (uint32_t)part.x);
                convert(reader, tile + (y - top) * row_size, x0 - left, x1 - x0, plane, pixels + 3 * pixel);
            }
        }
    }
    free(tile);
    return status;
}

// Row by row, so that a picture that is one strip needs the memory of a row; most compressions can only be undone from a
// strip's beginning.
static int read_strips(ctiff_reader *reader, ctiff_rectangle part, uint16_t plane, uint8_t *pixels) {
    uint32_t rows = 0, bottom = (uint32_t)(part.y + part.height);
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
    uint64_t size = TIFFScanlineSize64(reader->tiff);
    if (rows == 0 || !holds(reader, size, (uint32_t)reader->header.width) || size > (uint64_t)1 << 31)
        return ctiff_fail(reader, "its rows have an unknown layout");
    uint8_t *row = malloc((size_t)size);
    if (!row) return ctiff_fail(reader, "no memory for a row");
    int status = 0;
    for (uint32_t y = (uint32_t)part.y / rows * rows; y < bottom && !status; y++) {
        if (TIFFReadScanline(reader->tiff, row, y, plane) < 0) {
            status = ctiff_fail(reader, "row %u cannot be decoded", y + 1);
        } else if (y >= (uint32_t)part.y) {
            uint64_t pixel = (uint64_t)(y - (uint32_t)part.y) * (uint32_t)part.width;
            convert(reader, row, (size_t)part.x, (size_t)part.width, plane, pixels + 3 * pixel);
        }
    }
    free(row);
    return status;
}

int ctiff_read(ctiff_reader *reader, ctiff_rectangle part, uint8_t *pixels, char *message) {
    message[0] = 0;
    reader->message = message;
    // Of what lies in planes, the one of alpha is left.
    uint16_t planes = reader->planar == PLANARCONFIG_SEPARATE && reader->photometric == PHOTOMETRIC_RGB ? 3 : 1;
    for (uint16_t plane = 0; plane < planes; plane++) {
        int status = TIFFIsTiled(reader->tiff) ? read_tiles(reader, part, plane, pixels)
                                               : read_strips(reader, part, plane, pixels);
        if (status) return status;
    }
    // What a codec repairs by itself, it tells as an error all the same.
    return message[0] != 0;
}
