#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(png_structp png, png_const_charp text) {
    snprintf((char *)png_get_error_ptr(png), CPNG_MESSAGE_SIZE, "%s", text);
    png_longjmp(png, 1);
}

// Wrong colour profiles and the like do not change pixels.
static void pass_over(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

typedef struct {
    const uint8_t *bytes;
    size_t size, at;
} source;

static void take(png_structp png, png_bytep target, size_t count) {
    source *from = png_get_io_ptr(png);
    if (count > from->size - from->at) png_error(png, "truncated: the file ends early");
    memcpy(target, from->bytes + from->at, count);
    from->at += count;
}

static png_structp open_reader(source *from, png_infop *info, char *message) {
    message[0] = 0;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, pass_over);
    if (!png) return NULL;
    *info = png_create_info_struct(png);
    // Files from anywhere: no chunk may ask for more memory than a picture.
    png_set_chunk_malloc_max(png, 64 << 20);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff);
    png_set_read_fn(png, from, take);
    return png;
}

int cpng_read_size(const uint8_t *bytes, size_t size, int32_t *width, int32_t *height, char *message) {
    source from = {bytes, size, 0};
    png_infop info = NULL;
    png_structp png = open_reader(&from, &info, message);
    if (!png) return 1;
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_read_struct(&png, &info, NULL);
        return 1;
    }
    png_read_info(png, info);
    *width = (int32_t)png_get_image_width(png, info);
    *height = (int32_t)png_get_image_height(png, info);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}

int cpng_decode(const uint8_t *bytes, size_t size, int32_t channels, uint8_t *pixels, char *message) {
    source from = {bytes, size, 0};
    png_infop info = NULL;
    // Changed after setjmp, so that the handler sees what was allocated.
    png_bytep *volatile rows = NULL;
    png_structp png = open_reader(&from, &info, message);
    if (!png) return 1;
    if (setjmp(png_jmpbuf(png))) {
        free(rows);
        png_destroy_read_struct(&png, &info, NULL);
        return 1;
    }
    png_read_info(png, info);
    int color = png_get_color_type(png, info);
    if (channels == 3) {
        png_set_expand(png);
        png_set_strip_16(png);
        png_set_gray_to_rgb(png);
        png_set_strip_alpha(png);
    } else {
        if (color != PNG_COLOR_TYPE_GRAY && color != PNG_COLOR_TYPE_PALETTE)
            png_error(png, "has colours; a label map has one channel of class ids (gray or palette)");
        if (png_get_bit_depth(png, info) > 8) png_error(png, "has 16-bit values; class ids must fit 8 bits");
        png_set_packing(png);
    }
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t stride = (size_t)png_get_image_width(png, info) * (size_t)channels;
    if (png_get_rowbytes(png, info) != stride) png_error(png, "its pixels have an unknown layout");
    size_t height = png_get_image_height(png, info);
    rows = malloc(height * sizeof(png_bytep));
    if (!rows) png_error(png, "no memory for its rows");
    for (size_t y = 0; y < height; y++) rows[y] = pixels + y * stride;
    png_read_image(png, rows);
    png_read_end(png, NULL);
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return 0;
}

typedef struct {
    uint8_t *bytes;
    size_t size, room;
} sink;

static void give(png_structp png, png_bytep data, size_t count) {
    sink *to = png_get_io_ptr(png);
    if (to->size + count > to->room) {
        size_t room = 2 * (to->size + count);
        uint8_t *larger = realloc(to->bytes, room);
        if (!larger) png_error(png, "no memory for the file");
        to->bytes = larger;
        to->room = room;
    }
    memcpy(to->bytes + to->size, data, count);
    to->size += count;
}

static void flush(png_structp png) { (void)png; }

int cpng_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **encoded,
                size_t *size, char *message) {
    sink to = {NULL, 0, 0};
    message[0] = 0;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, fail, pass_over);
    if (!png) return 1;
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        free(to.bytes);
        return 1;
    }
    png_set_write_fn(png, &to, give, flush);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, 8,
                 channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int32_t y = 0; y < height; y++)
        png_write_row(png, (png_bytep)(pixels + (size_t)y * (size_t)width * (size_t)channels));
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    *encoded = to.bytes;
    *size = to.size;
    return 0;
}
