#include "CJPEG.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf escape;
    char *message;
} error_handler;

struct cjpeg_reader {
    struct jpeg_decompress_struct info;
    error_handler handler;
    // The part that is decoded, in pixels of the scaled picture.
    cjpeg_rectangle part;
};

static void fail(j_common_ptr info) {
    error_handler *handler = (error_handler *)info->err;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    snprintf(handler->message, CJPEG_MESSAGE_SIZE, "%s", text);
    longjmp(handler->escape, 1);
}

// A file that ends early is an error, not a picture with a grey rest; other damage is counted and passed over.
static void warn(j_common_ptr info, int level) {
    if (level >= 0) return;
    info->err->num_warnings++;
    char text[JMSG_LENGTH_MAX];
    info->err->format_message(info, text);
    if (strstr(text, "Premature end")) {
        error_handler *handler = (error_handler *)info->err;
        snprintf(handler->message, CJPEG_MESSAGE_SIZE, "truncated: %s", text);
        longjmp(handler->escape, 1);
    }
}

static struct jpeg_error_mgr *install(error_handler *handler, char *message) {
    jpeg_std_error(&handler->base);
    handler->base.error_exit = fail;
    handler->base.emit_message = warn;
    handler->message = message;
    message[0] = 0;
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

cjpeg_reader *cjpeg_open(const uint8_t *bytes, size_t size, cjpeg_header *header, char *message) {
    cjpeg_reader *reader = calloc(1, sizeof *reader);
    if (!reader) {
        snprintf(message, CJPEG_MESSAGE_SIZE, "no memory for a JPEG reader");
        return NULL;
    }
    struct jpeg_decompress_struct *info = &reader->info;
    info->err = install(&reader->handler, message);
    if (setjmp(reader->handler.escape)) {
        cjpeg_close(reader);
        return NULL;
    }
    jpeg_create_decompress(info);
    jpeg_mem_src(info, bytes, size);
    jpeg_save_markers(info, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(info, TRUE);
    keep_header(info, header);
    return reader;
}

void cjpeg_close(cjpeg_reader *reader) {
    jpeg_destroy_decompress(&reader->info);
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

int cjpeg_start(cjpeg_reader *reader, int32_t numerator, cjpeg_rectangle *part, char *message) {
    struct jpeg_decompress_struct *info = &reader->info;
    reader->handler.message = message;
    if (setjmp(reader->handler.escape)) return 1;
    info->out_color_space = info->num_components == 4 ? JCS_CMYK : JCS_RGB;
    info->scale_num = (unsigned)numerator;
    info->scale_denom = 8;
    info->dct_method = JDCT_ISLOW;
    jpeg_start_decompress(info);

    int32_t full_width = (int32_t)info->output_width, full_height = (int32_t)info->output_height;
    if (part->x < 0 || part->y < 0 || part->width < 1 || part->height < 1 || part->x + part->width > full_width ||
        part->y + part->height > full_height) {
        snprintf(message, CJPEG_MESSAGE_SIZE, "part %d,%d %dx%d is outside the picture of %dx%d", part->x, part->y,
                 part->width, part->height, full_width, full_height);
        return 1;
    }
    // Columns come in whole blocks, and what is interpolated at a cut edge is wrong by a little: a block more on each
    // side keeps the wanted pixels exact.
    JDIMENSION x = (JDIMENSION)part->x, width = (JDIMENSION)part->width;
    if (width < info->output_width) {
        JDIMENSION margin = (JDIMENSION)(info->max_h_samp_factor * 8);
        JDIMENSION left = x > margin ? x - margin : 0;
        JDIMENSION right = x + width + margin < info->output_width ? x + width + margin : info->output_width;
        x = left;
        width = right - left;
        jpeg_crop_scanline(info, &x, &width);
    }
    part->x = (int32_t)x;
    part->width = (int32_t)width;
    reader->part = *part;
    return 0;
}

int cjpeg_read(cjpeg_reader *reader, uint8_t *pixels, int32_t *warnings, char *message) {
    struct jpeg_decompress_struct *info = &reader->info;
    size_t stride = (size_t)reader->part.width * 3;
    // Changed after setjmp, so that the handler sees what was allocated.
    uint8_t *volatile inks = NULL;
    reader->handler.message = message;
    if (setjmp(reader->handler.escape)) {
        free(inks);
        return 1;
    }
    if (info->out_color_space == JCS_CMYK) {
        inks = malloc((size_t)info->output_width * 4);
        if (!inks) {
            snprintf(message, CJPEG_MESSAGE_SIZE, "no memory for a row of %u pixels", info->output_width);
            return 1;
        }
    }
    if (reader->part.y > 0) jpeg_skip_scanlines(info, (JDIMENSION)reader->part.y);
    for (int32_t y = 0; y < reader->part.height; y++) {
        uint8_t *row = pixels + (size_t)y * stride;
        JSAMPROW rows[1] = {inks ? inks : row};
        jpeg_read_scanlines(info, rows, 1);
        if (inks) rgb_from_cmyk(inks, row, reader->part.width, info->saw_Adobe_marker);
    }
    *warnings = (int32_t)info->err->num_warnings;
    free(inks);
    return 0;
}

int cjpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality,
                 uint8_t **encoded, size_t *size, char *message) {
    struct jpeg_compress_struct info;
    error_handler handler;
    unsigned char *buffer = NULL;
    unsigned long length = 0;
    memset(&info, 0, sizeof info);
    info.err = install(&handler, message);
    if (setjmp(handler.escape)) {
        jpeg_destroy_compress(&info);
        free(buffer);
        return 1;
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &buffer, &length);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = channels;
    info.in_color_space = channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW rows[1] = {(JSAMPROW)(pixels + (size_t)info.next_scanline * (size_t)width * (size_t)channels)};
        jpeg_write_scanlines(&info, rows, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    *encoded = buffer;
    *size = length;
    return 0;
}
