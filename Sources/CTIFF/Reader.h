// What the files of this target share of a TIFF that is being read.
#pragma once
#include "CTIFF.h"

#include <tiffio.h>

struct ctiff_reader {
    const uint8_t *bytes;
    size_t size;
    uint64_t at;
    TIFF *tiff;
    /// Of the call under way; empty until something is wrong.
    char *message;
    ctiff_header header;
    uint16_t bits, samples, photometric, planar;
    /// Of a palette.
    uint16_t *reds, *greens, *blues;
    /// How far a palette's values are shifted to be bytes.
    int shift;
};

/// Keeps the message of the call under way, unless one is there: the first error is the cause. Always 1.
__attribute__((format(printf, 2, 3))) int ctiff_fail(ctiff_reader *reader, const char *format, ...);
