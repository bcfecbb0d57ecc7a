"""Writes reference files: safetensors whose header has a fixed order, so that equal contents are equal bytes."""
import json
import struct

import torch


def number(x):
    """A setting as metadata has it: 0.1 -> "0.1", 2.0 -> "2", 1e-5 -> "1e-05"."""
    return str(int(x)) if float(x).is_integer() else str(x)


def write(path, tensors, metadata):
    """Float32 tensors by name, texts by key -> a file in the safetensors package's layout, metadata in this order."""
    header, offset, names = {"__metadata__": metadata}, 0, sorted(tensors)
    for name in names:
        assert tensors[name].dtype == torch.float32, name
        size = 4 * tensors[name].numel()
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in names:
            file.write(tensors[name].detach().contiguous().numpy().tobytes())


def floats(tensors, prefix=""):
    """Tensors by name -> float32 copies under prefix + name; counters of batches are left out."""
    return {prefix + k: v.detach().float().contiguous() for k, v in tensors.items() if "num_batches" not in k}


def drifts(exact, rough, prefix):
    """Two runs' tensors by name -> {prefix + name: [1]}: |rough - exact| / (|exact| + 1e-6 M), M the largest one."""
    names = [k for k in exact if "num_batches" not in k]
    floor = 1e-6 * max((exact[k].norm() for k in names), default=0)
    distance = lambda k: (rough[k].double() - exact[k]).norm() / (exact[k].norm() + floor)
    return {prefix + k: distance(k).float().reshape(1) for k in names}


def print_drifts(tensors, kinds):
    """The median and the worst drift of each kind; a median above 1e-4 means a rectifier flipped early: an exit."""
    for kind in kinds:
        found = sorted((v.item(), k) for k, v in tensors.items() if k.startswith(f"drift.{kind}."))
        print(f"drift of {kind}: median {found[len(found) // 2][0]:.1e}, largest {found[-1][0]:.1e} {found[-1][1]}")
        if found[len(found) // 2][0] > 1e-4:
            raise SystemExit(f"ill-conditioned: the median drift of {kind} is above 1e-4; take another seed")
