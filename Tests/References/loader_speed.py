#!/usr/bin/env python3
"""Times the usual PyTorch input path on one core: Pillow decode, then the two BYOL-style views with torchvision.

  python loader_speed.py FOLDER [--size 224]
Takes the first 400 JPEGs and PNGs of the folder and those below it; prints milliseconds per image for decoding alone
and for decoding plus both views.
"""
import argparse
import io
import pathlib
import random
import time

import torch
from PIL import Image, ImageFilter, ImageOps
from torchvision import transforms as T

a = argparse.ArgumentParser()
a.add_argument("folder", type=pathlib.Path)
a.add_argument("--size", type=int, default=224)
a = a.parse_args()
torch.set_num_threads(1)
random.seed(0)
torch.manual_seed(0)


def blur(image):
    return image.filter(ImageFilter.GaussianBlur(radius=random.uniform(0.1, 2.0)))


def view(blur_p, solarize_p):
    return T.Compose([
        T.RandomResizedCrop(a.size, scale=(0.08, 1.0)), T.RandomHorizontalFlip(),
        T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], p=0.8), T.RandomGrayscale(0.2),
        T.RandomApply([T.Lambda(blur)], p=blur_p), T.RandomApply([T.Lambda(ImageOps.solarize)], p=solarize_p),
        T.ToTensor(), T.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])])


first, second = view(1.0, 0.0), view(0.1, 0.2)
pictures = sorted(f for f in a.folder.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
if not pictures:
    raise SystemExit(f"{a.folder}: no JPEG or PNG in it or below")
data = [f.read_bytes() for f in pictures[:400]]
t = time.perf_counter()
for d in data:
    Image.open(io.BytesIO(d)).convert("RGB")
decode = (time.perf_counter() - t) / len(data)
t = time.perf_counter()
for d in data:
    image = Image.open(io.BytesIO(d)).convert("RGB")
    first(image)
    second(image)
both = (time.perf_counter() - t) / len(data)
print(f"{len(data)} images: decode {1e3 * decode:.2f} ms, decode + two views {1e3 * both:.2f} ms per image, one core")
