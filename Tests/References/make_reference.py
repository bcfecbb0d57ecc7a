#!/usr/bin/env python3
"""Writes a reference file: inputs, initial weights, and what K training steps must give, computed in double precision.

  python make_reference.py out.safetensors --arch resnet18 --batch 4 --size 96 --steps 3 [--seed 0]
  python make_reference.py out.safetensors --arch tiny --size 64 --steps 2 --hidden 32 --projection 32   # 1.3 MB
  python make_reference.py out.safetensors --method pixcontrast --instance simclr [--dialect paper] --hidden 512
  python make_reference.py out.safetensors --pyramid 3,4,5 --tower-depth 2 --pyramid-channels 64 --size 104 --hidden 512

All tensors are float32, row-major, PyTorch layout (NCHW images, OIHW kernels). Keys:
  input.view1, input.view2 [K,N,3,H,W]   input.box1, input.box2 [K,N,4] (x0,y0,x1,y1; x0 > x1 where flipped)
  weights.<name>           every parameter and BN buffer before step 0, in the names of the published checkpoints
                           (encoder.*, projector.*, encoder_k.*, projector_k.*, value_transform.*)
  expected.loss [K]        the loss of each step
  expected.gradient.<name> gradients of step 0, before weight decay and LARS
  expected.weights.<name>  parameters and BN buffers after step K-1
  expected.features.<name> of step 0: c5 of view 1 (encoder1), projection (projection1), propagated (propagated1)
  drift.<the same keys>    [1]: how far the same run in fp32 PyTorch is from it, |a - b| / (|b| + 1e-6 M), Frobenius
                           norms, M the largest |b| among the tensors of that kind (biases before BN have no gradient);
                           loss: [K], |a - b|
All expected values come from float64 and are stored as float32. A sound fp32 program stays within a few times the
drift; where the drift is large the step itself is ill-conditioned (later steps of deep nets on tiny maps are).
The run's settings are in __metadata__ (all values strings): arch, hidden (of the projector), gamma, clamp, threshold,
base_momentum, total_steps, lr (one per step, comma-separated), weight_decay, sgd_momentum, trust, dialect, and
projection (channels of the projections) where it is not 256.
BN runs in training mode with per-view batch statistics, one process.

Any of --method, --instance, --pyramid, --dialect other than plain PixPro's adds:
  metadata method, instance, instance_weight, temperature (PixContrast's), instance_temperature (simclr's),
           pyramid_levels ("" for C5), pyramid_channels, tower_depth
  weights  projector_instance(_k).*, predictor.* (byol); pyramid(_k).lateral<l>.{conv,bn}.*,
           pyramid(_k).output<l>.{conv,bn}.*; for t = cls, bbox tower_<t>(_k).<i>.{conv,gn}.*, projector_<t>(_k).*,
           value_transform_<t>.*; with --tower-depth 0 projector(_k).* and value_transform.* serve all levels;
           PixContrast has no value_transform
  expected.loss.<term> [K] and drift.loss.<term> [K]: pixel, instance, and level<l>[.<t>] of a pyramid, whose mean pixel
           is
  expected.features.<name> encoder1, instance1 [N,256] (the online branch's unit vector); of a pyramid
           level<l>.pyramid1, level<l>[.<t>].{projection,propagated}1, level<l>.<t>.tower1
In these files the last image's two views never overlap, so that the dialect's mean over images shows.

A median drift above 1e-4 ends with status 1: the file is of no use, take another seed.
"""
import argparse
import copy

import torch

from methods_torch import Learner
from pixpro_torch import LARS, PixPro
from reference_file import drifts, floats, print_drifts, write


def boxes(n, generator):
    low = torch.rand(n, 2, generator=generator) * 0.4
    high = low + 0.3 + torch.rand(n, 2, generator=generator) * 0.3
    box = torch.cat([low, high], 1)
    flip = torch.rand(n, generator=generator) < 0.5
    box[flip] = box[flip][:, [2, 1, 0, 3]]
    return box


