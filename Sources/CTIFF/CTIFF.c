#include "Reader.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// MARK: Messages

static void put(ctiff_reader *reader, const char *format, va_list arguments) {
    // The first error is the cause; those that follow from it say less.
    if (reader && !reader->message[0]) vsnprintf(reader->message, CTIFF_MESSAGE_SIZE, format, arguments);
}

static void note_error(thandle_t handle, const char *module, const char *format, va_list arguments) {
    (void)module;
    put(handle, format, arguments);
}

int ctiff_fail(ctiff_reader *reader, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    put(reader, format, arguments);
    va_end(arguments);
    return 1;
}

// The handlers are the process's; whose error it is they are told.
static void install_handlers(void) {
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFFSetErrorHandlerExt(note_error);
}

// MARK: The file in memory

static tmsize_t take(thandle_t handle, void *target, tmsize_t count) {
    ctiff_reader *reader = handle;
    uint64_t left = reader->at < reader->size ? reader->size - reader->at : 0;
    if ((uint64_t)count > left) count = (tmsize_t)left;
    if (count > 0) memcpy(target, reader->bytes + reader->at, (size_t)count);
    reader->at += (uint64_t)count;
    return count;
}

static tmsize_t give(thandle_t handle, void *source, tmsize_t count) {
    (void)handle, (void)source, (void)count;
    return 0;
}

static toff_t seek(thandle_t handle, toff_t offset, int whence) {
    ctiff_reader *reader = handle;
    reader->at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? reader->at + offset : reader->size + offset;
    return reader->at;
}

