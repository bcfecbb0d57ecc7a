#include "CJPEG.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jpeglib.h>
#include <jerror.h>

// A progressive file of few bytes can ask for a pass over the whole picture thousands of times; real ones have ten.
enum { maximum_scans = 500 };

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char *message;
} error_handler;

struct cjpeg_reader {
    struct jpeg_decompress_struct info;
    error_handler handler;
    struct jpeg_progress_mgr progress;
    const uint8_t *bytes;
    size_t size;
    int32_t numerator;
    // The part that is decoded, in pixels of the scaled picture.
    cjpeg_rectangle part;
    uint8_t *pixels;
    // A row of inks, of pictures that have them.
    uint8_t *inks;
};

// The only setjmp here. What `work` changes or owns lies in `task`, which is not of this frame: a jump leaves work's own
// variables behind, and those of a frame that calls setjmp have no certain value after it.
static int attempt(error_handler *handler, char *message, void (*work)(void *), void *task) {
    handler->message = message;
    message[0] = 0;
    if (setjmp(handler->escape)) return 1;
    work(task);
    return 0;
}

__attribute__((noreturn, format(printf, 2, 3)))
static void give_up(error_handler *handler, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(handler->message, CJPEG_MESSAGE_SIZE, format, arguments);
    va_end(arguments);
    longjmp(handler->escape, 1);
}

__attribute__((noreturn)) static void fail(j_common_ptr info) {
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    give_up((error_handler *)info->err, "%s", text);
}

// A file that ends early is an error, not a picture with a grey rest; other damage is passed over, as by all who use libjpeg.
static void warn(j_common_ptr info, int level) {
    if (level >= 0) return;
    info->err->num_warnings++;
    if (info->err->msg_code != JWRN_JPEG_EOF) return;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    give_up((error_handler *)info->err, "truncated: %s", text);
}

static void limit_scans(j_common_ptr info) {
    if (((j_decompress_ptr)info)->input_scan_number > maximum_scans)
        give_up((error_handler *)info->err, "has more than %d scans", maximum_scans);
}

static struct jpeg_error_mgr *install(error_handler *handler) {
    jpeg_std_error(&handler->base);
    handler->base.error_exit = fail;
    handler->base.emit_message = warn;
    return &handler->base;
}

static uint32_t number(const uint8_t *p, int bytes, int little) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value = value << 8 | p[little ? bytes - 1 - i : i];
    return value;
}