def probe(model, view):
    """The features of a view [N,3,H,W] by name, computed on a copy so that running statistics stay."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        if isinstance(model, Learner):
            return {name + "1": value for name, value in model.features(view).items()}
        features = {"encoder1": model.encoder(view)}
        features["projection1"] = model.projector(features["encoder1"])
        features["propagated1"] = model.propagate(features["projection1"])
        return features


def run(model, views, box, lrs, dtype):
    """K steps in a precision -> {"": losses, term: losses}, gradients and features of step 0, the final state."""
    model = copy.deepcopy(model).to(dtype).train()
    optimizer, losses, gradients, features = LARS(model.parameters()), [], {}, {}
    for step, lr in enumerate(lrs):
        v1, v2 = (v[step].to(dtype) for v in views)
        b1, b2 = (b[step].to(dtype) for b in box)
        if step == 0:
            features = probe(model, v1)
        loss = model(v1, v2, b1, b2)
        loss.backward()
        if step == 0:
            gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
        losses.append({"": loss.item()} | {"." + k: v.item() for k, v in getattr(model, "terms", {}).items()})
        optimizer.update(lr)
    return {k: [step[k] for step in losses] for k in losses[0]}, gradients, model.state_dict(), features


def main():
    a = argparse.ArgumentParser()
    a.add_argument("out")
    a.add_argument("--arch", default="resnet18")
    a.add_argument("--batch", type=int, default=4)
    a.add_argument("--size", type=int, default=96)
    a.add_argument("--steps", type=int, default=3)
    a.add_argument("--seed", type=int, default=0)
    a.add_argument("--lr", type=float, default=0.1)
    a.add_argument("--hidden", type=int, help="the projectors' width; the dialect's 4096 or 2048 if not given")
    a.add_argument("--projection", type=int, default=256, help="channels of the projections, for small files")
    a.add_argument("--method", choices=["pixpro", "pixcontrast"], default="pixpro")
    a.add_argument("--dialect", choices=["official", "paper"], default="official")
    a.add_argument("--instance", choices=["none", "byol", "simclr"], default="none")
    a.add_argument("--instance-weight", type=float, default=1.0)
    a.add_argument("--temperature", type=float, default=0.3)
    a.add_argument("--instance-temperature", type=float, default=0.2)
    a.add_argument("--pyramid", default="", metavar="LEVELS", help="as 3,4,5; C5 alone if not given")
    a.add_argument("--pyramid-channels", type=int, default=256)
    a.add_argument("--tower-depth", type=int, default=0)
    a = a.parse_args()
    hidden = a.hidden or (4096 if a.dialect == "official" else 2048)
    plain = (a.method, a.instance, a.pyramid, a.dialect) == ("pixpro", "none", "", "official")
    torch.manual_seed(a.seed)
    g = torch.Generator().manual_seed(a.seed + 1)
    if plain:
        model = PixPro(a.arch, total_steps=100, hidden=hidden, projection=a.projection)
    else:
        model = Learner(a.arch, a.method, a.instance, a.instance_weight, a.temperature, a.instance_temperature,
                        a.dialect, [int(level) for level in a.pyramid.split(",") if level], a.pyramid_channels,
                        a.tower_depth, total_steps=100, hidden=hidden, projection=a.projection)
    with torch.no_grad():  # a zero last gamma hides whole branches from the comparison
        for name, p in model.named_parameters():
            if p.ndim == 1 and "bn" in name and name.endswith("weight"):
                p.copy_(0.3 + 0.4 * torch.rand(p.shape, generator=g))
            if ".gn." in name:  # so do gamma 1 and beta 0 hide themselves
                p.copy_((0.7 if name.endswith("weight") else -0.3) + 0.6 * torch.rand(p.shape, generator=g))
        for online, target in model.twins():
            target.load_state_dict(online.state_dict())
    views = [torch.randn(a.steps, a.batch, 3, a.size, a.size, generator=g) for _ in range(2)]
    box = [torch.stack([boxes(a.batch, g) for _ in range(a.steps)]) for _ in range(2)]
    if not plain:
        for b, corners in zip(box, ([.05, .1, .4, .35], [.95, .55, .6, .9])):
            b[:, -1] = torch.tensor(corners)
    lrs = [a.lr * (i + 1) / a.steps for i in range(a.steps)]
    exact, rough = (run(model, views, box, lrs, d) for d in (torch.float64, torch.float32))
    out = floats({"view1": views[0], "view2": views[1], "box1": box[0], "box2": box[1]}, "input.") \
        | floats(model.state_dict(), "weights.")
    for term, losses in exact[0].items():
        out |= {"expected.loss" + term: torch.tensor(losses),
                "drift.loss" + term: torch.tensor(losses).sub(torch.tensor(rough[0][term])).abs()}
    for kind, e, r in zip(("gradient", "weights", "features"), exact[1:], rough[1:]):
        out |= floats(e, f"expected.{kind}.") | drifts(e, r, f"drift.{kind}.")
    metadata = {"arch": a.arch, "hidden": str(hidden), "gamma": "2", "clamp": "0", "threshold": "0.7",
                "base_momentum": "0.99", "total_steps": "100", "lr": ",".join(map(str, lrs)),
                "weight_decay": "1e-5", "sgd_momentum": "0.9", "trust": "0.001", "dialect": a.dialect}
    if not plain:
        metadata |= {"method": a.method, "instance": a.instance, "instance_weight": str(a.instance_weight),
                     "temperature": str(a.temperature), "instance_temperature": str(a.instance_temperature),
                     "pyramid_levels": a.pyramid, "pyramid_channels": str(a.pyramid_channels),
                     "tower_depth": str(a.tower_depth)}
    if a.projection != 256:
        metadata["projection"] = str(a.projection)
    write(a.out, out, metadata)
    for term, losses in exact[0].items():
        print("losses" + term.replace(".", " ", 1), losses, "in fp32", rough[0][term])
    print_drifts(out, ("features", "gradient", "weights"))


if __name__ == "__main__":
    main()
