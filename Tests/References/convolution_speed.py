#!/usr/bin/env python3
"""Times every convolution of a PixPro training step in PyTorch beside ours, shape by shape, in turns.

  OMP_NUM_THREADS=1 python convolution_speed.py .build/release/pixpro-bench --arch resnet50 --batch 8 --size 224 --precision bf16

The shapes and how often a step computes each come from `pixpro-bench kernels`. Prints for each row: count in a step,
GFLOP/s of both (medians over the rounds), the ratio of the times, and ours' share of its rate; last the sums of a step,
of the medians and of the best.
"""
import argparse
import json
import re
import statistics
import subprocess
import time

import torch
from torch.nn.grad import conv2d_input, conv2d_weight

a = argparse.ArgumentParser()
a.add_argument("bench", help="the program pixpro-bench")
a.add_argument("--arch", default="resnet50")
a.add_argument("--batch", type=int, default=8)
a.add_argument("--size", type=int, default=224)
a.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
a.add_argument("--rounds", type=int, default=5)
a.add_argument("--repetitions", type=int, default=3)
a = a.parse_args()
torch.set_num_threads(1)
torch.manual_seed(0)
SHAPE = re.compile(r"(\d+)×\d+/(\d+) (\d+)² (\d+)→(\d+)")


def ours():
    line = [a.bench, "kernels", "--architecture", a.arch, "--batch", str(a.batch), "--image-size", str(a.size), "--json",
            "--precision", {"fp32": "float32", "bf16": "bfloat16"}[a.precision], "--repetitions", str(a.repetitions)]
    return [json.loads(x) for x in subprocess.run(line, check=True, capture_output=True, text=True).stdout.splitlines()]


def key(row):
    return row["shape"], row["of"], row["direction"]


def peer(row, made):
    """Seconds of one row's repetitions; tensors of a shape are made once."""
    kernel, stride, size, inputs, outputs = map(int, SHAPE.fullmatch(row["shape"]).groups())
    kind = torch.bfloat16 if row["precision"] == "bfloat16" else torch.float32
    if (row["shape"], kind) not in made:
        made.clear()
        maps = dict(dtype=kind)
        x = torch.randn(a.batch, inputs, size, size, **maps).contiguous(memory_format=torch.channels_last)
        w = torch.randn(outputs, inputs, kernel, kernel, **maps).contiguous(memory_format=torch.channels_last)
        y = torch.nn.functional.conv2d(x, w, stride=stride, padding=kernel // 2)
        made[row["shape"], kind] = x, w, torch.randn_like(y)
    x, w, dy = made[row["shape"], kind]
    place = dict(stride=stride, padding=kernel // 2)
    run = {"forward": lambda: torch.nn.functional.conv2d(x, w, **place),
           "data": lambda: conv2d_input(x.shape, w, dy, **place),
           "weights": lambda: conv2d_weight(x, w.shape, dy, **place)}[row["direction"]]
    run()
    seconds = []
    for _ in range(a.repetitions):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


mine, theirs, best, rows = {}, {}, {}, {}
with torch.no_grad():
    for _ in range(a.rounds):
        figures = ours()
        made = {}
        for row in (x for x in figures if x["name"] == "kernel"):
            rows[key(row)] = row
            seconds, peers = 1e-3 * row["ms of a step"] / row["in a step"], peer(row, made)
            mine.setdefault(key(row), []).append(seconds)
            theirs.setdefault(key(row), []).append(statistics.median(peers))
            fastest = seconds * row["GFLOP/s"] / row["GFLOP/s at best"], min(peers)
            best[key(row)] = tuple(map(min, fastest, best.get(key(row), fastest)))
        print("round:", *(f"{k} {v:.4g}" for k, v in figures[0].items() if k.startswith(("float", "bfloat"))), flush=True)

sums = [0, 0, 0]
for k, row in rows.items():
    us, them, count = statistics.median(mine[k]), statistics.median(theirs[k]), row["in a step"]
    operations = row["GFLOP/s"] * 1e9 * 1e-3 * row["ms of a step"] / count
    sums = [sums[0] + count * us, sums[1] + count * them, sums[2] + count * operations]
    print(f"{' '.join(k):48} x{count:<3} ours {operations / us / 1e9:7.0f} PyTorch {operations / them / 1e9:7.0f} GFLOP/s, "
          f"ratio {them / us:5.2f}, {row['of the rate']:.2f} of the rate, {row['engine']}")
at_best = [sum(row["in a step"] * best[k][who] for k, row in rows.items()) for who in (0, 1)]
print(f"a step: ours {sums[0]:.3f} s, {sums[2] / sums[0] / 1e9:.0f} GFLOP/s; PyTorch {sums[1]:.3f} s, "
      f"{sums[2] / sums[1] / 1e9:.0f} GFLOP/s; ratio {sums[1] / sums[0]:.2f}")
print(f"at best: ours {at_best[0]:.3f} s, PyTorch {at_best[1]:.3f} s; ratio {at_best[1] / at_best[0]:.2f}")
