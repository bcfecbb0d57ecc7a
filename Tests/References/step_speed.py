#!/usr/bin/env python3
"""Times one PixPro training step in PyTorch at its best CPU settings (channels_last, optional bfloat16).

  OMP_NUM_THREADS=1 python step_speed.py --arch resnet50 --batch 8 --size 224 --precision bf16 --threads 1
  OMP_NUM_THREADS=1 python -m torch.distributed.run --nproc_per_node 2 step_speed.py ...   # DDP over gloo

Prints: images/s (image pairs, all ranks), seconds per step (median), peak resident GB of rank 0.
"""
import argparse
import os
import resource
import statistics
import time

import torch
from pixpro_torch import LARS, PixPro

a = argparse.ArgumentParser()
a.add_argument("--arch", default="resnet50")
a.add_argument("--batch", type=int, default=8)
a.add_argument("--size", type=int, default=224)
a.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
a.add_argument("--threads", type=int, default=1)
a.add_argument("--steps", type=int, default=5)
a.add_argument("--compile", action="store_true", help="torch.compile the two online branches and the two targets")
a = a.parse_args()
torch.set_num_threads(a.threads)
torch.manual_seed(0)
model = PixPro(a.arch).to(memory_format=torch.channels_last).train()
optimizer = LARS(model.parameters())
if a.compile:
    for part in (model.encoder, model.projector, model.encoder_k, model.projector_k):
        part.compile()
world, rank, net = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0)), model
if world > 1:
    torch.distributed.init_process_group("gloo")
    net = torch.nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
image = lambda: torch.randn(a.batch, 3, a.size, a.size).contiguous(memory_format=torch.channels_last)
box1 = torch.tensor([[.1, .1, .8, .8]]).repeat(a.batch, 1)
box2 = torch.tensor([[.2, .2, .9, .9]]).repeat(a.batch, 1)
v1, v2, seconds = image(), image(), []
for _ in range(a.steps + 1):
    t = time.perf_counter()
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bf16"):
        loss = net(v1, v2, box1, box2)
    loss.backward()
    optimizer.update(0.1)
    seconds.append(time.perf_counter() - t)
s = statistics.median(seconds[1:])
if rank == 0:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"torch {torch.__version__} {a.arch} batch {a.batch} size {a.size} {a.precision}"
          f"{' compiled' if a.compile else ''} threads {a.threads} ranks {world}: "
          f"{a.batch * world / s:.3f} images/s, {s:.3f} s/step, peak {peak:.2f} GB")
