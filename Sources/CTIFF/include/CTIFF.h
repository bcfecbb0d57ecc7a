// The only place that sees libtiff. What it has to say is kept from standard error: warnings are passed over, and every
// call here that fails gives the first error as its message.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { CTIFF_MESSAGE_SIZE = 320 };

typedef struct {
    int32_t width, height;
    /// As EXIF's, 1 to 8; 1 where there is none or it makes no sense.
    int32_t orientation;
    /// Whether a pixel has one more sample that says how opaque it is.
    int32_t has_alpha;
} ctiff_header;

/// A part of the picture in pixels.
typedef struct {
    int32_t x, y, width, height;
} ctiff_rectangle;

/// A TIFF whose header has been read.
typedef struct ctiff_reader ctiff_reader;

/// Reads the header of the first picture in the file; `bytes` must stay where they are until the reader is closed. NULL
/// with a message, also for a picture that cannot become RGB of 8 bits, or a part of which lies beyond the end of the file.
ctiff_reader *ctiff_open(const uint8_t *bytes, size_t size, ctiff_header *header, char *message);

/// Decodes a part that lies in the picture, as it is stored, to RGB8 into `pixels`, which has room for it: gray and palettes
/// are expanded, alpha is dropped, 16 bits are scaled to 8. 0, or 1 with a message.
int ctiff_read(ctiff_reader *reader, ctiff_rectangle part, uint8_t *pixels, char *message);

void ctiff_close(ctiff_reader *reader);
