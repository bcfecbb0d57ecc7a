// The only place that sees libpng. Its errors jump (longjmp), which must not cross Swift: every call here catches them
// and returns a code and a message instead.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CPNG_MESSAGE_SIZE = 256 };

typedef struct {
    int32_t width, height;
    /// Of a sample as it is stored: 1, 2, 4, 8 or 16.
    int32_t bits;
    /// Whether a pixel has three samples, and whether it has one more that says how opaque it is. Without both it is a
    /// gray value or an index into a palette.
    int32_t has_colors, has_alpha;
} cpng_header;

/// 0, or 1 with a message.
int cpng_read_header(const uint8_t *bytes, size_t size, cpng_header *header, char *message);

/// `cpng_rgb` gives interleaved RGB bytes: gray and palettes are expanded, alpha is dropped, 16 bits are scaled to 8.
/// `cpng_stored`, for one sample a pixel, gives gray values or palette indices as they are stored: in a byte, also of
/// fewer bits, or in two where there are 16, the upper one first.
enum cpng_form { cpng_rgb, cpng_stored };

/// Decodes into `pixels`, which has room for what the header and `form` say. 0, or 1 with a message.
int cpng_decode(const uint8_t *bytes, size_t size, int32_t form, uint8_t *pixels, char *message);

/// Encodes gray (1) or RGB (3) bytes. `encoded` is allocated and must be freed.
int cpng_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **encoded,
                size_t *size, char *message);