static int leave(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t length(thandle_t handle) { return ((ctiff_reader *)handle)->size; }

static int map(thandle_t handle, void **base, toff_t *size) {
    ctiff_reader *reader = handle;
    *base = (void *)reader->bytes;
    *size = reader->size;
    return 1;
}

static void unmap(thandle_t handle, void *base, toff_t size) { (void)handle, (void)base, (void)size; }

// MARK: The header

static uint16_t tag(ctiff_reader *reader, uint32_t tag) {
    uint16_t value = 0;
    TIFFGetFieldDefaulted(reader->tiff, tag, &value);
    return value;
}

static int check_samples(ctiff_reader *reader) {
    uint16_t format = tag(reader, TIFFTAG_SAMPLEFORMAT);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
        return ctiff_fail(reader, "has %s samples: convert it to whole numbers of 8 or 16 bits from 0 up",
                    format == SAMPLEFORMAT_IEEEFP ? "floating-point" : format == SAMPLEFORMAT_INT ? "signed" : "complex");
    int is_gray = reader->photometric == PHOTOMETRIC_MINISBLACK || reader->photometric == PHOTOMETRIC_MINISWHITE;
    int is_palette = reader->photometric == PHOTOMETRIC_PALETTE, is_ycbcr = reader->photometric == PHOTOMETRIC_YCBCR;
    if (!is_gray && !is_palette && !is_ycbcr && reader->photometric != PHOTOMETRIC_RGB)
        return ctiff_fail(reader, "is %s: convert it to RGB or gray",
                    reader->photometric == PHOTOMETRIC_SEPARATED ? "of inks (CMYK)"
                    : reader->photometric == PHOTOMETRIC_CIELAB ? "of Lab colours"
                                                                : "of unusual colours");
    uint16_t extra = 0, *kinds = NULL;
    TIFFGetFieldDefaulted(reader->tiff, TIFFTAG_EXTRASAMPLES, &extra, &kinds);
    reader->header.has_alpha = extra == 1 && kinds[0] != EXTRASAMPLE_UNSPECIFIED;
    uint16_t colors = is_gray || is_palette ? 1 : 3;
    if (reader->samples != colors + reader->header.has_alpha)
        return ctiff_fail(
            reader, "has %d channels, of which networks take three (or one, as gray): choose, for example with "
                    "`gdal_translate -b 1 -b 2 -b 3 IN.tif OUT.tif`", reader->samples);
    uint16_t bits = reader->bits;
    int is_whole = bits == 8 || (bits == 16 && !is_palette && !is_ycbcr);
    int is_packed = colors == 1 && (bits == 1 || bits == 2 || bits == 4);
    if (!is_whole && !is_packed)
        return ctiff_fail(reader, "has samples of %d bits: convert it to 8 or 16", bits);
    return 0;
}

static int check_compression(ctiff_reader *reader) {
    uint16_t compression = tag(reader, TIFFTAG_COMPRESSION);
    if (compression == COMPRESSION_OJPEG || !TIFFIsCODECConfigured(compression)) {
        const TIFFCodec *codec = TIFFFindCODEC(compression);
        return ctiff_fail(
            reader, "is compressed in a way (%s, %d) that libtiff does not undo here: save it anew with LZW or Deflate",
            codec ? codec->name : "unknown", compression);
    }
    if (reader->photometric != PHOTOMETRIC_YCBCR) return 0;
    if (compression != COMPRESSION_JPEG || reader->planar != PLANARCONFIG_CONTIG)
        return ctiff_fail(reader, "has colours as luminance and chrominance without JPEG: convert it to RGB");
    TIFFSetField(reader->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    return 0;
}

static int check_palette(ctiff_reader *reader) {
    if (reader->photometric != PHOTOMETRIC_PALETTE) return 0;
    if (!TIFFGetField(reader->tiff, TIFFTAG_COLORMAP, &reader->reds, &reader->greens, &reader->blues))
        return ctiff_fail(reader, "has no palette for its indices");
    // Some programs write bytes where 16 bits belong.
    for (int index = 0; index < 1 << reader->bits; index++)
        if ((reader->reds[index] | reader->greens[index] | reader->blues[index]) > 255) reader->shift = 8;
    return 0;
}

// A file is either always used or never, whichever part is wanted: all of its parts must be in it.
static int check_extents(ctiff_reader *reader) {
    int is_tiled = TIFFIsTiled(reader->tiff);
    uint32_t count = is_tiled ? TIFFNumberOfTiles(reader->tiff) : TIFFNumberOfStrips(reader->tiff);
    for (uint32_t part = 0; part < count; part++) {
        uint64_t start = TIFFGetStrileOffset(reader->tiff, part), bytes = TIFFGetStrileByteCount(reader->tiff, part);
        if (bytes == 0 || start > reader->size || bytes > reader->size - start)
            return ctiff_fail(
                reader, "truncated: %s %u of %u is not in the file", is_tiled ? "tile" : "strip", part + 1, count);
    }
    if (!is_tiled) return 0;
    uint32_t width = 0, height = 0;
    TIFFGetField(reader->tiff, TIFFTAG_TILEWIDTH, &width);
    TIFFGetField(reader->tiff, TIFFTAG_TILELENGTH, &height);
    if (width == 0 || height == 0 || (uint64_t)width * height > 1 << 26)
        return ctiff_fail(reader, "has tiles of %u×%u pixels: save it anew with smaller ones", width, height);
    return 0;
}

static int read_header(ctiff_reader *reader) {
    uint32_t width = 0, height = 0;
    TIFFGetField(reader->tiff, TIFFTAG_IMAGEWIDTH, &width);
    TIFFGetField(reader->tiff, TIFFTAG_IMAGELENGTH, &height);
    if (width == 0 || height == 0 || width > INT32_MAX || height > INT32_MAX)
        return ctiff_fail(reader, "its header says %u×%u pixels", width, height);
    reader->header.width = (int32_t)width;
    reader->header.height = (int32_t)height;
    uint16_t orientation = tag(reader, TIFFTAG_ORIENTATION);
    reader->header.orientation = orientation >= 1 && orientation <= 8 ? orientation : 1;
    reader->bits = tag(reader, TIFFTAG_BITSPERSAMPLE);
    reader->samples = tag(reader, TIFFTAG_SAMPLESPERPIXEL);
    reader->planar = tag(reader, TIFFTAG_PLANARCONFIG);
    if (!TIFFGetField(reader->tiff, TIFFTAG_PHOTOMETRIC, &reader->photometric))
        reader->photometric = reader->samples < 3 ? PHOTOMETRIC_MINISBLACK : PHOTOMETRIC_RGB;
    return check_samples(reader) || check_compression(reader) || check_palette(reader) || check_extents(reader);
}

ctiff_reader *ctiff_open(const uint8_t *bytes, size_t size, ctiff_header *header, char *message) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_handlers);
    message[0] = 0;
    ctiff_reader *reader = calloc(1, sizeof(ctiff_reader));
    if (!reader) {
        snprintf(message, CTIFF_MESSAGE_SIZE, "no memory for a TIFF reader");
        return NULL;
    }
    reader->bytes = bytes;
    reader->size = size;
    reader->message = message;
    reader->tiff = TIFFClientOpen("picture", "r", reader, take, give, seek, leave, length, map, unmap);
    if (!reader->tiff || read_header(reader)) {
        ctiff_fail(reader, "cannot be read as a TIFF");
        ctiff_close(reader);
        return NULL;
    }
    *header = reader->header;
    return reader;
}

void ctiff_close(ctiff_reader *reader) {
    // Whoever made the last call has taken its message away.
    char message[CTIFF_MESSAGE_SIZE] = "";
    reader->message = message;
    if (reader->tiff) TIFFClose(reader->tiff);
    free(reader);
}
