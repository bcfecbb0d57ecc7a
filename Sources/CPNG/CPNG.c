#include "CPNG.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The only setjmp here. What `work` changes or owns lies in `task`, which is not of this frame: a jump leaves work's own
// variables behind, and those of a frame that calls setjmp have no certain value after it.
static int attempt(png_structp png, void (*work)(void *), void *task) {
    if (setjmp(png_jmpbuf(png))) return 1;
    work(task);
    return 0;
}

__attribute__((noreturn)) static void fail(png_structp png, png_const_charp text) {
    snprintf((char *)png_get_error_ptr(png), CPNG_MESSAGE_SIZE, "%s", text);
    png_longjmp(png, 1);
}

// Wrong colour profiles and the like do not change pixels.
static void pass_over(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

typedef struct {
    png_structp png;
    png_infop info;
    const uint8_t *bytes;
    size_t size, at;
    cpng_header header;
    int32_t form;
    uint8_t *pixels;
} reader;

static void take(png_structp png, png_bytep target, size_t count) {
    reader *from = png_get_io_ptr(png);
    if (count > from->size - from->at) png_error(png, "truncated: the file ends early");
    memcpy(target, from->bytes + from->at, count);
    from->at += count;
}

static void close_reader(reader *reader) { png_destroy_read_struct(&reader->png, &reader->info, NULL); }

static int open_reader(reader *reader, char *message) {
    // What libpng gives up on by itself overwrites this.
    snprintf(message, CPNG_MESSAGE_SIZE, "no memory for a PNG reader");
    reader->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, message, fail, pass_over);
    if (!reader->png) return 1;
    reader->info = png_create_info_struct(reader->png);
    if (!reader->info) {
        close_reader(reader);
        return 1;
    }
    // Files from anywhere: no chunk may ask for more memory than a picture.
    png_set_chunk_malloc_max(reader->png, 64 << 20);
    png_set_user_limits(reader->png, 0x7fffffff, 0x7fffffff);
    png_set_read_fn(reader->png, reader, take);
    return 0;
}

static int read_file(reader *reader, void (*work)(void *), char *message) {
    if (open_reader(reader, message)) return 1;
    int status = attempt(reader->png, work, reader);
    close_reader(reader);
    return status;
}

static void read_header(void *task) {
    reader *reader = task;
    png_read_info(reader->png, reader->info);
    reader->header.width = (int32_t)png_get_image_width(reader->png, reader->info);
    reader->header.height = (int32_t)png_get_image_height(reader->png, reader->info);
    reader->header.bits = png_get_bit_depth(reader->png, reader->info);
    int color = png_get_color_type(reader->png, reader->info);
    reader->header.has_colors = color == PNG_COLOR_TYPE_RGB || color == PNG_COLOR_TYPE_RGB_ALPHA;
    reader->header.has_alpha = (color & PNG_COLOR_MASK_ALPHA) != 0;
}

int cpng_read_header(const uint8_t *bytes, size_t size, cpng_header *header, char *message) {
    reader reader = {.bytes = bytes, .size = size};
    if (read_file(&reader, read_header, message)) return 1;
    *header = reader.header;
    return 0;
}

static void read_pixels(void *task) {
    reader *reader = task;
    png_structp png = reader->png;
    read_header(reader);
    if (reader->form == cpng_rgb) {
        png_set_expand(png);
        png_set_scale_16(png);
        png_set_gray_to_rgb(png);
        png_set_strip_alpha(png);
    } else {
        png_set_packing(png);
    }
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    size_t samples = reader->form == cpng_rgb ? 3 : reader->header.bits > 8 ? 2 : 1;
    size_t stride = (size_t)reader->header.width * samples;
    if (png_get_rowbytes(png, reader->info) != stride) png_error(png, "its pixels have an unknown layout");
    // An interlaced picture comes in several passes over all rows, each of which adds pixels to what is there.
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < (size_t)reader->header.height; y++)
            png_read_row(png, reader->pixels + y * stride, NULL);
    png_read_end(png, NULL);
}

int cpng_decode(const uint8_t *bytes, size_t size, int32_t form, uint8_t *pixels, char *message) {
    reader reader = {.bytes = bytes, .size = size, .form = form, .pixels = pixels};
    return read_file(&reader, read_pixels, message);
}

typedef struct {
    png_structp png;
    png_infop info;
    const uint8_t *pixels;
    int32_t width, height, channels;
    uint8_t *bytes;
    size_t size, room;
} writer;

static void give(png_structp png, png_bytep data, size_t count) {
    writer *to = png_get_io_ptr(png);
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

static void write_picture(void *task) {
    writer *writer = task;
    png_structp png = writer->png;
    png_set_write_fn(png, writer, give, flush);
    png_set_IHDR(png, writer->info, (png_uint_32)writer->width, (png_uint_32)writer->height, 8,
                 writer->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, writer->info);
    size_t stride = (size_t)writer->width * (size_t)writer->channels;
    for (int32_t y = 0; y < writer->height; y++) png_write_row(png, writer->pixels + (size_t)y * stride);
    png_write_end(png, NULL);
}

int cpng_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **encoded,
                size_t *size, char *message) {
    writer writer = {.pixels = pixels, .width = width, .height = height, .channels = channels};
    snprintf(message, CPNG_MESSAGE_SIZE, "no memory for a PNG writer");
    writer.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, message, fail, pass_over);
    if (!writer.png) return 1;
    writer.info = png_create_info_struct(writer.png);
    int status = writer.info ? attempt(writer.png, write_picture, &writer) : 1;
    png_destroy_write_struct(&writer.png, &writer.info);
    if (status != 0) {
        free(writer.bytes);
        return status;
    }
    *encoded = writer.bytes;
    *size = writer.size;
    return 0;
}
