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

/// A part of the picture, decoded at numerator/8 of its size.
typedef struct {
    int32_t x, y, width, height;
} cjpeg_rectangle;

/// 0, or 1 with a message.
int cjpeg_read_header(const uint8_t *bytes, size_t size, cjpeg_header *header, char *message);

/// Decodes to RGB8 at `numerator`/8 of the full size (1, 2, 4 or 8). On entry `part` is wanted, in pixels of the scaled
/// picture; on return it is what was decoded, which contains it. `pixels` is allocated and must be freed.
/// `warnings` counts damage that libjpeg passed over. 0, or 1 with a message.
int cjpeg_decode(const uint8_t *bytes, size_t size, int32_t numerator, cjpeg_rectangle *part, uint8_t **pixels,
                 int32_t *warnings, char *message);

/// Encodes `channels` (1 gray or 3 RGB) interleaved bytes. `encoded` is allocated and must be freed.
int cjpeg_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, int32_t quality,
                 uint8_t **encoded, size_t *size, char *message);
