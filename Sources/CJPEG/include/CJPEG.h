// The only place that sees libjpeg. Its errors jump (longjmp), which must not cross Swift: every call here catches them
// and returns a code and a message instead.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CJPEG_MESSAGE_SIZE = 256 };

typedef struct {
    int32_t width, height, components;
    /// EXIF orientation 1 to 8; 1 where there is none or it makes no sense.
    int32_t orientation;
    /// Whether all scans must be read before the first row is known.
    int32_t progressive;
} cjpeg_header;

/// A part of the picture in pixels.
typedef struct {
    int32_t x, y, width, height;
} cjpeg_rectangle;

/// A JPEG whose header has been read.
typedef struct cjpeg_reader cjpeg_reader;

/// Reads the header; `bytes` must stay where they are until the reader is closed. NULL with a message.
cjpeg_reader *cjpeg_open(const uint8_t *bytes, size_t size, cjpeg_header *header, char *message);

/// Once for a reader: prepares to decode at `numerator`/8 of the full size (1, 2, 4 or 8). On entry `part` is wanted, in
/// pixels of the scaled picture; on return it is what will be decoded, which contains it. 0, or 1 with a message.
int cjpeg_start(cjpeg_reader *reader, int32_t numerator, cjpeg_rectangle *part, char *message);

/// Decodes the part to RGB8 into `pixels`, which has room for it. 0, or 1 with a message.
int cjpeg_read(cjpeg_reader *reader, uint8_t *pixels, char *message);

void cjpeg_close(cjpeg_reader *reader);

/// Encodes `channels` (1 gray or 3 RGB) interleaved bytes. `encoded` is allocated and must be freed.
int cjpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality,
                 uint8_t **encoded, size_t *size, char *message);
