#!/usr/bin/env python3
"""Writes what `torch.save` writes, in both of its layouts, for the tests of the reader that executes nothing.

  python make_weights.py FOLDER

  published.pth          a zip: {'opt': Namespace, 'model': {'module.encoder.…'}, 'optimizer': …, 'epoch': …}, as PixPro's
                         program saves them, of the smallest network
  published-before.pth   the same as PyTorch before 1.6 wrote it, a sequence of pickles
  published.safetensors  its tensors, under their names in the files
  views.pth, views-before.pth, views.safetensors
                         all element types, storages that tensors share, strides, slices, nothing
  program.pth, program-before.pth, program.pkl
                         files that would run a command where they were unpickled
"""
import argparse
import os
import pickle
import sys

import torch

from pixpro_torch import PixPro
from reference_file import write


class Program:
    def __reduce__(self):
        return os.system, ("echo this must never run",)


def both(folder, name, value):
    torch.save(value, f"{folder}/{name}.pth")
    torch.save(value, f"{folder}/{name}-before.pth", _use_new_zipfile_serialization=False)


def published():
    model = PixPro(arch="tiny", hidden=8, projection=8)
    generator = torch.Generator().manual_seed(5)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
    weights = {f"module.{name}": value for name, value in model.state_dict().items() if "_k." not in name}
    encoder = {name: value for name, value in weights.items() if name.startswith("module.encoder.")}
    momentum = [torch.nn.Parameter(torch.zeros(3))]
    optimizer = torch.optim.SGD(momentum, lr=0.1, momentum=0.9)
    momentum[0].sum().backward()
    optimizer.step()
    options = argparse.Namespace(arch="tiny", learning_rate=0.1, crop=0.08, names=["a", "b"], amp=None)
    file = {"opt": options, "model": weights, "optimizer": optimizer.state_dict(), "scheduler": {"last": 3}, "epoch": 100}
    return file, encoder


def views():
    base = torch.arange(24, dtype=torch.float32)
    tensors = {
        "row": base[3:9], "matrix": base.view(4, 6), "turned": base.view(4, 6).t(), "steps": base[1::5],
        "block": base.view(2, 3, 4)[:, 1:, ::2].permute(2, 0, 1), "wide": base[:1].view(1, 1).expand(1, 1),
        "empty": torch.zeros(0, 3), "scalar": torch.tensor(7.5), "half": base.half() / 3, "double": base.double() / 3,
        "bfloat16": (base / 3).bfloat16(), "counter": torch.tensor(2**40), "bytes": torch.tensor([1, 255], dtype=torch.uint8),
        "flags": torch.tensor([True, False]), "parameter": torch.nn.Parameter(base[:2].clone()),
        "channels": torch.arange(48.0).view(1, 3, 4, 4).contiguous(memory_format=torch.channels_last),
    }
    return tensors


def main():
    folder = sys.argv[1]
    file, encoder = published()
    both(folder, "published", file)
    write(f"{folder}/published.safetensors", {name: value for name, value in encoder.items() if value.is_floating_point()}, {})
    tensors = views()
    both(folder, "views", {"list": [tensors, (1, 2.5, None, True, -7, 2**70)], "size": tensors["matrix"].shape, "type": torch.float32})
    floats = {name: value.detach().float().contiguous() for name, value in tensors.items()
              if value.is_floating_point() and value.numel() and value.dim()}
    write(f"{folder}/views.safetensors", floats, {})
    both(folder, "program", {"model": {"w": torch.zeros(2)}, "extra": Program()})
    with open(f"{folder}/program.pkl", "wb") as plain:
        pickle.dump(Program(), plain)


if __name__ == "__main__":
    main()
