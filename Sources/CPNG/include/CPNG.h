// The only place that sees libpng. Its errors jump (longjmp), which must not cross Swift: every call here catches them
// and returns a code and a message instead.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CPNG_MESSAGE_SIZE = 256 };

/// Size of a PNG picture. 0, or 1 with a message.
int cpng_read_size(const uint8_t *bytes, size_t size, int32_t *width, int32_t *height, char *message);

/// Decodes to interleaved bytes: `channels` 3 gives RGB (gray and palettes are expanded, alpha is dropped, 16 bits are
/// cut to 8), 1 gives gray values or palette indices as they are stored, with packed bits spread to bytes. `pixels` has
/// room for width × height × channels, as told by `cpng_read_size`.
int cpng_decode(const uint8_t *bytes, size_t size, int32_t channels, uint8_t *pixels, char *message);

/// Encodes gray (1) or RGB (3) bytes. `encoded` is allocated and must be freed.
int cpng_encode(const uint8_t *pixels, int32_t width, int32_t height, int32_t channels, uint8_t **encoded,
                size_t *size, char *message);
