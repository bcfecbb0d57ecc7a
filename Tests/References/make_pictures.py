#!/usr/bin/env python3
"""Writes Pictures/: one small picture in the ways in which TIFFs come, by tifffile and Pillow, and some that are refused.

    python Tests/References/make_pictures.py        # needs numpy, pillow and tifffile

All show 24 x 20 pixels that tests know by formula; the tests of TIFFs read them.
"""
from pathlib import Path

import numpy
import tifffile
from PIL import Image

folder = Path(__file__).parent / "Pictures"
folder.mkdir(exist_ok=True)
width, height = 24, 20
y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
bytes_ = ((x * 13 + y * 7 + c * 50 + x * y * 3) % 256).astype(numpy.uint8)
words = ((x * 1307 + y * 2711 + c * 9001 + x * y * 523) % 65536).astype(numpy.uint16)
gray8, gray16 = bytes_[..., 0], words[..., 0]
alpha = ((x + y) % 256).astype(numpy.uint8)[..., :1]


def tiff(name, pixels, **options):
    tifffile.imwrite(folder / f"{name}.tif", pixels, metadata=None, software=False, **options)


def pillow(name, image, **options):
    image.save(folder / f"{name}.tif", **options)


rgb = {"photometric": "rgb"}
tiff("rgb8", bytes_, **rgb)
tiff("rgb8-big", bytes_, bigtiff=True, byteorder=">", rowsperstrip=3, **rgb)
tiff("rgb8-planes", bytes_.transpose(2, 0, 1), planarconfig="separate", compression="zlib", rowsperstrip=7, **rgb)
tiff("rgb8-alpha", numpy.concatenate([bytes_, alpha], 2), extrasamples=["unassalpha"], compression="zlib", **rgb)
tiff("rgb16-tiles", words, tile=(16, 16), compression="zlib", predictor=True, **rgb)
tiff("rgb16-planes-tiles", words.transpose(2, 0, 1), planarconfig="separate", tile=(16, 16), byteorder=">", **rgb)
tiff("gray16", gray16, photometric="minisblack", byteorder=">", rowsperstrip=4)
tiff("gray8-white", 255 - gray8, photometric="miniswhite")
tiff("gray8-alpha", numpy.stack([gray8, alpha[..., 0]], 2), photometric="minisblack", extrasamples=["assocalpha"])
tiff("gray8-pages", numpy.stack([gray8, 255 - gray8]), photometric="minisblack")
pillow("rgb8-lzw", Image.fromarray(bytes_), compression="tiff_lzw")
pillow("rgb8-packbits", Image.fromarray(bytes_), compression="packbits")
smooth = (x * 5 + y * 3 + c * 30).astype(numpy.uint8)
pillow("rgb8-jpeg", Image.fromarray(smooth), compression="jpeg", quality=95)
pillow("rgb8-jpeg-chroma", Image.fromarray(smooth).convert("YCbCr"), compression="jpeg", quality=95)
pillow("gray1-fax", Image.fromarray(gray8 > 127), compression="group4")
palette = Image.fromarray(gray8 // 4, "P")
palette.putpalette([value for i in range(256) for value in (i, 255 - i, i * 7 % 256)])
pillow("palette8", palette, compression="tiff_lzw")
for orientation in range(1, 9):
    pillow(f"turned{orientation}", Image.fromarray(bytes_), compression="tiff_lzw", tiffinfo={274: orientation})

# Refused.
tiff("float", gray8.astype(numpy.float32), photometric="minisblack", compression="zlib")
tiff("signed", gray16.astype(numpy.int16), photometric="minisblack", compression="zlib")
tiff("long", gray16.astype(numpy.uint32), photometric="minisblack", compression="zlib")
tiff("bands", numpy.concatenate([bytes_, alpha], 2), extrasamples=["unspecified"], compression="zlib", **rgb)
tiff("inks", numpy.concatenate([bytes_, alpha], 2), photometric="separated", compression="zlib")