// The orientation tag (0x0112) of the first directory of an EXIF block; 1 for anything that does not fit.
static int orientation_of(const uint8_t *p, size_t size) {
    if (size < 14 || memcmp(p, "Exif\0\0", 6) != 0) return 1;
    p += 6, size -= 6;
    int little = p[0] == 'I';
    size_t at = number(p + 4, 4, little);
    if (at > size - 2 || at < 8) return 1;
    size_t entries = number(p + at, 2, little);
    at += 2;
    for (size_t i = 0; i < entries && at + 12 <= size; i++, at += 12) {
        if (number(p + at, 2, little) != 0x0112) continue;
        uint32_t value = number(p + at + 8, 2, little);
        return value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

static void keep_header(struct jpeg_decompress_struct *info, cjpeg_header *header) {
    header->width = (int32_t)info->image_width;
    header->height = (int32_t)info->image_height;
    header->components = info->num_components;
    header->progressive = info->progressive_mode;
    header->orientation = 1;
    for (jpeg_saved_marker_ptr m = info->marker_list; m; m = m->next) {
        if (m->marker == JPEG_APP0 + 1 && m->data_length >= 6 && memcmp(m->data, "Exif", 4) == 0) {
            header->orientation = orientation_of(m->data, m->data_length);
            break;
        }
    }
}

// Nothing here waits for more bytes, so these functions of libjpeg always do what they were asked.
static void expect(cjpeg_reader *reader, int done) {
    if (!done) give_up(&reader->handler, "the JPEG library stopped early");
}

static void read_header(void *task) {
    cjpeg_reader *reader = task;
    struct jpeg_decompress_struct *info = &reader->info;
    jpeg_create_decompress(info);
    reader->progress.progress_monitor = limit_scans;
    info->progress = &reader->progress;
    jpeg_mem_src(info, reader->bytes, reader->size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
    expect(reader, jpeg_read_header(info, TRUE) == JPEG_HEADER_OK);
}

cjpeg_reader *cjpeg_open(const uint8_t *bytes, size_t size, cjpeg_header *header, char *message) {
    cjpeg_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        snprintf(message, CJPEG_MESSAGE_SIZE, "no memory for a JPEG reader");
        return NULL;
    }
    reader->bytes = bytes;
    reader->size = size;
    reader->info.err = install(&reader->handler);
    if (attempt(&reader->handler, message, read_header, reader)) {
        cjpeg_close(reader);
        return NULL;
    }
    keep_header(&reader->info, header);
    return reader;
}

void cjpeg_close(cjpeg_reader *reader) {
    jpeg_destroy_decompress(&reader->info);
    free(reader->inks);
    free(reader);
}

// Inverted CMYK, as Adobe's programs write it, to RGB: each ink takes its share of what black leaves.
static void rgb_from_cmyk(const uint8_t *cmyk, uint8_t *rgb, int32_t count, int inverted) {
    for (int32_t i = 0; i < count; i++) {
        int k = inverted ? cmyk[4 * i + 3] : 255 - cmyk[4 * i + 3];
        for (int c = 0; c < 3; c++) {
            int ink = inverted ? cmyk[4 * i + c] : 255 - cmyk[4 * i + c];
            rgb[3 * i + c] = (uint8_t)((ink * k + 127) / 255);
        }
    }
}

// Columns come in whole blocks, and what is interpolated at a cut edge is wrong by a little: a block more on each side
// keeps the wanted pixels exact.
static void crop(cjpeg_reader *reader) {
    struct jpeg_decompress_struct *info = &reader->info;
    JDIMENSION x = (JDIMENSION)reader->part.x, width = (JDIMENSION)reader->part.width;
    if (width < info->output_width) {
        JDIMENSION margin = (JDIMENSION)(info->max_h_samp_factor * 8);
        JDIMENSION left = x > margin ? x - margin : 0;
        JDIMENSION right = x + width + margin < info->output_width ? x + width + margin : info->output_width;
        x = left;
        width = right - left;
        jpeg_crop_scanline(info, &x, &width);
    }
    reader->part.x = (int32_t)x;
    reader->part.width = (int32_t)width;
}

static void start(void *task) {
    cjpeg_reader *reader = task;
    struct jpeg_decompress_struct *info = &reader->info;
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    info->scale_num = (unsigned)reader->numerator;
    info->scale_denom = 8;
    info->dct_method = JDCT_ISLOW;
    expect(reader, jpeg_start_decompress(info));

    const cjpeg_rectangle *part = &reader->part;
    int32_t width = (int32_t)info->output_width, height = (int32_t)info->output_height;
    if (part->x < 0 || part->y < 0 || part->width < 1 || part->height < 1 || part->x > width - part->width ||
        part->y > height - part->height)
        give_up(&reader->handler, "part %d,%d %dx%d is outside the picture of %dx%d", part->x, part->y, part->width,
                part->height, width, height);
    crop(reader);
}

int cjpeg_start(cjpeg_reader *reader, int32_t numerator, cjpeg_rectangle *part, char *message) {
    reader->numerator = numerator;
    reader->part = *part;
    if (attempt(&reader->handler, message, start, reader)) return 1;
    *part = reader->part;
    return 0;
}

static void read_rows(void *task) {
    cjpeg_reader *reader = task;
    struct jpeg_decompress_struct *info = &reader->info;
    int has_inks = info->out_color_space == JCS_CMYK;
    if (has_inks) {
        reader->inks = malloc((size_t)info->output_width * 4);
        if (!reader->inks) give_up(&reader->handler, "no memory for a row of %u pixels", info->output_width);
    }
    JDIMENSION above = (JDIMENSION)reader->part.y;
    if (above > 0) expect(reader, jpeg_skip_scanlines(info, above) == above);
    for (int32_t y = 0; y < reader->part.height; y++) {
        uint8_t *row = reader->pixels + (size_t)y * (size_t)reader->part.width * 3;
        JSAMPROW rows[1] = {has_inks ? reader->inks : row};
        expect(reader, jpeg_read_scanlines(info, rows, 1) == 1);
        if (has_inks) rgb_from_cmyk(reader->inks, row, reader->part.width, info->saw_Adobe_marker);
    }
}

int cjpeg_read(cjpeg_reader *reader, uint8_t *pixels, char *message) {
    reader->pixels = pixels;
    return attempt(&reader->handler, message, read_rows, reader);
}

typedef struct {
    struct jpeg_compress_struct info;
    error_handler handler;
    struct jpeg_destination_mgr target;
    const uint8_t *pixels;
    int32_t width, height, channels, quality;
    // What is written. libjpeg's own memory target leaves its owner a freed address when it fails.
    uint8_t *bytes;
    size_t room;
} encoder;

// `target` is called when the room is full, and at the start, when there is none.
static boolean grow(j_compress_ptr info) {
    encoder *writer = info->client_data;
    size_t room = writer->room ? 2 * writer->room : 1 << 14;
    uint8_t *larger = realloc(writer->bytes, room);
    if (!larger) give_up(&writer->handler, "no memory for a JPEG of %zu bytes", room);
    writer->target.next_output_byte = larger + writer->room;
    writer->target.free_in_buffer = room - writer->room;
    writer->bytes = larger;
    writer->room = room;
    return TRUE;
}

// There is nothing to do before the first byte or after the last.
static void pass_by(j_compress_ptr info) { (void)info; }

static void write_picture(void *task) {
    encoder *writer = task;
    struct jpeg_compress_struct *info = &writer->info;
    jpeg_create_compress(info);
    info->client_data = writer;
    writer->target.init_destination = writer->target.term_destination = pass_by;
    writer->target.empty_output_buffer = grow;
    info->dest = &writer->target;
    grow(info);
    info->image_width = (JDIMENSION)writer->width;
    info->image_height = (JDIMENSION)writer->height;
    info->input_components = writer->channels;
    info->in_color_space = writer->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(info);
    jpeg_set_quality(info, writer->quality, TRUE);
    jpeg_start_compress(info, TRUE);
    size_t stride = (size_t)writer->width * (size_t)writer->channels;
    while (info->next_scanline < info->image_height) {
        JSAMPROW rows[1] = {(JSAMPROW)(writer->pixels + (size_t)info->next_scanline * stride)};
        if (jpeg_write_scanlines(info, rows, 1) != 1) give_up(&writer->handler, "the JPEG library stopped early");
    }
    jpeg_finish_compress(info);
}

int cjpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality,
                 uint8_t **encoded, size_t *size, char *message) {
    encoder writer = {.pixels = pixels, .width = width, .height = height, .channels = channels, .quality = quality};
    writer.info.err = install(&writer.handler);
    int status = attempt(&writer.handler, message, write_picture, &writer);
    jpeg_destroy_compress(&writer.info);
    if (status != 0) {
        free(writer.bytes);
        return status;
    }
    *encoded = writer.bytes;
    *size = writer.room - writer.target.free_in_buffer;
    return 0;
}
